//! Guardrails that make something looser wait a day, and who ends that.

use ceremonies::person::Role;
use ceremonies::session::{Seat, Waiting};

use super::*;

const NEXT: &str = "next guardrails";

/// A `policy.change` that was done and attested; `loosens` says whether it makes anything looser.
fn attested(loosens: bool) -> Room {
    let mut room = Room::with(statement(Kind::PolicyChange, |_, target| {
        let Target::PolicyChange(change) = target else { unreachable!() };
        change.loosens = loosens;
    }));
    room.approve(&["ada", "ben", "cleo"]).attest(&["wanda"]);
    room.start(None).unwrap();
    room.output();
    let saw = room.saw(&[]);
    room.does("wanda", saw).unwrap();
    room
}

fn waiting() -> Room {
    let room = attested(true);
    assert_eq!(room.step(), Step::Waiting);
    room
}

fn since(room: &Room) -> Stamp {
    let State::Waiting(Waiting { since, .. }) = room.session.state() else { panic!("it does not wait") };
    *since
}

#[test]
fn what_makes_nothing_looser_waits_for_nothing() {
    assert_eq!(attested(false).step(), Step::Completed);
}

#[test]
fn what_cannot_come_into_force_has_failed_and_no_other_state_is_touched() {
    let done = attested(false);
    let stamp = |index| Stamp { index, time: done.now, trusted: true };
    let failed = done.session.without_effect(stamp(u64::MAX));
    assert_eq!(*failed.state(), State::Failed(Cause::NoEffect));
    assert_eq!(failed.after(&Event::Tick, stamp(u64::MAX)), Err(Refusal::Over(Step::Failed)));
    // A record of before says nothing about it.
    assert_eq!(done.session.without_effect(stamp(0)), done.session);
    let waits = waiting();
    assert_eq!(waits.session.without_effect(stamp(u64::MAX)), waits.session);
    assert_eq!(failed.without_effect(stamp(u64::MAX)), failed);
}

#[test]
fn looser_guardrails_wait_a_day_by_the_time_of_the_log() {
    let mut room = waiting();
    assert_eq!(room.session.due(), Some(since(&room).time.later(Duration::from_secs(24 * 3600))));
    room.wait(24);
    room.now = room.now.earlier(Duration::from_micros(1));
    room.append(Event::Tick).unwrap();
    assert_eq!(room.step(), Step::Waiting);
    // A clock that nobody trusts ends no waiting, however late it says it is.
    room.trusted = false;
    let now = room.now;
    room.wait(1_000);
    assert_eq!(room.append(Event::Tick), Err(Refusal::Clock));
    (room.now, room.trusted) = (now.later(Duration::from_micros(1)), true);
    room.append(Event::Tick).unwrap();
    assert_eq!(room.step(), Step::Completed);
}

#[test]
fn one_veto_of_any_officer_or_witness_ends_it_also_of_who_approved() {
    for who in ["ada", "edgar", "wanda", "zoe"] {
        for trusted in [true, false] {
            let mut room = waiting();
            room.wait(23);
            room.trusted = trusted;
            room.does(who, Veto).unwrap();
            assert_eq!(room.step(), Step::Vetoed, "{who}");
            room.trusted = true;
            room.wait(2);
            assert_eq!(room.append(Event::Tick), Err(Refusal::Over(Step::Vetoed)));
        }
    }
}

#[test]
fn nobody_else_ends_it_and_nothing_else_does() {
    let mut room = waiting();
    for who in ["rita", "oscar"] {
        assert!(matches!(room.does(who, Veto), Err(Refusal::Role { .. })), "{who}");
    }
    assert_eq!(room.does("mallory", Veto), Err(Refusal::Unknown(person("mallory"))));
    for decision in [Abort, Approve, Attest, Refuse] {
        assert!(matches!(room.does("ada", decision), Err(Refusal::Place { .. })));
    }
    assert!(matches!(room.withdraw("ada"), Err(Refusal::Place { .. })));
    room.append(Event::Suspended([person("edgar")].into())).unwrap();
    assert_eq!(room.does("edgar", Veto), Err(Refusal::Suspended(person("edgar"))));
    assert_eq!(room.step(), Step::Waiting);
}

#[test]
fn whoever_comes_in_meanwhile_ends_it_and_whoever_left_does_not() {
    let mut room = waiting();
    room.append(Event::Roster(next_roster())).unwrap();
    assert_eq!(room.step(), Step::Waiting, "another roster is no other guardrails");
    assert_eq!(room.does("edgar", Veto), Err(Refusal::Unknown(person("edgar"))));
    let mut lost = room.clone();
    lost.append(Event::Roster(roster(4, |people| {
        let seat: &mut Seat = people.get_mut(&person("dan")).unwrap();
        seat.roles = [Role::Responder].into();
    })))
    .unwrap();
    assert!(matches!(lost.does("dan", Veto), Err(Refusal::Role { .. })));
    // Of everything else here ivy is nobody: what was decided was decided by the roster of before.
    assert_eq!(room.does("ivy", Refuse), Err(Refusal::Unknown(person("ivy"))));
    room.does("ivy", Veto).unwrap();
    assert_eq!(room.step(), Step::Vetoed);
}

#[test]
fn one_veto_is_enough_where_two_end_an_open_one() {
    let (mut in_force, next) = (in_force(roster(2, |_| {})), None);
    let rule = ceremonies::rules::Rule { vetoes: 2, ..Rules::default().of(Kind::PolicyChange) };
    in_force.rules = Rules::with([rule]).unwrap().into();
    let statement = statement(Kind::PolicyChange, |_, _| {});
    let stamp = Stamp { index: 50, time: statement.common().not_before, trusted: true };
    let opened = Session::open(statement, &in_force, next, stamp).unwrap();
    let mut room = Room::new(Kind::PolicyChange);
    (room.session, room.opened) = (opened.clone(), opened);
    // A first veto ends nothing; it stands, and one more is made in the day that follows.
    room.does("edgar", Veto).unwrap();
    room.approve(&["ada", "ben", "cleo"]).attest(&["wanda"]);
    room.start(None).unwrap();
    room.output();
    let saw = room.saw(&[]);
    room.does("wanda", saw).unwrap();
    assert_eq!(room.step(), Step::Waiting);
    room.does("edgar", Veto).unwrap();
    assert_eq!(room.step(), Step::Vetoed);
}

#[test]
fn a_veto_that_comes_after_the_day_is_too_late() {
    let mut room = waiting();
    room.wait(24);
    assert_eq!(room.does("edgar", Veto), Err(Refusal::Over(Step::Completed)));
    room.append(Event::Tick).unwrap();
    assert_eq!(room.step(), Step::Completed);
}

#[test]
fn what_follows_guardrails_that_are_in_force_no_more_lapses_wherever_it_stands() {
    let next = Event::Guardrails(samples::version(4, NEXT));
    let same = Event::Guardrails(samples::version(3, "guardrails"));
    let mut proposed = Room::new(Kind::PolicyChange);
    proposed.approve(&["ada", "ben", "cleo"]);
    let mut executing = proposed.clone();
    executing.attest(&["wanda"]);
    executing.start(None).unwrap();
    let mut executed = executing.clone();
    executed.output();
    for room in [proposed, executing, executed, waiting()] {
        let step = room.step();
        let mut kept = room.clone();
        kept.append(same.clone()).unwrap();
        assert_eq!(kept.step(), step, "the guardrails are the same");
        let mut lapsed = room.clone();
        lapsed.append(next.clone()).unwrap();
        assert_eq!(lapsed.step(), Step::Superseded, "{step}");
    }
    // Also when its day is over by then: whichever record comes first decides.
    let mut late = waiting();
    late.wait(30);
    late.append(next).unwrap();
    assert_eq!(late.step(), Step::Superseded);
}

#[test]
fn who_is_suspended_in_that_day_has_attested_and_only_a_veto_ends_it() {
    let mut room = waiting();
    room.append(Event::Suspended([person("wanda")].into())).unwrap();
    assert_eq!(room.step(), Step::Waiting);
    let mut vetoed = room.clone();
    vetoed.does("ada", Veto).unwrap();
    assert_eq!(vetoed.step(), Step::Vetoed);
    room.wait(24);
    room.append(Event::Tick).unwrap();
    assert_eq!(room.step(), Step::Completed);
}
