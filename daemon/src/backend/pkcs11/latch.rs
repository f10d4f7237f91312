//! A PIN known to be wrong is never tried again, across restarts.
//!
//! Tokens lock after a few wrong PINs, some after three, some the whole device and without saying so. So before each
//! log-in a mark is written, durable: the PIN's salted hash, and that its outcome is not known yet. A refused PIN stays
//! marked as wrong; a successful log-in removes the mark. While the mark says *wrong*, that PIN is not given to the token
//! again; another PIN in the file has another hash and clears it, as does `countersignd backends unlock`.
//!
//! A host that dies in the middle of a log-in leaves *not known*: that may be tried again, twice in a row, then it
//! counts as wrong, because nobody can tell a lost answer from a refusal.
//!
//! Hosts of one backend log in one after the other: one that signs, and one for each anchor in the token. While the
//! outcome of one log-in is not known no other host gives the token the PIN.
//!
//! Invariant: at most one log-in with a PIN that the token refused, whatever restarts; held by
//! `a_bad_pin_is_tried_once_over_three_restarts`.

use std::fs;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::{pbkdf2, rand};
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// Log-ins in a row whose outcome nobody learned, before the PIN counts as wrong.
const LOST_AT_MOST: u8 = 2;
/// Slows down whoever reads the file and tries PINs.
const ROUNDS: NonZeroU32 = NonZeroU32::new(50_000).expect("not zero");

/// How long a log-in of another host is waited for, and how often is looked; the token is asked again later.
const PATIENCE: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(10);

/// The memory of one token's PIN: a file in the state directory.
#[derive(Clone, Debug)]
pub struct Latch {
    path: PathBuf,
}

/// The PIN must not be given to the token, or the memory cannot be kept (then it must not either).
#[derive(Debug, thiserror::Error)]
pub enum LatchError {
    /// It was refused before.
    #[error(
        "the token refused this PIN before and it is not tried again, so that the token is not locked: \
         write the right PIN to its file, or run `countersignd backends unlock` if the token was changed"
    )]
    KnownWrong,
    /// Another host is logging in with it, and how that ends is waited for.
    #[error(
        "another host of this backend is logging in; this one tries as soon as it is known whether the PIN is right"
    )]
    Busy,
    /// The file cannot be read or written.
    #[error("the memory of wrong PINs cannot be kept, so no PIN is tried: {path}: {cause}", path = path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// The system's word.
        cause: std::io::Error,
    },
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    hash: String,
    lost: u8,
    salt: String,
    wrong: bool,
}

/// A log-in that was announced. Say how it ended; if nobody does, it counts as lost.
#[derive(Debug)]
#[must_use = "say how the log-in ended"]
pub struct Attempt {
    latch: Latch,
    salt: [u8; 16],
    hash: String,
    lost_before: u8,
    /// Other hosts wait for its end.
    _alone: fs::File,
}

impl Latch {
    /// The memory in this file.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Announces a log-in with this PIN at this token (its configured URI; a PIN may be right for another).
    ///
    /// What is safe now: the mark is on disk before the token sees the PIN. A crash from here on counts as a lost log-in.
    ///
    /// # Errors
    /// If the PIN is known to be wrong, another host is logging in, or the mark cannot be written.
    pub fn announce(&self, token: &str, pin: &Secret) -> Result<Attempt, LatchError> {
        let alone = self.alone()?;
        let earlier = self.read()?;
        let mut lost_before = 0;
        if let Some(mark) = &earlier {
            let salt = hex::decode(&mark.salt).unwrap_or_default();
            if mark.hash == hash(&salt, token, pin) {
                if mark.wrong || mark.lost >= LOST_AT_MOST {
                    return Err(LatchError::KnownWrong);
                }
                lost_before = mark.lost;
            }
        }
        let mut salt = [0; 16];
        rand::fill(&mut salt).map_err(|_unspecified| self.memory(std::io::Error::other("no randomness")))?;
        let hash = hash(&salt, token, pin);
        let attempt = Attempt { latch: self.clone(), salt, hash, lost_before, _alone: alone };
        attempt.mark(false, lost_before + 1)?;
        Ok(attempt)
    }

    /// Forgets: the next log-in is tried, whatever happened before. Whether there was something to forget.
    ///
    /// # Errors
    /// If the file cannot be removed.
    pub fn unlock(&self) -> Result<bool, LatchError> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(cause) => Err(self.memory(cause)),
        }
    }

    /// Whether a PIN is remembered as wrong.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn is_latched(&self) -> Result<bool, LatchError> {
        Ok(self.read()?.is_some_and(|mark| mark.wrong || mark.lost >= LOST_AT_MOST))
    }

    /// The right to log in, until the file is closed: by the kernel, where a process dies with it.
    fn alone(&self) -> Result<fs::File, LatchError> {
        let opened = fs::create_dir_all(self.path.parent().unwrap_or(Path::new("."))).and_then(|()| {
            let mut options = fs::OpenOptions::new();
            options
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(self.path.with_extension("lock"))
        });
        let file = opened.map_err(|cause| self.memory(cause))?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) if waited < PATIENCE => {
                    std::thread::sleep(LOOK);
                    waited += LOOK;
                }
                Err(fs::TryLockError::WouldBlock) => return Err(LatchError::Busy),
                Err(fs::TryLockError::Error(cause)) => return Err(self.memory(cause)),
            }
        }
    }

    fn read(&self) -> Result<Option<Mark>, LatchError> {
        match fs::read(&self.path) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(self.memory(cause)),
            // A mark that does not read says nothing about any PIN, so it must stop all of them.
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| self.memory(e.into())),
        }
    }

    fn write(&self, mark: &Mark) -> std::io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let new = self.path.with_extension("new");
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(mark)?)?;
        file.sync_all()?;
        fs::rename(new, &self.path)?;
        fs::File::open(directory)?.sync_all()
    }

    fn memory(&self, cause: std::io::Error) -> LatchError {
        LatchError::Memory { path: self.path.clone(), cause }
    }
}

impl Attempt {
    /// The token took the PIN, or failed in a way that says nothing about it before it was looked at.
    ///
    /// # Errors
    /// If the mark cannot be removed.
    pub fn forget(self) -> Result<(), LatchError> {
        self.latch.unlock().map(|_was_there| ())
    }

    /// The token refused the PIN.
    ///
    /// # Errors
    /// If the mark cannot be written; then it still says that the outcome is not known.
    pub fn refused(self) -> Result<(), LatchError> {
        self.mark(true, self.lost_before)
    }

    fn mark(&self, wrong: bool, lost: u8) -> Result<(), LatchError> {
        let mark = Mark { hash: self.hash.clone(), lost, salt: hex::encode(self.salt), wrong };
        self.latch.write(&mark).map_err(|cause| self.latch.memory(cause))
    }
}

fn hash(salt: &[u8], token: &str, pin: &Secret) -> String {
    let mut salted = salt.to_vec();
    salted.extend_from_slice(token.as_bytes());
    let mut out = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, &salted, pin.expose(), &mut out);
    hex::encode(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn pin(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    #[test]
    fn a_refused_pin_is_not_tried_again_until_it_changes_or_is_unlocked() {
        let directory = tempfile::tempdir().unwrap();
        let latch = Latch::at(directory.path().join("deep/hsm-a.pin"));
        latch.announce("t", &pin("1111")).unwrap().refused().unwrap();
        assert!(latch.is_latched().unwrap());
        assert!(matches!(latch.announce("t", &pin("1111")), Err(LatchError::KnownWrong)));
        latch.announce("another token", &pin("1111")).unwrap().refused().unwrap();
        latch.announce("t", &pin("2222")).unwrap().forget().unwrap();
        assert!(!latch.is_latched().unwrap());

        latch.announce("t", &pin("2222")).unwrap().refused().unwrap();
        assert!(latch.unlock().unwrap() && !latch.unlock().unwrap());
        latch.announce("t", &pin("2222")).unwrap().forget().unwrap();
        let left = fs::read_dir(directory.path().join("deep")).unwrap().map(|entry| entry.unwrap());
        let left: Vec<_> = left.map(|entry| (entry.file_name(), entry.metadata().unwrap().len())).collect();
        assert_eq!(left, [("hsm-a.lock".into(), 0)], "nothing about a PIN that works is kept");
    }

    #[test]
    fn one_host_waits_for_the_log_in_of_another_and_learns_its_outcome() {
        let directory = tempfile::tempdir().unwrap();
        let latch = Latch::at(directory.path().join("hsm-a.pin"));
        let first = latch.announce("t", &pin("1111")).unwrap();
        assert!(matches!(latch.announce("t", &pin("1111")), Err(LatchError::Busy)));
        let waiting = {
            let latch = latch.clone();
            std::thread::Builder::new().spawn(move || latch.announce("t", &pin("1111")).map(drop)).unwrap()
        };
        std::thread::sleep(5 * LOOK);
        first.refused().unwrap();
        assert!(matches!(waiting.join().unwrap(), Err(LatchError::KnownWrong)));
    }

    #[test]
    fn log_ins_that_nobody_saw_the_end_of_count_as_wrong_after_two() {
        let directory = tempfile::tempdir().unwrap();
        let latch = Latch::at(directory.path().join("pin"));
        for _ in 0..2 {
            drop(latch.announce("t", &pin("1111")).unwrap());
        }
        assert!(matches!(latch.announce("t", &pin("1111")), Err(LatchError::KnownWrong)));
        latch.announce("t", &pin("2222")).unwrap().forget().unwrap();
    }

    #[test]
    fn a_memory_that_cannot_be_read_stops_all_pins_and_no_pin_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let latch = Latch::at(directory.path().join("pin"));
        latch.announce("t", &pin("987654")).unwrap().refused().unwrap();
        assert!(!fs::read_to_string(directory.path().join("pin")).unwrap().contains("987654"));
        fs::write(directory.path().join("pin"), b"{").unwrap();
        assert!(matches!(latch.announce("t", &pin("1")), Err(LatchError::Memory { .. })));
    }
}
