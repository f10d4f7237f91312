//! What must hold, judged anew from the records alone, by other code than the machine's.
//!
//! The oracle knows what was appended, what had an effect, and which state followed. Every check is named after the
//! ceremony invariant that it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ceremonies::person::{PersonId, Role};
use ceremonies::rules::Officers;
use ceremonies::session::{
    Decision, Event, Parted, Parting, Seats, Session, SignedAct, Stamp, State, Step, deviations_digest,
};
use ceremonies::statement::Target;
use ceremonies::statement::target::Leftover;
use proto::key_id::KeyId;
use proto::time::Time;

use crate::room::{next_roster, roster};

/// A record that had an effect, and the state after it.
pub struct Effect {
    pub event: Event,
    pub stamp: Stamp,
    pub latest: Time,
    pub before: Step,
    pub after: State,
    /// Who was suspended before it.
    suspended: BTreeSet<PersonId>,
}

/// The records of one ceremony that had an effect.
pub struct Oracle {
    pub effects: Vec<Effect>,
    pub present: Seats,
    pub suspended: BTreeSet<PersonId>,
    /// The latest time that counts.
    now: Time,
    sound: bool,
}

const STEPS: [(Step, &[Step]); 6] = [
    (Step::Proposed, &[Step::Proposed, Step::Armed, Step::Vetoed, Step::Expired, Step::Superseded]),
    (
        Step::Armed,
        &[Step::Armed, Step::Proposed, Step::Executing, Step::Vetoed, Step::Expired, Step::Superseded],
    ),
    (
        Step::Executing,
        &[
            Step::Executing,
            Step::Executed,
            Step::Waiting,
            Step::Completed,
            Step::Aborted,
            Step::Failed,
            Step::Indeterminate,
            Step::Superseded,
        ],
    ),
    (Step::Executed, &[Step::Executed, Step::Waiting, Step::Completed, Step::Failed, Step::Superseded]),
    (Step::Waiting, &[Step::Waiting, Step::Completed, Step::Vetoed, Step::Superseded]),
    (Step::Indeterminate, &[Step::Indeterminate, Step::Armed, Step::Aborted, Step::Failed, Step::Superseded]),
];

impl Oracle {
    pub fn new(session: &Session) -> Self {
        let now = session.statement().common().not_before;
        Self { effects: Vec::new(), present: roster(2, |_| {}), suspended: BTreeSet::new(), now, sound: true }
    }

    /// Takes a record that had an effect, and checks everything.
    pub fn saw(&mut self, session: &Session, event: &Event, stamp: Stamp, before: Step) {
        let any_clock = session.rule().any_clock;
        self.sound = any_clock || (stamp.trusted && stamp.time >= self.now);
        if self.sound {
            self.now = self.now.max(stamp.time);
        }
        let suspended = self.suspended.clone();
        match event {
            Event::Roster(roster) => {
                self.present = roster.clone();
                self.suspended.clone_from(&roster.suspended);
            }
            Event::Suspended(people) => self.suspended.clone_from(people),
            _ => {}
        }
        let (event, after) = (event.clone(), session.state().clone());
        self.effects.push(Effect { event, stamp, latest: self.now, before, after, suspended });
        self.c1_executing_has_its_people(session);
        self.c2_no_act_counts_twice(session);
        self.c3_it_executes_once_an_arming(session);
        self.c4_completed_was_seen_before_and_after(session);
        self.c5_only_the_way_through_leads_to_completion();
        self.c6_a_roster_follows_the_one_in_force(session);
        self.c8_looser_guardrails_wait_a_day_without_a_veto(session);
        self.c10_an_unsound_clock_enables_nothing();
        self.who_agreed_and_left_is_known(session);
    }

    /// Scenario 14: whoever agreed to an execution and left or was suspended before it was over is named, with the record; and
    /// nobody else is.
    fn who_agreed_and_left_is_known(&self, session: &Session) {
        let after = self.newest().after.step();
        if after.is_end() && after != Step::Completed {
            return;
        }
        let begun = self.effects.iter().rposition(|effect| matches!(effect.event, Event::Start { .. }));
        let again = |start: &usize| {
            let since = self.effects[*start..].iter();
            since
                .clone()
                .all(|effect| effect.before != Step::Indeterminate || effect.after.step() != Step::Armed)
        };
        let mut expected = BTreeMap::new();
        if let Some(start) = begun.filter(again) {
            let State::Executing(execution) = &self.effects[start].after else {
                panic!("a start that is none")
            };
            let (pinned, mut present, mut suspended) =
                (roster(2, |_| {}), roster(2, |_| {}), BTreeSet::new());
            let mut agreed: Vec<(&PersonId, KeyId, bool)> = Vec::new();
            for (at, effect) in self.effects.iter().enumerate() {
                match &effect.event {
                    // Where time alone ended it first, what came then was too late.
                    _ if effect.after.step().is_end() => continue,
                    Event::Roster(roster) => {
                        present = roster.clone();
                        suspended.clone_from(&roster.suspended);
                    }
                    Event::Suspended(people) => suspended.clone_from(people),
                    Event::Start { .. } if at == start => {
                        for person in &execution.approvers {
                            let says =
                                |act: &&SignedAct| act.person == *person && act.decision == Decision::Approve;
                            let before =
                                self.effects[..at].iter().rev().filter_map(|effect| match &effect.event {
                                    Event::Act(act) => Some(&**act),
                                    _ => None,
                                });
                            let key = before.into_iter().find(says).unwrap().key;
                            let officer = pinned.holds(person, Role::Officer, key)
                                && present.holds(person, Role::Officer, key);
                            agreed.push((person, key, officer));
                        }
                    }
                    _ => {}
                }
                if at <= start {
                    continue;
                }
                let makes_one = matches!(session.statement().target(), Target::RosterChange(_));
                let officers = agreed.iter().filter(|(person, key, officer)| {
                    !if *officer {
                        present.holds(person, Role::Officer, *key)
                    } else {
                        makes_one || present.owns(person, *key)
                    }
                });
                let gone = officers.map(|(person, ..)| *person);
                let witnesses = execution.witnesses.iter();
                let blind = witnesses.filter(|(person, key)| !present.holds(person, Role::Witness, **key));
                let all = agreed.iter().map(|(person, ..)| *person).chain(execution.witnesses.keys());
                let silent: Vec<_> = all.filter(|person| suspended.contains(*person)).collect();
                for person in gone.chain(blind.map(|(person, _)| person)).chain(silent.clone()) {
                    let how = if silent.contains(&person) { Parting::Suspended } else { Parting::Left };
                    let record = effect.stamp.index;
                    expected.entry(person.clone()).or_insert(Parted { record, how });
                }
            }
        }
        assert_eq!(*session.parted(), expected, "who agreed, and counts no more");
    }

    fn newest(&self) -> &Effect {
        self.effects.last().unwrap()
    }

    fn acts(&self) -> impl DoubleEndedIterator<Item = (&SignedAct, Stamp)> {
        self.effects.iter().filter_map(|effect| match &effect.event {
            Event::Act(act) => Some((&**act, effect.stamp)),
            _ => None,
        })
    }

    /// The newest act of a person that `is` what is sought, unless he refused or took it back after it, or was suspended.
    fn standing(&self, person: &PersonId, is: fn(&Decision) -> bool) -> Option<(&SignedAct, Stamp)> {
        let (mut said, mut refusal, mut veto) = (None, None, None);
        for effect in &self.effects {
            let act = match &effect.event {
                Event::Act(act) if act.person == *person => act,
                Event::Suspended(people) if people.contains(person) => {
                    (said, veto) = (None, None);
                    continue;
                }
                _ => continue,
            };
            let at = effect.stamp;
            match &act.decision {
                Decision::Refuse => (said, refusal) = (None, Some(act.act)),
                Decision::Withdraw { act } if veto == Some(*act) => veto = None,
                Decision::Withdraw { act } if refusal == Some(*act) => refusal = None,
                Decision::Withdraw { .. } => said = None,
                Decision::Veto | Decision::Abort => veto = Some(act.act),
                decision if is(decision) => {
                    assert!(refusal.is_none(), "C2: {person} has refused and counts");
                    said = Some((&**act, at));
                }
                _ => {}
            }
        }
        said
    }

    /// How many keys want it stopped, and may.
    fn vetoes(&self) -> usize {
        self.vetoers().values().copied().collect::<BTreeSet<_>>().len()
    }

    /// Who wants it stopped, and may, each with the key of his act.
    pub fn vetoers(&self) -> BTreeMap<PersonId, KeyId> {
        let pinned = roster(2, |_| {});
        let mut present = pinned.clone();
        let mut suspended = BTreeSet::new();
        let mut vetoes = BTreeMap::new();
        for effect in &self.effects {
            match &effect.event {
                Event::Roster(roster) => {
                    present = roster.clone();
                    suspended.clone_from(&roster.suspended);
                }
                Event::Suspended(people) => suspended.clone_from(people),
                Event::Act(act) if matches!(act.decision, Decision::Veto | Decision::Abort) => {
                    vetoes.insert(&act.person, (act.act, act.key));
                }
                Event::Act(act) => {
                    let Decision::Withdraw { act: taken_back } = act.decision else { continue };
                    vetoes.retain(|vetoer, (veto, _)| **vetoer != act.person || *veto != taken_back);
                }
                _ => {}
            }
            vetoes.retain(|person, (_, key)| {
                let roles = [Role::Officer, Role::Witness];
                let holds = |roster: &Seats| roles.iter().any(|role| roster.holds(person, *role, *key));
                holds(&pinned) && holds(&present) && !suspended.contains(person)
            });
        }
        vetoes.into_iter().map(|(person, (_, key))| (person.clone(), key)).collect()
    }

    /// Everybody whose act of this sort counts now, by a roster that says who may.
    fn counted(
        &self,
        session: &Session,
        is: fn(&Decision) -> bool,
        may: impl Fn(&PersonId, KeyId) -> bool,
    ) -> Vec<(PersonId, KeyId)> {
        let people: BTreeSet<&PersonId> = self.acts().map(|(act, _)| &act.person).collect();
        let valid = |person: &&PersonId| {
            let (act, at) = self.standing(person, is)?;
            // The time that the log gave, never one of the act's own; a time that went back did not count then either.
            let logged = self.logged(at);
            let fresh = self.now.since(logged) <= session.rule().approval_age && self.now < act.expires;
            let holds = fresh && may(person, act.key) && !self.suspended.contains(*person);
            (holds && act.target == session.digest()).then(|| ((*person).clone(), act.key))
        };
        people.iter().filter_map(valid).collect()
    }

    /// The latest time that counted when this record was sealed: time does not go back.
    fn logged(&self, at: Stamp) -> Time {
        self.effects.iter().find(|effect| effect.stamp.index == at.index).unwrap().latest
    }

    /// As many as there are persons, and keys.
    fn heads(people: &[(PersonId, KeyId)]) -> usize {
        let keys: BTreeSet<KeyId> = people.iter().map(|(_, key)| *key).collect();
        let persons: BTreeSet<&PersonId> = people.iter().map(|(person, _)| person).collect();
        keys.len().min(persons.len())
    }

    fn c1_executing_has_its_people(&self, session: &Session) {
        let newest = self.newest();
        let (Step::Armed | Step::Proposed, State::Executing(execution)) = (newest.before, &newest.after)
        else {
            return;
        };
        let common = session.statement().common();
        let pinned = roster(2, |_| {});
        let approve: fn(&Decision) -> bool = |decision| *decision == Decision::Approve;
        let in_both = |role: Role| {
            let present = &self.present;
            let pinned = &pinned;
            move |person: &PersonId, key| pinned.holds(person, role, key) && present.holds(person, role, key)
        };
        let officers = self.counted(session, approve, in_both(Role::Officer));
        assert!(
            Self::heads(&officers) >= usize::from(common.quorum.approvals),
            "C1: too few officers: {officers:?}"
        );
        let next = next_roster();
        if matches!(session.statement().target(), Target::RosterChange(_)) {
            let of_next =
                self.counted(session, approve, |person, key| next.holds(person, Role::Officer, key));
            assert!(Self::heads(&of_next) >= 3, "C1, C6: too few of the next roster: {of_next:?}");
        }
        if session.rule().officers == Officers::OneAndAnother {
            let anybody = |person: &PersonId, key| pinned.owns(person, key) && self.present.owns(person, key);
            assert!(Self::heads(&self.counted(session, approve, anybody)) >= 2, "C1: nobody else agreed");
        }
        if let Target::SignBreakGlass(signing) = session.statement().target() {
            assert!(
                officers.iter().all(|(person, _)| *person == signing.officer),
                "C1: another officer than the named"
            );
        }
        let attest: fn(&Decision) -> bool = |decision| *decision == Decision::Attest;
        let witnesses = self.counted(session, attest, in_both(Role::Witness));
        assert!(Self::heads(&witnesses) >= usize::from(session.rule().witnesses), "C1: too few witnesses");
        let approvers: BTreeSet<&PersonId> = execution.approvers.iter().collect();
        let operators: BTreeSet<&PersonId> = self
            .effects
            .iter()
            .filter_map(|effect| match &effect.event {
                Event::Start { operator, .. } => operator.as_ref(),
                _ => None,
            })
            .collect();
        for witness in execution.witnesses.keys() {
            assert!(!approvers.contains(witness), "C1: {witness} is officer and witness");
            assert!(*witness != common.initiator, "C1: {witness} proposed what he attests");
            assert!(!operators.contains(witness), "C1: {witness} ran what he attests");
        }
        assert!(operators.is_disjoint(&approvers), "C1: an operator approved");
        if session.rule().other_unit {
            let unit = |person: &PersonId| {
                let seat = self.present.people.get(person).or_else(|| next.people.get(person));
                seat.map(|seat| seat.unit.clone())
            };
            // Of another unit than each of so many approvers: whoever joins them blocks nothing.
            let officers: BTreeSet<&PersonId> = officers.iter().map(|(person, _)| person).collect();
            let independent = execution.witnesses.keys().any(|witness| {
                let others = officers.iter().filter(|person| unit(person) != unit(witness)).count();
                others >= usize::from(common.quorum.approvals)
            });
            assert!(independent, "C1: no witness is of another unit");
        }
        assert!(self.now < common.expires && self.now >= common.not_before, "C1: outside its time");
        assert!(self.vetoes() < usize::from(session.rule().vetoes), "C1: it was vetoed");
        let changed = self.effects.iter().any(|effect| match &effect.event {
            Event::Roster(other) => *other != pinned,
            Event::Guardrails(version) => *version != common.guardrails,
            _ => false,
        });
        assert!(session.rule().emergency || !changed, "C1: a superseded ceremony went on");
    }

    fn c2_no_act_counts_twice(&self, session: &Session) {
        let mut nonces = BTreeSet::new();
        let mut said: BTreeMap<&PersonId, usize> = BTreeMap::new();
        for (act, _) in self.acts() {
            assert!(nonces.insert((&act.person, act.nonce)), "C2: a nonce counted twice");
            assert_eq!(act.target, session.digest(), "C2: an act on another statement counted");
            if act.decision == Decision::Approve {
                *said.entry(&act.person).or_default() += 1;
            }
        }
        let standing = session.standing(self.now);
        let counted = standing.everybody();
        assert!(
            counted.iter().all(|person| said.contains_key(person)),
            "C2: somebody counts who said nothing"
        );
        let keys: BTreeSet<&KeyId> = standing.approvers.values().chain(standing.witnesses.values()).collect();
        assert_eq!(keys.len(), standing.approvers.len() + standing.witnesses.len(), "C2: a key counts twice");
    }

    fn c3_it_executes_once_an_arming(&self, session: &Session) {
        let mut open = true;
        let mut starts = 0;
        for effect in &self.effects {
            match (&effect.event, effect.before) {
                (Event::Start { found, .. }, before) => {
                    assert!(
                        *found > 0 || !matches!(session.statement().target(), Target::KeyDestroy(_)),
                        "C3: nothing was there to be destroyed"
                    );
                    assert!(open && before != Step::Executing, "C3: it started twice without a resolution");
                    assert!(
                        *found == 0 || !matches!(session.statement().target(), Target::KeyGenerate(_)),
                        "C3: planted"
                    );
                    (open, starts) = (false, starts + 1);
                }
                (Event::Resolved { leftover: Leftover::Destroy, .. }, _) => open = true,
                (Event::Output { .. }, before) => {
                    assert!(starts > 0 && before == Step::Executing, "C3: an output without a start");
                }
                _ => {}
            }
        }
        assert!(starts <= 2, "C3: it started {starts} times");
    }

    /// What was done and attested is decided, also while it waits: who is suspended after that has attested. Time settles before
    /// a record does what it does, so the very record that finds it decided comes after that, too.
    fn c4_completed_was_seen_before_and_after(&self, session: &Session) {
        let newest = self.newest();
        let State::Completed { outputs, witnesses, deviations } = &newest.after else { return };
        let start =
            self.effects.iter().rposition(|effect| matches!(effect.event, Event::Start { .. })).unwrap();
        let State::Executing(execution) = &self.effects[start].after else {
            panic!("C4: a start that is none")
        };
        let recorded = self.effects.iter().rev().find_map(|effect| match &effect.event {
            Event::Output { outputs } => Some(*outputs),
            _ => None,
        });
        assert_eq!(recorded, Some(*outputs), "C4: other outputs than those recorded");
        assert!(witnesses.len() >= usize::from(session.rule().witnesses), "C4: too few attested after");
        let decided = self.effects[start..].iter().position(|effect| effect.after.step() == Step::Waiting);
        let decided = decided.map_or(self.effects.len() - 1, |at| start + at);
        let too_late = matches!(self.effects[decided].event, Event::Suspended(_));
        let settled = &self.effects[start..=decided - usize::from(too_late)];
        for witness in witnesses {
            assert!(
                execution.witnesses.contains_key(witness),
                "C4: {witness} attested after, and not before"
            );
            let after = settled.iter().rev().find_map(|effect| match &effect.event {
                Event::Act(act) if act.person == *witness => match &act.decision {
                    Decision::AttestAfter { outputs, deviations } => Some(Some((*outputs, *deviations))),
                    _ => None,
                },
                // What was said before it counts no more.
                Event::Suspended(people) if people.contains(witness) => Some(None),
                _ => None,
            });
            assert_eq!(
                after,
                Some(Some((*outputs, deviations_digest(deviations)))),
                "C4: {witness} attested something else"
            );
            assert!(!self.effects[decided].suspended.contains(witness), "C4: {witness} is suspended");
        }
        let noted: Vec<_> = self.effects[start..]
            .iter()
            .filter_map(|effect| match &effect.event {
                Event::Deviation { deviation, .. } => Some(*deviation),
                _ => None,
            })
            .collect();
        assert_eq!(*deviations, noted, "C4: a deviation was left out");
    }

    fn c5_only_the_way_through_leads_to_completion(&self) {
        let newest = self.newest();
        let (_, next) =
            STEPS.iter().find(|(step, _)| *step == newest.before).expect("C5: an ended ceremony went on");
        let step = newest.after.step();
        // One record may be two steps: time settles first, then the event does what it does.
        let two = next
            .iter()
            .filter_map(|step| STEPS.iter().find(|(known, _)| known == step))
            .any(|(_, to)| to.contains(&step));
        assert!(next.contains(&step) || two && step != Step::Completed, "C5: {} to {step}", newest.before);
        if step == Step::Completed {
            assert!(
                matches!(newest.before, Step::Executing | Step::Executed | Step::Waiting),
                "C5: completed without execution"
            );
        }
    }

    /// Whatever was under way: once another roster is in force, none is made of the one before; and nothing else that has
    /// begun ends for that.
    fn c6_a_roster_follows_the_one_in_force(&self, session: &Session) {
        let (newest, pinned) = (self.newest(), roster(2, |_| {}));
        let makes_one = matches!(session.statement().target(), Target::RosterChange(_));
        if makes_one && self.present.version != pinned.version {
            let step = newest.after.step();
            assert!(
                step.is_end() && step != Step::Completed,
                "C6: a roster follows one that is not in force"
            );
        }
        let others = self.effects.iter().any(|effect| {
            matches!(&effect.event, Event::Guardrails(other) if *other != session.statement().common().guardrails)
        });
        if others && matches!(session.statement().target(), Target::PolicyChange(_)) {
            assert_eq!(
                newest.after.step(),
                Step::Superseded,
                "C6: guardrails follow some that are not in force"
            );
            return;
        }
        let under_way = matches!(newest.before, Step::Executing | Step::Executed | Step::Indeterminate);
        if !makes_one && under_way {
            assert_ne!(newest.after.step(), Step::Superseded, "C6: what was being done was superseded");
        }
    }

    /// Time is that of the log's records; whoever is officer or witness at the moment of his veto ends it.
    fn c8_looser_guardrails_wait_a_day_without_a_veto(&self, session: &Session) {
        let newest = self.newest();
        let loosens = matches!(session.statement().target(), Target::PolicyChange(change) if change.loosens);
        if !loosens {
            assert_ne!(newest.after.step(), Step::Waiting, "C8: it waits for nothing");
            return;
        }
        let State::Completed { .. } = newest.after else { return };
        let begun = self.effects.iter().position(|effect| effect.after.step() == Step::Waiting);
        let begun = begun.expect("C8: it came into force at once");
        let since = self.effects[begun].latest;
        assert!(
            newest.latest >= since.later(Duration::from_secs(24 * 3600)),
            "C8: it came into force too early"
        );
        assert!(self.sound && newest.stamp.trusted, "C8: it came into force by an unsound clock");
        let mut present = roster(2, |_| {});
        for (at, effect) in self.effects.iter().enumerate() {
            if let Event::Roster(other) = &effect.event {
                present = other.clone();
            }
            let Event::Act(act) = &effect.event else { continue };
            let may =
                [Role::Officer, Role::Witness].iter().any(|role| present.holds(&act.person, *role, act.key));
            let vetoed = at > begun && act.decision == Decision::Veto && may;
            assert!(!vetoed, "C8: {} vetoed it while it waited", act.person);
        }
    }

    fn c10_an_unsound_clock_enables_nothing(&self) {
        let newest = self.newest();
        let step = newest.after.step();
        if !self.sound && step != newest.before {
            let nearer = [Step::Executing, Step::Waiting, Step::Completed].contains(&step);
            let armed = step == Step::Armed && newest.before != Step::Indeterminate;
            assert!(!nearer && !armed, "C10: {} to {step} by an unsound clock", newest.before);
        }
    }
}
