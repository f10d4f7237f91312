//! C11 over histories: whatever people did together, no more people undo. At every step of a history it is tried, on a copy, with
//! as few people as it takes, and counted.

use std::collections::{BTreeMap, BTreeSet};

use ceremonies::person::{PersonId, Role};
use ceremonies::session::{Decision, Event, Refusal, Session, Stamp, State, Step};
use proto::hash::Hash;
use proto::key_id::KeyId;

use crate::casts::{NAMES, name};
use crate::oracle::Oracle;
use crate::room::{Room, person};

/// How many people something took, over all histories.
#[derive(Clone, Copy, Debug)]
pub struct People {
    /// The fewest who ever started an execution.
    pub fewest_to_do: usize,
    /// The most who were ever needed to stop one, before it or while it was done.
    pub most_to_stop: usize,
}

/// By the kind of ceremony.
pub type Counts = BTreeMap<&'static str, People>;

fn later(session: &Session, event: Event, room: &Room, steps: u64) -> Result<Session, Refusal> {
    let stamp = Stamp { index: room.index + 1 + steps, time: room.now, trusted: room.trusted };
    session.after(&event, stamp)
}

/// Whose consent the ceremony rests on: who counts now, or who counted when it started.
fn agreed(room: &Room, oracle: &Oracle) -> BTreeSet<PersonId> {
    let started = oracle.effects.iter().rev().find_map(|effect| match (&effect.event, &effect.after) {
        (Event::Start { .. }, State::Executing(execution)) => Some(execution),
        _ => None,
    });
    match (room.step(), started) {
        (Step::Proposed | Step::Armed, _) | (_, None) => {
            let standing = room.session.standing(room.session.latest());
            standing.everybody().into_iter().chain(standing.witnesses.into_keys()).collect()
        }
        (_, Some(execution)) => {
            execution.approvers.iter().chain(execution.witnesses.keys()).cloned().collect()
        }
    }
}

/// Officers and witnesses who could object now and have not; of those who sign with one key the first.
fn who_may_object(room: &Room, oracle: &Oracle) -> Vec<&'static str> {
    let waits = oracle.model.step == Step::Waiting;
    let mut keys: BTreeSet<KeyId> = BTreeSet::new();
    if !waits {
        keys.extend(oracle.model.vetoers().into_values());
    }
    let may = |who: &&str| {
        let (id, own) = (person(who), room.key_of(&person(who)));
        let has = !waits && oracle.model.vetoers().contains_key(&id);
        !has && oracle.model.may_object(&id, own) && keys.insert(own)
    };
    (0..NAMES).map(name).filter(may).collect()
}

/// How many people an objection takes, those who have objected already among them; none where time ends it first, or too few are
/// left who may.
fn stopped_by(room: &mut Room, oracle: &Oracle, how: &Decision) -> Option<usize> {
    let waits = room.step() == Step::Waiting;
    let mut session = room.session.clone();
    let mut people =
        if waits { 0 } else { oracle.model.vetoers().into_values().collect::<BTreeSet<_>>().len() };
    for (steps, who) in (0..).zip(who_may_object(room, oracle)) {
        let act = room.act(who, how.clone());
        session = match later(&session, Event::Act(act.into()), room, steps) {
            Ok(next) => next,
            Err(Refusal::Expired { .. } | Refusal::Over(_)) => return None,
            Err(refusal) => panic!("C11: {who} cannot stop what is {}: {refusal}", room.step()),
        };
        people += 1;
        let step = session.state().step();
        if step.is_end() {
            assert!(
                matches!(step, Step::Vetoed | Step::Aborted),
                "C11: it is {step} after {people} objected"
            );
            return Some(people);
        }
    }
    None
}

/// Whoever is needed ends what is armed: by his own word, or by that of the officer who suspends him.
fn one_disarms(room: &mut Room, oracle: &Oracle) {
    let standing = room.session.standing(room.session.latest());
    let quorum = room.session.statement().common().quorum;
    let scarce = |people: &BTreeMap<PersonId, _>, needed: u16| {
        // Whose key is another one's too, in whose place he may count.
        let alone = |own: &&PersonId| {
            let key = room.key_of(own);
            !room.signs.contains_key(*own) && !room.signs.values().any(|other| *other == key)
        };
        people.keys().next().filter(|_| people.len() == usize::from(needed)).filter(alone).cloned()
    };
    let needed =
        [scarce(&standing.approvers, quorum.approvals), scarce(&standing.witnesses, quorum.witnesses)];
    for who in needed.into_iter().flatten() {
        let withdraw = Decision::Withdraw { act: Hash::ZERO };
        let own = [withdraw, Decision::Refuse].map(|decision| {
            let act = room.act(who.as_str(), decision);
            Event::Act(act.into())
        });
        let suspended = oracle.model.present.suspended.iter().cloned().chain([who.clone()]).collect();
        for event in own.into_iter().chain([Event::Suspended(suspended)]) {
            let name = event.name();
            match later(&room.session, event, room, 0) {
                Ok(after) => {
                    assert_ne!(after.state().step(), Step::Armed, "C11: {name} of {who} disarms nothing")
                }
                Err(Refusal::Expired { .. }) => {}
                Err(refusal) => panic!("C11: {name} of {who} is refused: {refusal}"),
            }
        }
    }
}

/// One witness who saw something else is enough.
fn one_refuses(room: &mut Room, oracle: &Oracle) {
    let State::Executed(executed) = room.session.state() else { return };
    let may = |(who, key): &(&PersonId, &_)| {
        let (model, present) = (&oracle.model, &oracle.model.present);
        // Who signed with another one of his keys before may have lost the one that he would sign with now.
        let own = room.key_of(who);
        let both = model.in_both(who, Role::Witness, **key) && model.in_both(who, Role::Witness, own);
        both && !present.suspended.contains(*who)
    };
    let witness = executed.execution.witnesses.iter().find(may).map(|(who, _)| who.clone());
    let Some(who) = witness else { return };
    let act = room.act(who.as_str(), Decision::Refuse);
    match later(&room.session, Event::Act(act.into()), room, 0) {
        Ok(after) => assert_eq!(after.state().step(), Step::Failed, "C11: {who} saw something else"),
        // Nobody has said anything for hours.
        Err(Refusal::Over(Step::Failed)) => {}
        // By the time alone it was decided, where all had attested by an unsound clock.
        Err(Refusal::Over(Step::Completed)) => {}
        Err(refusal) => panic!("C11: {who} cannot say what he saw: {refusal}"),
    }
}

/// Tries every protective end at this step of a history, and counts.
pub fn c11_what_people_did_no_more_undo(room: &mut Room, oracle: &Oracle, counts: &mut Counts) {
    let (step, rule) = (room.step(), *room.session.rule());
    let quorum = room.session.statement().common().quorum;
    let agreed = agreed(room, oracle).len();
    let needed = match step {
        Step::Proposed | Step::Armed => stopped_by(room, oracle, &Decision::Veto),
        Step::Executing => {
            let aborted = stopped_by(room, oracle, &Decision::Abort);
            assert_eq!(aborted, stopped_by(room, oracle, &Decision::Veto), "C11: an abort is no veto");
            aborted
        }
        Step::Waiting => {
            let vetoed = stopped_by(room, oracle, &Decision::Veto);
            assert!(vetoed.is_none_or(|people| people == 1), "C11: it takes {vetoed:?} to stop what waits");
            vetoed
        }
        _ => None,
    };
    let counted =
        counts.entry(rule.kind.name()).or_insert(People { fewest_to_do: usize::MAX, most_to_stop: 0 });
    if let Some(people) = needed {
        // Before there is a quorum, it is the quorum that would be undone.
        let done_by = match step {
            Step::Proposed => usize::from(quorum.approvals + quorum.witnesses).max(2),
            _ => agreed,
        };
        assert!(
            people <= done_by,
            "C11: {people} are needed to stop what {done_by} did ({}, {step})",
            rule.kind
        );
        counted.most_to_stop = counted.most_to_stop.max(people);
    }
    match step {
        Step::Armed => one_disarms(room, oracle),
        Step::Executing => counted.fewest_to_do = counted.fewest_to_do.min(agreed),
        Step::Executed => one_refuses(room, oracle),
        _ => {}
    }
}
