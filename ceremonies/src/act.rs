//! Acts: whatever a person decides, as one signed document.
//!
//! ```json
//! {"act":"approve","decision":"accept","environment":"production","expires":"2026-11-22T05:00:00.000000Z",
//!  "head":{"origin":"log.example.org","root":"9f3c…","size":4711},"instance":"signing.example.org","nonce":"51be…",
//!  "reason":"","target":{"statement":"e3b0…"}}
//! ```
//!
//! (Line breaks for reading only: the form is canonical JSON.) It is signed as SSHSIG, in the namespace of the instance's
//! mode ([`namespace`]), and kept as it came: document and signature are never written anew. A [`VerifiedAct`] is an act
//! whose signature was checked against a roster; there is no other way to one. Whether it counts for a ceremony is
//! [`crate::tally`]'s to say.
//!
//! An act proves that it was made after the log had the head it names, once somebody has shown that the log goes on from
//! that head; that proof is not made here. When it was made is the daemon's word.

mod deed;
mod document;
mod error;
mod verified;

use proto::hash::Hash;
use proto::origin::Origin;
use proto::time::Time;
use serde::{Deserialize, Serialize};

pub use deed::{ActKind, Decision, Deed, Outcome};
pub use error::{ActError, ActFault, Unverified};
pub use verified::{Nonces, Replayed, Setting, VerifiedAct};

use crate::genesis::Mode;
use crate::nonce::Nonce;

/// Largest act in bytes.
pub const LARGEST: usize = 16 * 1024;

/// Longest reason in bytes.
pub const LONGEST_REASON: usize = 4096;

/// Most terms that one act stops.
pub const MOST_STOPS: usize = 32;

/// The SSHSIG namespace of acts in this mode; the two are never mixed up, by stock tools either.
pub const fn namespace(mode: Mode) -> &'static str {
    match mode {
        Mode::Production => "countersign.act.production.v1",
        Mode::Rehearsal => "countersign.act.rehearsal.v1",
    }
}

/// The head of a log, as the person saw it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SeenHead {
    /// The log's name.
    pub origin: Origin,
    /// Root of the tree (RFC 6962, 2.1); of an empty tree the SHA-256 of nothing.
    pub root: Hash,
    /// How many records it has.
    pub size: u64,
}

/// What a person decides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Act {
    /// What, about what.
    pub deed: Deed,
    /// The instance's environment.
    pub environment: String,
    /// From then on it is not taken, and an approval or attestation stops counting.
    pub expires: Time,
    /// The newest head that this person knew.
    pub head: SeenHead,
    /// The instance's name.
    pub instance: String,
    /// Counts once.
    pub nonce: Nonce,
    /// Why. May be empty for what is accepted.
    pub reason: String,
}

impl Act {
    /// Its canonical bytes: what is signed.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn encode(&self) -> Result<Vec<u8>, ActError> {
        document::encode(self)
    }

    /// Reads an act from its canonical bytes.
    ///
    /// # Errors
    /// [`ActError`]; where the shape is right, everything that is wrong at once.
    pub fn parse(bytes: &[u8]) -> Result<Self, ActError> {
        document::parse(bytes)
    }
}

#[cfg(test)]
pub(crate) mod tests;
