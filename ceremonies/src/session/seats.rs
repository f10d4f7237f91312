//! The roster as a ceremony sees it: who has which roles, keys and unit.

use std::collections::{BTreeMap, BTreeSet};

use proto::key_id::KeyId;

use crate::person::{PersonId, Role, Unit};
use crate::roster::Roster;
use crate::statement::target::RosterChange;
use crate::statement::{Quorum, Version};

/// A person of the roster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seat {
    /// What he may do.
    pub roles: BTreeSet<Role>,
    /// The part of the organisation that he answers to.
    pub unit: Unit,
    /// The canonical public keys that are his.
    pub keys: BTreeSet<KeyId>,
}

/// A roster as a ceremony sees it. [`Roster`] is what cannot be built wrong; this only looks things up, and counting does
/// not rest on a key having one owner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seats {
    /// Which roster it is.
    pub version: Version,
    /// How many officers make the quorum: M.
    pub approvals: u16,
    /// Everybody.
    pub people: BTreeMap<PersonId, Seat>,
    /// Whose acts do not count.
    pub suspended: BTreeSet<PersonId>,
}

impl Seats {
    /// How many officers there are: N.
    pub fn officers(&self) -> u16 {
        let officers = self.people.values().filter(|seat| seat.roles.contains(&Role::Officer));
        u16::try_from(officers.count()).unwrap_or(u16::MAX)
    }

    /// The same people, of whom these are suspended.
    #[must_use]
    pub fn with_suspended(self, suspended: BTreeSet<PersonId>) -> Self {
        Self { suspended, ..self }
    }

    /// What a statement says of this roster's quorum, with so many witnesses.
    pub fn quorum(&self, witnesses: u16) -> Quorum {
        Quorum { approvals: self.approvals, officers: self.officers(), witnesses }
    }

    /// Whether this is the roster that a statement makes of `present`: its version and quorum, exactly those who join and
    /// leave, and among those who change at least everybody whose roles, unit or keys do.
    pub(super) fn is_made_by(&self, change: &RosterChange, present: &Self, witnesses: u16) -> bool {
        let only_in = |one: &Self, other: &Self| {
            let there = one.people.keys().filter(|person| !other.people.contains_key(*person));
            there.cloned().collect::<Vec<PersonId>>()
        };
        let same = |person: &PersonId| match (self.people.get(person), present.people.get(person)) {
            (Some(after), Some(before)) => after == before,
            _ => true,
        };
        self.version == change.roster
            && self.quorum(witnesses) == change.quorum
            && only_in(self, present) == change.added
            && only_in(present, self) == change.removed
            && self.people.keys().all(|person| same(person) || change.changed.contains(person))
    }

    /// Whether this person has this role, and this key is his.
    pub fn holds(&self, person: &PersonId, role: Role, key: KeyId) -> bool {
        self.people.get(person).is_some_and(|seat| seat.roles.contains(&role) && seat.keys.contains(&key))
    }

    /// Whether this key is this person's.
    pub fn owns(&self, person: &PersonId, key: KeyId) -> bool {
        self.people.get(person).is_some_and(|seat| seat.keys.contains(&key))
    }

    /// Whether this person has this role.
    pub fn is(&self, person: &PersonId, role: Role) -> bool {
        self.people.get(person).is_some_and(|seat| seat.roles.contains(&role))
    }
}

impl From<&Roster> for Seats {
    fn from(roster: &Roster) -> Self {
        let seat = |person: &crate::roster::Person| Seat {
            roles: person.roles.clone(),
            unit: person.unit.clone(),
            keys: person.keys.iter().map(crate::ssh::key::SshKey::id).collect(),
        };
        Self {
            version: Version { sha256: roster.digest(), version: roster.version() },
            approvals: roster.approvals(),
            people: roster.people().map(|person| (person.id.clone(), seat(person))).collect(),
            suspended: BTreeSet::new(),
        }
    }
}
