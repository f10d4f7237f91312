//! Who counts at a moment: persons and keys, never acts.

use std::collections::{BTreeMap, BTreeSet};

use proto::key_id::KeyId;
use proto::time::Time;

use crate::person::{PersonId, Role};
use crate::rules::Officers;
use crate::session::Session;
use crate::session::book::Entry;
use crate::statement::Target;

/// What a ceremony lacks to be armed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lack {
    /// So many approvals of officers of the roster.
    Approvals(u16),
    /// So many approvals of officers of the next roster.
    NextApprovals(u16),
    /// The other person of a `key.compromise`.
    Another,
    /// So many attestations of witnesses.
    Witnesses(u16),
    /// A witness of another unit than every approver of a quorum.
    OtherUnit,
}

/// Who counts at a moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// Whose approvals count, each with the key that signed.
    pub approvers: BTreeMap<PersonId, KeyId>,
    /// Whose approvals count by the next roster, where there is one.
    pub next_approvers: BTreeMap<PersonId, KeyId>,
    /// Whose attestations count.
    pub witnesses: BTreeMap<PersonId, KeyId>,
    /// Those of the witnesses who are of another unit than every approver of a quorum that there is.
    pub independent: BTreeSet<PersonId>,
    /// What is missing; empty where it is armed.
    pub lacks: Vec<Lack>,
}

impl Standing {
    /// Everybody who approved.
    pub fn everybody(&self) -> BTreeSet<PersonId> {
        self.approvers.keys().chain(self.next_approvers.keys()).cloned().collect()
    }
}

/// Distinct persons with distinct keys: whoever signs with a key that has counted does not count.
fn distinct<'a>(entries: impl Iterator<Item = (&'a PersonId, &'a Entry)>) -> BTreeMap<PersonId, KeyId> {
    let mut keys = BTreeSet::new();
    entries
        .filter(|(_, entry)| keys.insert(entry.key))
        .map(|(person, entry)| (person.clone(), entry.key))
        .collect()
}

fn missing(needed: u16, there: usize) -> Option<u16> {
    let there = u16::try_from(there).unwrap_or(u16::MAX);
    needed.checked_sub(there).filter(|missing| *missing > 0)
}

impl Session {
    /// Whether an act of this age may still be used. (Of a person who was suspended there is none.)
    fn is_fresh(&self, entry: &Entry, now: Time) -> bool {
        now < entry.end(self.rule.approval_age)
    }

    /// Whether a person holds a role with a key in the roster that the statement names *and* in the one in force.
    pub(super) fn holds(&self, person: &PersonId, role: Role, key: KeyId) -> bool {
        self.pinned.holds(person, role, key) && self.present.holds(person, role, key)
    }

    /// Whether a person has a key in both rosters, whatever the role.
    pub(super) fn owns(&self, person: &PersonId, key: KeyId) -> bool {
        self.pinned.owns(person, key) && self.present.owns(person, key)
    }

    /// Who counts at `now`. Everything that arms or starts is judged by this.
    pub(super) fn count(&self, now: Time) -> Standing {
        let fresh = || self.book.approvals.iter().filter(|(_, entry)| self.is_fresh(entry, now));
        let officers = || fresh().filter(|(person, entry)| self.holds(person, Role::Officer, entry.key));
        let mut standing = Standing { approvers: distinct(officers()), ..Standing::default() };
        let quorum = self.statement.common().quorum;
        let mut lacks = Vec::new();
        lacks.extend(missing(quorum.approvals, standing.approvers.len()).map(Lack::Approvals));
        if self.rule.officers == Officers::OneAndAnother {
            // Any two persons of the roster, one of them an officer.
            let anybody = distinct(fresh().filter(|(person, entry)| self.owns(person, entry.key)));
            lacks.extend((anybody.len() < 2).then_some(Lack::Another));
            standing.next_approvers = anybody;
        }
        if let (Some(next), Target::RosterChange(change)) = (&self.next, self.statement.target()) {
            let of_next = fresh().filter(|(person, entry)| next.holds(person, Role::Officer, entry.key));
            standing.next_approvers = distinct(of_next);
            let missing = missing(change.quorum.approvals, standing.next_approvers.len());
            lacks.extend(missing.map(Lack::NextApprovals));
        }
        let approvers = standing.everybody();
        let keys: BTreeSet<KeyId> =
            standing.approvers.values().chain(standing.next_approvers.values()).copied().collect();
        let attested = self.book.attestations.iter().filter(|(person, entry)| {
            self.is_fresh(entry, now)
                && self.holds(person, Role::Witness, entry.key)
                && !approvers.contains(*person)
                && !keys.contains(&entry.key)
                && **person != self.statement.common().initiator
        });
        standing.witnesses = distinct(attested);
        lacks.extend(missing(self.rule.witnesses, standing.witnesses.len()).map(Lack::Witnesses));
        standing.independent = self.independent(&standing);
        // Whether somebody is independent of the quorum can be said when there is one.
        if lacks.is_empty() && self.rule.other_unit && standing.independent.is_empty() {
            lacks.push(Lack::OtherUnit);
        }
        standing.lacks = lacks;
        standing
    }

    /// Witnesses of another unit than every approver of a quorum that there is: not of everybody who agrees, because then
    /// anyone could block a ceremony by joining it.
    fn independent(&self, standing: &Standing) -> BTreeSet<PersonId> {
        let unit = |person: &PersonId| {
            let here = self.present.people.get(person);
            here.or_else(|| self.next.as_ref()?.people.get(person)).map(|seat| &seat.unit)
        };
        let quorum = self.statement.common().quorum.approvals;
        let quorum_of_next = match self.statement.target() {
            Target::RosterChange(change) => change.quorum.approvals,
            _ => 0,
        };
        let enough = |approvers: &BTreeMap<PersonId, KeyId>, own, quorum: u16| {
            approvers.keys().filter(|person| unit(person) != own).count() >= usize::from(quorum)
        };
        let is_independent = |witness: &&PersonId| {
            let own = unit(witness);
            own.is_some()
                && enough(&standing.approvers, own, quorum)
                && enough(&standing.next_approvers, own, quorum_of_next)
        };
        standing.witnesses.keys().filter(is_independent).cloned().collect()
    }
}
