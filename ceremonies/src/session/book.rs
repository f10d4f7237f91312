//! The acts of a ceremony that were admitted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::time::Time;

use crate::nonce::Nonce;
use crate::person::PersonId;
use crate::session::{SignedAct, Stamp};

/// An act that counts as long as it is fresh.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    /// The record that holds it.
    pub(super) at: Stamp,
    /// Its own end.
    pub(super) expires: Time,
    /// The key that signed.
    pub(super) key: KeyId,
}

impl Entry {
    pub(super) const fn of(act: &SignedAct, at: Stamp) -> Self {
        Self { at, expires: act.expires, key: act.key }
    }

    /// When it stops counting: its own end, or the age that is too much.
    pub(super) fn end(&self, age: Duration) -> Time {
        // Whoever is exactly as old as allowed still counts; the next microsecond does not.
        self.expires.min(self.at.time.later(age).later(Duration::from_micros(1)))
    }
}

/// The acts of a ceremony that were admitted. A person has at most one entry of a kind: the newest.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Book {
    pub(super) approvals: BTreeMap<PersonId, Entry>,
    pub(super) attestations: BTreeMap<PersonId, Entry>,
    /// Who wants it stopped.
    pub(super) vetoes: BTreeMap<PersonId, Against>,
    /// Who said no, and so counts no more.
    pub(super) refusals: BTreeMap<PersonId, Against>,
    /// Index of the record since which each person's earlier acts count no more: the newest withdrawal or suspension.
    pub(super) withdrawn: BTreeMap<PersonId, u64>,
    /// Who has run the tool.
    pub(super) operators: BTreeSet<PersonId>,
    nonces: BTreeSet<(PersonId, Nonce)>,
    acts: BTreeSet<Hash>,
}

/// An act that stands against the ceremony.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Against {
    /// SHA-256 of the act, by which it is taken back.
    pub(super) act: Hash,
    /// The key that signed.
    pub(super) key: KeyId,
}

impl Against {
    pub(super) const fn of(act: &SignedAct) -> Self {
        Self { act: act.act, key: act.key }
    }
}

impl Book {
    /// Whether this act, or another one with its person's nonce, was admitted before.
    pub(super) fn knows(&self, act: &SignedAct) -> bool {
        self.nonces.contains(&(act.person.clone(), act.nonce)) || self.acts.contains(&act.act)
    }

    /// Whether the act of this digest was admitted.
    pub(super) fn holds(&self, act: Hash) -> bool {
        self.acts.contains(&act)
    }

    /// Remembers an act that is admitted.
    pub(super) fn note(&mut self, act: &SignedAct) {
        self.nonces.insert((act.person.clone(), act.nonce));
        self.acts.insert(act.act);
    }

    /// What a person said for the ceremony until this record counts no more, also where it comes in later.
    pub(super) fn end(&mut self, person: &PersonId, record: u64) {
        self.forget(person);
        self.withdrawn.insert(person.clone(), record);
    }

    /// Takes back what a person said for the ceremony.
    pub(super) fn forget(&mut self, person: &PersonId) {
        self.approvals.remove(person);
        self.attestations.remove(person);
    }

    /// When each of the acts stops counting.
    pub(super) fn ends(&self, age: Duration) -> impl Iterator<Item = Time> {
        self.approvals.values().chain(self.attestations.values()).map(move |entry| entry.end(age))
    }
}
