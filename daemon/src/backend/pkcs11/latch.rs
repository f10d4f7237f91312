//! A PIN known to be wrong is never tried again, across restarts.
//!
//! Tokens lock after a few wrong PINs, some after three, some the whole device and without saying so. So before each
//! log-in a mark is written, durable: the PIN's salted hash, and that its outcome is not known yet. A refused PIN stays
//! marked as wrong; a successful log-in removes its mark and no other. While the mark says *wrong*, that PIN is not given
//! to the token again; another PIN may be tried, and `countersignd backends unlock` forgets.
//!
//! The marks are the *token's* (manufacturer, model and serial number, as it says itself): whatever a backend is called,
//! however its URI names the token, and however many backends and anchors use it, they share what is known of its PINs.
//!
//! A host that dies in the middle of a log-in leaves *not known*: that may be tried again, twice in a row, then it
//! counts as wrong, because nobody can tell a lost answer from a refusal.
//!
//! Hosts of one token log in one after the other: those that sign, and one for each anchor in the token. While the
//! outcome of one log-in is not known no other host gives the token a PIN.
//!
//! Earlier versions kept one mark for each backend ([`old`]); such a mark is taken over when its PIN is met again.
//!
//! Invariants: at most one log-in with a PIN that the token refused, whatever restarts; held by
//! `a_bad_pin_is_tried_once_over_three_restarts`. Nor by another name or a second backend; held by
//! `a_bad_pin_is_tried_once_whatever_the_backend_is_called_and_however_the_token_is_named`.

mod memory;
mod old;
#[cfg(test)]
mod tests;

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use aws_lc_rs::pbkdf2;

use self::memory::{Mark, Memory, Place};
use super::message::Token;
use super::uri::Uri;
use crate::random;
use crate::secret::Secret;

/// Log-ins in a row whose outcome nobody learned, before the PIN counts as wrong.
const LOST_AT_MOST: u8 = 2;
/// Refused PINs of one token that are kept. To keep more, one would have to be forgotten.
const MOST: usize = 16;
/// Slows down whoever reads the file and tries PINs.
const ROUNDS: NonZeroU32 = NonZeroU32::new(50_000).expect("not zero");

/// What one backend knows of its token's PINs: files in the state directory.
#[derive(Clone, Debug)]
pub struct Latch {
    directory: PathBuf,
    backend: String,
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
    /// Too many were refused.
    #[error(
        "the token refused {MOST} different PINs, and no other is tried: run `countersignd backends unlock` \
         (the backends were {backends})"
    )]
    Full {
        /// Which backends had them.
        backends: String,
    },
    /// Another host is logging in, and how that ends is waited for.
    #[error(
        "another host of this token is logging in; this one tries as soon as it is known whether the PIN is right"
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

/// A log-in that was announced. Say how it ended; if nobody does, it counts as lost.
#[derive(Debug)]
#[must_use = "say how the log-in ended"]
pub struct Attempt {
    place: Place,
    memory: Memory,
    hash: String,
    lost_before: u8,
    /// Other hosts wait for its end.
    _alone: fs::File,
}

impl Latch {
    /// The memory in this directory, for the backend of this name.
    pub fn of(directory: impl Into<PathBuf>, backend: &str) -> Self {
        Self { directory: directory.into(), backend: backend.to_owned() }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Announces a log-in with this PIN at this token. How the configuration names the token matters for marks of earlier
    /// versions alone.
    ///
    /// What is safe now: the mark is on disk before the token sees the PIN. A crash from here on counts as a lost log-in.
    ///
    /// # Errors
    /// If the PIN is known to be wrong, another host is logging in, or the mark cannot be written.
    pub fn announce(&self, token: &Token, configured: &Uri, pin: &Secret) -> Result<Attempt, LatchError> {
        let place = Place::of(&self.directory, token);
        // The hash is slow on purpose, so it is made before others have to wait; again, if another salt is there by then.
        let early = match place.read()? {
            Some(memory) => memory,
            None => Memory::new(token, new_salt(&place)?),
        };
        let early_salt = early.salt(&place)?;
        let early_hash = hash(&early_salt, &place.identity, pin);
        let alone = place.alone()?;
        let mut memory = place.read()?.unwrap_or(early);
        let salt = memory.salt(&place)?;
        let hash = if salt == early_salt { early_hash } else { hash(&salt, &place.identity, pin) };
        let mut taken_over = Vec::new();
        let ways = old::ways(token, configured);
        for (path, old) in old::marks(&self.directory)? {
            if old.is_of(&ways, pin) {
                memory.learn(&hash, &self.backend, old.wrong, old.lost);
                taken_over.push(path);
            }
        }
        let full = memory.pins.len() >= MOST;
        let lost_before = match memory.mark(&hash) {
            Some(mark) if mark.is_wrong() => {
                if mark.backends.insert(self.backend.clone()) || !taken_over.is_empty() {
                    place.write(&memory)?;
                    forget(taken_over)?;
                }
                return Err(LatchError::KnownWrong);
            }
            Some(mark) => mark.lost,
            None if full => return Err(LatchError::Full { backends: memory.backends() }),
            None => 0,
        };
        memory.learn(&hash, &self.backend, false, lost_before + 1);
        place.write(&memory)?;
        forget(taken_over)?;
        Ok(Attempt { place, memory, hash, lost_before, _alone: alone })
    }

    /// Forgets every PIN that this backend was kept from trying: the next log-in is tried, whatever happened before. PINs
    /// of other backends at the same token stay known. Whether there was something to forget.
    ///
    /// # Errors
    /// If a file cannot be read, written or removed, or a host is logging in.
    pub fn unlock(&self) -> Result<bool, LatchError> {
        let mut forgotten = old::forget(&self.directory, &self.backend)?;
        for place in Place::all(&self.directory)? {
            let _alone = place.alone()?;
            let Some(mut memory) = place.read()? else { continue };
            let before = memory.pins.len();
            memory.pins.retain(|mark| !mark.backends.contains(&self.backend));
            if memory.pins.len() != before {
                place.write(&memory)?;
                forgotten = true;
            }
        }
        Ok(forgotten)
    }

    /// Whether a PIN of this backend is remembered as wrong.
    ///
    /// # Errors
    /// If a file is there and cannot be read.
    pub fn is_latched(&self) -> Result<bool, LatchError> {
        let mut latched = old::is_latched(&self.directory, &self.backend)?;
        for place in Place::all(&self.directory)? {
            let memory = place.read()?;
            latched |= memory.is_some_and(|memory| {
                memory.pins.iter().any(|mark| mark.is_wrong() && mark.backends.contains(&self.backend))
            });
        }
        Ok(latched)
    }
}

impl Attempt {
    /// The token took the PIN, or failed in a way that says nothing about it before it was looked at.
    ///
    /// # Errors
    /// If the mark cannot be removed.
    pub fn forget(mut self) -> Result<(), LatchError> {
        self.memory.pins.retain(|mark| mark.hash != self.hash);
        self.place.write(&self.memory)
    }

    /// The token refused the PIN.
    ///
    /// # Errors
    /// If the mark cannot be written; then it still says that the outcome is not known.
    pub fn refused(mut self) -> Result<(), LatchError> {
        if let Some(mark) = self.memory.mark(&self.hash) {
            (mark.wrong, mark.lost) = (true, self.lost_before);
        }
        self.place.write(&self.memory)
    }
}

impl Mark {
    const fn is_wrong(&self) -> bool {
        self.wrong || self.lost >= LOST_AT_MOST
    }
}

/// Marks of earlier versions, once the memory holds what they said.
fn forget(paths: Vec<PathBuf>) -> Result<(), LatchError> {
    for path in paths {
        fs::remove_file(&path).map_err(|cause| LatchError::Memory { path, cause })?;
    }
    Ok(())
}

fn new_salt(place: &Place) -> Result<[u8; 16], LatchError> {
    // The system's, at once: the crypto library's would cost each host 20 ms before its first log-in.
    random::bytes().map_err(|none| place.failed(std::io::Error::other(none)))
}

fn hash(salt: &[u8], token: &str, pin: &Secret) -> String {
    let mut salted = salt.to_vec();
    salted.extend_from_slice(token.as_bytes());
    let mut out = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, &salted, pin.expose(), &mut out);
    hex::encode(out)
}
