//! The roster: who officers, witnesses, responders and operators are, and with which keys they sign.
//!
//! A roster that breaks a rule cannot be constructed; [`Fault`] has one variant a rule. There are at least M + 1 officers
//! for the M ≥ 2 who must approve, so that one may be away; a witness of a unit to which no officer belongs, so that
//! whoever approves, somebody independent of all of them can attest; one person for each key, whatever the form in which
//! the key is written. In production every key is on a FIDO token, unless genesis allows software keys.
//!
//! Its canonical JSON is what statements name by SHA-256 ([`Roster::digest`]): people in the order of their ids, their
//! roles in the order of their names, keys as `type base64` without comment. [`Roster::read`] takes the same as TOML, as
//! people write it.
//!
//! That one human holds two tokens under two ids is for the people in the room to notice; code cannot.

mod check;
mod document;
mod fault;

use std::collections::{BTreeMap, BTreeSet};

use proto::canonical::{self, CanonicalError};
use proto::hash::Hash;
use proto::key_id::KeyId;

pub use document::{RosterDocument, RosterPerson};
pub use fault::{Fault, Flaw, Place, RosterError};

use crate::form::Problem;
use crate::genesis::Mode;
use crate::person::{DisplayName, PersonId, Role, Unit};
use crate::ssh::key::SshKey;

/// The one schema of rosters that this version knows.
pub const SCHEMA: &str = "countersign.roster.v0";

/// Largest canonical roster in bytes.
pub const LARGEST: usize = 128 * 1024;

/// Most people of a roster.
pub const MOST_PEOPLE: usize = 128;

/// Most keys of a person.
pub const MOST_KEYS: usize = 8;

/// What genesis says about every roster of its instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Terms {
    /// Whether keys need not be on FIDO tokens although the mode is production.
    pub allow_software_officer_keys: bool,
    /// The mode of the instance.
    pub mode: Mode,
}

/// A person of a roster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Person {
    /// For ever.
    pub id: PersonId,
    /// What he is called.
    pub name: DisplayName,
    /// Whom he answers to.
    pub unit: Unit,
    /// What he may do; at least one.
    pub roles: BTreeSet<Role>,
    /// What he signs with; at least one, each another private key.
    pub keys: Vec<SshKey>,
}

impl Person {
    /// Whether the roster gives him this role.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// A roster that breaks no rule.
///
/// Invariant: M ≥ 2 and N ≥ M + 1; some witness belongs to a unit without officers; every key has one owner (held by
/// `what_is_constructed_keeps_every_rule`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Roster {
    approvals: u16,
    digest: Hash,
    mode: Mode,
    owners: BTreeMap<KeyId, PersonId>,
    people: BTreeMap<PersonId, Person>,
    version: u64,
}

/// Why a roster cannot follow another one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotNext {
    /// Versions have no gaps.
    #[error("the roster in force has version {old}, so the next one has version {}, not {found}", old.saturating_add(1))]
    Version {
        /// The version in force.
        old: u64,
        /// The version of the next.
        found: u64,
    },
    /// The roster of another mode.
    #[error("the roster in force and the next one are of different modes")]
    Mode,
    /// A key that belonged to somebody else.
    #[error(
        "the key {key} belongs to `{old}` in the roster in force and to `{new}` in the next one: a key stays with its person"
    )]
    KeyMoved {
        /// The key.
        key: KeyId,
        /// Whose it is.
        old: PersonId,
        /// Whose it would be.
        new: PersonId,
    },
}

impl Roster {
    /// The roster that this document describes.
    ///
    /// # Errors
    /// Every rule that it breaks, with the place.
    pub fn new(document: &RosterDocument, terms: Terms) -> Result<Self, Vec<Flaw>> {
        let people = check::people(document, terms)?;
        let owners =
            people.values().flat_map(|person| person.keys.iter().map(|key| (key.id(), person.id.clone())));
        let mut roster = Self {
            approvals: document.approvals,
            digest: Hash::ZERO,
            mode: document.mode,
            owners: owners.collect(),
            version: document.version,
            people,
        };
        roster.digest = Hash::of(&roster.encode());
        Ok(roster)
    }

    /// Reads a roster from its canonical bytes.
    ///
    /// # Errors
    /// [`RosterError`]; where the shape is right, everything that is wrong at once.
    pub fn parse(bytes: &[u8], terms: Terms) -> Result<Self, RosterError> {
        if bytes.len() > LARGEST {
            return Err(RosterError::Large(bytes.len()));
        }
        let document: RosterDocument = canonical::from_slice(bytes)?;
        if document.schema != SCHEMA {
            return Err(RosterError::Schema(document.schema.chars().take(80).collect()));
        }
        let roster = Self::new(&document, terms).map_err(RosterError::Flaws)?;
        // Reading is writing: the order of people and roles, and how a key is spelt, have one form too.
        if roster.encode() == bytes { Ok(roster) } else { Err(RosterError::OneForm) }
    }

    /// Reads a roster as people write it, in TOML:
    ///
    /// ```toml
    /// version = 1
    /// mode = "rehearsal"
    /// approvals = 3                                # M: so many officers must approve
    ///
    /// [[person]]
    /// person = "ada"                               # stable id; records name people by it
    /// name = "Ada Lovelace"
    /// unit = "platform"
    /// roles = ["officer"]                          # of officer, operator, responder, witness
    /// keys = ["sk-ssh-ed25519@openssh.com AAAA… ada@laptop"]
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong, with its line.
    pub fn read(text: &str, terms: Terms) -> Result<Self, Vec<Problem>> {
        document::read(text, terms)
    }

    /// The document, in its one form.
    pub fn document(&self) -> RosterDocument {
        RosterDocument {
            approvals: self.approvals,
            mode: self.mode,
            people: self.people.values().map(RosterPerson::of).collect(),
            schema: SCHEMA.to_owned(),
            version: self.version,
        }
    }

    /// Its canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        canonical::to_vec(&self.document()).expect("a document of strings and numbers can be written")
    }

    /// SHA-256 of its canonical bytes, by which statements name it.
    pub const fn digest(&self) -> Hash {
        self.digest
    }

    /// From 1, without gaps.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Whether it is for production.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// M: how many officers must approve where a kind of ceremony asks for the quorum; at least 2.
    pub const fn approvals(&self) -> u16 {
        self.approvals
    }

    /// N: how many officers there are; at least M + 1.
    pub fn officers(&self) -> u16 {
        u16::try_from(self.with(Role::Officer).count()).unwrap_or(u16::MAX)
    }

    /// Everybody, in the order of ids.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// Everybody with this role, in the order of ids.
    pub fn with(&self, role: Role) -> impl Iterator<Item = &Person> {
        self.people.values().filter(move |person| person.is(role))
    }

    /// The person with this id.
    pub fn person(&self, id: &PersonId) -> Option<&Person> {
        self.people.get(id)
    }

    /// Whose key this is, and the form in which it is enrolled.
    pub fn owner(&self, key: KeyId) -> Option<(&Person, &SshKey)> {
        let person = self.people.get(self.owners.get(&key)?)?;
        Some((person, person.keys.iter().find(|own| own.id() == key)?))
    }

    /// Keys that are not on a FIDO token, with their owners. In production each is a deviation that every transcript
    /// carries.
    pub fn software_keys(&self) -> impl Iterator<Item = (&Person, &SshKey)> {
        self.people()
            .flat_map(|person| person.keys.iter().map(move |key| (person, key)))
            .filter(|(_, key)| !key.kind().is_fido())
    }

    /// Whether so many officers and so many witnesses can be found of whom nobody is both; where `other_unit`, with one
    /// witness of another unit than all of the officers.
    pub fn can_seat(&self, officers: u16, witnesses: u16, other_unit: bool) -> bool {
        let count = |officer: bool, witness: bool| {
            self.people()
                .filter(|person| (person.is(Role::Officer), person.is(Role::Witness)) == (officer, witness))
                .count()
        };
        let (both, only_officers, only_witnesses) =
            (count(true, true), count(true, false), count(false, true));
        let lacking = usize::from(officers).saturating_sub(only_officers)
            + usize::from(witnesses).saturating_sub(only_witnesses);
        // Some witness belongs to a unit without officers, so he is no officer and independent of all of them.
        lacking <= both && (witnesses > 0 || !other_unit)
    }

    /// Whether this roster can follow `old`, as far as documents show it.
    ///
    /// # Errors
    /// [`NotNext`].
    pub fn follows(&self, old: &Self) -> Result<(), NotNext> {
        if old.version.checked_add(1) != Some(self.version) {
            return Err(NotNext::Version { old: old.version, found: self.version });
        }
        if old.mode != self.mode {
            return Err(NotNext::Mode);
        }
        let moved = self.owners.iter().find_map(|(key, new)| {
            old.owners.get(key).filter(|owner| *owner != new).map(|old| (*key, old.clone(), new.clone()))
        });
        match moved {
            Some((key, old, new)) => Err(NotNext::KeyMoved { key, old, new }),
            None => Ok(()),
        }
    }

    /// Keys that are not in `old`, with their owners: each needs a proof of possession before this roster is in force.
    pub fn new_keys<'a>(&'a self, old: &'a Self) -> impl Iterator<Item = (&'a Person, &'a SshKey)> {
        self.people()
            .flat_map(|person| person.keys.iter().map(move |key| (person, key)))
            .filter(|(_, key)| old.owner(key.id()).is_none_or(|(_, enrolled)| enrolled != *key))
    }
}

impl From<CanonicalError> for RosterError {
    fn from(error: CanonicalError) -> Self {
        Self::Canonical(error)
    }
}

#[cfg(test)]
pub(crate) mod tests;
