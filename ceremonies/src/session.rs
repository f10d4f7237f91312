//! One ceremony, from its proposal to its end: a pure machine over the records of the log.
//!
//! ```text
//! Proposed ─► Armed ─► Executing ─► Executed ─► Completed
//!     │         │          │            ├─► Waiting (looser guardrails, 24 h) ─► Completed · Vetoed · Superseded
//!     │         │          ├─► Aborted   └─► Failed (refusal, 4 h of silence, or it cannot come into force)
//!     ├◄────────┤          ├─► Failed (nothing was done)
//!     │         │          └─► Indeterminate ─► (resolve) ─► Armed · Aborted · Failed
//!     └────┬────┘
//!          └─► Vetoed · Expired · Superseded
//! ```
//!
//! [`Session::after`] takes an [`Event`] with the [`Stamp`] of its record and gives the session after it, or a [`Refusal`].
//! It borrows the session it is asked of: a refusal has no effect. A session *is* the fold of its records
//! ([`Session::fold`]): what was refused when it was asked is not recorded, and a record that comes too late (another one
//! got its place in the log first) is refused again by every fold, now and at each restart. So whoever runs a ceremony asks
//! with a provisional stamp, appends, asks again with the log's stamp, and acts on that answer alone.
//!
//! What is promised here:
//!
//! - Executing needs the quorum's approvals *and* the witnesses' attestations, every guard judged at that moment, by the
//!   times the log gave. It starts once an arming, and at most twice in all: the second time after a `resolve`.
//! - No act raises a count by being duplicated, replayed, reordered or copied: it names its statement, its nonce counts
//!   once, a person counts once and so does a key.
//! - Only [`State::Completed`] has an effect on trust.
//!
//! What is not judged here: signatures and what they cover (the acts that come in are verified ones), whether the head that
//! an act names is one of this log, and what is on the token. Those answers are part of the events.

mod apply;
mod book;
mod count;
mod event;
mod parted;
mod refusal;
mod seats;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use book::Book;
pub use count::{Lack, Standing};
pub use event::{Decision, Event, SignedAct, Stamp, deviations_digest};
pub use parted::{Parted, Parting};
use proto::hash::Hash;
use proto::origin::Origin;
use proto::time::Time;
pub use refusal::Refusal;
pub use seats::{Seat, Seats};
pub use state::{Cause, Executed, Executing, State, Step, Waiting};

use crate::genesis::Mode;
use crate::person::PersonId;
use crate::rules::{Rule, Rules};
use crate::statement::{Common, Name, Statement, Target, Version};

/// How far a witness's head may be behind the log when he attests: 15 minutes.
pub const RECENT: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// How often a ceremony may start: once, and once more after a `resolve` has cleared what was left.
pub const STARTS: u8 = 2;

/// What is in force in an instance when a ceremony is proposed.
#[derive(Clone, Debug)]
pub struct InForce {
    /// Name of the instance.
    pub instance: Name,
    /// Its environment.
    pub environment: Name,
    /// Whether it counts.
    pub mode: Mode,
    /// Its log.
    pub origin: Origin,
    /// Its roster, and who of it is suspended; the ceremonies of a roster share it.
    pub roster: Arc<Seats>,
    /// Its guardrails.
    pub guardrails: Version,
    /// The rules that they set.
    pub rules: Arc<Rules>,
}

impl InForce {
    /// A statement of another instance, or of a rehearsal in production, is refused by the first field that says so.
    fn is_this_instance(&self, common: &Common) -> Result<(), Refusal> {
        let same = [
            ("mode", common.mode == self.mode),
            ("log.origin", common.log.origin == self.origin),
            ("instance", common.instance == self.instance),
            ("environment", common.environment == self.environment),
        ];
        let other = same.into_iter().find(|(_, same)| !same);
        other.map_or(Ok(()), |(field, _)| Err(Refusal::Instance { field }))
    }
}

/// One ceremony.
///
/// Invariant: folding the accepted records gives this session, and no order of records makes a count grow without a new
/// person's act (held by `the_invariants_c1_to_c8_c10_and_c11_hold_in_every_history`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    // What does not change from one event to the next is shared by the sessions before and after it.
    statement: Arc<Statement>,
    rule: Rule,
    /// The roster that the statement names.
    pinned: Arc<Seats>,
    /// The roster in force, and who of it is suspended.
    present: Arc<Seats>,
    /// The roster that a `roster.change` makes.
    next: Option<Arc<Seats>>,
    /// The record of the proposal.
    proposed: Stamp,
    /// Index of the newest record that had an effect.
    index: u64,
    /// The latest time that was seen; time does not go back.
    latest: Time,
    book: Book,
    starts: u8,
    /// Whom the newest start counted, each with the key of his act; nobody before it, and when it is armed once more.
    counted: Arc<Standing>,
    /// Those of them who count no more.
    parted: BTreeMap<PersonId, Parted>,
    /// Whether roster or guardrails changed while it was being done.
    superseded: bool,
    state: State,
}

impl Session {
    /// A ceremony that was just proposed, by a record with this stamp, in an instance where this is in force. `next` is the
    /// roster that a `roster.change` makes, and none for every other kind.
    ///
    /// # Errors
    /// [`Refusal::Instance`], [`Refusal::Roster`], [`Refusal::Guardrails`], [`Refusal::NextRoster`], [`Refusal::Rules`],
    /// [`Refusal::Initiator`], [`Refusal::Suspended`], [`Refusal::Head`], [`Refusal::Expired`], [`Refusal::Clock`].
    pub fn open(
        statement: Statement,
        in_force: &InForce,
        next: Option<Seats>,
        stamp: Stamp,
    ) -> Result<Self, Refusal> {
        let rule = Self::could_open(&statement, in_force, stamp)?;
        let roster = &in_force.roster;
        match (statement.target(), &next) {
            (Target::RosterChange(change), Some(next)) if next.is_made_by(change, roster, rule.witnesses) => {
            }
            (Target::RosterChange(_), _) | (_, Some(_)) => return Err(Refusal::NextRoster),
            _ => {}
        }
        let pinned = Arc::clone(roster);
        Ok(Self {
            rule,
            present: Arc::clone(&pinned),
            pinned,
            next: next.map(Arc::new),
            proposed: stamp,
            index: stamp.index,
            latest: stamp.time,
            book: Book::default(),
            starts: 0,
            counted: Arc::default(),
            parted: BTreeMap::new(),
            superseded: false,
            state: State::Proposed,
            statement: Arc::new(statement),
        })
    }

    /// Whether a statement could be opened now, whatever roster a `roster.change` brings with it; and how it would be held.
    ///
    /// # Errors
    /// As [`Self::open`], but for [`Refusal::NextRoster`].
    pub fn could_open(statement: &Statement, in_force: &InForce, stamp: Stamp) -> Result<Rule, Refusal> {
        let (common, roster) = (statement.common(), &in_force.roster);
        in_force.is_this_instance(common)?;
        if common.roster != roster.version {
            return Err(Refusal::Roster { named: common.roster.version, in_force: roster.version.version });
        }
        if common.guardrails != in_force.guardrails {
            let (named, in_force) = (common.guardrails.version, in_force.guardrails.version);
            return Err(Refusal::Guardrails { named, in_force });
        }
        let rule = in_force.rules.judge(statement, roster.approvals, roster.officers())?;
        if !roster.people.contains_key(&common.initiator) {
            return Err(Refusal::Initiator(common.initiator.clone()));
        }
        if roster.suspended.contains(&common.initiator) {
            return Err(Refusal::Suspended(common.initiator.clone()));
        }
        if common.log.size > stamp.index {
            return Err(Refusal::Head);
        }
        if stamp.time >= common.expires {
            return Err(Refusal::Expired { at: common.expires });
        }
        if !stamp.trusted && !rule.any_clock {
            return Err(Refusal::Clock);
        }
        Ok(rule)
    }

    /// The session after these records, in the order of the log. What is refused has no effect, today as on the day.
    pub fn fold<'e>(mut self, records: impl IntoIterator<Item = (&'e Event, Stamp)>) -> Self {
        for (event, stamp) in records {
            let _refused = self.take(event, stamp);
        }
        self
    }

    /// What it asks for.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// SHA-256 of the statement: what every act on it names.
    pub fn digest(&self) -> Hash {
        self.statement.digest()
    }

    /// How ceremonies of its kind are held.
    pub const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Where it stands, as of the newest record.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The latest time that a record of it had: what comes after it is judged by no earlier one.
    pub const fn latest(&self) -> Time {
        self.latest
    }

    /// Whether an act of this digest was admitted.
    pub fn has_admitted(&self, act: Hash) -> bool {
        self.book.holds(act)
    }

    /// Those by whose approval or first attestation the newest execution was started, and who left the roster or were suspended
    /// before it came to its end. It goes on without them; a transcript says so.
    pub const fn parted(&self) -> &BTreeMap<PersonId, Parted> {
        &self.parted
    }

    /// Who counts at this moment, and who is missing: what is shown to those who wait.
    pub fn standing(&self, now: Time) -> Standing {
        self.count(now.max(self.latest))
    }

    /// When something happens by itself next: the end of the statement, the age of an approval, the end of waiting. `None`
    /// where nothing does. To be asked again after each record.
    pub fn due(&self) -> Option<Time> {
        match &self.state {
            State::Proposed | State::Armed => {
                let ends = self.book.ends(self.rule.approval_age).filter(|end| *end > self.latest);
                ends.chain([self.statement.common().expires]).min()
            }
            State::Executed(executed) => Some(executed.at.time.later(crate::rules::SILENCE)),
            State::Waiting(waiting) => Some(waiting.until()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
