//! Key files: `<key id>.age`, written once, whole and durable; and `<label>.label`, which says the id of the key that was
//! made under a label.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use proto::key_id::KeyId;

use super::identity::unavailable;
use crate::backend::{Failure, locator};

/// One key's file.
pub(super) struct KeyFile {
    path: PathBuf,
    id: KeyId,
}

impl KeyFile {
    pub(super) fn of(directory: &Path, id: KeyId) -> Self {
        Self { path: directory.join(format!("{id}.age")), id }
    }

    pub(super) fn read(&self) -> Result<Vec<u8>, Failure> {
        fs::read(&self.path).map_err(|cause| match cause.kind() {
            std::io::ErrorKind::NotFound => Failure::NotFound {
                what: format!("software:{} ({} is not there)", self.id, self.path.display()),
            },
            _ => unavailable(format!("{}: {cause}", self.path.display())),
        })
    }

    /// What is safe now, after this: the key is on disk under its name, whole. A crash before leaves a file `*.new`,
    /// which nobody reads.
    pub(super) fn write(&self, sealed: &[u8]) -> Result<(), Failure> {
        let write = || -> std::io::Result<()> {
            let new = self.path.with_extension("new");
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(sealed)?;
            file.sync_all()?;
            fs::rename(new, &self.path)?;
            sync_directory(&self.path)
        };
        write().map_err(|cause| unavailable(format!("{}: {cause}", self.path.display())))
    }

    pub(super) fn remove(&self) -> Result<(), Failure> {
        match fs::remove_file(&self.path).and_then(|()| sync_directory(&self.path)) {
            Ok(()) => Ok(()),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                Err(Failure::NotFound { what: format!("software:{}", self.id) })
            }
            Err(cause) => Err(unavailable(format!("{}: {cause}", self.path.display()))),
        }
    }
}

/// The file that says which key was made under a label.
pub(super) struct LabelFile {
    directory: PathBuf,
    path: PathBuf,
}

impl LabelFile {
    /// # Errors
    /// [`Failure::Unsupported`] where the label can name no file.
    pub(super) fn of(directory: &Path, label: &str) -> Result<Self, Failure> {
        if locator::is_label(label) {
            let path = directory.join(format!("{label}.label"));
            return Ok(Self { directory: directory.to_owned(), path });
        }
        let what = "a label of the software backend has 1 to 64 letters, digits and `-`".to_owned();
        Err(Failure::Unsupported { what })
    }

    /// The key that the label was given to; none where it was given to none.
    pub(super) fn read(&self) -> Result<Option<KeyId>, Failure> {
        match fs::read_to_string(&self.path) {
            Ok(text) => text.trim_end().parse().map(Some).map_err(|_no_id| Failure::Refused {
                cause: format!("{} holds no key id: look at who wrote it", self.path.display()),
            }),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(unavailable(format!("{}: {cause}", self.path.display()))),
        }
    }

    /// Gives the label to a key that is about to be written. A label is given once, and anew if its key was destroyed or
    /// never written.
    pub(super) fn claim(&self, id: KeyId) -> Result<(), Failure> {
        if let Some(old) = self.read()?
            && !KeyFile::of(&self.directory, old).path.exists()
        {
            fs::remove_file(&self.path)
                .map_err(|cause| unavailable(format!("{}: {cause}", self.path.display())))?;
        }
        let write = || -> std::io::Result<()> {
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&self.path)?;
            file.write_all(format!("{id}\n").as_bytes())?;
            file.sync_all()?;
            sync_directory(&self.path)
        };
        write().map_err(|cause| match cause.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::Refused { cause: format!("{} is there already", self.path.display()) }
            }
            _ => unavailable(format!("{}: {cause}", self.path.display())),
        })
    }
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |directory| fs::File::open(directory)?.sync_all())
}

/// The ids of all key files.
pub(super) fn list(directory: &Path) -> Result<Vec<KeyId>, Failure> {
    let failed = |cause: std::io::Error| unavailable(format!("{}: {cause}", directory.display()));
    let mut ids = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let id: Option<KeyId> =
            name.to_str().and_then(|name| name.strip_suffix(".age")).and_then(|id| id.parse().ok());
        ids.extend(id);
    }
    ids.sort();
    Ok(ids)
}

pub(super) fn make_directory(directory: &Path) -> Result<(), Failure> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|cause| unavailable(format!("{}: {cause}", directory.display())))
}
