//! How one roster follows another: what a `roster.change` brings, held against the roster in force.
//!
//! The proposal of a `roster.change` brings the next roster whole ([`document::ROSTER`]) and, for each key that the roster in
//! force lacks, a [`proof`] by that key. [`next`] is the one place that reads them: the daemon before it records a proposal,
//! its fold of the log, and whoever verifies a transcript.
//!
//! What is promised: a roster that comes out of here keeps every rule of rosters, has the version after the one in force, the
//! people whom the statement says and no others changed, and every new key in the hands of somebody who signed for it. What
//! it does not judge: who agreed to it, and the numbers of its quorum; that is the session's.
//!
//! Invariant: no roster follows without a proof by each new key, made for this roster (`a_roster_follows_by_the_proofs_of_its_new_keys_alone`).

pub mod proof;

use std::collections::{BTreeMap, BTreeSet};

use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::record::ceremony::document;

use crate::act::Setting;
use crate::person::PersonId;
use crate::roster::{NotNext, Person, Roster, RosterError, Terms};
use crate::statement::{Kind, Statement, Target};

/// Whom two rosters have otherwise, each list sorted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changes {
    /// Who is in the next one alone.
    pub added: Vec<PersonId>,
    /// Who is in both, with another name, unit, role or key.
    pub changed: Vec<PersonId>,
    /// Who is in the present one alone.
    pub removed: Vec<PersonId>,
}

impl Changes {
    /// What `next` has otherwise than `present`.
    pub fn between(present: &Roster, next: &Roster) -> Self {
        let ids = |people: Vec<&Person>| people.into_iter().map(|person| person.id.clone()).collect();
        let lacks = |roster: &Roster, person: &Person| roster.person(&person.id).is_none();
        let is_another =
            |person: &&Person| present.person(&person.id).is_some_and(|before| before != *person);
        Self {
            added: ids(next.people().filter(|person| lacks(present, person)).collect()),
            changed: ids(next.people().filter(is_another).collect()),
            removed: ids(present.people().filter(|person| lacks(next, person)).collect()),
        }
    }
}

/// Why a statement and what came with it make no next roster.
#[derive(Debug, thiserror::Error)]
pub enum NoSuccessor {
    /// A statement that makes no roster.
    #[error("a `{0}` makes no roster")]
    Kind(Kind),
    /// Nothing came with it.
    #[error("a `roster.change` comes with the document `roster`: give the next roster, canonical JSON")]
    Missing,
    /// Another roster.
    #[error("the document `roster` has SHA-256 {found}, the statement names {expected}")]
    Other {
        /// The statement's.
        expected: Hash,
        /// The document's.
        found: Hash,
    },
    /// No roster, or one that breaks a rule.
    #[error("the next roster: {0}")]
    Roster(#[from] RosterError),
    /// A roster that cannot follow this one.
    #[error("the next roster: {0}")]
    NotNext(#[from] NotNext),
    /// Other people than the statement says.
    #[error(
        "`target.{field}` is {said}, and the two rosters make it {found}: draft the statement from the roster"
    )]
    People {
        /// `added`, `changed` or `removed`.
        field: &'static str,
        /// What the statement says.
        said: String,
        /// What the rosters say.
        found: String,
    },
    /// A roster by which nobody could change it again.
    #[error(
        "the next roster has nobody to hold the next change of it: it needs {approvals} officers and {witnesses} \
         witnesses of whom nobody is both"
    )]
    Stuck {
        /// M of the next roster.
        approvals: u16,
        /// How many witnesses a change takes.
        witnesses: u16,
    },
    /// Other proofs than the statement names.
    #[error("the proofs of possession that came are not those that the statement names in `target.proofs`")]
    OtherProofs,
    /// Under another name than its digest's.
    #[error("the document `{found}` is a proof of possession, and its name is `{expected}`")]
    Name {
        /// What it is called.
        found: String,
        /// What it must be called.
        expected: String,
    },
    /// No signature of the next roster's people over what a proof says.
    #[error("the proof of possession `{name}`: {cause}")]
    Proof {
        /// Which.
        name: String,
        /// What is wrong with it.
        cause: proof::NoProof,
    },
    /// A key that needs none, or has one already.
    #[error(
        "the proof of possession `{name}` is by the key {key} of `{person}`, which needs none or has one"
    )]
    Needless {
        /// Which.
        name: String,
        /// By whose key.
        person: PersonId,
        /// By which.
        key: KeyId,
    },
    /// A new key that signed nothing.
    #[error(
        "the key {key} of `{person}` is new, and no proof of possession by it came: `countersign ceremony prove` makes it"
    )]
    Unproven {
        /// Whose key.
        person: PersonId,
        /// Which.
        key: KeyId,
    },
}

fn listed(people: &[PersonId]) -> String {
    let ids: Vec<&str> = people.iter().map(PersonId::as_str).collect();
    if ids.is_empty() { "nobody".to_owned() } else { ids.join(", ") }
}

/// The roster that this `roster.change` makes of the present one. `documents` are those that came with the proposal, by
/// name; what is neither the roster nor a proof is passed over.
///
/// # Errors
/// [`NoSuccessor`], the first thing that does not hold.
pub fn next<'d>(
    statement: &Statement,
    present: &Roster,
    setting: Setting<'_>,
    terms: Terms,
    documents: impl IntoIterator<Item = (&'d str, &'d str)>,
) -> Result<Roster, NoSuccessor> {
    let Target::RosterChange(change) = statement.target() else {
        return Err(NoSuccessor::Kind(statement.kind()));
    };
    let documents: BTreeMap<&str, &str> = documents.into_iter().collect();
    let text = documents.get(document::ROSTER).ok_or(NoSuccessor::Missing)?;
    let (expected, found) = (change.roster.sha256, Hash::of(text.as_bytes()));
    if found != expected {
        return Err(NoSuccessor::Other { expected, found });
    }
    let next = Roster::parse(text.as_bytes(), terms)?;
    next.follows(present)?;
    let changes = Changes::between(present, &next);
    for (field, said, found) in [
        ("added", &change.added, &changes.added),
        ("changed", &change.changed, &changes.changed),
        ("removed", &change.removed, &changes.removed),
    ] {
        if said != found {
            return Err(NoSuccessor::People { field, said: listed(said), found: listed(found) });
        }
    }
    let (approvals, witnesses) = (next.approvals(), change.quorum.witnesses);
    if !next.can_seat(approvals, witnesses, true) {
        return Err(NoSuccessor::Stuck { approvals, witnesses });
    }
    proven(&next, present, setting, &change.proofs, &documents)?;
    Ok(next)
}

/// Whether each new key has signed for this roster, and nothing else came.
fn proven(
    next: &Roster,
    present: &Roster,
    setting: Setting<'_>,
    named: &[Hash],
    documents: &BTreeMap<&str, &str>,
) -> Result<(), NoSuccessor> {
    let mut wanted: BTreeMap<KeyId, &PersonId> =
        next.new_keys(present).map(|(person, key)| (key.id(), &person.id)).collect();
    let mut digests = BTreeSet::new();
    for (name, armor) in documents.iter().filter(|(name, _)| name.starts_with(proof::PREFIX)) {
        let expected = proof::name(armor);
        if expected != **name {
            return Err(NoSuccessor::Name { found: (*name).to_owned(), expected });
        }
        digests.insert(Hash::of(armor.as_bytes()));
        let by = proof::verify(armor, setting, next);
        let (person, key) = by.map_err(|cause| NoSuccessor::Proof { name: (*name).to_owned(), cause })?;
        if wanted.remove(&key.id()).is_none() {
            let (name, person) = ((*name).to_owned(), person.id.clone());
            return Err(NoSuccessor::Needless { name, person, key: key.id() });
        }
    }
    if !digests.iter().eq(named) {
        return Err(NoSuccessor::OtherProofs);
    }
    match wanted.into_iter().next() {
        Some((key, person)) => Err(NoSuccessor::Unproven { person: person.clone(), key }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
