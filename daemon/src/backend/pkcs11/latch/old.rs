//! Marks of earlier versions: one file `NAME.pin` for each backend, whose hash covers the configured URI's text.
//!
//! Which token such a mark is of, and of which PIN, is known only when both are met again: then it is taken over. Until
//! then it stays where it is. All of them are looked at, whatever a backend is called by now, and every URI that the token
//! can have been configured by, whichever it is now.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::memory::files;
use super::{LOST_AT_MOST, LatchError, hash};
use crate::backend::pkcs11::message::Token;
use crate::backend::pkcs11::uri::Uri;
use crate::secret::Secret;

const ENDING: &str = "pin";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OldMark {
    hash: String,
    pub(super) lost: u8,
    salt: String,
    pub(super) wrong: bool,
}

impl OldMark {
    /// Whether it is of this PIN at a token that was configured in one of these ways.
    pub(super) fn is_of(&self, ways: &[String], pin: &Secret) -> bool {
        let salt = hex::decode(&self.salt).unwrap_or_default();
        ways.iter().any(|way| self.hash == hash(&salt, way, pin))
    }
}

/// Every URI that can name a token, beginning with the one that does.
pub(super) fn ways(token: &Token, configured: &Uri) -> Vec<String> {
    let mut ways = vec![configured.to_string()];
    for named in 0..16_u8 {
        let part = |bit: u8, text: &str| (named & bit != 0).then(|| text.to_owned());
        let way = Uri {
            token: part(1, &token.label),
            serial: part(2, &token.serial),
            model: part(4, &token.model),
            manufacturer: part(8, &token.manufacturer),
            ..Uri::default()
        };
        ways.push(way.to_string());
    }
    ways
}

/// Every mark. One that cannot be read stops all PINs: it says nothing about any.
pub(super) fn marks(directory: &Path) -> Result<Vec<(PathBuf, OldMark)>, LatchError> {
    let mut marks = Vec::new();
    for (path, _backend) in files(directory, ENDING)? {
        if let Some(mark) = read(&path)? {
            marks.push((path, mark));
        }
    }
    Ok(marks)
}

/// Removes a backend's. Whether there was one.
pub(super) fn forget(directory: &Path, backend: &str) -> Result<bool, LatchError> {
    let path = directory.join(format!("{backend}.{ENDING}"));
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(LatchError::Memory { path, cause }),
    }
}

/// Whether a backend's says that its PIN is wrong.
pub(super) fn is_latched(directory: &Path, backend: &str) -> Result<bool, LatchError> {
    let mark = read(&directory.join(format!("{backend}.{ENDING}")))?;
    Ok(mark.is_some_and(|mark| mark.wrong || mark.lost >= LOST_AT_MOST))
}

fn read(path: &Path) -> Result<Option<OldMark>, LatchError> {
    let failed = |cause| LatchError::Memory { path: path.to_owned(), cause };
    match fs::read(path) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(failed(cause)),
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| failed(e.into())),
    }
}
