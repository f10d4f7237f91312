//! Who holds the state directory, and whether the open files are still the ones that the paths name.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::StoreError;

/// The right to write the log of a state directory: at most one process has it. Released when dropped, or by the
/// kernel when the process ends.
#[derive(Debug)]
pub struct StoreLock {
    _file: File,
}

impl StoreLock {
    /// Takes the lock of `directory`.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another process has it.
    pub fn take(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join("log.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| StoreError::io("opening", &path, e))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::Locked { path }),
            Err(e) => Err(StoreError::io("locking", path, e)),
        }
    }
}

/// Device and inode of files that must stay where they are.
#[derive(Debug)]
pub(super) struct Files(Vec<(PathBuf, u64, u64)>);

impl Files {
    /// Remembers what the paths name now.
    pub(super) fn remember(paths: impl IntoIterator<Item = PathBuf>) -> Result<Self, StoreError> {
        let mut files = Vec::new();
        for path in paths {
            let found = std::fs::metadata(&path).map_err(|e| StoreError::io("looking at", &path, e))?;
            files.push((path, found.dev(), found.ino()));
        }
        Ok(Self(files))
    }

    /// Compares with what the paths name now. Never opens the files: closing a second descriptor of a SQLite file would
    /// drop this process's locks on it (POSIX record locks).
    pub(super) fn check(&self) -> Result<(), StoreError> {
        for (path, device, inode) in &self.0 {
            match std::fs::metadata(path) {
                Ok(found) if found.dev() == *device && found.ino() == *inode => {}
                Ok(_) => return Err(StoreError::Replaced { path: path.clone() }),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    return Err(StoreError::Replaced { path: path.clone() });
                }
                Err(e) => return Err(StoreError::io("looking at", path, e)),
            }
        }
        Ok(())
    }
}
