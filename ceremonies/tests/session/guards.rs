//! Guards that none of the stories needs, each by a test of its own. `cargo xtask test --mutants` shows that each guard has one.

use std::collections::BTreeMap;

use ceremonies::person::{PersonId, Role};
use ceremonies::session::{Seat, Seats};
use ceremonies::statement::target::RosterChange;

use super::room::without_edgar;
use super::*;

/// A roster after the room's, in which this is otherwise.
pub fn after(version: u64, change: impl FnOnce(&mut BTreeMap<PersonId, Seat>)) -> Event {
    Event::Roster(roster(version, change))
}

pub fn without(version: u64, who: &str) -> Event {
    after(version, |people| drop(people.remove(&person(who))))
}

/// An emergency that goes on under another roster, with its quorum and its witness.
fn emergency() -> Room {
    let mut room = Room::new(Kind::KeyRotateEmergency);
    room.approve(&["ada", "ben"]).attest(&["wanda"]);
    assert_eq!(room.step(), Step::Armed);
    room
}

#[test]
fn the_next_roster_is_the_one_that_is_named_to_the_last_person() {
    let stamp = Stamp { index: 50, time: samples::time("21T05:00"), trusted: true };
    let open = |change: fn(&mut Seats)| {
        let mut next = next_roster();
        change(&mut next);
        let statement = statement(Kind::RosterChange, |_, _| {});
        Session::open(statement, &in_force(roster(2, |_| {})), Some(next), stamp).map(|_| ())
    };
    assert_eq!(open(|_| {}), Ok(()));
    assert_eq!(open(|next| next.version.version = 4), Err(Refusal::NextRoster));
    assert_eq!(open(|next| next.version.sha256 = Hash::of(b"another document")), Err(Refusal::NextRoster));
    let unit =
        |next: &mut Seats| next.people.get_mut(&person("dan")).unwrap().unit = "audit".parse().unwrap();
    assert_eq!(open(unit), Err(Refusal::NextRoster));
}

#[test]
fn an_approval_counts_with_a_key_that_is_its_persons_still() {
    let mut room = emergency();
    let ben = person("ben");
    let event = after(3, |people| {
        people.get_mut(&ben).unwrap().keys.remove(&key(&ben, 0));
    });
    room.append(event).unwrap();
    assert_eq!(room.start(None), Err(Refusal::NotArmed(vec![Lack::Approvals(1)])));
}

#[test]
fn an_unsound_time_neither_ends_a_ceremony_nor_ages_an_approval() {
    let mut room = Room::armed();
    let now = room.now;
    room.trusted = false;
    room.wait(1_000);
    room.does("dan", Refuse).unwrap();
    assert_eq!(room.step(), Step::Armed);
    (room.now, room.trusted) = (now, true);
    room.start(None).unwrap();
}

#[test]
fn nothing_is_armed_by_an_unsound_clock() {
    let mut room = emergency();
    room.append(without(3, "wanda")).unwrap();
    assert_eq!(room.step(), Step::Proposed);
    // She is back, and her attestation counts again: by a sound clock alone.
    room.trusted = false;
    room.append(after(4, |_| {})).unwrap();
    assert_eq!(room.step(), Step::Proposed);
    room.trusted = true;
    room.append(Event::Tick).unwrap();
    assert_eq!(room.step(), Step::Armed);
}

#[test]
fn a_suspension_disarms_at_once() {
    let mut room = Room::armed();
    room.append(suspended(&["ben"])).unwrap();
    assert_eq!(room.step(), Step::Proposed);
}

#[test]
fn what_somebody_said_before_he_was_suspended_never_counts_again() {
    let mut room = Room::armed();
    let kept = room.act("ben", Approve);
    room.append(suspended(&["ben"])).unwrap();
    let suspension = room.index;
    assert_eq!(room.append(Event::Act(kept.clone().into())), Err(Refusal::Suspended(person("ben"))));
    // He is suspended no more, by whatever it was: what he signed before it stays without effect, and what he signs now counts.
    room.append(suspended(&[])).unwrap();
    assert_eq!(room.step(), Step::Proposed);
    let early = Refusal::Withdrawn { record: suspension };
    assert_eq!(room.append(Event::Act(kept.into())), Err(early));
    room.approve(&["ben"]);
    assert_eq!(room.step(), Step::Armed);
}

/// Whoever is suspended already loses nothing once more when another one is.
#[test]
fn a_further_suspension_ends_nothing_but_what_that_person_said() {
    let mut room = Room::armed();
    room.append(suspended(&["ben"])).unwrap();
    room.append(suspended(&[])).unwrap();
    room.approve(&["ben"]);
    room.append(suspended(&["rita"])).unwrap();
    room.append(suspended(&["rita", "olga"])).unwrap();
    assert_eq!(room.step(), Step::Armed);
}

#[test]
fn whoever_is_suspended_proposes_nothing() {
    let statement = statement(Kind::KeyGenerate, |_, _| {});
    let initiator = statement.common().initiator.clone();
    let roster = roster(2, |_| {}).with_suspended([initiator.clone()].into());
    let stamp = Stamp { index: 50, time: statement.common().not_before, trusted: true };
    let opened = Session::open(statement, &in_force(roster), None, stamp);
    assert_eq!(opened.map(|_| ()), Err(Refusal::Suspended(initiator)));
}

#[test]
fn whoever_was_suspended_before_a_proposal_has_no_say_in_it() {
    let statement = statement(Kind::KeyGenerate, |_, _| {});
    let roster = roster(2, |_| {}).with_suspended([person("ben")].into());
    let mut room = Room::under(roster, statement, None);
    assert_eq!(room.does("ben", Approve), Err(Refusal::Suspended(person("ben"))));
    assert_eq!(room.does("ben", Veto), Err(Refusal::Suspended(person("ben"))));
    room.does("ada", Approve).unwrap();
}

#[test]
fn nothing_that_a_suspended_person_speaks_is_a_deviation() {
    let mut room = Room::executed();
    let saw = room.saw(&[]);
    room.does("yara", saw.clone()).unwrap();
    room.append(suspended(&["oscar"])).unwrap();
    assert_eq!(room.deviate(b"it was otherwise"), Err(Refusal::Suspended(person("oscar"))));
    room.does("wanda", saw).unwrap();
    assert_eq!(room.step(), Step::Completed);
}

#[test]
fn the_veto_of_somebody_who_left_or_lost_the_role_counts_no_more() {
    let responder = after(3, |people| {
        people.get_mut(&person("cleo")).unwrap().roles = [Role::Responder].into();
    });
    for event in [without(3, "cleo"), responder] {
        let mut room = emergency();
        room.does("cleo", Veto).unwrap();
        room.append(event).unwrap();
        room.does("yara", Veto).unwrap();
        assert_eq!(room.step(), Step::Armed);
        room.does("dan", Veto).unwrap();
        assert_eq!(room.step(), Step::Vetoed);
    }
}

#[test]
fn an_attestation_of_somebody_who_left_or_is_suspended_counts_no_more() {
    for event in [without(3, "yara"), suspended(&["yara"])] {
        let mut room = Room::executed();
        let saw = room.saw(&[]);
        room.does("yara", saw.clone()).unwrap();
        room.append(event).unwrap();
        room.does("wanda", saw).unwrap();
        assert_eq!(room.step(), Step::Executed);
    }
}

/// Two that were begun: the one whose roster comes second makes none any more, however far it has come.
#[test]
fn a_roster_change_under_way_ends_when_another_roster_came_first() {
    let mut room = Room::new(Kind::RosterChange);
    room.approve(&["ada", "ben", "cleo"]).attest(&["wanda", "yara"]);
    room.start(None).unwrap();
    for executed in [false, true] {
        if executed {
            room.append(Event::Output { outputs: Hash::of(b"outputs") }).unwrap();
        }
        room.append(Event::Roster(roster(2, |_| {}))).unwrap();
        room.append(Event::Guardrails(samples::version(4, "next"))).unwrap();
        assert_eq!(room.step(), if executed { Step::Executed } else { Step::Executing });
        let mut overtaken = room.clone();
        overtaken.append(Event::Roster(roster(3, |_| {}))).unwrap();
        assert_eq!(overtaken.step(), Step::Superseded);
    }
}

#[test]
fn a_suspended_operator_runs_nothing() {
    let mut room = Room::armed();
    room.append(suspended(&["oscar"])).unwrap();
    assert_eq!(room.start(Some("oscar")), Err(Refusal::Suspended(person("oscar"))));
    assert_eq!(room.step(), Step::Armed);
}

/// A room of a kind whose roster is otherwise.
fn other_room(kind: Kind, change: impl FnOnce(&mut BTreeMap<PersonId, Seat>)) -> Room {
    let roster = roster(2, change);
    let officers = roster.officers();
    let mut room = Room::new(kind);
    let mut common = samples::common(kind);
    (common.roster, common.quorum.officers) = (roster.version, officers);
    let statement = ceremonies::statement::Statement::new(common, samples::target(kind)).unwrap();
    let stamp = Stamp { index: 50, time: room.now, trusted: true };
    room.session = Session::open(statement, &in_force(roster), None, stamp).unwrap();
    room
}

fn also(who: &'static str, role: Role) -> impl FnOnce(&mut BTreeMap<PersonId, Seat>) {
    move |people| {
        people.get_mut(&person(who)).unwrap().roles.insert(role);
    }
}

#[test]
fn an_approver_never_runs_the_tool_nor_does_one_whose_act_is_too_old() {
    let conflict = Err(Refusal::Conflict { person: person("ada"), already: "officer" });
    let mut room = other_room(Kind::KeyGenerate, also("ada", Role::Operator));
    room.approve(&["ada", "ben", "cleo"]).attest(&["wanda", "yara"]);
    assert_eq!(room.start(Some("ada")), conflict);
    let mut room = other_room(Kind::KeyGenerate, also("ada", Role::Operator));
    room.approve(&["ada"]).wait(25).approve(&["ben", "cleo", "dan"]).attest(&["wanda", "yara"]);
    assert_eq!(room.start(Some("ada")), conflict);
    room.start(Some("oscar")).unwrap();
}

#[test]
fn whoever_ran_the_tool_neither_approves_nor_attests_when_it_is_armed_again() {
    let mut room = other_room(Kind::KeyGenerate, also("olga", Role::Officer));
    room.approve(&["ada", "ben", "cleo"]).attest(&["wanda", "yara"]).start(Some("olga")).unwrap();
    room.append(Event::Interrupted).unwrap();
    let by = CeremonyId::from([9; 16]);
    room.append(Event::Resolved { by, leftover: Leftover::Destroy }).unwrap();
    assert_eq!(room.step(), Step::Armed);
    let conflict = Err(Refusal::Conflict { person: person("olga"), already: "operator" });
    assert_eq!(room.does("olga", Approve), conflict);
    assert_eq!(room.does("olga", Attest), conflict);
}

#[test]
fn what_expired_while_it_was_cleared_up_is_not_armed_again() {
    let mut room = Room::new(Kind::KeyGenerate);
    room.wait(60).approve(&["ada", "ben", "cleo"]).attest(&["wanda", "yara"]).start(None).unwrap();
    room.append(Event::Interrupted).unwrap();
    let by = CeremonyId::from([9; 16]);
    room.wait(13).append(Event::Resolved { by, leftover: Leftover::Destroy }).unwrap();
    assert_eq!(room.step(), Step::Aborted);
}

#[test]
fn one_key_under_two_names_vetoes_once() {
    let mut room = other_room(Kind::KeyRotateEmergency, |people| {
        people.get_mut(&person("ben")).unwrap().keys.insert(key(&person("ada"), 0));
    });
    room.does("ada", Veto).unwrap();
    let mut second = room.act("ben", Veto);
    second.key = key(&person("ada"), 0);
    room.append(Event::Act(second.into())).unwrap();
    assert_eq!(room.step(), Step::Proposed);
}

#[test]
fn a_witness_of_the_execution_attests_as_long_as_he_is_a_witness() {
    let mut room = Room::executed();
    let event = after(3, |people| {
        people.get_mut(&person("wanda")).unwrap().roles = [Role::Responder].into();
    });
    room.append(event).unwrap();
    let saw = room.saw(&[]);
    assert!(matches!(room.does("wanda", saw), Err(Refusal::Role { .. })));
}

#[test]
fn nothing_is_approved_attested_or_refused_while_it_is_done() {
    for (who, decision) in [("dan", Approve), ("zoe", Attest), ("dan", Refuse)] {
        let refusal = Room::executing().does(who, decision);
        assert!(matches!(refusal, Err(Refusal::Place { step: Step::Executing, .. })), "{refusal:?}");
    }
}

#[test]
fn a_role_of_the_new_roster_alone_and_a_person_who_left_do_not_count() {
    let mut room = emergency();
    let event = after(3, |people| {
        people.get_mut(&person("rita")).unwrap().roles = [Role::Officer].into();
    });
    room.append(event).unwrap();
    assert!(matches!(room.does("rita", Approve), Err(Refusal::Role { .. })));
    let mut room = Room::new(Kind::KeyCompromise);
    room.approve(&["ada", "rita"]);
    assert_eq!(room.step(), Step::Armed);
    room.append(without(3, "rita")).unwrap();
    assert_eq!(room.session.standing(room.now).lacks, [Lack::Another]);
}

#[test]
fn whoever_leaves_with_something_else_may_veto_it() {
    let leaving = |next: &Seats, change: &dyn Fn(&mut RosterChange)| {
        let statement = statement(Kind::RosterChange, |_, target| {
            let Target::RosterChange(roster) = target else { panic!() };
            roster.added.clear();
            roster.removed = vec![person("edgar")];
            (roster.roster, roster.quorum.officers) = (next.version, 4);
            change(roster);
        });
        Room::under(roster(2, |_| {}), statement, Some(next.clone())).does("edgar", Veto)
    };
    assert_eq!(leaving(&without_edgar(), &|_| {}), Err(Refusal::OwnRemoval));
    let with_rita =
        roster(3, |people| people.retain(|id, _| *id != person("edgar") && *id != person("rita")));
    let removed = |roster: &mut RosterChange| roster.removed = vec![person("edgar"), person("rita")];
    assert_eq!(leaving(&with_rita, &removed), Ok(()));
    let other_dan = roster(3, |people| {
        people.remove(&person("edgar"));
        people.get_mut(&person("dan")).unwrap().unit = "audit".parse().unwrap();
    });
    assert_eq!(leaving(&other_dan, &|roster| roster.changed = vec![person("dan")]), Ok(()));
    let fewer = Seats { approvals: 2, ..without_edgar() };
    assert_eq!(leaving(&fewer, &|roster| roster.quorum.approvals = 2), Ok(()));
}

#[test]
fn a_witness_is_of_another_unit_than_a_quorum_of_the_next_roster_too() {
    let audit = |people: &mut BTreeMap<PersonId, Seat>, who: &str| {
        people.get_mut(&person(who)).unwrap().unit = "audit".parse().unwrap();
    };
    let present = roster(2, |people| audit(people, "yara"));
    // Cleo approves no more there, and ivy, who does, is of the witnesses' unit.
    let next = |unit: &str| {
        roster(3, |people| {
            audit(people, "yara");
            people.get_mut(&person("cleo")).unwrap().roles = [Role::Responder].into();
            let edgar = people.remove(&person("edgar")).unwrap();
            let keys = [0, 1].map(|number| key(&person("ivy"), number)).into();
            people.insert(person("ivy"), Seat { keys, unit: unit.parse().unwrap(), ..edgar });
        })
    };
    let held = |next: Seats| {
        let statement = statement(Kind::RosterChange, |common, target| {
            let Target::RosterChange(roster) = target else { panic!() };
            common.roster = present.version;
            roster.changed = vec![person("cleo")];
            (roster.roster, roster.quorum.officers) = (next.version, 4);
        });
        let mut room = Room::under(present.clone(), statement, Some(next));
        room.approve(&["ada", "ben", "cleo", "ivy"]).attest(&["wanda", "yara"]);
        room.start(None)
    };
    assert_eq!(held(next("release")), Ok(()));
    assert_eq!(held(next("audit")), Err(Refusal::NotArmed(vec![Lack::OtherUnit])));
}

#[test]
fn nothing_is_destroyed_where_nothing_was_found() {
    let mut room = Room::new(Kind::KeyDestroy);
    room.approve(&["ada", "ben", "cleo"]).attest(&["wanda", "xaver"]);
    assert_eq!(room.step(), Step::Armed);
    let start = |found| Event::Start { operator: None, found };
    assert_eq!(room.append(start(0)), Err(Refusal::NothingThere));
    assert_eq!(room.step(), Step::Armed);
    room.append(start(1)).unwrap();
    assert_eq!(room.step(), Step::Executing);
}
