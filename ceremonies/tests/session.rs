//! The session machine: the way through, every refusal by its own name, and the scenarios of last minutes and crashes.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "session/guards.rs"]
mod guards;
#[path = "session/parted.rs"]
mod parted;
#[path = "session/room.rs"]
mod room;
#[path = "statements/samples.rs"]
mod samples;
#[path = "session/scenarios.rs"]
mod scenarios;
#[path = "session/waiting.rs"]
mod waiting;

use std::time::Duration;

use ceremonies::genesis::Mode;
use ceremonies::rules::{Rules, Unruly};
use ceremonies::session::{
    Cause, Decision, Event, Lack, Refusal, Session, Stamp, State, Step, deviations_digest,
};
use ceremonies::statement::target::Leftover;
use ceremonies::statement::{CeremonyId, Kind, Target};
use proto::hash::Hash;
use proto::term::Term;
use room::{Room, in_force, key, next_roster, person, roster, statement, suspended};

use Decision::{Abort, Approve, Attest, Refuse, Veto};

#[test]
fn a_key_is_made_from_proposal_to_completion() {
    let mut room = Room::new(Kind::KeyGenerate);
    assert_eq!(room.session.standing(room.now).lacks, [Lack::Approvals(3), Lack::Witnesses(2)]);
    room.attest(&["wanda"]).approve(&["ada", "ben"]).attest(&["yara"]);
    assert_eq!(room.session.standing(room.now).lacks, [Lack::Approvals(1)]);
    assert_eq!(room.start(Some("oscar")), Err(Refusal::NotArmed(vec![Lack::Approvals(1)])));
    room.approve(&["edgar"]);
    assert_eq!(room.step(), Step::Armed);
    room.start(Some("oscar")).unwrap();
    let State::Executing(execution) = room.session.state() else { panic!("{:?}", room.session.state()) };
    assert_eq!(execution.approvers, ["ada", "ben", "edgar"].map(person).into());
    room.deviate(b"the seal of the bag was torn").unwrap();
    room.output();
    let State::Executed(executed) = room.session.state() else { panic!("{:?}", room.session.state()) };
    let deviations = executed.execution.deviations.clone();
    assert_eq!(deviations.len(), 1);
    let saw = room.saw(&deviations);
    room.does("yara", saw.clone()).unwrap();
    assert_eq!(room.step(), Step::Executed);
    room.does("wanda", saw).unwrap();
    let witnesses = ["wanda", "yara"].map(person).into();
    assert_eq!(
        *room.session.state(),
        State::Completed { outputs: Hash::of(b"outputs"), witnesses, deviations }
    );
    assert_eq!(room.does("ada", Veto), Err(Refusal::Over(Step::Completed)));
    // Folding the records, the refused ones too, gives the same session.
    let records = room.records.iter().map(|(event, stamp)| (event, *stamp));
    assert_eq!(room.opened.clone().fold(records), room.session);
}

#[test]
fn kinds_without_witnesses_are_complete_when_they_are_done() {
    let mut room = Room::new(Kind::GrantChange);
    room.approve(&["ada", "dan"]);
    room.start(None).unwrap();
    room.output();
    assert_eq!(room.step(), Step::Completed);
}

#[test]
fn a_compromise_takes_an_officer_and_another_person() {
    let mut room = Room::new(Kind::KeyCompromise);
    room.approve(&["rita", "wanda"]);
    assert_eq!(room.session.standing(room.now).lacks, [Lack::Approvals(1)]);
    room.approve(&["ada"]);
    assert_eq!(room.step(), Step::Armed);
    let mut alone = Room::new(Kind::KeyCompromise);
    alone.approve(&["ada"]);
    assert_eq!(alone.session.standing(alone.now).lacks, [Lack::Another]);
}

#[test]
fn break_glass_takes_the_named_officer() {
    let mut room = Room::new(Kind::SignBreakGlass);
    assert_eq!(room.does("ada", Approve), Err(Refusal::NotNamed { named: person("ben") }));
    room.approve(&["ben"]).attest(&["xaver"]);
    assert_eq!(room.step(), Step::Armed);
    room.wait_minutes(61);
    assert_eq!(room.start(None), Err(Refusal::NotArmed(vec![Lack::Approvals(1), Lack::Witnesses(1)])));
}

#[test]
fn a_stop_of_a_caller_is_lifted_by_two_and_any_other_by_the_quorum() {
    let mut room = Room::with(statement(Kind::StopLift, |common, target| {
        let Target::StopLift(lift) = target else { panic!() };
        lift.terms = vec![Term::Caller("unix:0".into())];
        common.quorum.approvals = 2;
    }));
    room.approve(&["ada", "ben"]).attest(&["yara"]);
    assert_eq!(room.step(), Step::Armed);
    let mut room = Room::new(Kind::StopLift);
    room.approve(&["ada", "ben"]).attest(&["yara"]);
    assert_eq!(room.step(), Step::Proposed);
}

#[test]
fn a_roster_change_takes_the_quorum_of_both_rosters() {
    let mut room = Room::new(Kind::RosterChange);
    room.approve(&["ada", "ben", "edgar"]).attest(&["wanda", "yara"]);
    // edgar is no officer of the next roster.
    assert_eq!(room.session.standing(room.now).lacks, [Lack::NextApprovals(1)]);
    room.approve(&["ivy"]);
    assert_eq!(room.step(), Step::Armed);
    // ivy is one of the next roster alone: she approves, and does nothing else.
    let unfit = |decision: Decision, name| {
        let mut room = Room::new(Kind::RosterChange);
        assert_eq!(room.does("ivy", decision), Err(Refusal::Role { person: person("ivy"), decision: name }));
    };
    unfit(Attest, "an attestation before");
    unfit(Veto, "a veto");
}

#[test]
fn one_of_the_witnesses_is_of_another_unit_than_every_approver() {
    let mut room = Room::new(Kind::KeyGenerate);
    room.approve(&["ada", "cleo", "dan"]).attest(&["xaver", "zoe"]);
    assert_eq!(room.session.standing(room.now).lacks, [Lack::OtherUnit]);
    room.attest(&["wanda"]);
    assert_eq!(room.step(), Step::Armed);
    // Of another unit than a quorum's approvers: nobody blocks a ceremony by joining it.
    let mut joined = Room::new(Kind::KeyGenerate);
    joined.approve(&["ada", "ben", "edgar"]).attest(&["zoe", "wanda"]).approve(&["cleo", "dan"]);
    joined.withdraw("wanda").unwrap();
    joined.attest(&["xaver"]);
    assert_eq!(joined.step(), Step::Armed);
    room.start(None).unwrap();
    room.output();
    // Those two are enough by number, and not independent enough.
    let saw = room.saw(&[]);
    room.does("xaver", saw.clone()).unwrap();
    room.does("zoe", saw.clone()).unwrap();
    assert_eq!(room.step(), Step::Executed);
    room.does("wanda", saw).unwrap();
    assert_eq!(room.step(), Step::Completed);
}

#[test]
fn a_statement_is_opened_only_where_it_belongs() {
    let stamp = Stamp { index: 50, time: samples::time("21T05:00"), trusted: true };
    let open = |force: &ceremonies::session::InForce, kind, next| {
        Session::open(statement(kind, |_, _| {}), force, next, stamp).map(|_| ())
    };
    let good = in_force(roster(2, |_| {}));
    assert_eq!(open(&good, Kind::KeyGenerate, None), Ok(()));
    let mut other = good.clone();
    other.mode = Mode::Production;
    assert_eq!(open(&other, Kind::KeyGenerate, None), Err(Refusal::Instance { field: "mode" }));
    other = good.clone();
    other.origin = "rehearsal.example.com".parse().unwrap();
    assert_eq!(open(&other, Kind::KeyGenerate, None), Err(Refusal::Instance { field: "log.origin" }));
    other = good.clone();
    other.instance = "other.example.org".parse().unwrap();
    assert_eq!(open(&other, Kind::KeyGenerate, None), Err(Refusal::Instance { field: "instance" }));
    other = good.clone();
    other.environment = "staging".parse().unwrap();
    assert_eq!(open(&other, Kind::KeyGenerate, None), Err(Refusal::Instance { field: "environment" }));
    other = in_force(roster(3, |_| {}));
    assert_eq!(open(&other, Kind::KeyGenerate, None), Err(Refusal::Roster { named: 2, in_force: 3 }));
    // The same version, another document.
    other = in_force(roster(2, |people| drop(people.remove(&person("rita")))));
    assert!(matches!(open(&other, Kind::KeyGenerate, None), Err(Refusal::Roster { .. })));
    other = good.clone();
    other.guardrails.version = 4;
    assert_eq!(open(&other, Kind::KeyGenerate, None), Err(Refusal::Guardrails { named: 3, in_force: 4 }));
    other = good.clone();
    let mut strict = Rules::default().of(Kind::KeyGenerate);
    strict.witnesses = 3;
    other.rules = Rules::with([strict]).unwrap().into();
    assert!(matches!(open(&other, Kind::KeyGenerate, None), Err(Refusal::Rules(Unruly::Quorum { .. }))));
    assert_eq!(open(&good, Kind::RosterChange, None), Err(Refusal::NextRoster));
    assert_eq!(open(&good, Kind::RosterChange, Some(next_roster())), Ok(()));
    assert_eq!(open(&good, Kind::RosterChange, Some(roster(3, |_| {}))), Err(Refusal::NextRoster));
    assert_eq!(open(&good, Kind::KeyGenerate, Some(next_roster())), Err(Refusal::NextRoster));
    // What a roster changes is what its statement says that it does.
    let lies = |change: fn(&mut ceremonies::statement::target::RosterChange)| {
        let statement = statement(Kind::RosterChange, |_, target| {
            let Target::RosterChange(roster) = target else { panic!() };
            change(roster);
        });
        Session::open(statement, &good, Some(next_roster()), stamp).map(|_| ())
    };
    assert_eq!(lies(|change| change.changed = vec![person("ada")]), Ok(()));
    assert_eq!(lies(|change| change.added.clear()), Err(Refusal::NextRoster));
    assert_eq!(lies(|change| change.removed.push(person("yara"))), Err(Refusal::NextRoster));
    assert_eq!(lies(|change| change.quorum.approvals = 2), Err(Refusal::NextRoster));
    let opened = |change: fn(&mut ceremonies::statement::Common), stamp| {
        Session::open(statement(Kind::KeyGenerate, |common, _| change(common)), &good, None, stamp)
            .map(|_| ())
    };
    assert_eq!(
        opened(|common| common.initiator = person("mallory"), stamp),
        Err(Refusal::Initiator(person("mallory")))
    );
    assert_eq!(opened(|common| common.log.size = 51, stamp), Err(Refusal::Head));
    let late = Stamp { time: samples::time("24T05:00"), ..stamp };
    assert_eq!(opened(|_| {}, late), Err(Refusal::Expired { at: late.time }));
    assert_eq!(opened(|_| {}, Stamp { trusted: false, ..stamp }), Err(Refusal::Clock));
}

/// What a good approval by ada becomes after one change.
fn changed(change: impl FnOnce(&mut ceremonies::session::SignedAct)) -> Result<(), Refusal> {
    let mut room = Room::new(Kind::KeyGenerate);
    let mut act = room.act("ada", Approve);
    change(&mut act);
    room.append(Event::Act(act.into()))
}

#[test]
fn bad_acts_are_told_apart() {
    assert_eq!(changed(|_| {}), Ok(()));
    let (found, expected) = (Hash::of(b"other"), Room::new(Kind::KeyGenerate).session.digest());
    assert_eq!(changed(|act| act.target = found), Err(Refusal::OtherStatement { expected, found }));
    let at = samples::time("21T05:00");
    assert_eq!(changed(|act| act.expires = at), Err(Refusal::ActExpired { at }));
    assert_eq!(changed(|act| act.head.size = 41), Err(Refusal::Head));
    assert_eq!(changed(|act| act.key = key(&person("ben"), 0)), Err(Refusal::Unknown(person("ada"))));
    assert_eq!(changed(|act| act.person = person("mallory")), Err(Refusal::Unknown(person("mallory"))));
    let role = |who: &str, decision, name| {
        let mut room = Room::new(Kind::KeyGenerate);
        assert_eq!(room.does(who, decision), Err(Refusal::Role { person: person(who), decision: name }));
    };
    role("wanda", Approve, "an approval");
    role("rita", Veto, "a veto");
    role("ada", Attest, "an attestation before");
}

#[test]
fn a_replayed_act_counts_once_and_another_one_of_the_same_person_too() {
    let mut room = Room::new(Kind::KeyGenerate);
    let act = room.act("ada", Approve);
    room.append(Event::Act(act.clone().into())).unwrap();
    assert_eq!(room.append(Event::Act(act.clone().into())), Err(Refusal::Replayed));
    // Another document with the same nonce, and the same document under another nonce.
    let mut copy = act.clone();
    copy.act = Hash::of(b"copy");
    assert_eq!(room.append(Event::Act(copy.into())), Err(Refusal::Replayed));
    // With the other key, and again: one person.
    let mut second = room.act("ada", Approve);
    second.key = key(&person("ada"), 1);
    room.append(Event::Act(second.into())).unwrap();
    room.approve(&["ada"]);
    assert_eq!(room.session.standing(room.now).approvers.len(), 1);
}

#[test]
fn one_key_under_two_names_counts_once() {
    let shared = |people: &mut std::collections::BTreeMap<_, ceremonies::session::Seat>| {
        people.get_mut(&person("ben")).unwrap().keys.insert(key(&person("ada"), 0));
        people.get_mut(&person("wanda")).unwrap().keys.insert(key(&person("ada"), 0));
    };
    let roster = roster(2, shared);
    let statement = statement(Kind::KeyGenerate, |common, _| common.roster = roster.version);
    let stamp = Stamp { index: 50, time: statement.common().not_before, trusted: true };
    let mut room = Room::new(Kind::KeyGenerate);
    room.session = Session::open(statement, &in_force(roster), None, stamp).unwrap();
    for (who, decision) in [("ada", Approve), ("ben", Approve), ("wanda", Attest)] {
        let mut act = room.act(who, decision);
        act.key = key(&person("ada"), 0);
        room.append(Event::Act(act.into())).unwrap();
    }
    let standing = room.session.standing(room.now);
    assert_eq!((standing.approvers.len(), standing.witnesses.len()), (1, 0));
}

#[test]
fn the_session_says_when_something_happens_by_itself() {
    let mut room = Room::armed();
    let age = Duration::from_secs(24 * 3600);
    let due = room.session.due().unwrap();
    assert_eq!(due, room.now.later(age).later(Duration::from_micros(1)));
    room.now = due;
    room.append(Event::Tick).unwrap();
    assert_eq!((room.step(), room.session.due()), (Step::Proposed, Some(samples::time("24T05:00"))));
    let room = Room::executed();
    assert_eq!(room.session.due(), Some(room.now.later(Duration::from_secs(4 * 3600))));
    assert_eq!(Room::executing().session.due(), None);
}

#[test]
fn witnesses_attest_over_a_recent_head_that_holds_the_proposal() {
    let attest = |change: fn(&mut ceremonies::session::SignedAct)| {
        let mut room = Room::new(Kind::KeyGenerate);
        room.wait(1);
        let mut act = room.act("wanda", Attest);
        change(&mut act);
        room.append(Event::Act(act.into()))
    };
    assert_eq!(attest(|act| act.overtaken = Some(samples::time("21T05:45"))), Ok(()));
    assert_eq!(attest(|act| act.overtaken = Some(samples::time("21T05:44"))), Err(Refusal::Head));
    assert_eq!(attest(|act| act.head.size = 50), Err(Refusal::Head));
    assert_eq!(attest(|act| act.head.size = 51), Ok(()));
}

#[test]
fn a_withdrawal_ends_what_was_said_before_it() {
    let mut room = Room::armed();
    let early = room.act("ben", Approve);
    room.withdraw("ben").unwrap();
    assert_eq!(room.step(), Step::Proposed);
    // Signed before the withdrawal, sent after it.
    assert!(matches!(room.append(Event::Act(early.into())), Err(Refusal::Withdrawn { .. })));
    room.approve(&["ben"]);
    assert_eq!(room.step(), Step::Armed);
    room.withdraw("wanda").unwrap();
    assert_eq!(room.step(), Step::Proposed);
    // A withdrawal that comes first holds too.
    let mut room = Room::new(Kind::KeyGenerate);
    let approval = room.act("ada", Approve);
    room.does("ada", Decision::Withdraw { act: approval.act }).unwrap();
    assert!(matches!(room.append(Event::Act(approval.into())), Err(Refusal::Withdrawn { .. })));
    let place = Refusal::Place { event: "a withdrawal", step: Step::Executing };
    assert_eq!(Room::executing().withdraw("ada"), Err(place));
}

#[test]
fn time_before_the_beginning_and_after_the_end() {
    let mut room = Room::with(statement(Kind::KeyGenerate, |common, _| {
        common.not_before = common.not_before.later(Duration::from_secs(3600));
    }));
    room.now = samples::time("21T05:00");
    let stamp = Stamp { index: 50, time: room.now, trusted: true };
    room.session =
        Session::open(room.session.statement().clone(), &in_force(roster(2, |_| {})), None, stamp).unwrap();
    room.approve(&["ada", "ben", "cleo"]).attest(&["wanda", "yara"]);
    assert_eq!(room.start(None), Err(Refusal::NotYet { at: samples::time("21T06:00") }));
    room.wait(1).start(None).unwrap();
    let mut room = Room::armed();
    room.wait(72);
    assert_eq!(room.start(None), Err(Refusal::Expired { at: samples::time("24T05:00") }));
    assert_eq!(room.step(), Step::Armed);
    room.append(Event::Tick).unwrap();
    assert_eq!((room.step(), room.append(Event::Tick)), (Step::Expired, Err(Refusal::Over(Step::Expired))));
}

#[test]
fn an_untrusted_or_receding_clock_enables_nothing_and_protects_all_the_same() {
    let untrusted: fn(&mut Room) = |room| room.trusted = false;
    let back: fn(&mut Room) = |room| room.now = room.now.earlier(Duration::from_secs(7200));
    for unsound in [untrusted, back] {
        let mut room = Room::new(Kind::KeyGenerate);
        unsound(&mut room);
        assert_eq!(room.does("ada", Approve), Err(Refusal::Clock));
        assert_eq!(room.does("wanda", Attest), Err(Refusal::Clock));
        assert_eq!(room.append(Event::Tick), Err(Refusal::Clock));
        let mut room = Room::armed();
        unsound(&mut room);
        assert_eq!(room.start(None), Err(Refusal::Clock));
        let mut vetoed = room.clone();
        vetoed.does("wanda", Veto).unwrap();
        assert_eq!(vetoed.step(), Step::Vetoed);
        room.withdraw("ada").unwrap();
        assert_eq!(room.step(), Step::Proposed);
        // What was done is recorded; it has no effect yet.
        let mut room = Room::executing();
        unsound(&mut room);
        room.output();
        let saw = room.saw(&[]);
        assert_eq!(room.does("wanda", saw), Err(Refusal::Clock));
        let mut room = Room::new(Kind::GrantChange);
        room.approve(&["ada", "ben"]).start(None).unwrap();
        let now = room.now;
        unsound(&mut room);
        room.output();
        assert_eq!(room.step(), Step::Executed);
        (room.now, room.trusted) = (now, true);
        room.append(Event::Tick).unwrap();
        assert_eq!(room.step(), Step::Completed);
        // What mends the clock does not wait for it.
        let mut room = Room::new(Kind::ClockReset);
        unsound(&mut room);
        room.approve(&["ada", "ben"]).attest(&["wanda"]).start(None).unwrap();
    }
}

#[test]
fn records_have_an_effect_in_the_order_of_the_log_alone() {
    let room = Room::armed();
    let newest = room.index;
    for found in [newest, newest - 1, 0] {
        let stamp = Stamp { index: found, time: room.now, trusted: true };
        assert_eq!(room.session.after(&Event::Tick, stamp), Err(Refusal::Order { newest, found }));
    }
}
