#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::session::Seat;
use crate::statement::Version;

const HOUR: u64 = 3600;

fn person(name: &str) -> PersonId {
    name.parse().unwrap()
}

fn key(name: &str) -> KeyId {
    KeyId::of_spki(name.as_bytes())
}

fn time(hours: u64) -> Time {
    "2026-11-21T05:00:00.000000Z".parse::<Time>().unwrap().later(Duration::from_secs(hours * HOUR))
}

/// These officers of whom so many decide, and a witness and an operator.
fn seats(approvals: u16, officers: &[&str]) -> Seats {
    let seat = |name: &str, role| {
        let seat = Seat { roles: [role].into(), unit: "unit".parse().unwrap(), keys: [key(name)].into() };
        (person(name), seat)
    };
    let officers = officers.iter().map(|name| seat(name, Role::Officer));
    let others = [seat("wim", Role::Witness), seat("oda", Role::Operator)];
    Seats {
        version: Version { sha256: Hash::ZERO, version: 1 },
        approvals,
        people: officers.chain(others).collect(),
        suspended: BTreeSet::new(),
    }
}

/// A history of what officers say.
struct Desk {
    roster: Seats,
    now: Suspensions,
    index: u64,
    hours: u64,
}

impl Desk {
    fn new(approvals: u16, officers: &[&str]) -> Self {
        Self { roster: seats(approvals, officers), now: Suspensions::default(), index: 10, hours: 0 }
    }

    fn said(&self, by: &str, whom: &str) -> Said {
        let nonce = Hash::of(&self.index.to_be_bytes());
        Said {
            act: Hash::of(format!("{by} {whom} {}", self.index).as_bytes()),
            by: person(by),
            expires: time(self.hours + 24),
            key: key(by),
            nonce: Nonce::from(*nonce.as_bytes()),
            person: person(whom),
        }
    }

    fn take(&mut self, said: &Said) -> Result<(), Refusal> {
        self.index += 1;
        let stamp = Stamp { index: self.index, time: time(self.hours), trusted: true };
        self.now = self.now.after(said, &self.roster, stamp)?;
        Ok(())
    }

    fn says(&mut self, by: &str, whom: &str) -> Result<(), Refusal> {
        let said = self.said(by, whom);
        self.take(&said)
    }

    #[track_caller]
    fn holds(&self, people: &[&str]) {
        assert_eq!(self.now.people(), people.iter().map(|name| person(name)).collect());
    }
}

const FIVE: [&str; 5] = ["ada", "bob", "cyd", "dan", "eve"];

#[test]
fn one_officer_suspends_the_first_person_and_two_every_further_one() {
    let mut desk = Desk::new(3, &FIVE);
    desk.says("ada", "eve").unwrap();
    desk.holds(&["eve"]);
    assert_eq!(desk.now.of(&person("eve")).unwrap().since, 11);
    desk.says("ada", "wim").unwrap();
    desk.holds(&["eve"]);
    let waiting: Vec<_> = desk.now.waiting(time(0)).map(|(whom, by)| (whom.as_str(), by.len())).collect();
    assert_eq!(waiting, [("wim", 1)]);
    assert_eq!(desk.says("ada", "wim"), Err(Refusal::Already { by: person("ada"), in_force: false }));
    desk.says("bob", "wim").unwrap();
    desk.holds(&["eve", "wim"]);
    assert_eq!(desk.now.waiting(time(0)).count(), 0);
}

#[test]
fn a_word_waits_no_longer_than_it_counts() {
    let mut desk = Desk::new(3, &FIVE);
    desk.says("ada", "eve").unwrap();
    desk.says("ada", "wim").unwrap();
    desk.hours = 24;
    assert_eq!(desk.now.waiting(time(24)).count(), 0);
    desk.says("bob", "wim").unwrap();
    desk.holds(&["eve"]);
    // Said again it counts again.
    desk.says("ada", "wim").unwrap();
    desk.holds(&["eve", "wim"]);
}

#[test]
fn of_the_officers_a_quorum_is_left() {
    let mut desk = Desk::new(3, &FIVE);
    desk.says("ada", "dan").unwrap();
    desk.says("ada", "eve").unwrap();
    desk.says("bob", "eve").unwrap();
    // Whoever is no officer takes nothing from the quorum.
    desk.says("ada", "wim").unwrap();
    desk.says("bob", "wim").unwrap();
    desk.holds(&["dan", "eve", "wim"]);
    let too_many = Refusal::TooMany { approvals: 3, most: 2, officers: 5 };
    assert_eq!(desk.says("ada", "cyd"), Err(too_many));
}

#[test]
fn every_word_that_does_not_count_has_its_own_reason() {
    let mut desk = Desk::new(3, &FIVE);
    assert_eq!(desk.says("ada", "nemo"), Err(Refusal::Nobody(person("nemo"))));
    assert_eq!(desk.says("wim", "ada"), Err(Refusal::Role(person("wim"))));
    let stolen = Said { key: key("bob"), ..desk.said("ada", "eve") };
    assert_eq!(desk.take(&stolen), Err(Refusal::Role(person("ada"))));
    let late = Said { expires: time(0), ..desk.said("ada", "eve") };
    assert_eq!(desk.take(&late), Err(Refusal::ActExpired { at: time(0) }));
    let said = desk.said("ada", "eve");
    desk.take(&said).unwrap();
    assert_eq!(desk.take(&said), Err(Refusal::Replayed));
    let twin = Said { act: Hash::ZERO, ..said.clone() };
    assert_eq!(desk.take(&twin), Err(Refusal::Replayed));
    assert_eq!(desk.says("ada", "eve"), Err(Refusal::Already { by: person("ada"), in_force: true }));
    // A stranger's word of the same nonce is another one's.
    let other = Said { by: person("bob"), key: key("bob"), act: Hash::ZERO, ..said };
    desk.take(&other).unwrap();
    assert_eq!(desk.now.of(&person("eve")).unwrap().by.len(), 2);
    assert_eq!(desk.says("eve", "bob"), Err(Refusal::Suspended(person("eve"))));
    let names: BTreeSet<&str> = [
        Refusal::Nobody(person("a")),
        Refusal::Role(person("a")),
        Refusal::Suspended(person("a")),
        Refusal::Replayed,
        Refusal::ActExpired { at: time(0) },
        Refusal::Already { by: person("a"), in_force: true },
        Refusal::TooMany { approvals: 2, most: 1, officers: 3 },
    ]
    .iter()
    .map(Refusal::name)
    .collect();
    assert_eq!(names.len(), 7);
}

#[test]
fn one_key_under_two_names_speaks_once() {
    let mut desk = Desk::new(3, &FIVE);
    desk.roster.people.get_mut(&person("bob")).unwrap().keys = [key("ada")].into();
    desk.says("ada", "eve").unwrap();
    desk.says("ada", "wim").unwrap();
    let twin = Said { key: key("ada"), ..desk.said("bob", "wim") };
    desk.take(&twin).unwrap();
    desk.holds(&["eve"]);
    desk.says("cyd", "wim").unwrap();
    desk.holds(&["eve", "wim"]);
}

/// N = 3, M = 2: one may be suspended, and the rogue comes first.
#[test]
fn a_rogue_who_suspends_first_is_suspended_by_the_others() {
    for order in [["ada", "bob"], ["bob", "ada"]] {
        let mut desk = Desk::new(2, &["ada", "bob", "rex"]);
        desk.says("rex", "ada").unwrap();
        desk.holds(&["ada"]);
        let too_many = Refusal::TooMany { approvals: 2, most: 1, officers: 3 };
        assert_eq!(desk.says("rex", "bob"), Err(too_many));
        // She counts against him alone, and against nobody else.
        assert_eq!(desk.says("ada", "wim"), Err(Refusal::Suspended(person("ada"))));
        desk.says(order[0], "rex").unwrap();
        desk.holds(&["ada"]);
        desk.says(order[1], "rex").unwrap();
        desk.holds(&["rex"]);
        assert_eq!(desk.says("rex", "ada"), Err(Refusal::Suspended(person("rex"))));
        // She is free to suspend others again.
        desk.says("ada", "wim").unwrap();
    }
}

#[test]
fn a_witness_whom_a_rogue_suspended_is_free_when_the_rogue_is_suspended() {
    let mut desk = Desk::new(2, &["ada", "bob", "rex"]);
    desk.says("rex", "wim").unwrap();
    desk.says("ada", "rex").unwrap();
    desk.says("bob", "rex").unwrap();
    desk.holds(&["rex"]);
}

#[test]
fn whoever_is_suspended_by_two_says_nothing_against_either() {
    let mut desk = Desk::new(3, &FIVE);
    desk.says("ada", "eve").unwrap();
    desk.says("bob", "eve").unwrap();
    for other in ["ada", "bob"] {
        assert_eq!(desk.says("eve", other), Err(Refusal::Suspended(person("eve"))));
    }
    // One of them is enough for it to stand.
    desk.says("cyd", "ada").unwrap();
    desk.says("dan", "ada").unwrap();
    desk.holds(&["ada", "eve"]);
    assert_eq!(desk.now.of(&person("eve")).unwrap().by, [person("bob")].into());
}

#[test]
fn what_a_suspended_officer_asked_for_waits_no_more() {
    let mut desk = Desk::new(3, &FIVE);
    desk.says("ada", "wim").unwrap();
    desk.says("eve", "oda").unwrap();
    desk.says("ada", "eve").unwrap();
    desk.says("bob", "eve").unwrap();
    desk.says("cyd", "oda").unwrap();
    desk.holds(&["eve", "wim"]);
}

#[test]
fn an_officer_suspends_himself_until_the_next_roster() {
    let mut desk = Desk::new(3, &FIVE);
    desk.says("eve", "eve").unwrap();
    desk.holds(&["eve"]);
    assert_eq!(desk.says("eve", "ada"), Err(Refusal::Suspended(person("eve"))));
    assert_eq!(desk.says("eve", "eve"), Err(Refusal::Already { by: person("eve"), in_force: true }));
    desk.says("ada", "bob").unwrap();
    desk.says("cyd", "bob").unwrap();
    desk.holds(&["bob", "eve"]);
}

#[test]
fn a_roster_that_was_proposed_later_ends_suspensions() {
    let mut desk = Desk::new(3, &FIVE);
    desk.says("ada", "eve").unwrap();
    desk.says("ada", "wim").unwrap();
    desk.says("bob", "wim").unwrap();
    desk.says("bob", "oda").unwrap();
    let (first, second) = (11, 13);
    let next = |proposed, officers: &[&str]| {
        let after = desk.now.succeeded(&seats(3, officers), proposed);
        assert_eq!(after.waiting(time(0)).count(), 0);
        after.people().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(next(second, &FIVE), [""; 0]);
    assert_eq!(next(first, &FIVE), ["wim"]);
    assert_eq!(next(first - 1, &FIVE), ["eve", "wim"]);
    // Who is gone is gone, and what rested on the word of one who is gone.
    assert_eq!(next(0, &["ada", "bob", "cyd", "dan"]), ["wim"]);
    assert_eq!(next(0, &["bob", "cyd", "dan", "eve"]), [""; 0]);
    // What was said once is said.
    assert!(desk.now.succeeded(&seats(3, &FIVE), second).has_spent(Hash::of(b"ada eve 10")));
}

proptest! {
    /// Invariant: whoever says what in whichever order, a quorum is left; a suspension has as many officers as it took, none of
    /// whom is suspended; and at most one rests on one officer's word from its beginning.
    #[test]
    fn no_order_of_suspensions_takes_the_quorum_or_keeps_two_out_by_one(
        words in prop::collection::vec((0..5usize, 0..7usize, 0..3u64), 0..40),
        approvals in 2..5u16,
    ) {
        let everybody = ["ada", "bob", "cyd", "dan", "eve", "wim", "oda"];
        let mut desk = Desk::new(approvals, &FIVE);
        for (by, whom, hours) in words {
            desk.hours += hours * 9;
            let before = desk.now.people();
            let taken = desk.says(everybody[by], everybody[whom]);
            let after = desk.now.people();
            if taken.is_err() {
                prop_assert_eq!(&before, &after);
            }
            let officers = after.iter().filter(|person| FIVE.contains(&person.as_str())).count();
            prop_assert!(officers <= usize::from(5 - approvals));
            for (person, own) in desk.now.iter() {
                prop_assert!(own.by.len() >= own.needs);
                prop_assert!(own.by.iter().all(|by| by == person || !after.contains(by)));
            }
            let singles = desk.now.iter().filter(|(_, own)| own.needs == 1).count();
            prop_assert!(singles <= 1, "one officer's word suspends one person at a time");
            // One more word never frees anybody but by suspending somebody.
            if after.len() < before.len() {
                prop_assert!(after.iter().any(|person| !before.contains(person)));
            }
        }
    }
}
