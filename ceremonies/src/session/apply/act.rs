//! Admitting what a person decided.

use proto::hash::Hash;

use crate::person::{PersonId, Role};
use crate::rules::Officers;
use crate::session::book::{Against, Entry};
use crate::session::event::deviations_digest;
use crate::session::state::{Cause, State};
use crate::session::{Decision, RECENT, Refusal, Session, SignedAct, Stamp};
use crate::statement::Target;

impl Session {
    /// Admits an act, and does what follows from it.
    ///
    /// # Errors
    /// Why it does not count.
    pub(super) fn admit(&mut self, act: &SignedAct, stamp: Stamp) -> Result<(), Refusal> {
        self.is_admissible(act, stamp)?;
        match &act.decision {
            Decision::Approve => self.approve(act, stamp)?,
            Decision::Attest => self.attest(act, stamp)?,
            Decision::AttestAfter { outputs, deviations } => {
                self.is_witness_of_execution(act)?;
                let State::Executed(executed) = &mut self.state else { return Err(self.no_place(act)) };
                let seen = deviations_digest(&executed.execution.deviations);
                if executed.outputs != *outputs || seen != *deviations {
                    return Err(Refusal::OtherOutputs);
                }
                executed.attested.insert(act.person.clone());
                self.settle(stamp);
            }
            Decision::Refuse => self.refuse(act, stamp)?,
            Decision::Withdraw { act: taken_back } => self.withdraw(act, *taken_back, stamp)?,
            Decision::Veto | Decision::Abort => self.veto(act)?,
        }
        self.book.note(act);
        Ok(())
    }

    fn no_place(&self, act: &SignedAct) -> Refusal {
        Refusal::Place { event: act.decision.name(), step: self.state.step() }
    }

    /// What every act must be, whatever it decides.
    fn is_admissible(&self, act: &SignedAct, stamp: Stamp) -> Result<(), Refusal> {
        let person = &act.person;
        if act.target != self.digest() {
            return Err(Refusal::OtherStatement { expected: self.digest(), found: act.target });
        }
        if self.book.knows(act) {
            return Err(Refusal::Replayed);
        }
        if stamp.time >= act.expires {
            return Err(Refusal::ActExpired { at: act.expires });
        }
        if act.head.size < self.statement.common().log.size {
            return Err(Refusal::Head);
        }
        let of_next = self.next.as_ref().is_some_and(|next| next.owns(person, act.key));
        if !self.owns(person, act.key) && !of_next && !self.cancels(act) {
            return Err(Refusal::Unknown(person.clone()));
        }
        if self.present.suspended.contains(person) {
            return Err(Refusal::Suspended(person.clone()));
        }
        if !act.decision.enables() {
            return Ok(());
        }
        if self.book.refusals.contains_key(person) {
            return Err(Refusal::Refused(person.clone()));
        }
        match self.book.withdrawn.get(person) {
            Some(record) if act.head.size <= *record => Err(Refusal::Withdrawn { record: *record }),
            _ => Ok(()),
        }
    }

    fn has_role(&self, act: &SignedAct, holds: bool) -> Result<(), Refusal> {
        if holds {
            Ok(())
        } else {
            Err(Refusal::Role { person: act.person.clone(), decision: act.decision.name() })
        }
    }

    /// Whether an act is by one of the witnesses who attested before, who may still attest.
    fn is_witness_of_execution(&self, act: &SignedAct) -> Result<(), Refusal> {
        let State::Executed(executed) = &self.state else { return Err(self.no_place(act)) };
        if !executed.execution.witnesses.contains_key(&act.person) {
            return Err(Refusal::OtherWitness(act.person.clone()));
        }
        self.has_role(act, self.holds(&act.person, Role::Witness, act.key))
    }

    fn is_open(&self, act: &SignedAct) -> Result<(), Refusal> {
        match self.state {
            State::Proposed | State::Armed => Ok(()),
            _ => Err(self.no_place(act)),
        }
    }

    fn conflict(person: &PersonId, already: &'static str) -> Refusal {
        Refusal::Conflict { person: person.clone(), already }
    }

    fn approve(&mut self, act: &SignedAct, stamp: Stamp) -> Result<(), Refusal> {
        self.is_open(act)?;
        let person = &act.person;
        let of_next = self.next.as_ref().is_some_and(|next| next.holds(person, Role::Officer, act.key));
        let anybody = self.rule.officers == Officers::OneAndAnother;
        self.has_role(act, anybody || of_next || self.holds(person, Role::Officer, act.key))?;
        if let Target::SignBreakGlass(signing) = self.statement.target()
            && signing.officer != *person
        {
            return Err(Refusal::NotNamed { named: signing.officer.clone() });
        }
        if self.book.attestations.contains_key(person) {
            return Err(Self::conflict(person, "witness"));
        }
        if self.book.operators.contains(person) {
            return Err(Self::conflict(person, "operator"));
        }
        self.book.approvals.insert(person.clone(), Entry::of(act, stamp));
        self.settle(stamp);
        Ok(())
    }

    fn attest(&mut self, act: &SignedAct, stamp: Stamp) -> Result<(), Refusal> {
        self.is_open(act)?;
        let person = &act.person;
        self.has_role(act, self.holds(person, Role::Witness, act.key))?;
        if *person == self.statement.common().initiator {
            return Err(Self::conflict(person, "initiator"));
        }
        if self.book.approvals.contains_key(person) {
            return Err(Self::conflict(person, "officer"));
        }
        if self.book.operators.contains(person) {
            return Err(Self::conflict(person, "operator"));
        }
        // A recent head: it holds the proposal, and the log did not go beyond it long ago.
        let recent = act.overtaken.is_none_or(|overtaken| stamp.time.since(overtaken) <= RECENT);
        if act.head.size <= self.proposed.index || !recent {
            return Err(Refusal::Head);
        }
        self.book.attestations.insert(person.clone(), Entry::of(act, stamp));
        self.settle(stamp);
        Ok(())
    }

    /// Before the execution a refusal takes back what its person said; after it, one of the witnesses is enough.
    fn refuse(&mut self, act: &SignedAct, stamp: Stamp) -> Result<(), Refusal> {
        if matches!(self.state, State::Executed(_)) {
            self.is_witness_of_execution(act)?;
            self.state = State::Failed(Cause::Refused);
            return Ok(());
        }
        self.is_open(act)?;
        self.book.forget(&act.person);
        self.book.refusals.insert(act.person.clone(), Against::of(act));
        self.settle(stamp);
        Ok(())
    }

    /// A veto or a refusal is taken back by its name; any other withdrawal ends all that the person said for it, and what
    /// he signed before it does not count when it comes later: so the order in which acts come in makes no difference.
    fn withdraw(&mut self, act: &SignedAct, taken_back: Hash, stamp: Stamp) -> Result<(), Refusal> {
        let names = |against: &Against| against.act == taken_back;
        let person = &act.person;
        if self.book.vetoes.get(person).is_some_and(names) {
            self.book.vetoes.remove(person);
            return Ok(());
        }
        self.is_open(act)?;
        if self.book.refusals.get(person).is_some_and(names) {
            self.book.refusals.remove(person);
            return Ok(());
        }
        self.book.end(person, stamp.index);
        self.settle(stamp);
        Ok(())
    }

    /// Whether an act keeps guardrails that wait from coming into force: one veto of whoever is officer or witness now, also
    /// of those who came in after they were proposed.
    fn cancels(&self, act: &SignedAct) -> bool {
        let may = |role| self.present.holds(&act.person, role, act.key);
        let waits = matches!(self.state, State::Waiting(_));
        waits && act.decision == Decision::Veto && (may(Role::Officer) || may(Role::Witness))
    }

    fn veto(&mut self, act: &SignedAct) -> Result<(), Refusal> {
        let person = &act.person;
        let executing = matches!(self.state, State::Executing(_));
        let aborts = act.decision == Decision::Abort;
        if matches!(self.state, State::Executed(_)) || (aborts && !executing) {
            return Err(self.no_place(act));
        }
        if self.cancels(act) {
            self.state = State::Vetoed;
            return Ok(());
        }
        let in_both =
            self.holds(person, Role::Officer, act.key) || self.holds(person, Role::Witness, act.key);
        self.has_role(act, in_both)?;
        if let Target::RosterChange(change) = self.statement.target()
            && change.added.is_empty()
            && change.changed.is_empty()
            && change.removed == [person.clone()]
            && change.quorum.approvals == self.statement.common().quorum.approvals
        {
            return Err(Refusal::OwnRemoval);
        }
        if self.book.vetoes.contains_key(person) {
            return Err(Refusal::VetoedAlready(person.clone()));
        }
        self.book.vetoes.insert(person.clone(), Against::of(act));
        if self.is_vetoed() {
            match self.state {
                State::Executing(_) => self.state = State::Aborted,
                State::Proposed | State::Armed => self.state = State::Vetoed,
                _ => {}
            }
        }
        Ok(())
    }
}
