//! The reference scenarios of last minutes, crashes and witnesses, by their numbers, and what belongs to them.

use super::*;
use crate::room::without_edgar;

#[test]
fn scenario_10_nobody_holds_two_roles() {
    let mut room = Room::with(statement(Kind::KeyGenerate, |common, _| common.initiator = person("yara")));
    let conflict = |who: &str, already| Err(Refusal::Conflict { person: person(who), already });
    assert_eq!(room.does("yara", Attest), conflict("yara", "initiator"));
    // Somebody with both roles takes one of them.
    let both = roster(2, |people| {
        people.get_mut(&person("zoe")).unwrap().roles.insert(ceremonies::person::Role::Officer);
    });
    let mut common = samples::common(Kind::KeyGenerate);
    (common.roster, common.quorum.officers) = (both.version, 6);
    let open = ceremonies::statement::Statement::new(common, samples::target(Kind::KeyGenerate)).unwrap();
    let stamp = Stamp { index: 50, time: open.common().not_before, trusted: true };
    room.session = Session::open(open, &in_force(both), None, stamp).unwrap();
    room.approve(&["zoe"]);
    assert_eq!(room.does("zoe", Attest), conflict("zoe", "officer"));
    room.withdraw("zoe").unwrap();
    room.attest(&["zoe"]);
    assert_eq!(room.does("zoe", Approve), conflict("zoe", "witness"));
    // Whoever runs the tool is neither.
    let mut room = Room::armed();
    room.attest(&["olga"]);
    assert_eq!(room.start(Some("olga")), conflict("olga", "witness"));
    assert_eq!(
        room.start(Some("ada")),
        Err(Refusal::Role { person: person("ada"), decision: "running the tool" })
    );
    room.start(Some("oscar")).unwrap();
}

#[test]
fn scenario_12_acts_do_not_count_for_a_copy_of_the_statement() {
    let mut first = Room::new(Kind::KeyGenerate);
    let mut second = Room::with(statement(Kind::KeyGenerate, |common, _| common.nonce = [1; 32].into()));
    let act = first.act("ada", Approve);
    assert!(matches!(second.append(Event::Act(act.into())), Err(Refusal::OtherStatement { .. })));
}

#[test]
fn scenario_13_approvals_that_are_too_old_do_not_count() {
    let mut room = Room::new(Kind::KeyGenerate);
    room.approve(&["ada", "ben"]);
    room.wait(23).wait_minutes(59).approve(&["cleo"]).attest(&["wanda", "yara"]);
    assert_eq!(room.step(), Step::Armed);
    room.wait_minutes(2);
    assert_eq!(room.start(None), Err(Refusal::NotArmed(vec![Lack::Approvals(2)])));
    room.append(Event::Tick).unwrap();
    assert_eq!(room.step(), Step::Proposed);
    room.approve(&["ada", "ben"]);
    assert_eq!(room.step(), Step::Armed);
    // An act's own end counts too.
    let mut act = room.act("dan", Approve);
    act.expires = room.now.later(Duration::from_secs(60));
    room.append(Event::Act(act.into())).unwrap();
    assert_eq!(room.session.standing(room.now).approvers.len(), 4);
    room.wait_minutes(1);
    assert_eq!(room.session.standing(room.now).approvers.len(), 3);
}

#[test]
fn scenario_14_who_has_left_does_not_count() {
    let without_ben = || roster(3, |people| drop(people.remove(&person("ben"))));
    let mut room = Room::armed();
    room.append(Event::Roster(without_ben())).unwrap();
    assert_eq!(room.step(), Step::Superseded);
    // An emergency goes on with those who are in both.
    let mut room = Room::new(Kind::KeyRotateEmergency);
    room.approve(&["ada", "ben"]).attest(&["wanda"]);
    assert_eq!(room.step(), Step::Armed);
    room.append(Event::Roster(without_ben())).unwrap();
    assert_eq!(room.start(None), Err(Refusal::NotArmed(vec![Lack::Approvals(1)])));
    assert_eq!(room.does("ben", Approve), Err(Refusal::Unknown(person("ben"))));
    // Someone who is in the new one alone does not help.
    let with_ivy = roster(4, |people| {
        let ben = people.remove(&person("ben")).unwrap();
        let keys = [key(&person("ivy"), 0)].into();
        people.insert(person("ivy"), ceremonies::session::Seat { keys, ..ben });
    });
    room.append(Event::Roster(with_ivy)).unwrap();
    assert_eq!(room.does("ivy", Approve), Err(Refusal::Unknown(person("ivy"))));
    room.approve(&["cleo"]);
    room.start(None).unwrap();
    // While it is being done, it is finished.
    let mut room = Room::executing();
    room.append(Event::Roster(without_ben())).unwrap();
    assert_eq!(room.step(), Step::Executing);
    let mut room = Room::armed();
    room.append(suspended(&["ben"])).unwrap();
    assert_eq!(room.start(None), Err(Refusal::NotArmed(vec![Lack::Approvals(1)])));
    assert_eq!(room.does("ben", Approve), Err(Refusal::Suspended(person("ben"))));
}

#[test]
fn scenario_15_new_rosters_and_guardrails_supersede() {
    for event in [Event::Roster(roster(3, |_| {})), Event::Guardrails(samples::version(4, "next"))] {
        for mut room in [Room::new(Kind::KeyGenerate), Room::armed()] {
            room.append(event.clone()).unwrap();
            assert_eq!(room.step(), Step::Superseded);
            assert_eq!(room.does("dan", Approve), Err(Refusal::Over(Step::Superseded)));
        }
        let mut room = Room::new(Kind::KeyRotateEmergency);
        room.append(event.clone()).unwrap();
        assert_eq!(room.step(), Step::Proposed);
        let mut room = Room::executed();
        room.append(event).unwrap();
        assert_eq!(room.step(), Step::Executed);
    }
    // Those in force, told again, supersede nothing.
    let mut room = Room::armed();
    room.append(Event::Roster(roster(2, |_| {}))).unwrap();
    room.append(Event::Guardrails(samples::version(3, "guardrails"))).unwrap();
    assert_eq!(room.step(), Step::Armed);
}

#[test]
fn scenario_16_a_veto_or_a_start_one_is_first() {
    let mut room = Room::armed();
    room.does("wanda", Veto).unwrap();
    assert_eq!(room.step(), Step::Vetoed);
    assert_eq!(room.start(None), Err(Refusal::Over(Step::Vetoed)));
    let mut room = Room::executing();
    room.does("wanda", Veto).unwrap();
    assert_eq!(room.step(), Step::Aborted);
    assert_eq!(room.append(Event::Output { outputs: Hash::of(b"late") }), Err(Refusal::Over(Step::Aborted)));
    let mut room = Room::executing();
    room.does("dan", Abort).unwrap();
    assert_eq!(room.step(), Step::Aborted);
    for (mut room, step) in [(Room::armed(), Step::Armed), (Room::executed(), Step::Executed)] {
        assert_eq!(room.does("dan", Abort), Err(Refusal::Place { event: "an abort", step }));
    }
    assert_eq!(
        Room::executed().does("dan", Veto),
        Err(Refusal::Place { event: "a veto", step: Step::Executed })
    );
}

#[test]
fn some_kinds_take_two_vetoes_of_two_persons() {
    let mut room = Room::new(Kind::KeyRotateEmergency);
    room.approve(&["ada", "ben"]).attest(&["wanda"]);
    room.does("cleo", Veto).unwrap();
    assert_eq!(
        (room.step(), room.does("cleo", Veto)),
        (Step::Armed, Err(Refusal::VetoedAlready(person("cleo"))))
    );
    let mut stopped = room.clone();
    stopped.does("yara", Veto).unwrap();
    assert_eq!(stopped.step(), Step::Vetoed);
    // The veto of somebody who is suspended counts no more.
    room.append(suspended(&["cleo"])).unwrap();
    room.does("yara", Veto).unwrap();
    assert_eq!(room.step(), Step::Armed);
    room.start(None).unwrap();
}

#[test]
fn nobody_vetoes_his_own_removal() {
    let removal = |added: bool| {
        statement(Kind::RosterChange, |_, target| {
            let Target::RosterChange(change) = target else { panic!() };
            if !added {
                change.added.clear();
                (change.roster, change.quorum.officers) = (without_edgar().version, 4);
            }
        })
    };
    let mut room = Room::with(removal(false));
    assert_eq!(room.does("edgar", Veto), Err(Refusal::OwnRemoval));
    room.does("dan", Veto).unwrap();
    assert_eq!(room.step(), Step::Vetoed);
    let mut room = Room::with(removal(true));
    room.does("edgar", Veto).unwrap();
    assert_eq!(room.step(), Step::Vetoed);
}

#[test]
fn scenario_17_what_a_crash_left_is_destroyed_or_abandoned_and_never_adopted() {
    let interrupted = || {
        let mut room = Room::executing();
        room.append(Event::Interrupted).unwrap();
        assert_eq!(room.step(), Step::Indeterminate);
        room
    };
    let by = CeremonyId::from([9; 16]);
    let mut room = interrupted();
    let place = |event| Err(Refusal::Place { event, step: Step::Indeterminate });
    assert_eq!(room.append(Event::Output { outputs: Hash::of(b"found") }), place("an output"));
    assert_eq!(room.start(None), Err(Refusal::Started));
    assert_eq!(room.does("dan", Approve), place("an approval"));
    room.append(Event::Resolved { by, leftover: Leftover::Abandon }).unwrap();
    assert_eq!(*room.session.state(), State::Failed(Cause::Abandoned));
    // Destroyed: the same approvals may start once more, and only once.
    let mut room = interrupted();
    room.append(Event::Resolved { by, leftover: Leftover::Destroy }).unwrap();
    assert_eq!(room.step(), Step::Armed);
    assert_eq!(room.append(Event::Start { operator: None, found: 1 }), Err(Refusal::Planted { found: 1 }));
    // Who ran the tool the first time approves nothing now.
    room.start(Some("oscar")).unwrap();
    room.append(Event::Interrupted).unwrap();
    room.append(Event::Resolved { by, leftover: Leftover::Destroy }).unwrap();
    assert_eq!(room.step(), Step::Aborted);
    // Approvals that are too old by then start nothing.
    let mut room = interrupted();
    room.wait(25).append(Event::Resolved { by, leftover: Leftover::Destroy }).unwrap();
    assert_eq!(room.step(), Step::Aborted);
    // Nor does what was vetoed or superseded meanwhile.
    for event in [Event::Roster(roster(3, |_| {})), Event::Guardrails(samples::version(4, "next"))] {
        let mut room = interrupted();
        room.append(event).unwrap();
        room.append(Event::Resolved { by, leftover: Leftover::Destroy }).unwrap();
        assert_eq!(room.step(), Step::Aborted);
    }
    let mut room = interrupted();
    room.does("dan", Veto).unwrap();
    assert_eq!(room.step(), Step::Indeterminate);
    room.append(Event::Resolved { by, leftover: Leftover::Destroy }).unwrap();
    assert_eq!(room.step(), Step::Aborted);
    assert_eq!(
        Room::armed().append(Event::Resolved { by, leftover: Leftover::Destroy }),
        Err(Refusal::Place { event: "a resolution", step: Step::Armed })
    );
}

#[test]
fn an_object_that_was_planted_is_not_taken() {
    let mut room = Room::armed();
    assert_eq!(room.append(Event::Start { operator: None, found: 2 }), Err(Refusal::Planted { found: 2 }));
    assert_eq!(room.step(), Step::Armed);
}

#[test]
fn scenario_18_other_outputs_a_refusal_and_silence() {
    let mut room = Room::executed();
    let other = Decision::AttestAfter { outputs: Hash::of(b"other"), deviations: deviations_digest(&[]) };
    assert_eq!(room.does("wanda", other), Err(Refusal::OtherOutputs));
    let fewer = room.saw(&[Hash::of(b"never recorded")]);
    assert_eq!(room.does("wanda", fewer), Err(Refusal::OtherOutputs));
    let saw = room.saw(&[]);
    assert_eq!(room.does("zoe", saw), Err(Refusal::OtherWitness(person("zoe"))));
    assert_eq!(room.does("zoe", Refuse), Err(Refusal::OtherWitness(person("zoe"))));
    let mut refused = room.clone();
    refused.does("yara", Refuse).unwrap();
    assert_eq!(*refused.session.state(), State::Failed(Cause::Refused));
    // A deviation that is recorded late is seen by all, or nobody has attested.
    let saw = room.saw(&[]);
    room.does("wanda", saw.clone()).unwrap();
    room.deviate(b"late").unwrap();
    let late = [Hash::of(b"late")];
    assert_eq!(room.does("yara", saw), Err(Refusal::OtherOutputs));
    let mut silent = room.clone();
    silent.wait(4);
    let saw = silent.saw(&late);
    assert_eq!(silent.does("yara", saw), Err(Refusal::Over(Step::Failed)));
    silent.append(Event::Tick).unwrap();
    assert_eq!(*silent.session.state(), State::Failed(Cause::Silence));
    room.wait(3);
    for witness in ["yara", "wanda"] {
        let saw = room.saw(&late);
        room.does(witness, saw).unwrap();
    }
    assert_eq!(room.step(), Step::Completed);
}

#[test]
fn deviations_are_recorded_while_it_is_done_or_looked_at() {
    for mut room in [Room::executing(), Room::executed()] {
        room.deviate(b"one").unwrap();
    }
    assert_eq!(
        Room::armed().deviate(b"one"),
        Err(Refusal::Place { event: "a deviation", step: Step::Armed })
    );
    assert_eq!(deviations_digest(&[]), Hash::of(b"[]"));
    let one = Hash::of(b"one");
    assert_eq!(
        deviations_digest(&[one, Hash::ZERO]),
        Hash::of(format!("[\"{one}\",\"{}\"]", Hash::ZERO).as_bytes())
    );
}

#[test]
fn a_failure_where_nothing_was_done_is_a_failure() {
    let mut room = Room::executing();
    room.append(Event::NothingDone).unwrap();
    assert_eq!(*room.session.state(), State::Failed(Cause::NothingDone));
    for event in [Event::NothingDone, Event::Interrupted, Event::Output { outputs: Hash::ZERO }] {
        let expected = Refusal::Place { event: event.name(), step: Step::Armed };
        assert_eq!(Room::armed().append(event), Err(expected));
    }
    assert_eq!(Room::executing().start(None), Err(Refusal::Started));
}

#[test]
fn a_refusal_before_holds_until_it_is_taken_back() {
    let mut room = Room::armed();
    let refusal = room.act("ben", Refuse);
    room.append(Event::Act(refusal.clone().into())).unwrap();
    assert_eq!(room.step(), Step::Proposed);
    assert_eq!(room.does("ben", Approve), Err(Refusal::Refused(person("ben"))));
    room.withdraw("ben").unwrap();
    assert_eq!(room.does("ben", Approve), Err(Refusal::Refused(person("ben"))));
    room.does("ben", Decision::Withdraw { act: refusal.act }).unwrap();
    room.approve(&["ben"]);
    assert_eq!(room.step(), Step::Armed);
}

#[test]
fn a_veto_is_taken_back_by_its_name() {
    let mut room = Room::new(Kind::KeyRotateEmergency);
    let veto = room.act("cleo", Veto);
    room.append(Event::Act(veto.clone().into())).unwrap();
    room.does("cleo", Decision::Withdraw { act: veto.act }).unwrap();
    room.does("yara", Veto).unwrap();
    assert_eq!(room.step(), Step::Proposed);
    // A nonce is its person's: nobody uses up another one's.
    let mut copied = room.act("dan", Approve);
    copied.nonce = veto.nonce;
    room.append(Event::Act(copied.into())).unwrap();
}
