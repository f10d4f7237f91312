#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
//! People by number: 0 and 1 officers of platform, 2 and 3 of security, 4 officer and witness of security, 5 witness of
//! audit, 6 witness of platform, 7 responder, 8 operator.

mod aside;
mod copies;

use super::*;
use crate::act::tests::{act, approve, attest, by, signed, statement, time};
use crate::act::{ActKind, Replayed};
use crate::roster::tests::{PEOPLE, REHEARSAL, document, roster, signer};
use crate::roster::{Roster, RosterDocument};
use crate::ssh::key::SshKind;
use crate::ssh::signer::Signer;

pub(super) const HOUR: Duration = Duration::from_secs(3600);

pub(super) const NEED: Need =
    Need { age: Duration::from_secs(24 * 3600), approvals: 3, other_unit: true, vetoes: 1, witnesses: 2 };

pub(super) fn id(number: usize) -> PersonId {
    PEOPLE[number].0.parse().unwrap()
}

pub(super) fn ids(numbers: &[usize]) -> BTreeSet<PersonId> {
    numbers.iter().map(|number| id(*number)).collect()
}

pub(super) fn ballot() -> Ballot {
    Ballot {
        another: false,
        expires: time(72),
        initiator: id(0),
        named: None,
        operator: None,
        roster: roster().digest(),
        statement: statement(),
    }
}

/// A tally with its nonces.
struct Table {
    tally: Tally,
    nonces: Nonces,
    suspended: BTreeSet<PersonId>,
}

impl Table {
    fn of(ballot: Ballot) -> Self {
        Self { tally: Tally::new(ballot), nonces: Nonces::default(), suspended: BTreeSet::new() }
    }

    /// Armed at hour 0: officers 0, 1, 2 and witnesses 5, 6.
    fn armed() -> Self {
        let mut table = Self::of(ballot());
        for number in [0, 1, 2] {
            table.take(by(number, approve(), 1), 0).unwrap();
        }
        for number in [5, 6] {
            table.take(by(number, attest(), 1), 0).unwrap();
        }
        assert!(table.at(0).armed);
        table
    }

    fn take(&mut self, act: VerifiedAct, hours: i64) -> Result<(), Refused> {
        let before = (self.tally.clone(), self.nonces.clone());
        let outcome = self.tally.admit(act, time(hours), &mut self.nonces);
        if outcome.is_err() {
            assert_eq!(before, (self.tally.clone(), self.nonces.clone()), "a refusal changes nothing");
        }
        outcome
    }

    fn at(&self, hours: i64) -> Count {
        self.under(hours, &roster())
    }

    fn under(&self, hours: i64, roster: &Roster) -> Count {
        self.tally.count(NEED, Moment { now: time(hours), roster, suspended: &self.suspended })
    }
}

/// A later roster.
fn changed(change: impl Fn(&mut RosterDocument)) -> Roster {
    let mut document = document();
    document.version = 2;
    change(&mut document);
    Roster::new(&document, REHEARSAL).unwrap()
}

#[track_caller]
fn aside(count: &Count, number: usize, why: Aside) {
    let found: Vec<&Aside> =
        count.aside.iter().filter(|(_, person, _)| *person == id(number)).map(|a| &a.2).collect();
    assert_eq!(found, [&why]);
}

#[test]
fn the_quorum_and_the_witnesses_arm_it() {
    let mut table = Table::of(ballot());
    assert_eq!(table.at(0), Count::default());
    for (number, deed) in [(0, approve()), (5, attest()), (1, approve()), (6, attest())] {
        table.take(by(number, deed, 1), 0).unwrap();
        assert!(!table.at(0).armed);
    }
    assert!(!table.at(0).approved);
    table.take(by(2, approve(), 1), 0).unwrap();
    let count = table.at(0);
    assert_eq!((count.approvals, count.before), (ids(&[0, 1, 2]), ids(&[5, 6])));
    assert!(count.approved && count.armed && !count.vetoed && !count.attested && count.aside.is_empty());
    assert_eq!(table.tally.acts().count(), 5);
}

#[test]
fn nothing_needed_is_not_nobody() {
    let need = Need { approvals: 0, witnesses: 0, other_unit: false, vetoes: 0, ..NEED };
    let suspended = BTreeSet::new();
    let count =
        Tally::new(ballot()).count(need, Moment { now: time(0), roster: &roster(), suspended: &suspended });
    assert!(!count.approved && !count.armed && !count.vetoed && !count.attested);
}

#[test]
fn one_witness_is_independent_of_a_quorum() {
    let mut table = Table::of(ballot());
    for number in [0, 1, 2] {
        table.take(by(number, approve(), 1), 0).unwrap();
    }
    // Security and platform, as the approvers are.
    table.take(by(4, attest(), 1), 0).unwrap();
    table.take(by(6, attest(), 1), 0).unwrap();
    let count = table.at(0);
    assert!(count.approved && count.before.len() == 2 && count.independent.is_empty() && !count.armed);
    table.take(by(5, attest(), 1), 0).unwrap();
    assert!(table.at(0).armed);
    assert_eq!(table.at(0).independent, ids(&[5]));
}

#[test]
fn nobody_blocks_a_ceremony_by_joining_it() {
    let need = Need { approvals: 2, witnesses: 1, ..NEED };
    let mut table = Table::of(Ballot { initiator: id(3), ..ballot() });
    table.take(by(0, approve(), 1), 0).unwrap();
    table.take(by(1, approve(), 1), 0).unwrap();
    table.take(by(4, attest(), 1), 0).unwrap();
    let armed = |table: &Table| {
        let moment = Moment { now: time(0), roster: &roster(), suspended: &table.suspended };
        table.tally.count(need, moment).armed
    };
    assert!(armed(&table), "platform approves, security attests");
    table.take(by(2, approve(), 1), 0).unwrap();
    assert!(armed(&table), "and it stays so when security approves too");
}

#[test]
fn one_person_with_two_keys_counts_once() {
    let second = Signer::new(SshKind::Ed25519, 60);
    let roster = changed(|d| d.people[0].keys.push(second.line()));
    let mut table = Table::of(Ballot { roster: roster.digest(), ..ballot() });
    table.take(signed(&act(approve(), 1), &signer(0), &roster).unwrap(), 0).unwrap();
    table.take(signed(&act(approve(), 2), &second, &roster).unwrap(), 0).unwrap();
    let count = table.under(0, &roster);
    assert_eq!(count.approvals, ids(&[0]));
    aside(&count, 0, Aside::PersonCounted);
}

#[test]
fn one_key_under_two_names_counts_once() {
    // Two rosters, because one cannot hold it; and neither can follow the other.
    let moved = changed(|d| {
        d.people[0].keys = vec![Signer::new(SshKind::Ed25519, 60).line()];
        d.people[1].keys = vec![signer(0).line()];
    });
    assert!(moved.follows(&roster()).is_err());
    let (as_ada, as_bob) = (by(0, approve(), 1), signed(&act(approve(), 2), &signer(0), &moved).unwrap());
    let mut table = Table::of(ballot());
    table.take(as_ada.clone(), 0).unwrap();
    let refused = Refused::OtherRoster { expected: roster().digest(), found: moved.digest() };
    assert_eq!(table.take(as_bob.clone(), 0), Err(refused));
    aside(&table.under(0, &moved), 0, Aside::KeyGone);
    // The last door, behind those that are shut: both of them in one column.
    let mut column = count::Seen::default();
    let at = time(0);
    let outcomes = [as_ada, as_bob].map(|act| column.add(&Held { act, at }));
    assert_eq!(outcomes, [Ok(()), Err(Aside::KeyCounted)]);
}

#[test]
fn a_replay_is_refused() {
    let mut table = Table::armed();
    let before = by(0, approve(), 1).digest();
    let replayed = Err(Refused::Replayed(Replayed { person: id(0), before }));
    assert_eq!(table.take(by(0, approve(), 1), 1), replayed);
    // Another act with the same nonce.
    assert_eq!(table.take(by(0, Deed::Veto { statement: statement() }, 1), 1), replayed);
    // In another ceremony of the instance, too.
    let mut other = Tally::new(ballot());
    assert_eq!(other.admit(by(0, approve(), 1), time(1), &mut table.nonces), replayed);
    assert_eq!(table.at(1), Table::armed().at(1));
}

#[test]
fn an_act_for_another_ceremony_is_refused() {
    let other = Hash::of(b"the same parameters, another nonce");
    let mut table = Table::of(Ballot { statement: other, ..ballot() });
    for deed in [approve(), Deed::Veto { statement: statement() }] {
        let refused = table.take(by(0, deed, 1), 0);
        assert_eq!(refused, Err(Refused::OtherStatement { expected: other, found: statement() }));
    }
}

#[test]
fn an_act_about_no_ceremony_is_refused() {
    let mut table = Table::of(ballot());
    let suspend = Deed::Suspend { person: id(1) };
    assert_eq!(table.take(by(0, suspend, 1), 0), Err(Refused::NoCeremony(ActKind::Suspend)));
    let clock = Deed::AcceptClock { clock: time(0) };
    assert_eq!(table.take(by(0, clock, 1), 0), Err(Refused::NoCeremony(ActKind::AcceptClock)));
    // Steps of a ceremony are not counted either.
    let propose = Deed::Propose { statement: statement() };
    assert_eq!(table.take(by(0, propose, 1), 0), Err(Refused::NoCeremony(ActKind::Propose)));
}

#[test]
fn one_person_one_role() {
    // eve is officer and witness.
    let mut table = Table::of(ballot());
    table.take(by(4, approve(), 1), 0).unwrap();
    let refused = Refused::TwoRoles { person: id(4), holds: Role::Officer, wants: Role::Witness };
    assert_eq!(table.take(by(4, attest(), 2), 0), Err(refused));
    let mut table = Table::of(ballot());
    table.take(by(4, attest(), 1), 0).unwrap();
    let refused = Refused::TwoRoles { person: id(4), holds: Role::Witness, wants: Role::Officer };
    assert_eq!(table.take(by(4, approve(), 2), 0), Err(refused));
    assert_eq!(table.at(0).before, ids(&[4]));
    // The role stays, also when the act was withdrawn.
    table
        .take(by(4, Deed::Withdraw { act: by(4, attest(), 1).digest(), statement: statement() }, 3), 0)
        .unwrap();
    assert!(matches!(table.take(by(4, approve(), 2), 0), Err(Refused::TwoRoles { .. })));
}

#[test]
fn who_runs_the_tool_does_nothing_else() {
    let mut table = Table::of(Ballot { operator: Some(id(1)), ..ballot() });
    let refused = Refused::TwoRoles { person: id(1), holds: Role::Operator, wants: Role::Officer };
    assert_eq!(table.take(by(1, approve(), 1), 0), Err(refused));
    table.take(by(0, approve(), 1), 0).unwrap();
    let refused = Refused::TwoRoles { person: id(0), holds: Role::Officer, wants: Role::Operator };
    assert_eq!(table.tally.operated_by(id(0)), Err(refused));
    assert_eq!(table.tally.operated_by(id(8)), Ok(()));
    assert_eq!(table.tally.ballot().operator, Some(id(8)));
}

#[test]
fn whoever_proposes_does_not_attest() {
    let mut table = Table::of(Ballot { initiator: id(5), ..ballot() });
    assert_eq!(table.take(by(5, attest(), 1), 0), Err(Refused::InitiatorAttests { person: id(5) }));
    let mut table = Table::of(ballot());
    assert_eq!(table.take(by(0, approve(), 1), 0), Ok(()), "an initiator may be an officer");
}

#[test]
fn officers_approve() {
    let mut table = Table::of(ballot());
    for number in [5, 7, 8] {
        let refused = Refused::NotInRole { person: id(number), role: Role::Officer };
        assert_eq!(table.take(by(number, approve(), 1), 0), Err(refused));
    }
}

#[test]
fn one_officer_and_one_other_person_declare_a_compromise() {
    let need = Need { age: 2 * HOUR, approvals: 1, other_unit: false, vetoes: 1, witnesses: 0 };
    let armed = |numbers: &[usize]| {
        let mut table = Table::of(Ballot { another: true, ..ballot() });
        for number in numbers {
            table.take(by(*number, approve(), 1), 0).unwrap();
        }
        let moment = Moment { now: time(0), roster: &roster(), suspended: &table.suspended };
        table.tally.count(need, moment).armed
    };
    assert!(
        !armed(&[0]) && !armed(&[7]) && !armed(&[5, 7]) && !armed(&[5, 7, 8]),
        "somebody must be an officer"
    );
    assert!(armed(&[0, 7]) && armed(&[7, 0]) && armed(&[0, 1]) && armed(&[0, 5]) && armed(&[0, 8]));
}

#[test]
fn the_named_officer_alone_approves() {
    let mut table = Table::of(Ballot { named: Some(id(1)), ..ballot() });
    assert_eq!(table.take(by(0, approve(), 1), 0), Err(Refused::NotNamed { person: id(0) }));
    assert_eq!(table.take(by(1, approve(), 1), 0), Ok(()));
}

#[test]
fn vetoes_are_counted_by_person_and_do_not_age() {
    let veto = |number, nonce| by(number, Deed::Veto { statement: statement() }, nonce);
    let mut table = Table::armed();
    table.take(veto(3, 2), 0).unwrap();
    table.take(veto(3, 3), 0).unwrap();
    let count = |table: &Table, vetoes| {
        let moment = Moment { now: time(60), roster: &roster(), suspended: &table.suspended };
        table.tally.count(Need { vetoes, ..NEED }, moment)
    };
    assert_eq!(count(&table, 2).vetoes, ids(&[3]));
    assert!(count(&table, 1).vetoed && !count(&table, 2).vetoed);
    table.take(veto(5, 4), 0).unwrap();
    assert!(count(&table, 2).vetoed, "a witness who attested may veto");
    table.take(by(2, Deed::Abort { statement: statement() }, 5), 0).unwrap();
    assert_eq!(count(&table, 2).aborts, ids(&[2]));
}

fn outcome(of: &[u8]) -> Outcome {
    Outcome { deviations: Hash::of(b"[]"), outputs: Hash::of(of) }
}

fn saw(of: &[u8], decision: Decision) -> Deed {
    Deed::Attest { decision, outcome: Some(outcome(of)), statement: statement() }
}

#[test]
fn the_same_witnesses_attest_the_same_outcome() {
    let mut table = Table::armed();
    assert_eq!(table.take(by(5, saw(b"key", Decision::Accept), 2), 1), Err(Refused::NotExecuted));
    let begun = table.at(1);
    table.tally.executed(outcome(b"key"), &begun);
    assert_eq!(table.take(by(5, saw(b"other", Decision::Accept), 2), 1), Err(Refused::OtherOutcome));
    assert_eq!(
        table.take(by(4, saw(b"key", Decision::Accept), 2), 1),
        Err(Refused::NotThere { person: id(4) })
    );
    table.take(by(6, saw(b"key", Decision::Accept), 2), 1).unwrap();
    assert!(!table.at(1).attested);
    table.take(by(5, saw(b"key", Decision::Accept), 2), 1).unwrap();
    let count = table.at(1);
    assert!(count.attested);
    assert_eq!((count.after, count.before), (ids(&[5, 6]), ids(&[5, 6])));
    // The approvals were used when it began; that they have grown old since, and that the
    // ceremony's time is over, takes nothing away.
    let mut late = Table::armed();
    late.tally.executed(outcome(b"key"), &begun);
    for number in [5, 6] {
        late.take(by(number, saw(b"key", Decision::Accept), 2), 75).unwrap();
    }
    assert!(late.at(75).attested && !late.at(75).approved);
}

#[test]
fn a_witness_who_saw_something_else_refuses() {
    let mut table = Table::armed();
    let begun = table.at(1);
    table.tally.executed(outcome(b"key"), &begun);
    table.take(by(6, saw(b"key", Decision::Accept), 2), 1).unwrap();
    table.take(by(5, saw(b"key", Decision::Accept), 2), 1).unwrap();
    table.take(by(5, saw(b"other", Decision::Refuse), 3), 1).unwrap();
    let count = table.at(1);
    assert!(!count.attested);
    assert_eq!(count.refused, ids(&[5]));
}
