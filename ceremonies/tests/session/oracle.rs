//! What must hold, judged anew from the records alone, by other code than the machine's.
//!
//! The oracle knows what was appended, what had an effect, and which state followed. Every check is named after the
//! ceremony invariant that it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ceremonies::person::{PersonId, Role};
use ceremonies::rules::Officers;
use ceremonies::session::{
    Cause, Decision, Event, Session, SignedAct, Stamp, State, Step, deviations_digest,
};
use ceremonies::statement::Target;
use ceremonies::statement::target::Leftover;
use proto::key_id::KeyId;
use proto::time::Time;

use crate::model::{Model, has};

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

/// The records of one ceremony that had an effect, and what follows from them.
pub struct Oracle {
    pub effects: Vec<Effect>,
    pub model: Model,
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
    pub fn new(model: Model) -> Self {
        Self { effects: Vec::new(), model }
    }

    /// Takes a record that had an effect, with what should follow from it, and checks everything.
    pub fn saw(&mut self, session: &Session, model: Model, event: &Event, stamp: Stamp, before: Step) {
        let suspended = std::mem::replace(&mut self.model, model).present.suspended.clone();
        let (event, after, latest) = (event.clone(), session.state().clone(), self.model.now);
        self.effects.push(Effect { event, stamp, latest, before, after, suspended });
        self.c1_executing_has_its_people();
        self.c2_who_counts_said_so_once(session);
        self.c3_it_executes_once_an_arming(session);
        self.c4_completed_was_seen_before_and_after(session);
        self.c5_only_the_way_through_leads_to_completion();
        self.c5_what_cannot_come_into_force_has_failed(session);
        self.c6_a_roster_follows_the_one_in_force(session);
        self.c8_looser_guardrails_wait_a_day_without_a_veto(session);
        self.c10_an_unsound_clock_enables_nothing(session);
        self.it_stands_where_its_records_lead();
        // C4: whoever agreed to an execution and left or was suspended before it was over is named, with the record; and nobody else.
        assert_eq!(*session.parted(), self.model.parted, "C4: who agreed, and counts no more");
    }

    /// All together: no record leads anywhere else than the invariants let it.
    fn it_stands_where_its_records_lead(&self) {
        let (is, should) = (self.newest().after.step(), self.model.step);
        let invariant = match (is, should) {
            (Step::Superseded, _) | (_, Step::Superseded) => "C6",
            (Step::Waiting, _) | (_, Step::Waiting) => "C8",
            (Step::Vetoed | Step::Aborted, _) | (_, Step::Vetoed | Step::Aborted) => "C11",
            (Step::Completed | Step::Failed, _) | (_, Step::Completed | Step::Failed) => "C4",
            (Step::Armed | Step::Executing, _) => "C1",
            _ => "C2",
        };
        assert_eq!(is, should, "{invariant}: after {:?}", self.newest().event);
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

    /// Who agreed is counted by the model, by persons and by keys; the daemon's own word for it must be the same.
    fn c1_executing_has_its_people(&self) {
        let (newest, model) = (self.newest(), &self.model);
        let (Event::Start { .. }, State::Executing(execution)) = (&newest.event, &newest.after) else {
            return;
        };
        let (common, count) = (model.statement.common(), &model.began);
        let heads = |people: &BTreeMap<PersonId, KeyId>| people.values().collect::<BTreeSet<_>>().len();
        let (quorum, of_next) = model.quorums();
        assert!(heads(&count.approvers) >= quorum, "C1: too few officers: {count:?}");
        let officer = |(who, key): (&PersonId, &KeyId)| model.in_both(who, Role::Officer, *key);
        assert!(
            count.approvers.iter().all(officer),
            "C1: an approver is no officer here or there: {count:?}"
        );
        if let (Some(of_next), Some(next)) = (of_next, &model.next) {
            assert!(heads(&count.others) >= of_next, "C1, C6: too few of the next roster: {count:?}");
            let officer = |(who, key): (&PersonId, &KeyId)| has(next, who, Role::Officer, *key);
            assert!(count.others.iter().all(officer), "C1, C6: no officer of the next roster: {count:?}");
        }
        if model.rule.officers == Officers::OneAndAnother {
            assert!(heads(&count.others) >= 2, "C1: nobody else agreed");
        }
        if let Target::SignBreakGlass(signing) = model.statement.target() {
            let named = count.approvers.keys().all(|person| *person == signing.officer);
            assert!(named, "C1: another officer than the named");
        }
        assert!(heads(&count.witnesses) >= usize::from(model.rule.witnesses), "C1: too few witnesses");
        assert_eq!(execution.approvers, count.everybody(), "C1: others approved than those who count");
        assert_eq!(execution.witnesses, count.witnesses, "C1: others attested than those who count");
        let approvers: BTreeSet<&PersonId> = execution.approvers.iter().collect();
        let operators: BTreeSet<&PersonId> = self
            .effects
            .iter()
            .filter_map(|effect| match &effect.event {
                Event::Start { operator, .. } => operator.as_ref(),
                _ => None,
            })
            .collect();
        for (witness, key) in &execution.witnesses {
            assert!(model.in_both(witness, Role::Witness, *key), "C1: {witness} is no witness here or there");
            assert!(!approvers.contains(witness), "C1: {witness} is officer and witness");
            assert!(*witness != common.initiator, "C1: {witness} proposed what he attests");
            assert!(!operators.contains(witness), "C1: {witness} ran what he attests");
        }
        assert!(operators.is_disjoint(&approvers), "C1: an operator approved");
        assert_eq!(execution.independent, count.independent, "C1: others are of another unit");
        assert!(!model.rule.other_unit || !count.independent.is_empty(), "C1: no witness is of another unit");
        let suspended = execution.approvers.iter().chain(execution.witnesses.keys());
        assert!(
            suspended.clone().all(|person| !model.present.suspended.contains(person)),
            "C1: somebody is suspended who counts"
        );
        assert!(model.now < common.expires && model.now >= common.not_before, "C1: outside its time");
        let vetoes: BTreeSet<KeyId> = model.vetoers().into_values().collect();
        assert!(vetoes.len() < usize::from(model.rule.vetoes), "C1: it was vetoed");
        let changed = self.effects.iter().any(|effect| match &effect.event {
            Event::Roster(other) => other.version != model.pinned.version,
            Event::Guardrails(version) => *version != common.guardrails,
            _ => false,
        });
        assert!(model.rule.emergency || !changed, "C1: a superseded ceremony went on");
    }

    /// Exactly those count whose word stands, each with one key; who counts has said so in an act with a nonce of its own.
    fn c2_who_counts_said_so_once(&self, session: &Session) {
        let mut nonces = BTreeSet::new();
        let mut said = BTreeSet::new();
        for (act, _) in self.acts() {
            assert!(nonces.insert((&act.person, act.nonce)), "C2: a nonce counted twice");
            assert_eq!(act.target, session.digest(), "C2: an act on another statement counted");
            if act.decision == Decision::Approve {
                said.insert(&act.person);
            }
        }
        if self.model.step.is_end() {
            return;
        }
        let (standing, count) = (session.standing(self.model.now), self.model.count());
        let counted = standing.everybody();
        assert!(counted.iter().all(|person| said.contains(person)), "C2: somebody counts who said nothing");
        let keys: BTreeSet<&KeyId> = standing.approvers.values().chain(standing.witnesses.values()).collect();
        assert_eq!(keys.len(), standing.approvers.len() + standing.witnesses.len(), "C2: a key counts twice");
        assert_eq!(standing.approvers, count.approvers, "C2: other officers count than may");
        assert_eq!(standing.next_approvers, count.others, "C2: others count than may");
        assert_eq!(standing.witnesses, count.witnesses, "C2: other witnesses count than may");
        assert_eq!(standing.independent, count.independent, "C2: others are of another unit");
        assert_eq!(
            standing.lacks.is_empty(),
            self.model.suffices(&count),
            "C1: who is missing: {standing:?}"
        );
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
        let (newest, pinned) = (self.newest(), &self.model.pinned);
        let makes_one = matches!(session.statement().target(), Target::RosterChange(_));
        if makes_one && self.model.present.version != pinned.version {
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

    /// What was done and attested, and whose completion no record holds yet, may turn out to be without effect. Then it has failed;
    /// nothing else can.
    fn c5_what_cannot_come_into_force_has_failed(&self, session: &Session) {
        let newest = self.newest();
        let later = Stamp { index: newest.stamp.index + 1, ..newest.stamp };
        let without = session.without_effect(later);
        if matches!(newest.after, State::Completed { .. }) {
            assert_eq!(
                *without.state(),
                State::Failed(Cause::NoEffect),
                "C5: it is completed without an effect"
            );
            let same = session.without_effect(newest.stamp);
            assert_eq!(same, *session, "C5: a record took its own effect away");
        } else {
            assert_eq!(without, *session, "C5: what was not completed lost an effect");
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
        assert!(self.model.sound && newest.stamp.trusted, "C8: it came into force by an unsound clock");
        let mut present = &*self.model.pinned;
        for (at, effect) in self.effects.iter().enumerate() {
            if let Event::Roster(other) = &effect.event {
                present = other;
            }
            let Event::Act(act) = &effect.event else { continue };
            let may =
                [Role::Officer, Role::Witness].iter().any(|role| has(present, &act.person, *role, act.key));
            let vetoed = at > begun && act.decision == Decision::Veto && may;
            assert!(!vetoed, "C8: {} vetoed it while it waited", act.person);
        }
    }

    fn c10_an_unsound_clock_enables_nothing(&self, session: &Session) {
        let newest = self.newest();
        let step = newest.after.step();
        assert_eq!(session.latest(), self.model.now, "C10: an unsound time counts");
        if !self.model.sound && step != newest.before {
            let nearer = [Step::Executing, Step::Waiting, Step::Completed].contains(&step);
            let armed = step == Step::Armed && newest.before != Step::Indeterminate;
            assert!(!nearer && !armed, "C10: {} to {step} by an unsound clock", newest.before);
        }
    }
}
