//! Who decides and by which rules: the roster and the guardrails in force, how others come into force, and whose acts count no
//! more.
//!
//! Invariant: versions have no gaps, and each roster after the first follows the one before it
//! (`rosters_follow_each_other_without_gaps`); so do guardrails (`of_two_versions_that_would_follow_the_same_one_comes`).

use std::collections::BTreeMap;
use std::sync::Arc;

use ceremonies::amendment::{self, Amended, NoAmendment};
use ceremonies::genesis::Genesis;
use ceremonies::person::Role;
use ceremonies::record;
use ceremonies::roster::{Roster, Terms};
use ceremonies::session::{Event, Seats, Stamp};
use ceremonies::statement::{CeremonyId, Statement, Version};
use ceremonies::succession::{self, NoSuccessor};
use ceremonies::suspension::{Said, Suspensions};
use ceremonies::transcript::Governs;
use proto::hash::Hash;
use proto::record::ceremony::document;
use proto::record::{ActorKind, ControlRecord, Suspend};
use proto::time::Time;

use super::documents::Proposal;
use super::{Effect, FoldError, State, refuse};
use crate::keys::sessions::Unheld;

/// A roster, guardrails or a log key that a ceremony made, and where that is completed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Made {
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// Index of its completion.
    pub index: u64,
    /// What it made.
    pub what: Governs,
}

/// How many officers can be counted on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Present {
    /// Officers of the roster in force who have acted, those whose acts count no more left out.
    pub acted: u16,
    /// How many there should be: one more than decide.
    pub wanted: u16,
}

impl Present {
    /// Whether one lost token more would leave too few.
    pub const fn is_few(self) -> bool {
        self.acted < self.wanted
    }
}

/// When everybody who signed the genesis acted: then.
pub(super) fn began(genesis: &Genesis, at: Time) -> BTreeMap<String, Time> {
    genesis.acts().iter().map(|act| (act.person().to_string(), at)).collect()
}

/// A roster as ceremonies see it, with those who are suspended.
pub(super) fn seats(roster: &Roster, suspensions: &Suspensions) -> Seats {
    Seats::from(roster).with_suspended(suspensions.people())
}

impl State {
    /// Notes who acted in a record, if a person did.
    pub(super) fn acts(&mut self, record: &ControlRecord) {
        let (actor, at) = (&record.actor, record.time.sealed);
        if actor.kind != ActorKind::Person {
            return;
        }
        match self.acted.get_mut(&actor.id) {
            Some(last) => *last = at,
            None => drop(self.acted.insert(actor.id.clone(), at)),
        }
    }

    /// How many officers have acted since then, by the times of the log.
    pub fn officers_since(&self, since: Time) -> Present {
        let suspended = self.suspensions.people();
        let acted = self.roster.people().filter(|person| {
            let last = self.acted.get(person.id.as_str());
            person.roles.contains(&Role::Officer)
                && !suspended.contains(&person.id)
                && last.is_some_and(|last| *last >= since)
        });
        let acted = u16::try_from(acted.count()).unwrap_or(u16::MAX);
        Present { acted, wanted: self.roster.approvals().saturating_add(1) }
    }

    /// Who decides in this instance now.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The roster in force as ceremonies see it, with those who are suspended.
    pub fn seats(&self) -> &Arc<Seats> {
        debug_assert_eq!(
            *self.seats,
            seats(&self.roster, &self.suspensions),
            "somebody changed one of the two"
        );
        &self.seats
    }

    /// Works them out anew: whenever another roster is in force or other people are suspended.
    fn seat(&mut self) {
        self.seats = Arc::new(seats(&self.roster, &self.suspensions));
    }

    /// Whose acts count no more.
    pub const fn suspensions(&self) -> &Suspensions {
        &self.suspensions
    }

    /// Indices of the records of what officers signed outside of ceremonies, those without effect too.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// What an officer says of a person: from here on it counts in every open ceremony.
    pub(super) fn suspend(
        &mut self,
        body: &Suspend,
        index: u64,
        record: &ControlRecord,
    ) -> Result<Effect, FoldError> {
        refuse::untouched(index, record)?;
        let said = Said::read(body).map_err(|cause| FoldError::Person { index, cause })?;
        let stamp = record::stamp(index, record);
        self.words.push(index);
        // Without effect: another record came first.
        let Ok(after) = self.suspensions.after(&said, self.seats(), stamp) else {
            return Ok(Effect::Nothing);
        };
        let before = std::mem::replace(&mut self.suspensions, after);
        self.seat();
        let people = self.suspensions.people();
        if before.people() == people {
            return Ok(Effect::Nothing);
        }
        self.sessions.told(&Event::Suspended(people), stamp);
        Ok(Effect::Suspended)
    }

    /// The roster in force, as statements name it.
    pub fn roster_version(&self) -> Version {
        Version { sha256: self.roster.digest(), version: self.roster.version() }
    }

    /// The rosters, guardrails and log keys that ceremonies made, in the order of the log.
    pub fn made(&self) -> &[Made] {
        &self.made
    }

    /// What genesis says about every roster.
    pub fn terms(&self) -> Terms {
        self.genesis.terms()
    }

    /// The roster that a `roster.change` makes of the one in force, by the documents that came with it.
    ///
    /// # Errors
    /// [`NoSuccessor`].
    pub fn successor<'d>(
        &self,
        statement: &Statement,
        documents: impl IntoIterator<Item = (&'d str, &'d str)>,
    ) -> Result<Roster, NoSuccessor> {
        succession::next(statement, &self.roster, self.setting(), self.terms(), documents)
    }

    /// The same of a proposal in the log. One that does not hold is no history: the daemon records none.
    pub(super) fn brought(&self, read: &Proposal) -> Result<Roster, Unheld> {
        let lacking = Unheld::Document(document::ROSTER);
        self.successor(&read.statement, read.each()).map_err(|_error| lacking)
    }

    /// Puts another roster in force. Acts are held against it from now on, and ceremonies that were opened under the one
    /// before are superseded.
    pub(super) fn succeed(&mut self, next: Arc<Roster>, by: CeremonyId, stamp: Stamp) -> Effect {
        let version = next.version();
        self.made.push(Made { ceremony: by, index: stamp.index, what: Governs::Roster(version) });
        let proposed = self.sessions.find(by).and_then(|held| held.records.first().copied());
        // Of a ceremony that is not known nothing is completed.
        let proposed = proposed.unwrap_or_default();
        self.suspensions = self.suspensions.succeeded(&Seats::from(&*next), proposed);
        self.roster = next;
        self.seat();
        self.sessions.told(&Event::Roster(Seats::clone(self.seats())), stamp);
        Effect::Roster(version)
    }

    /// What a `policy.change` makes of the guardrails in force, by the documents that its proposal holds.
    ///
    /// # Errors
    /// [`NoAmendment`].
    pub fn amendment<'d>(
        &self,
        statement: &Statement,
        documents: impl IntoIterator<Item = (&'d str, &'d str)>,
    ) -> Result<Amended, NoAmendment> {
        amendment::next(statement, &self.roster, documents)
    }

    /// The same of a proposal in the log. One that does not hold is no history: the daemon records none.
    pub(super) fn amended(&self, read: &Proposal) -> Result<(), Unheld> {
        let lacking = Unheld::Document(document::NEXT_GUARDRAILS);
        self.amendment(&read.statement, read.each()).map(|_amended| ()).map_err(|_error| lacking)
    }

    /// Puts the guardrails of a ceremony in force: whatever was proposed under those before is superseded.
    pub(super) fn amend(
        &mut self,
        sha256: Hash,
        by: CeremonyId,
        proposed: Option<u64>,
        stamp: Stamp,
    ) -> Effect {
        self.guardrails = self.guardrails.made(sha256, stamp.index, proposed);
        let what = Governs::Guardrails(self.guardrails.version);
        self.made.push(Made { ceremony: by, index: stamp.index, what });
        self.other_guardrails(stamp);
        Effect::Guardrails(self.guardrails)
    }
}
