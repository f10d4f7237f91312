//! The newest checkpoint that this user has seen of each log, on disk.
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
use proto::proof::note::Verifier;

/// A checkpoint and its exact text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The signed note.
    pub text: String,
    /// What it says.
    pub checkpoint: Checkpoint,
}

impl Seen {
    /// Checks the log key's signature and reads the text.
    ///
    /// # Errors
    /// Where the text is not signed by this log key.
    pub fn read(text: &str, key: &Verifier) -> Result<Self, CheckpointError> {
        Ok(Self { text: text.to_owned(), checkpoint: Checkpoint::verify(text, key)? })
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

/// The directory of a user's checkpoints: one file for each origin and log key.
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
        let digest = Hash::of(key.to_string().as_bytes()).to_string();
        self.directory.join(format!("{}-{}.checkpoint", key.name().replace(['/', '\\'], "_"), &digest[..16]))
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
        Seen::read(&text, key).map(Some).map_err(|cause| MemoryError::Damaged { path, cause })
    }

    /// Keeps `newer` in place of `was`, which it was proven to extend.
    ///
    /// # Errors
    /// Where the file cannot be read or written; the older checkpoint stays.
    pub fn keep(&self, key: &Verifier, was: Option<&Seen>, newer: &Seen) -> Result<Kept, MemoryError> {
        let path = self.file(key);
        let io = |cause| MemoryError::Io { path: path.clone(), cause };
        make_private(&self.directory).map_err(io)?;
        let lock = private(&self.directory.join("lock"), true).map_err(io)?;
        lock.lock().map_err(io)?;
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
