//! The search index's file: rebuildable, with a writer of its own, never synced for its own sake.
//!
//! Postings come in segments of consecutive records, sorted in memory before they are inserted, so that inserting is
//! appending. A file that does not belong to the log, or that cannot be read, is deleted and made again.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::append::blob;
use super::connect::connect;
use super::{Readers, StoreError, from_sql, schema, to_sql};

/// A search term: the first 16 bytes of a SHA-256 over its kind and value, so that the index holds no names.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Term(pub [u8; 16]);

/// One term found in one record.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Posting {
    /// The term.
    pub term: Term,
    /// The record.
    pub index: u64,
}

/// The connection that writes the index.
#[derive(Debug)]
pub struct Index {
    connection: Connection,
    path: PathBuf,
}

/// A segment: the records from `first` to `last`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment {
    /// From 0.
    pub number: u64,
    /// First index.
    pub first: u64,
    /// Last index.
    pub last: u64,
    /// Leaf hash of the last record: which log this belongs to.
    pub anchor: [u8; 32],
}

impl Index {
    /// The file inside a state directory.
    pub fn path_in(directory: &Path) -> PathBuf {
        directory.join("index.db")
    }

    /// Opens the index, or makes an empty one.
    ///
    /// # Errors
    /// What SQLite says. [`Index::remove`] and open again.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = Self::path_in(directory);
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        schema::set(&connection, "journal_mode", "WAL")?;
        schema::set(&connection, "synchronous", "NORMAL")?;
        schema::set(&connection, "secure_delete", "ON")?;
        schema::set(&connection, "cache_size", "-4096")?;
        connection
            .busy_timeout(std::time::Duration::from_secs(5))
            .map_err(|e| StoreError::of("setting the time to wait for a lock", e))?;
        let application = schema::pragma(&connection, "application_id")?;
        if application == 0 {
            connection.execute_batch(schema::INDEX).map_err(|e| StoreError::of("making the index", e))?;
            schema::set(&connection, "application_id", &schema::INDEX_APPLICATION.to_string())?;
            schema::set(&connection, "user_version", &schema::VERSION.to_string())?;
        } else if application != schema::INDEX_APPLICATION {
            return Err(StoreError::Foreign { path, found: application });
        } else if schema::pragma(&connection, "user_version")? != schema::VERSION {
            return Err(StoreError::Shape("an index of another schema"));
        }
        Ok(Self { connection, path })
    }

    /// Deletes the index's files: it is built again from the log.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove(directory: &Path) -> Result<(), StoreError> {
        for suffix in ["", "-wal", "-shm"] {
            let mut path = Self::path_in(directory).into_os_string();
            path.push(suffix);
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::io("deleting", path, e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The newest segment.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest(&self) -> Result<Option<Segment>, StoreError> {
        self.connection
            .query_row("select number, first, last, anchor from segment order by number desc limit 1", (), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, blob(row, 3)))
            })
            .optional()
            .map_err(|e| StoreError::of("reading the index", e))?
            .map(|(number, first, last, anchor)| {
                Ok(Segment { number: from_sql(number)?, first: from_sql(first)?, last: from_sql(last)?, anchor: anchor? })
            })
            .transpose()
    }

    /// Adds a segment. `postings` are sorted.
    ///
    /// # Errors
    /// What SQLite says; then nothing of it is there.
    pub fn add(&mut self, segment: Segment, postings: &[Posting]) -> Result<(), StoreError> {
        let fill = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction()?;
            {
                let mut insert = transaction.prepare_cached("insert into sought(segment, term, idx) values(?1, ?2, ?3)")?;
                for posting in postings {
                    insert.execute(params![to_sql(segment.number), posting.term.0, to_sql(posting.index)])?;
                }
                transaction.execute(
                    "insert into segment(number, first, last, anchor) values(?1, ?2, ?3, ?4)",
                    params![to_sql(segment.number), to_sql(segment.first), to_sql(segment.last), segment.anchor],
                )?;
            }
            transaction.commit()
        };
        fill(&mut self.connection).map_err(|e| StoreError::of("writing the index", e))
    }

    /// Removes these terms of one record and empties the WAL, so that they are gone from the file.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn erase(&mut self, index: u64, terms: &[Term]) -> Result<(), StoreError> {
        let erase = |connection: &mut Connection| -> rusqlite::Result<()> {
            let number: Option<i64> = connection
                .query_row("select number from segment where first <= ?1 and last >= ?1", [to_sql(index)], |row| row.get(0))
                .optional()?;
            let Some(number) = number else { return Ok(()) };
            for term in terms {
                connection.execute(
                    "delete from sought where segment = ?1 and term = ?2 and idx = ?3",
                    params![number, term.0, to_sql(index)],
                )?;
            }
            connection.query_row("pragma wal_checkpoint(TRUNCATE)", (), |_row| Ok(()))
        };
        erase(&mut self.connection).map_err(|e| StoreError::of("erasing terms from the index", e))
    }

    /// A pool of connections that only read.
    pub fn readers(&self) -> IndexReader {
        IndexReader(Readers::of(self.path.clone()))
    }
}

/// Reads of the index.
#[derive(Debug)]
pub struct IndexReader(Readers);

impl IndexReader {
    /// The records with this term in one segment, in order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn find(&self, segment: u64, term: Term) -> Result<Vec<u64>, StoreError> {
        self.0.read(|view| view.postings(segment, term))
    }
}

impl super::View<'_> {
    fn postings(&self, segment: u64, term: Term) -> Result<Vec<u64>, StoreError> {
        let mut statement = self.statement("select idx from sought where segment = ?1 and term = ?2 order by idx")?;
        let rows: Vec<i64> = statement
            .query_map(params![to_sql(segment), term.0], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(|e| StoreError::of("searching the index", e))?;
        rows.into_iter().map(from_sql).collect()
    }
}
