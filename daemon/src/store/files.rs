//! Who holds the state directory, and whether the open files are still the ones that the paths name.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use rustix::io::Errno;

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
            Err(Errno::WOULDBLOCK) => Err(StoreError::Locked { path }),
            Err(e) => Err(StoreError::io("locking", path, e)),
        }
    }
}

/// Device and inode of files that must stay where they are.
#[derive(Debug)]
pub(super) struct Files(Vec<(PathBuf, Identity)>);

/// Major and minor number of the device, and the inode.
type Identity = (u32, u32, u64);

impl Files {
    /// Remembers what the paths name now.
    pub(super) fn remember(paths: impl IntoIterator<Item = PathBuf>) -> Result<Self, StoreError> {
        let mut files = Vec::new();
        for path in paths {
            let found = identity(&path).map_err(|e| StoreError::io("looking at", &path, e))?;
            files.push((path, found));
        }
        Ok(Self(files))
    }

    /// Compares with what the paths name now. Never opens the files: closing a second descriptor of a SQLite file would
    /// drop this process's locks on it (POSIX record locks).
    pub(super) fn check(&self) -> Result<(), StoreError> {
        for (path, known) in &self.0 {
            match identity(path) {
                Ok(found) if found == *known => {}
                Ok(_) | Err(Errno::NOENT) => return Err(StoreError::Replaced { path: path.clone() }),
                Err(e) => return Err(StoreError::io("looking at", path, e)),
            }
        }
        Ok(())
    }
}

/// What `path` names, and nothing else of it. Before every commit this is asked of the WAL, and who asks for a file's times
/// makes the kernel give its next write a time of its own (Linux 6.13, multigrain timestamps): the inode would be
/// written with every commit, which is a third of what the commit's sync costs.
fn identity(path: &Path) -> Result<Identity, Errno> {
    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::INO)?;
    Ok((found.stx_dev_major, found.stx_dev_minor, found.stx_ino))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn written(path: &Path) -> PathBuf {
        std::fs::write(path, "x").unwrap();
        path.to_owned()
    }

    #[test]
    fn files_that_are_written_and_grow_are_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["db", "wal"].map(|name| written(&directory.path().join(name)));
        let files = Files::remember(paths.clone()).unwrap();
        std::fs::write(&paths[1], vec![7; 10_000]).unwrap();
        files.check().unwrap();
    }

    #[test]
    fn a_file_that_is_gone_or_another_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["db", "wal"].map(|name| written(&directory.path().join(name)));
        let files = Files::remember(paths.clone()).unwrap();
        let replaced = |files: &Files| match files.check().unwrap_err() {
            StoreError::Replaced { path } => path,
            other => panic!("{other}"),
        };
        // A copy beside it first: an inode that is given up may be given out again at once.
        let copy = written(&directory.path().join("copy"));
        std::fs::rename(copy, &paths[0]).unwrap();
        assert_eq!(replaced(&files), paths[0]);
        let files = Files::remember(paths.clone()).unwrap();
        std::fs::remove_file(&paths[1]).unwrap();
        assert_eq!(replaced(&files), paths[1]);
    }

    #[test]
    fn a_file_that_never_was_cannot_be_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("never");
        let error = Files::remember([path.clone()]).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}
