//! The file of one token: what is known of its PINs.

use std::collections::BTreeSet;
use std::fs::{self, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::hash::Hash;
use serde::{Deserialize, Serialize};

use super::LatchError;
use crate::backend::pkcs11::message::Token;

/// How long a log-in of another host is waited for, and how often is looked; the token is asked again later.
const PATIENCE: Duration = Duration::from_millis(500);
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// How a memory's file ends; earlier versions' end in `.pin`.
const ENDING: &str = "pins";

/// What is known of one PIN.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    /// The backends that tried it, or were kept from it.
    pub(super) backends: BTreeSet<String>,
    pub(super) hash: String,
    /// Log-ins in a row whose outcome nobody learned.
    pub(super) lost: u8,
    pub(super) wrong: bool,
}

/// What is known of one token's PINs.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    pub(super) pins: Vec<Mark>,
    salt: String,
    /// The token as it was when the memory began: for people.
    token: Token,
}

impl Memory {
    pub(super) fn new(token: &Token, salt: [u8; 16]) -> Self {
        Self { pins: Vec::new(), salt: hex::encode(salt), token: token.clone() }
    }

    pub(super) fn salt(&self, place: &Place) -> Result<Vec<u8>, LatchError> {
        hex::decode(&self.salt).map_err(|e| place.failed(io::Error::new(io::ErrorKind::InvalidData, e)))
    }

    pub(super) fn mark(&mut self, hash: &str) -> Option<&mut Mark> {
        self.pins.iter_mut().find(|mark| mark.hash == hash)
    }

    /// Notes something of a PIN. What makes it count as wrong is never taken back here.
    pub(super) fn learn(&mut self, hash: &str, backend: &str, wrong: bool, lost: u8) {
        if let Some(mark) = self.mark(hash) {
            mark.backends.insert(backend.to_owned());
            mark.wrong |= wrong;
            mark.lost = mark.lost.max(lost);
        } else {
            let backends = [backend.to_owned()].into();
            self.pins.push(Mark { backends, hash: hash.to_owned(), lost, wrong });
        }
    }

    /// The backends that it names.
    pub(super) fn backends(&self) -> String {
        let all: BTreeSet<&str> =
            self.pins.iter().flat_map(|mark| mark.backends.iter().map(String::as_str)).collect();
        all.into_iter().collect::<Vec<_>>().join(", ")
    }
}

/// Where a token's memory is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// Which token it is, as a text of fixed length.
    pub(super) identity: String,
}

impl Place {
    pub(super) fn of(directory: &Path, token: &Token) -> Self {
        let identity = identity(token);
        Self { path: directory.join(format!("{identity}.{ENDING}")), identity }
    }

    /// Those of every token that something is known of.
    pub(super) fn all(directory: &Path) -> Result<Vec<Self>, LatchError> {
        Ok(files(directory, ENDING)?.into_iter().map(|(path, identity)| Self { path, identity }).collect())
    }

    /// The right to log in, until the file is closed: by the kernel, where a process dies with it.
    pub(super) fn alone(&self) -> Result<fs::File, LatchError> {
        let opened = fs::create_dir_all(self.directory()).and_then(|()| {
            let mut options = fs::OpenOptions::new();
            let path = self.path.with_extension(format!("{ENDING}.lock"));
            options.write(true).create(true).truncate(false).mode(0o600).open(path)
        });
        let file = opened.map_err(|cause| self.failed(cause))?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if waited < PATIENCE => {
                    std::thread::sleep(LOOK);
                    waited += LOOK;
                }
                Err(TryLockError::WouldBlock) => return Err(LatchError::Busy),
                Err(TryLockError::Error(cause)) => return Err(self.failed(cause)),
            }
        }
    }

    pub(super) fn read(&self) -> Result<Option<Memory>, LatchError> {
        match fs::read(&self.path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(self.failed(cause)),
            // A memory that does not read says nothing about any PIN, so it must stop all of them.
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| self.failed(e.into())),
        }
    }

    /// Durable when it returns. A memory of nothing is no file.
    pub(super) fn write(&self, memory: &Memory) -> Result<(), LatchError> {
        let written = if memory.pins.is_empty() {
            match fs::remove_file(&self.path) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
                _ => Ok(()),
            }
        } else {
            self.replace(memory)
        };
        written.map_err(|cause| self.failed(cause))
    }

    fn replace(&self, memory: &Memory) -> io::Result<()> {
        let new = self.path.with_extension(format!("{ENDING}.new"));
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(memory)?)?;
        // Root's `backends unlock` must leave it to the user who can read it now.
        match fs::metadata(&self.path) {
            Ok(before) if before.uid() != file.metadata()?.uid() => {
                fchown(&file, Some(before.uid()), Some(before.gid()))?;
            }
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
        file.sync_all()?;
        fs::rename(new, &self.path)?;
        fs::File::open(self.directory())?.sync_all()
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    pub(super) fn failed(&self, cause: io::Error) -> LatchError {
        LatchError::Memory { path: self.path.clone(), cause }
    }
}

/// The files of a directory that end so, with their names before that. A directory that is not there has none.
pub(super) fn files(directory: &Path, ending: &str) -> Result<Vec<(PathBuf, String)>, LatchError> {
    let failed = |cause| LatchError::Memory { path: directory.to_owned(), cause };
    let entries = match fs::read_dir(directory) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|found| found == ending) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            found.push((path, name));
        }
    }
    found.sort();
    Ok(found)
}

/// Which token it is: what its maker gave it. The label is its owner's and no part of that, except where the maker gave no
/// serial number (none, or zeros alone, as modules do that make up their tokens).
fn identity(token: &Token) -> String {
    let numbered = token.serial.chars().any(|c| c != '0' && !c.is_whitespace());
    let label = if numbered { "" } else { token.label.trim_end() };
    let mut parts = Vec::new();
    for part in [&*token.manufacturer, &*token.model, &*token.serial, label] {
        parts.extend_from_slice(part.trim_end().as_bytes());
        parts.push(0);
    }
    hex::encode(&Hash::of(&parts).as_bytes()[..16])
}
