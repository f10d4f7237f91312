//! The newest checkpoint that this user has seen of each log, and the keys that he has followed it to, on disk.
//!
//! Promises: a checkpoint is replaced only by one of a larger tree that was proven to extend it; the file is whole or unchanged, and
//! readable by its owner alone; commands that run at the same time never make it older. Deliberately does not judge: whether one tree
//! extends another is `trail`'s to prove.
//!
//! What a crash here means: the file holds the older checkpoint, which the newer tree extends as well. Nothing is lost but time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use proto::hash::Hash;
use proto::proof::checkpoint::{Checkpoint, CheckpointError};
use proto::proof::keys::{LogKeys, NotFollowed, read_ends, write_ends};
use proto::proof::note::Verifier;
use proto::proof::receipt::Receipt;

/// A checkpoint and its exact text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The signed note.
    pub text: String,
    /// What it says.
    pub checkpoint: Checkpoint,
}

impl Seen {
    /// Checks the signature of the log's keys and reads the text.
    ///
    /// # Errors
    /// Where the text is not signed by a key in force at its size.
    pub fn read(text: &str, keys: &LogKeys) -> Result<Self, CheckpointError> {
        Ok(Self { text: text.to_owned(), checkpoint: keys.verify(text)? })
    }
}

/// Why the memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The operating system refused.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The file does not lead from the log key to others.
    #[error("{path} does not lead from the log key to others: {cause}")]
    Keys {
        /// The file.
        path: PathBuf,
        /// What was found.
        #[source]
        cause: Box<NotFollowed>,
    },
    /// What was followed before contradicts what is shown now: other keys, or fewer.
    #[error("{path} leads to other keys of this log, or to more, than it shows now")]
    OtherKeys {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a checkpoint of this log.
    #[error("{path} does not hold a checkpoint of this log: {cause}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        #[source]
        cause: CheckpointError,
    },
}

/// What became of a checkpoint that was to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is the newest now, or as new as the one that is kept.
    Kept,
    /// Another command has put this one there meanwhile: prove against it first.
    Meanwhile(Seen),
}

/// The keys of a log as far as they were followed from the trusted one, and what leads to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The keys.
    pub keys: LogKeys,
    /// Where each ended, oldest first.
    pub ends: Vec<Receipt>,
}

impl Followed {
    /// The trusted key alone.
    #[must_use]
    pub fn none(key: &Verifier) -> Self {
        Self { keys: LogKeys::new(key.clone()), ends: Vec::new() }
    }

    /// What these ends lead to from the trusted key.
    ///
    /// # Errors
    /// Where they lead nowhere.
    pub fn of(key: &Verifier, ends: Vec<Receipt>) -> Result<Self, NotFollowed> {
        Ok(Self { keys: LogKeys::of_ends(key, &ends)?, ends })
    }

    /// What the text of a file of ends leads to.
    ///
    /// # Errors
    /// Where it leads nowhere.
    pub fn read(key: &Verifier, text: &str) -> Result<Self, NotFollowed> {
        Self::of(key, read_ends(text)?)
    }
}

/// The directory of a user's checkpoints: one file for each origin and trusted log key, and one for the keys that follow it.
#[derive(Debug, Clone)]
pub struct Memory {
    directory: PathBuf,
}

impl Memory {
    /// Checkpoints kept in this directory, which is made when there is something to keep.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The file of a log: its origin, and the first 16 digits of the SHA-256 of its verifier key.
    #[must_use]
    pub fn file(&self, key: &Verifier) -> PathBuf {
        self.named(key, "checkpoint")
    }

    /// The file of the keys that follow this one.
    #[must_use]
    pub fn keys_file(&self, key: &Verifier) -> PathBuf {
        self.named(key, "keys")
    }

    fn named(&self, key: &Verifier, ending: &str) -> PathBuf {
        let digest = Hash::of(key.to_string().as_bytes()).to_string();
        self.directory.join(format!("{}-{}.{ending}", key.name().replace(['/', '\\'], "_"), &digest[..16]))
    }

    /// The keys that the log was followed to from this one; itself alone where it was not.
    ///
    /// # Errors
    /// Where the file cannot be read, or leads nowhere: then somebody changed it.
    pub fn followed(&self, key: &Verifier) -> Result<Followed, MemoryError> {
        let path = self.keys_file(key);
        match fs::read_to_string(&path) {
            Ok(text) => {
                Followed::read(key, &text).map_err(|cause| MemoryError::Keys { path, cause: Box::new(cause) })
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Followed::none(key)),
            Err(cause) => Err(MemoryError::Io { path, cause }),
        }
    }

    /// Keeps what the log was followed to; where another command has followed it further meanwhile, that stays.
    ///
    /// # Errors
    /// [`MemoryError::OtherKeys`] where it was followed elsewhere before; where the file cannot be read or written.
    pub fn keep_followed(&self, key: &Verifier, followed: &Followed) -> Result<(), MemoryError> {
        let path = self.keys_file(key);
        let io = |cause| MemoryError::Io { path: path.clone(), cause };
        let _lock = self.lock().map_err(io)?;
        let stored = self.followed(key)?.ends;
        if stored.starts_with(&followed.ends) {
            return Ok(());
        }
        if !followed.ends.starts_with(&stored) {
            return Err(MemoryError::OtherKeys { path });
        }
        replace(&path, write_ends(&followed.ends).as_bytes()).map_err(io)
    }

    /// Nobody else changes anything while this is held.
    fn lock(&self) -> io::Result<File> {
        make_private(&self.directory)?;
        let lock = private(&self.directory.join("lock"), true)?;
        lock.lock()?;
        Ok(lock)
    }

    /// The newest checkpoint seen of this log.
    ///
    /// # Errors
    /// Where the file cannot be read, or does not hold what this log signed: then somebody changed it.
    pub fn recall(&self, key: &Verifier) -> Result<Option<Seen>, MemoryError> {
        let path = self.file(key);
        let mut text = String::new();
        match File::open(&path).and_then(|mut file| file.read_to_string(&mut text)) {
            Ok(_) => {}
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(MemoryError::Io { path, cause }),
        }
        let keys = self.followed(key)?.keys;
        Seen::read(&text, &keys).map(Some).map_err(|cause| MemoryError::Damaged { path, cause })
    }

    /// Keeps `newer` in place of `was`, which it was proven to extend.
    ///
    /// # Errors
    /// Where the file cannot be read or written; the older checkpoint stays.
    pub fn keep(&self, key: &Verifier, was: Option<&Seen>, newer: &Seen) -> Result<Kept, MemoryError> {
        let path = self.file(key);
        let io = |cause| MemoryError::Io { path: path.clone(), cause };
        let _lock = self.lock().map_err(io)?;
        let stored = self.recall(key)?;
        match stored {
            Some(stored) if stored.checkpoint == newer.checkpoint => return Ok(Kept::Kept),
            Some(stored) if Some(&stored) != was => return Ok(Kept::Meanwhile(stored)),
            // Removed by hand meanwhile, or as it was: ours is the newest.
            _ => {}
        }
        replace(&path, newer.text.as_bytes()).map_err(io)?;
        Ok(Kept::Kept)
    }

    /// Puts a checkpoint that contradicts the kept one beside it, as evidence. Never replaces anything.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn keep_evidence(&self, key: &Verifier, text: &str) -> Result<PathBuf, MemoryError> {
        let digest = Hash::of(text.as_bytes()).to_string();
        let mut path = self.file(key).into_os_string();
        path.push(format!(".contradicted-by-{}", &digest[..16]));
        let path = PathBuf::from(path);
        let io = |cause| MemoryError::Io { path: path.clone(), cause };
        make_private(&self.directory).map_err(io)?;
        replace(&path, text.as_bytes()).map_err(io)?;
        Ok(path)
    }
}

/// Writes under another name, synced, and renames: whole or unchanged.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(part);
    let mut file = private(&part, false)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&part, path)
}

/// A file that its owner alone can read.
fn private(path: &Path, keep: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(!keep);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// A directory that its owner alone can look into.
fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(directory)
}
