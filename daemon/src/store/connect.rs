//! Making, opening and tending the one connection that writes.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::files::Files;
use super::{Append, Readers, StoreError, View, schema};

/// The connection that writes the log. Used by one thread.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    files: Files,
    path: PathBuf,
}

/// The state of the WAL after a checkpoint of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wal {
    /// Somebody was in the way; not everything could be moved.
    pub busy: bool,
    /// Pages of 4 KiB in the WAL.
    pub pages: u64,
    /// How many of them are in the database too.
    pub moved: u64,
}

impl Store {
    /// The database file inside a state directory.
    pub fn path_in(directory: &Path) -> PathBuf {
        directory.join("log.db")
    }

    /// Makes an empty log in `directory`, with these `meta` rows. Only `init` calls this.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where there is one.
    pub fn create(directory: &Path, meta: &[(&str, &str)]) -> Result<Self, StoreError> {
        let path = Self::path_in(directory);
        // SQLite gives WAL and shared memory the mode of the database, so this one line keeps all three private.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(_empty) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(StoreError::Exists { path });
            }
            Err(e) => return Err(StoreError::io("making", path, e)),
        }
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::set(&connection, "page_size", "4096")?;
        schema::set(&connection, "journal_mode", "WAL")?;
        schema::writing(&connection)?;
        schema::set(&connection, "application_id", &schema::APPLICATION.to_string())?;
        let fill = || -> rusqlite::Result<()> {
            connection.execute_batch("begin immediate")?;
            connection.execute_batch(schema::LOG)?;
            let mut insert = connection.prepare("insert into meta(name, value) values(?1, ?2)")?;
            for (name, value) in meta {
                insert.execute((name, value))?;
            }
            connection.pragma_update(None, "user_version", schema::VERSION)?;
            connection.execute_batch("commit")
        };
        fill().map_err(|e| StoreError::of("making the tables", e))?;
        let store = Self::with(connection, path)?;
        sync_directory(directory)?;
        Ok(store)
    }

    /// Opens the log in `directory` and empties its WAL. Never makes one.
    ///
    /// The truncating checkpoint comes first and must succeed: after a failed sync the page cache may show what the
    /// disk does not have, and this writes all of it again.
    ///
    /// # Errors
    /// `Missing`, `Foreign`, `Newer`, or what SQLite says.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = Self::path_in(directory);
        if !path.try_exists().map_err(|e| StoreError::io("looking at", &path, e))? {
            return Err(StoreError::Missing { path });
        }
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::writing(&connection)?;
        let application = schema::pragma(&connection, "application_id")?;
        if application != schema::APPLICATION {
            return Err(StoreError::Foreign { path, found: application });
        }
        let version = schema::pragma(&connection, "user_version")?;
        if version != schema::VERSION {
            return Err(StoreError::Newer { path, found: version, known: schema::VERSION });
        }
        let journal: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .map_err(|e| StoreError::of("reading the file's header", e))?;
        if journal != "wal" {
            return Err(StoreError::Shape("a journal other than the WAL: somebody changed the file"));
        }
        let store = Self::with(connection, path)?;
        let wal = store.truncate()?;
        if wal.busy {
            return Err(StoreError::Shape("the WAL could not be emptied: another process reads this log"));
        }
        Ok(store)
    }

    fn with(connection: Connection, path: PathBuf) -> Result<Self, StoreError> {
        // The first read makes WAL and shared memory, so that there is something to remember.
        connection
            .query_row("select count(*) from counter", (), |_row| Ok(()))
            .map_err(|e| StoreError::of("reading the log", e))?;
        let beside = |suffix: &str| {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        let files = Files::remember([path.clone(), beside("-wal"), beside("-shm")])?;
        Ok(Self { connection, files, path })
    }

    /// What can be read, on this connection.
    pub fn view(&self) -> View<'_> {
        View::of(&self.connection)
    }

    /// A pool of connections that only read the same file.
    pub fn readers(&self) -> Readers {
        Readers::of(self.path.clone())
    }

    /// A pool of connections that only read the log of a state directory, which another process may be writing.
    pub fn readers_of(directory: &Path) -> Readers {
        Readers::of(Self::path_in(directory))
    }

    /// Starts the one transaction of a batch, after comparing device and inode of the open files with their paths.
    ///
    /// # Errors
    /// [`StoreError::Replaced`] where the files are not ours any more.
    pub fn begin(&mut self) -> Result<Append<'_>, StoreError> {
        self.files.check()?;
        Append::begin(&self.connection)
    }

    /// Moves what it can from the WAL to the database without waiting for readers.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn checkpoint(&self) -> Result<Wal, StoreError> {
        checkpoint(&self.connection, "PASSIVE")
    }

    /// Moves everything and cuts the WAL to nothing: nothing that was erased is left in it.
    ///
    /// # Errors
    /// What SQLite says; `busy` is no error.
    pub fn truncate(&self) -> Result<Wal, StoreError> {
        checkpoint(&self.connection, "TRUNCATE")
    }

    /// A connection of its own for checkpoints in the background.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn checkpointer(&self) -> Result<Checkpointer, StoreError> {
        let connection = connect(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::writing(&connection)?;
        Ok(Checkpointer(connection))
    }

    /// Bounds the database to so many pages of 4 KiB: how tests fill a disk.
    #[cfg(test)]
    pub fn bound(&self, pages: u32) -> Result<(), StoreError> {
        schema::set(&self.connection, "max_page_count", &pages.to_string())
    }
}

/// Moves pages from the WAL to the database while the writer goes on.
#[derive(Debug)]
pub struct Checkpointer(Connection);

impl Checkpointer {
    /// One passive checkpoint.
    ///
    /// # Errors
    /// What SQLite says. The writer is not hurt by it: the WAL still has everything.
    pub fn run(&self) -> Result<Wal, StoreError> {
        checkpoint(&self.0, "PASSIVE")
    }
}

pub(super) fn connect(path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|e| StoreError::of("opening the database", e))
}

fn checkpoint(connection: &Connection, mode: &str) -> Result<Wal, StoreError> {
    let (busy, pages, moved) = connection
        .query_row(&format!("pragma wal_checkpoint({mode})"), (), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })
        .map_err(|e| StoreError::of("moving the WAL into the database", e))?;
    Ok(Wal {
        busy: busy != 0,
        pages: u64::try_from(pages).unwrap_or(0),
        moved: u64::try_from(moved).unwrap_or(0),
    })
}

pub(super) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|opened| opened.sync_all())
        .map_err(|e| StoreError::io("syncing the directory", directory, e))
}
