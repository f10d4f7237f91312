//! Records of what officers sign outside of any ceremony: about people, and about the clock.
//!
//! Leaves name people by their ids in the roster and the act by SHA-256; act and signature are in the detail. What follows
//! from such a record is for the crate `ceremonies` to say.

use serde::{Deserialize, Serialize};

use crate::hash::Hash;
use crate::key_id::KeyId;
use crate::time::Time;

/// `roster.suspend`: an officer says that a person's acts count no more. Whether they do follows from the records before it:
/// the first person is suspended by one officer, every further one by two.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Suspend {
    /// SHA-256 of the act.
    pub act: Hash,
    /// Who says so.
    pub by: String,
    /// From then on it does not count, by its own word.
    pub expires: Time,
    /// The key that signed, without its SSH form.
    pub key: KeyId,
    /// Counts once for its person.
    pub nonce: Hash,
    /// Whose acts are to count no more.
    pub person: String,
}

/// `clock`: an officer vouches for a wall clock that the daemon did not believe. From this record on times go by it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Vouched {
    /// SHA-256 of the act.
    pub act: Hash,
    /// Who says so.
    pub by: String,
    /// The time that the clock showed when he said so.
    pub clock: Time,
    /// From then on it does not count, by its own word.
    pub expires: Time,
    /// The key that signed, without its SSH form.
    pub key: KeyId,
    /// Counts once for its person.
    pub nonce: Hash,
}
