//! What comes over into a log that takes the place of a lost one.
//!
//! A log that lies behind what somebody holds of it is never written again. A `log.recover` begins a new one: its record 0
//! holds the statement that people signed, the roster, guardrails and grants that were in force where the old log breaks off,
//! and a document, [`Carried`], that lists keys, stops and suspensions. The records that follow it bring exactly these, one
//! each and in this order, before anything else: `key.carried` brings a key and stops it, `incident.stopped` puts a stop in
//! force again.
//!
//! [`Survey`] reads all of that from the control records of the old log, for whoever drafts a recovery and for whoever checks
//! one. What it cannot know from control records alone is said where it is ([`Carried::key_ids`], [`Carried::suspended`]).
//!
//! What does not come over: ceremonies that were open, invitations, request ids, and the numbers of operations.

mod survey;

use std::collections::BTreeSet;

use proto::canonical::{self, CanonicalError};
use proto::ceremony_id::CeremonyId;
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::record::{Body, CarriedKey, ControlRecord, StopTarget};
use proto::term::Term;
use proto::time::Time;
use serde::{Deserialize, Serialize};

pub use survey::Survey;

use crate::person::PersonId;

/// The one schema of these documents that this version knows.
pub const SCHEMA: &str = "countersign.carried.v0";

/// What a new log has of the one whose place it takes, beside roster, guardrails and grants.
///
/// Invariant: lists are sorted and hold nothing twice; keys are stopped before anything else happens in the new log (held by
/// `what_comes_over_comes_first_and_exactly`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// Births that made no key: what they left is never adopted.
    pub births: Vec<Birth>,
    /// The newest control record that the old log still had.
    pub control: Newest,
    /// Whether a ceremony made the grants in force, so that no configured file decides.
    pub grants_made: bool,
    /// Whether a ceremony made the guardrails in force.
    pub guardrails_made: bool,
    /// Key pairs that were seen and are none of the keys: each comes into no instance again. That none is missing is the word
    /// of whoever drafted it, because some are in details alone.
    pub key_ids: Vec<KeyId>,
    /// The keys, by name; each comes by the record whose index is its place here, from 1.
    pub keys: Vec<Key>,
    /// What this is.
    pub schema: String,
    /// When the old log's newest record was sealed: the new log begins no earlier.
    pub sealed: Time,
    /// The stops in force, in the order of their records; each comes again by the record after those of the keys.
    pub stops: Vec<Stop>,
    /// Whose acts count no more.
    pub suspended: Vec<Suspended>,
}

/// A birth of a key, by the names that its key pair has in a device.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Birth {
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// SHA-256 of its statement.
    pub statement: Hash,
}

/// The newest control record.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Newest {
    /// Its leaf hash.
    pub hash: Hash,
    /// Its index.
    pub index: u64,
}

/// A key that comes over.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its name.
    pub key: KeyName,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_id: KeyId,
    /// SHA-256 of the canonical body of its `key.carried`.
    pub sha256: Hash,
    /// Its version.
    pub version: u32,
}

/// A stop in force.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Index of its record in the old log.
    pub index: u64,
    /// What was named.
    pub target: StopTarget,
    /// What of it is in force.
    pub terms: Vec<Term>,
}

/// Somebody whose acts count no more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Suspended {
    /// On whose word; sorted.
    pub by: Vec<PersonId>,
    /// How many officers it took.
    pub needs: u16,
    /// Who.
    pub person: PersonId,
}

/// Why a document lists nothing that could come over.
#[derive(Debug, thiserror::Error)]
pub enum CarriedError {
    /// Not canonical, or not of its shape.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// Another form.
    #[error("it has another schema than `{SCHEMA}`: use a newer version")]
    Schema,
    /// In no order.
    #[error("`{0}` is not sorted, or holds something twice")]
    Order(&'static str),
}

/// A record of a log that is not what has to be in its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Misplaced {
    /// A key, or a stop, that record 0 lists is not there.
    #[error("is not the key or stop that record 0 carries over in this place")]
    Other,
    /// A key comes from nowhere.
    #[error("brings a key that record 0 does not carry over")]
    Nowhere,
}

impl Carried {
    /// Reads the document from its canonical bytes.
    ///
    /// # Errors
    /// [`CarriedError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CarriedError> {
        let read: Self = canonical::from_slice(bytes)?;
        if read.schema != SCHEMA {
            return Err(CarriedError::Schema);
        }
        fn grows<T, K: Ord>(items: &[T], key: impl Fn(&T) -> K) -> bool {
            items.windows(2).all(|pair| key(&pair[0]) < key(&pair[1]))
        }
        let ids: BTreeSet<KeyId> = read.keys.iter().map(|key| key.key_id).collect();
        let order = [
            ("births", grows(&read.births, |birth| *birth)),
            ("key_ids", grows(&read.key_ids, |id| *id)),
            ("keys", grows(&read.keys, |key| (key.key.clone(), key.version))),
            ("keys", ids.len() == read.keys.len() && read.key_ids.iter().all(|id| !ids.contains(id))),
            ("stops", grows(&read.stops, |stop| stop.index)),
            ("suspended", grows(&read.suspended, |own| own.person.clone())),
        ];
        match order.into_iter().find(|(_, good)| !good) {
            Some((list, _)) => Err(CarriedError::Order(list)),
            None => Ok(read),
        }
    }

    /// Its canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        canonical::to_vec(self).expect("a document with string keys alone")
    }

    /// SHA-256 of its canonical bytes.
    pub fn digest(&self) -> Hash {
        Hash::of(&self.encode())
    }

    /// How many records after record 0 bring what it lists.
    pub fn records(&self) -> usize {
        self.keys.len() + self.stops.len()
    }

    /// Whether the record with this index is what the document lists in this place.
    ///
    /// # Errors
    /// [`Misplaced`].
    pub fn judge(&self, index: u64, record: &ControlRecord) -> Result<(), Misplaced> {
        let place = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
        let Some(place) = place.filter(|place| *place < self.records()) else { return nothing(record) };
        let same = match (self.keys.get(place), &record.body) {
            (Some(key), Body::Carried(body)) => {
                key.sha256 == digest(body)
                    && key.key_id == body.key.key_id
                    && record.stops == [Term::Key(key.key.clone())]
            }
            (None, Body::Stopped { act: None, target }) => {
                let stop = &self.stops[place - self.keys.len()];
                stop.target == *target && stop.terms == record.stops
            }
            _ => false,
        };
        if same && record.lifts.is_empty() { Ok(()) } else { Err(Misplaced::Other) }
    }
}

/// Whether a record brings no key from another log: of logs that began with a genesis, and after what was carried over.
///
/// # Errors
/// [`Misplaced::Nowhere`].
pub fn nothing(record: &ControlRecord) -> Result<(), Misplaced> {
    if matches!(record.body, Body::Carried(_)) { Err(Misplaced::Nowhere) } else { Ok(()) }
}

/// SHA-256 of the canonical body of a `key.carried`.
pub fn digest(key: &CarriedKey) -> Hash {
    Hash::of(&canonical::to_vec(key).expect("a body with string keys alone"))
}

#[cfg(test)]
mod tests;
