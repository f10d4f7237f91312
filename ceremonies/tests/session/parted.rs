//! Who agreed to an execution and counts no more before it is over: it is finished, and that is known of it.

use ceremonies::person::Role;
use ceremonies::session::{Parted, Parting};

use super::guards::{after, without};
use super::*;

/// Who parted, since which record, and why.
fn parted(room: &Room) -> Vec<(&str, u64, Parting)> {
    let all = room.session.parted().iter();
    all.map(|(person, Parted { record, how })| (person.as_str(), *record, *how)).collect()
}

#[test]
fn an_execution_goes_on_without_those_who_left_or_were_suspended_and_says_who() {
    let mut room = Room::executing();
    room.append(suspended(&["ben", "dan", "oscar", "rita"])).unwrap();
    let ben = ("ben", room.index, Parting::Suspended);
    // Of the others none had agreed.
    assert_eq!(parted(&room), [ben]);
    room.append(suspended(&[])).unwrap();
    assert_eq!(parted(&room), [ben], "whoever is free again was suspended all the same");
    room.append(after(3, |people| {
        people.remove(&person("ada"));
        people.remove(&person("dan"));
        people.remove(&person("ben"));
    }))
    .unwrap();
    let ada = ("ada", room.index, Parting::Left);
    assert_eq!(parted(&room), [ada, ben], "the first record says since when");
    // Also of what waits for its witnesses: it is not in force.
    room.output();
    room.append(after(4, |people| {
        people.remove(&person("ada"));
        people.get_mut(&person("yara")).unwrap().roles = [Role::Responder].into();
        let cleo = person("cleo");
        people.get_mut(&cleo).unwrap().keys.remove(&key(&cleo, 0));
    }))
    .unwrap();
    let (cleo, yara) = (("cleo", room.index, Parting::Left), ("yara", room.index, Parting::Left));
    assert_eq!(parted(&room), [ada, ben, cleo, yara], "a role or a key that is gone is enough");
    assert_eq!(room.step(), Step::Executed);
}

#[test]
fn who_left_before_the_start_or_after_the_end_is_no_news() {
    let mut room = Room::armed();
    room.append(suspended(&["ben"])).unwrap();
    room.approve(&["dan"]);
    room.start(Some("oscar")).unwrap();
    room.output();
    let saw = room.saw(&[]);
    for witness in ["wanda", "yara"] {
        room.does(witness, saw.clone()).unwrap();
    }
    assert_eq!(room.step(), Step::Completed);
    assert_eq!(room.append(without(3, "ada")), Err(Refusal::Over(Step::Completed)));
    assert_eq!(parted(&room), []);
}

#[test]
fn what_is_done_once_more_stands_on_those_who_agree_then() {
    let mut room = Room::armed();
    room.approve(&["dan"]).start(Some("oscar")).unwrap();
    room.append(suspended(&["ben"])).unwrap();
    room.append(Event::Interrupted).unwrap();
    let by = CeremonyId::from([9; 16]);
    room.append(Event::Resolved { by, leftover: Leftover::Destroy }).unwrap();
    assert_eq!((room.step(), parted(&room)), (Step::Armed, vec![]));
    room.append(suspended(&["ben", "yara"])).unwrap();
    room.append(suspended(&["ben"])).unwrap();
    room.attest(&["zoe"]);
    assert_eq!((room.step(), parted(&room)), (Step::Armed, vec![]), "nothing is being done");
    room.start(Some("oscar")).unwrap();
    room.append(suspended(&["ben", "dan", "yara"])).unwrap();
    assert_eq!(parted(&room), [("dan", room.index, Parting::Suspended)]);
}

#[test]
fn who_approves_by_the_next_roster_needs_no_place_in_the_present_one() {
    let mut room = Room::new(Kind::RosterChange);
    room.approve(&["ada", "ben", "cleo", "ivy"]).attest(&["wanda", "yara"]);
    room.start(None).unwrap();
    room.append(Event::Tick).unwrap();
    assert_eq!(parted(&room), []);
    room.append(suspended(&["ada"])).unwrap();
    assert_eq!(parted(&room), [("ada", room.index, Parting::Suspended)]);
}

#[test]
fn the_other_person_of_a_compromise_may_leave_too() {
    let mut room = Room::new(Kind::KeyCompromise);
    room.approve(&["ada", "rita"]).start(None).unwrap();
    room.append(without(3, "rita")).unwrap();
    assert_eq!(parted(&room), [("rita", room.index, Parting::Left)]);
}

#[test]
fn guardrails_that_wait_are_not_in_force_yet() {
    let mut room = Room::new(Kind::PolicyChange);
    room.approve(&["ada", "ben", "cleo"]).attest(&["wanda"]).start(None).unwrap();
    room.output();
    let saw = room.saw(&[]);
    room.does("wanda", saw).unwrap();
    assert_eq!(room.step(), Step::Waiting);
    room.append(suspended(&["cleo"])).unwrap();
    assert_eq!(parted(&room), [("cleo", room.index, Parting::Suspended)]);
    room.wait(24).append(Event::Tick).unwrap();
    assert_eq!((room.step(), parted(&room).len()), (Step::Completed, 1));
}
