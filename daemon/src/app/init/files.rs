//! Files of a new instance: never over anything that is there, secrets for their owner alone.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::InitError;

/// The directory of a new instance.
pub(crate) struct Files {
    directory: PathBuf,
}

impl Files {
    /// An absolute path.
    pub(crate) fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Makes a directory for its owner alone.
    pub(crate) fn directory(&self, name: &str) -> Result<(), InitError> {
        let path = self.path(name);
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|source| InitError::File { path, source })
    }

    /// Writes a file that everybody may read.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), InitError> {
        self.create(name, bytes, 0o644)
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn secret(&self, name: &str, bytes: &[u8]) -> Result<(), InitError> {
        self.create(name, bytes, 0o600)
    }

    fn create(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), InitError> {
        create(self.path(name), bytes, mode)
    }
}

/// Writes a file that only its owner may read.
pub(crate) fn secret(path: PathBuf, bytes: &[u8]) -> Result<(), InitError> {
    create(path, bytes, 0o600)
}

fn create(path: PathBuf, bytes: &[u8], mode: u32) -> Result<(), InitError> {
    let write = || {
        if let Some(parent) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
        file.write_all(bytes)?;
        // What is safe now: the file. A crash before leaves a directory that `init` refuses, and nothing in use.
        file.sync_all()?;
        path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    write().map_err(|source| InitError::File { path: path.clone(), source })
}
