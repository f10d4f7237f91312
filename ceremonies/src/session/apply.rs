//! What an event does: from one session to the next, or to a refusal.

mod act;

use std::sync::Arc;

use proto::time::Time;

use crate::person::{PersonId, Role};
use crate::rules::SILENCE;
use crate::session::state::{Cause, Executed, Executing};
use crate::session::{Event, Refusal, STARTS, Session, Stamp, State, Step, Waiting};
use crate::statement::target::Leftover;
use crate::statement::{Kind, Target};

impl Session {
    /// The session after an event whose record has this stamp.
    ///
    /// # Errors
    /// [`Refusal`]; the session is as it was.
    pub fn after(&self, event: &Event, stamp: Stamp) -> Result<Self, Refusal> {
        let mut next = self.clone();
        Self::go(&mut next, event, stamp)?;
        Ok(next)
    }

    /// The same in place, without a copy of what people have said so far: for whoever folds thousands of records.
    ///
    /// Invariant: it comes to what [`Self::after`] comes to, for [`Self::fold`] is made of it
    /// (`the_invariants_c1_to_c8_c10_and_c11_hold_in_every_history`).
    ///
    /// # Errors
    /// [`Refusal`]; the session is as it was.
    pub fn take(&mut self, event: &Event, stamp: Stamp) -> Result<(), Refusal> {
        // Time has its say before anybody can refuse, and changes these alone; all else is changed by what is not refused any more.
        let before = (self.index, self.latest, self.state.clone());
        let taken = Self::go(self, event, stamp);
        if taken.is_err() {
            (self.index, self.latest, self.state) = before;
        }
        taken
    }

    /// Goes on to the session after an event. Where that is refused index, time and state may be other ones, and nothing else.
    fn go(next: &mut Self, event: &Event, stamp: Stamp) -> Result<(), Refusal> {
        let step = next.state.step();
        if step.is_end() {
            return Err(Refusal::Over(step));
        }
        if stamp.index <= next.index {
            return Err(Refusal::Order { newest: next.index, found: stamp.index });
        }
        let enables = match event {
            Event::Act(act) => act.decision.enables(),
            Event::Tick | Event::Start { .. } => true,
            _ => false,
        };
        // A time that went back is no time to count by; what is protective or records a fact is taken all the same.
        let sound = next.rule.any_clock || stamp.trusted && stamp.time >= next.latest;
        if enables && !sound {
            return Err(Refusal::Clock);
        }
        next.index = stamp.index;
        // An unsound time moves nothing: neither ages an approval nor ends a ceremony.
        if sound {
            next.latest = next.latest.max(stamp.time);
        }
        let stamp = Stamp { time: next.latest, trusted: sound, ..stamp };
        // Before time has its say: what would follow guardrails that are not in force any more follows nothing.
        if next.is_overtaken_by(event) {
            next.state = State::Superseded;
            return Ok(());
        }
        next.settle(stamp);
        let is_fact =
            matches!(event, Event::Roster(_) | Event::Guardrails(_) | Event::Suspended(_) | Event::Tick);
        match &next.state {
            state if !state.step().is_end() => {}
            _ if is_fact => return Ok(()),
            State::Expired => return Err(Refusal::Expired { at: next.statement.common().expires }),
            state => return Err(Refusal::Over(state.step())),
        }
        match event {
            Event::Act(act) => next.admit(act, stamp)?,
            Event::Tick => {}
            Event::Start { operator, found } => next.start(operator.as_ref(), *found, stamp)?,
            Event::Deviation { person, .. } if next.present.suspended.contains(person) => {
                return Err(Refusal::Suspended(person.clone()));
            }
            Event::Deviation { deviation, .. } => match &mut next.state {
                State::Executing(execution) => execution.deviations.push(*deviation),
                State::Executed(executed) => {
                    executed.execution.deviations.push(*deviation);
                    // Whoever attested before has not seen this one.
                    executed.attested.clear();
                }
                _ => return Err(next.misplaced(event)),
            },
            Event::Output { outputs } => {
                let State::Executing(execution) = &next.state else { return Err(next.misplaced(event)) };
                let execution = execution.clone();
                next.state = State::Executed(Executed {
                    at: stamp,
                    outputs: *outputs,
                    attested: [].into(),
                    execution,
                });
                next.settle(stamp);
            }
            Event::NothingDone => {
                let State::Executing(_) = &next.state else { return Err(next.misplaced(event)) };
                next.state = State::Failed(Cause::NothingDone);
            }
            Event::Interrupted => {
                let State::Executing(execution) = &next.state else { return Err(next.misplaced(event)) };
                next.state = State::Indeterminate(execution.clone());
            }
            Event::Resolved { leftover, .. } => next.resolve(*leftover, stamp.time, event)?,
            Event::Roster(roster) if *roster == *next.present => {}
            Event::Roster(roster) => {
                next.present = Arc::new(roster.clone());
                next.forget_who_left();
                next.change_of_rules(stamp);
            }
            Event::Guardrails(version) if *version == next.statement.common().guardrails => {}
            Event::Guardrails(_) => next.change_of_rules(stamp),
            Event::Suspended(people) => {
                for person in people.difference(&next.present.suspended) {
                    next.book.end(person, stamp.index);
                }
                Arc::make_mut(&mut next.present).suspended = people.clone();
                next.forget_who_left();
                next.settle(stamp);
            }
        }
        next.note_who_parted(stamp.index);
        Ok(())
    }

    /// The session where what was done and attested cannot come into force: it has failed. To be asked only of one whose completion is
    /// in no record, because that has the effect; a session in any other state stays as it is.
    #[must_use]
    pub fn without_effect(&self, stamp: Stamp) -> Self {
        let mut next = self.clone();
        if self.state.step() == Step::Completed && stamp.index > self.index {
            next.index = stamp.index;
            next.state = State::Failed(Cause::NoEffect);
        }
        next
    }

    fn misplaced(&self, event: &Event) -> Refusal {
        Refusal::Place { event: event.name(), step: self.state.step() }
    }

    /// What time alone does: the end of the statement, approvals that grow too old, witnesses who stay silent. While the
    /// clock is unsound nothing gets nearer to an effect.
    pub(super) fn settle(&mut self, now: Stamp) {
        match &self.state {
            State::Proposed | State::Armed if now.time >= self.statement.common().expires => {
                self.state = State::Expired;
            }
            State::Proposed | State::Armed => {
                let may_arm = now.trusted || self.state == State::Armed;
                let is_armed = may_arm && self.count(now.time).lacks.is_empty();
                self.state = if is_armed { State::Armed } else { State::Proposed };
            }
            State::Executed(executed) if now.trusted && self.is_attested(executed) => {
                let (outputs, witnesses) = (executed.outputs, executed.attested.clone());
                let deviations = executed.execution.deviations.clone();
                self.state = match self.makes_looser() {
                    true => State::Waiting(Waiting { since: now, outputs, witnesses, deviations }),
                    false => State::Completed { outputs, witnesses, deviations },
                };
            }
            State::Waiting(waiting) if now.trusted && now.time >= waiting.until() => {
                let Waiting { outputs, witnesses, deviations, .. } = waiting.clone();
                self.state = State::Completed { outputs, witnesses, deviations };
            }
            State::Executed(executed) if now.time >= executed.at.time.later(SILENCE) => {
                self.state = State::Failed(Cause::Silence);
            }
            _ => {}
        }
    }

    /// Whether it makes the guardrails looser: then it has its effect after a delay.
    fn makes_looser(&self) -> bool {
        matches!(self.statement.target(), Target::PolicyChange(change) if change.loosens)
    }

    /// Whether this puts other guardrails in force than those that a `policy.change` follows.
    fn is_overtaken_by(&self, event: &Event) -> bool {
        let follows = self.statement.common().guardrails;
        self.statement.kind() == Kind::PolicyChange
            && matches!(event, Event::Guardrails(version) if *version != follows)
    }

    /// Whether enough of an execution's witnesses have attested what came of it, one who was independent among them.
    fn is_attested(&self, executed: &Executed) -> bool {
        executed.attested.len() >= usize::from(self.rule.witnesses)
            && (!self.rule.other_unit || !executed.attested.is_disjoint(&executed.execution.independent))
    }

    /// A new roster or new guardrails: only emergencies go on, with those who are in both rosters.
    fn change_of_rules(&mut self, now: Stamp) {
        // The roster that it makes would follow one that is not in force any more.
        let follows_nothing = self.next.is_some() && self.present.version != self.pinned.version;
        match self.state {
            _ if follows_nothing => self.state = State::Superseded,
            State::Proposed | State::Armed if !self.rule.emergency => self.state = State::Superseded,
            _ => {
                self.superseded |= !self.rule.emergency;
                self.settle(now);
            }
        }
    }

    /// Vetoes and attestations of persons who are suspended, or have lost the role, count no more. (Approvals are judged
    /// each time they are counted.)
    fn forget_who_left(&mut self) {
        let vetoes = std::mem::take(&mut self.book.vetoes);
        let stays = |person: &PersonId, key| {
            let has_role = self.holds(person, Role::Officer, key) || self.holds(person, Role::Witness, key);
            has_role && !self.present.suspended.contains(person)
        };
        let vetoes = vetoes.into_iter().filter(|(person, against)| stays(person, against.key)).collect();
        self.book.vetoes = vetoes;
        if let State::Executed(executed) = &self.state {
            let mut executed = executed.clone();
            let keys = &executed.execution.witnesses;
            executed.attested.retain(|person| {
                let still = keys.get(person).is_some_and(|key| self.holds(person, Role::Witness, *key));
                still && !self.present.suspended.contains(person)
            });
            self.state = State::Executed(executed);
        }
    }

    /// Every guard again, at this moment.
    fn start(&mut self, operator: Option<&PersonId>, found: u64, stamp: Stamp) -> Result<(), Refusal> {
        let common = self.statement.common();
        match self.state {
            State::Armed => {}
            State::Proposed => return Err(Refusal::NotArmed(self.count(stamp.time).lacks)),
            _ if self.starts > 0 => return Err(Refusal::Started),
            _ => return Err(Refusal::Place { event: "a start", step: self.state.step() }),
        }
        if self.starts >= STARTS {
            return Err(Refusal::Started);
        }
        if stamp.time < common.not_before {
            return Err(Refusal::NotYet { at: common.not_before });
        }
        if found > 0 && matches!(self.statement.kind(), Kind::KeyGenerate) {
            return Err(Refusal::Planted { found });
        }
        if found == 0 && matches!(self.statement.kind(), Kind::KeyDestroy) {
            return Err(Refusal::NothingThere);
        }
        let standing = self.count(stamp.time);
        let approvers = standing.everybody();
        if let Some(operator) = operator {
            let conflict = |already| Err(Refusal::Conflict { person: operator.clone(), already });
            if self.present.suspended.contains(operator) {
                return Err(Refusal::Suspended(operator.clone()));
            }
            if !self.present.is(operator, Role::Operator) {
                return Err(Refusal::Role { person: operator.clone(), decision: "running the tool" });
            }
            // Also those whose act has grown too old: the person has taken that part in this ceremony.
            if approvers.contains(operator) || self.book.approvals.contains_key(operator) {
                return conflict("officer");
            }
            if self.book.attestations.contains_key(operator) {
                return conflict("witness");
            }
        }
        self.starts += 1;
        self.counted = Arc::new(standing.clone());
        self.book.operators.extend(operator.cloned());
        self.state = State::Executing(Executing {
            at: stamp,
            approvers,
            witnesses: standing.witnesses,
            independent: standing.independent,
            operator: operator.cloned(),
            deviations: Vec::new(),
        });
        Ok(())
    }

    /// What follows when an interrupted execution was cleared up.
    fn resolve(&mut self, leftover: Leftover, now: Time, event: &Event) -> Result<(), Refusal> {
        let State::Indeterminate(_) = &self.state else { return Err(self.misplaced(event)) };
        let may_start_again = leftover == Leftover::Destroy
            && self.starts < STARTS
            && !self.superseded
            && !self.is_vetoed()
            && now < self.statement.common().expires
            && self.count(now).lacks.is_empty();
        self.state = match leftover {
            Leftover::Abandon => State::Failed(Cause::Abandoned),
            Leftover::Destroy if may_start_again => {
                self.counted = Arc::default();
                self.parted.clear();
                State::Armed
            }
            Leftover::Destroy => State::Aborted,
        };
        Ok(())
    }

    fn is_vetoed(&self) -> bool {
        let keys: std::collections::BTreeSet<_> =
            self.book.vetoes.values().map(|against| against.key).collect();
        keys.len() >= usize::from(self.rule.vetoes)
    }
}
