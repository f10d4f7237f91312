//! The rules of rosters: from a document to people, or to everything that is wrong.

use std::collections::{BTreeMap, BTreeSet};

use proto::canonical;
use proto::key_id::KeyId;

use super::{Fault, Flaw, MOST_KEYS, MOST_PEOPLE, Person, Place, RosterDocument, RosterPerson, Terms};
use crate::genesis::Mode;
use crate::person::{PersonId, Role};
use crate::rules::HardLimit;
use crate::ssh::key::SshKey;

/// What is found while reading on.
#[derive(Default)]
struct Found {
    flaws: Vec<Flaw>,
    /// Whose a key is, by the id as it was written.
    owners: BTreeMap<KeyId, String>,
}

impl Found {
    fn note(
        &mut self,
        person: Option<usize>,
        field: &'static str,
        item: Option<usize>,
        fault: impl Into<Fault>,
    ) {
        self.flaws.push(Flaw { place: Place { person, field, item }, fault: fault.into() });
    }

    fn read<T, E: Into<Fault>>(
        &mut self,
        person: Option<usize>,
        field: &'static str,
        item: Option<usize>,
        read: Result<T, E>,
    ) -> Option<T> {
        read.map_err(|fault| self.note(person, field, item, fault)).ok()
    }
}

/// Everybody, by id.
pub(super) fn people(
    document: &RosterDocument,
    terms: Terms,
) -> Result<BTreeMap<PersonId, Person>, Vec<Flaw>> {
    let mut found = Found::default();
    whole(document, terms, &mut found);
    let mut people = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for (index, written) in document.people.iter().enumerate().take(MOST_PEOPLE) {
        if !ids.insert(written.person.as_str()) {
            found.note(
                Some(index),
                "person",
                None,
                Fault::PersonTwice(written.person.chars().take(80).collect()),
            );
        }
        if let Some(person) = one(index, written, terms, &mut found) {
            people.insert(person.id.clone(), person);
        }
    }
    quorum(document, &mut found);
    if found.flaws.is_empty() { Ok(people) } else { Err(found.flaws) }
}

fn whole(document: &RosterDocument, terms: Terms, found: &mut Found) {
    if document.version == 0 || document.version > canonical::LARGEST {
        found.note(None, "version", None, Fault::Version(document.version));
    }
    if document.mode != terms.mode {
        found.note(None, "mode", None, Fault::Mode);
    }
    if document.approvals < 2 {
        found.note(None, "approvals", None, HardLimit::Approvals(document.approvals));
    }
    if document.people.len() > MOST_PEOPLE {
        found.note(None, "people", None, Fault::People(document.people.len()));
    }
}

fn one(index: usize, written: &RosterPerson, terms: Terms, found: &mut Found) -> Option<Person> {
    let at = Some(index);
    let id = found.read(at, "person", None, written.person.parse());
    let name = found.read(at, "name", None, written.name.parse());
    let unit = found.read(at, "unit", None, written.unit.parse());
    let roles = roles(index, written, found);
    let keys = keys(index, written, terms, found);
    Some(Person { id: id?, name: name?, unit: unit?, roles, keys })
}

fn roles(index: usize, written: &RosterPerson, found: &mut Found) -> BTreeSet<Role> {
    let mut roles = BTreeSet::new();
    if written.roles.is_empty() {
        found.note(Some(index), "roles", None, Fault::NoRole);
    }
    for (item, text) in written.roles.iter().enumerate() {
        if let Some(role) = found.read(Some(index), "roles", Some(item), text.parse())
            && !roles.insert(role)
        {
            found.note(Some(index), "roles", Some(item), Fault::RoleTwice(role));
        }
    }
    roles
}

fn keys(index: usize, written: &RosterPerson, terms: Terms, found: &mut Found) -> Vec<SshKey> {
    let (at, mut keys) = (Some(index), Vec::new());
    match written.keys.len() {
        0 => found.note(at, "keys", None, Fault::NoKey),
        many if many > MOST_KEYS => found.note(at, "keys", None, Fault::Keys(many)),
        _ => {}
    }
    for (item, text) in written.keys.iter().enumerate().take(MOST_KEYS) {
        let Some(key) = found.read(at, "keys", Some(item), SshKey::parse(text)) else { continue };
        if terms.mode == Mode::Production && !terms.allow_software_officer_keys && !key.kind().is_fido() {
            found.note(at, "keys", Some(item), Fault::Software(key.kind()));
        }
        let id = key.id();
        match found.owners.get(&id).cloned() {
            Some(owner) if owner == written.person => found.note(at, "keys", Some(item), Fault::KeyTwice(id)),
            Some(owner) => found.note(at, "keys", Some(item), Fault::KeyOfTwo { key: id, owner }),
            None => drop(found.owners.insert(id, written.person.clone())),
        }
        keys.push(key);
    }
    keys
}

/// Counted as it is written, so that a damaged key does not make an officer less.
fn quorum(document: &RosterDocument, found: &mut Found) {
    let with = |role: Role| {
        document.people.iter().filter(move |person| person.roles.iter().any(|own| own == role.name()))
    };
    let ids: BTreeSet<&str> = with(Role::Officer).map(|person| person.person.as_str()).collect();
    let officers = u16::try_from(ids.len()).unwrap_or(u16::MAX);
    if officers <= document.approvals {
        found.note(None, "approvals", None, HardLimit::Spare { approvals: document.approvals, officers });
    }
    let units: BTreeSet<&str> = with(Role::Officer).map(|person| person.unit.as_str()).collect();
    if with(Role::Witness).next().is_none() {
        found.note(None, "people", None, Fault::NoWitness);
    } else if with(Role::Witness).all(|witness| units.contains(witness.unit.as_str())) {
        found.note(None, "people", None, Fault::NoOtherUnit);
    }
}
