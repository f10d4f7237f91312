//! Counting: what the acts about one statement amount to, at one moment.
//!
//! People are counted, by person *and* by key ([`crate::ssh::key::SshKey::id`]); acts are only how they speak. Whatever
//! can never count is refused when it arrives ([`Refused`]): about another statement, a nonce for the second time, a second
//! role of one person. Whatever stops counting is set aside when it is used ([`Aside`]): withdrawn, expired, too old by
//! the time that the log gave it, of a person who was suspended or has left the role. [`Tally::count`] judges everything
//! anew each time, so nothing that was good once stays good by itself.
//!
//! Invariant: no act raises a count by being duplicated, replayed, reordered or copied to another ceremony (held by
//! `copies_and_order_raise_no_count`).
//!
//! Which numbers a kind of ceremony needs is said by whoever asks ([`Need`]). Whether the log goes on from the head that
//! an act names is not checked here.

mod count;
mod refused;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proto::hash::Hash;
use proto::time::Time;

pub use count::{Aside, Count, Moment};
pub use refused::Refused;

use crate::act::{Decision, Deed, Nonces, Outcome, VerifiedAct};
use crate::person::{PersonId, Role};

/// The ceremony whose acts are counted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ballot {
    /// Whether, besides officers, one person of any role approves (`key.compromise`).
    pub another: bool,
    /// From then on nothing of it counts.
    pub expires: Time,
    /// Who proposed it: may be officer or operator, never witness.
    pub initiator: PersonId,
    /// The one officer who may approve, where the statement names one (`sign.break-glass`).
    pub named: Option<PersonId>,
    /// Who runs the tool, once that is known: neither approves nor attests.
    pub operator: Option<PersonId>,
    /// Digest of the roster that the statement names; of a `roster.change`, in the tally of the next roster, that one.
    /// Signatures are checked against it, and whoever counts is in the roster in force too.
    pub roster: Hash,
    /// SHA-256 of the statement's canonical bytes.
    pub statement: Hash,
}

/// What is needed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Need {
    /// How old an approval or attestation may be, by the time that the log gave it.
    pub age: Duration,
    /// How many officers must approve. Zero is taken for one.
    pub approvals: u16,
    /// Whether some witness must be of another unit than each of so many approvers.
    pub other_unit: bool,
    /// How many people's vetoes end it. Zero is taken for one.
    pub vetoes: u16,
    /// How many witnesses must attest.
    pub witnesses: u16,
}

/// An act that was taken, with the time that the log gave it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Held {
    act: VerifiedAct,
    at: Time,
}

/// After an execution: what it left, and who watched it from the beginning.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Executed {
    outcome: Outcome,
    witnesses: BTreeSet<PersonId>,
    independent: BTreeSet<PersonId>,
}

/// The acts about one statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tally {
    ballot: Ballot,
    executed: Option<Executed>,
    held: Vec<Held>,
    /// The role in which a person has spoken first; in this ceremony there is no other.
    roles: BTreeMap<PersonId, Role>,
    withdrawn: BTreeSet<(PersonId, Hash)>,
}

impl Tally {
    /// No acts yet.
    pub fn new(ballot: Ballot) -> Self {
        let (held, roles, withdrawn) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        Self { ballot, executed: None, held, roles, withdrawn }
    }

    /// The ceremony.
    pub const fn ballot(&self) -> &Ballot {
        &self.ballot
    }

    /// The acts that were taken, in their order, with the times that the log gave them.
    pub fn acts(&self) -> impl Iterator<Item = (&VerifiedAct, Time)> {
        self.held.iter().map(|held| (&held.act, held.at))
    }

    /// Says who runs the tool.
    ///
    /// # Errors
    /// [`Refused::TwoRoles`] where that person has approved or attested.
    pub fn operated_by(&mut self, operator: PersonId) -> Result<(), Refused> {
        if let Some(holds) = self.roles.get(&operator) {
            return Err(Refused::TwoRoles { person: operator, holds: *holds, wants: Role::Operator });
        }
        self.ballot.operator = Some(operator);
        Ok(())
    }

    /// Says what an execution left, and what the count was when it began: the same witnesses attest its outcome.
    pub fn executed(&mut self, outcome: Outcome, begun: &Count) {
        let (witnesses, independent) = (begun.before.clone(), begun.independent.clone());
        self.executed = Some(Executed { outcome, witnesses, independent });
    }

    /// Takes an act to which the log gave the time `at`. Its nonce is used up then.
    ///
    /// # Errors
    /// [`Refused`]; nothing is changed then.
    pub fn admit(&mut self, act: VerifiedAct, at: Time, nonces: &mut Nonces) -> Result<(), Refused> {
        let role = self.judge(&act, at, nonces)?;
        nonces.spend(&act)?;
        if let Some(role) = role {
            self.roles.insert(act.person().clone(), role);
        }
        if let Deed::Withdraw { act: withdrawn, .. } = act.act().deed {
            self.withdrawn.insert((act.person().clone(), withdrawn));
        }
        self.held.push(Held { act, at });
        Ok(())
    }

    /// The role in which the act is done, where it is done in one for the whole ceremony.
    fn judge(&self, act: &VerifiedAct, at: Time, nonces: &Nonces) -> Result<Option<Role>, Refused> {
        let deed = &act.act().deed;
        let found = deed.statement().ok_or(Refused::NoCeremony(act.kind()))?;
        if found != self.ballot.statement {
            return Err(Refused::OtherStatement { expected: self.ballot.statement, found });
        }
        if act.roster() != self.ballot.roster {
            return Err(Refused::OtherRoster { expected: self.ballot.roster, found: act.roster() });
        }
        nonces.check(act)?;
        let expires = act.act().expires;
        if at >= expires {
            return Err(Refused::Expired { expires, at });
        }
        // An execution that began in time is watched, and ended, after it.
        let begins = matches!(deed, Deed::Approve { .. } | Deed::Attest { outcome: None, .. });
        if begins && at >= self.ballot.expires {
            return Err(Refused::Over { expires: self.ballot.expires, at });
        }
        match deed {
            Deed::Approve { .. } => self.approves(act).map(Some),
            Deed::Attest { decision, outcome, .. } => self.attests(act, *decision, *outcome).map(Some),
            // What is withdrawn may still be on its way: it will not count.
            Deed::Abort { .. } | Deed::Veto { .. } | Deed::Withdraw { .. } => Ok(None),
            // About no ceremony, or a step of one that nobody counts.
            Deed::AcceptClock { .. }
            | Deed::Deviation { .. }
            | Deed::Execute { .. }
            | Deed::Propose { .. }
            | Deed::Stop { .. }
            | Deed::Suspend { .. } => Err(Refused::NoCeremony(act.kind())),
        }
    }

    fn approves(&self, act: &VerifiedAct) -> Result<Role, Refused> {
        let person = act.person();
        let role = if act.is_by(Role::Officer) {
            Role::Officer
        } else if self.ballot.another {
            // The other person of a `key.compromise` holds the first role that the roster gives.
            Role::ALL.into_iter().find(|role| act.is_by(*role)).unwrap_or(Role::Responder)
        } else {
            return Err(Refused::NotInRole { person: person.clone(), role: Role::Officer });
        };
        if self.ballot.named.as_ref().is_some_and(|named| named != person) {
            return Err(Refused::NotNamed { person: person.clone() });
        }
        self.holds_no_other(person, role)
    }

    fn attests(
        &self,
        act: &VerifiedAct,
        decision: Decision,
        outcome: Option<Outcome>,
    ) -> Result<Role, Refused> {
        let person = act.person();
        if *person == self.ballot.initiator {
            return Err(Refused::InitiatorAttests { person: person.clone() });
        }
        match (outcome, &self.executed) {
            (None, _) => {}
            (Some(_), None) => return Err(Refused::NotExecuted),
            // Whoever refuses may have seen something else; that is what a refusal is for.
            (Some(seen), Some(executed)) if seen != executed.outcome && decision == Decision::Accept => {
                return Err(Refused::OtherOutcome);
            }
            (Some(_), Some(executed)) if !executed.witnesses.contains(person) => {
                return Err(Refused::NotThere { person: person.clone() });
            }
            (Some(_), Some(_)) => {}
        }
        self.holds_no_other(person, Role::Witness)
    }

    fn holds_no_other(&self, person: &PersonId, wants: Role) -> Result<Role, Refused> {
        let holds = self.roles.get(person).copied();
        let operates = self.ballot.operator.as_ref() == Some(person);
        match holds.or_else(|| operates.then_some(Role::Operator)) {
            Some(holds) if holds != wants || operates => {
                Err(Refused::TwoRoles { person: person.clone(), holds, wants })
            }
            _ => Ok(wants),
        }
    }
}

#[cfg(test)]
mod tests;
