//! Other ceremonies that a transcript stands on: those that made rosters, and those that cleared up.

use ceremonies::genesis::Mode;
use ceremonies::outputs::Outputs;
use ceremonies::roster::Roster;
use ceremonies::session::Parting;
use ceremonies::statement::target::{KeyResume, Leftover, Resolve, RosterChange, StopLift};
use ceremonies::statement::{CeremonyId, Kind, Quorum, Statement, Target, Version};
use ceremonies::succession::proof;
use ceremonies::transcript::{Deviation, Files, Governs, Step, name};
use proto::hash::Hash;
use proto::name::KeyName;
use proto::record::ceremony::{Ceremony, Turned, document};
use proto::record::{Body, Lift, StopTarget};
use proto::term::Term;

use super::stage::{self, PEOPLE, Stage};
use super::suspended::suspends;
use super::valid::{kept_as_written, valid};
use crate::invalid;

/// The next roster, in which somebody joins the officers.
fn with(stage: &Stage, who: &'static str) -> Roster {
    let mut people = PEOPLE.to_vec();
    people.extend(
        ["kim", "lou"].iter().take_while(|joins| **joins < who).map(|joins| (*joins, "officer", "release")),
    );
    people.push((who, "officer", "release"));
    stage::roster(stage.mode, stage.roster.version() + 1, &people)
}

/// Proposes it, naming this proof and bringing that one.
fn propose_joining(
    stage: &mut Stage,
    who: &'static str,
    next: &Roster,
    proof: Hash,
    brought: Option<String>,
) {
    let version = next.version();
    let common = stage.common(Kind::RosterChange, CeremonyId::from([u8::try_from(version).unwrap(); 16]));
    let target = Target::RosterChange(RosterChange {
        added: vec![who.parse().unwrap()],
        changed: vec![],
        proofs: vec![proof],
        quorum: Quorum { approvals: 3, officers: next.officers(), witnesses: 2 },
        removed: vec![],
        roster: Version { sha256: next.digest(), version },
    });
    stage.statement = Statement::new(common, target).unwrap();
    stage.next = Some(next.clone());
    let text = String::from_utf8(next.encode()).unwrap();
    let name = brought.as_deref().map(proof::name).unwrap_or_default();
    let proof = brought.into_iter().map(|armor| (name.as_str(), armor));
    stage.propose_with([(document::ROSTER, text)].into_iter().chain(proof).collect());
}

/// Proposes that somebody joins, with his proof.
pub fn proposes_joining(stage: &mut Stage, who: &'static str) -> Roster {
    let next = with(stage, who);
    let armor = stage.possession_of(who, &next);
    propose_joining(stage, who, &next, Hash::of(armor.as_bytes()), Some(armor));
    next
}

fn joins_until_executed(stage: &mut Stage, who: &'static str) -> Roster {
    let next = proposes_joining(stage, who);
    for officer in ["ada", "bob", "cyd", who] {
        stage.approve(officer);
    }
    for witness in ["fay", "gus"] {
        stage.attest(witness);
    }
    is_executed(stage);
    next
}

fn is_executed(stage: &mut Stage) {
    stage.start_by_itself();
    (stage.outputs, stage.possession) = (Some(Outputs::Done), None);
    stage.executed();
}

/// A roster change that is armed is done and seen.
pub fn comes_into_force(stage: &mut Stage, next: Roster) -> Files {
    is_executed(stage);
    let files = stage.rest_executed();
    stage.made.insert(Governs::Roster(next.version()), files.clone());
    (stage.roster, stage.next) = (next, None);
    files
}

/// Another roster: somebody joins the officers, by a ceremony of its own.
pub fn joins(stage: &mut Stage, who: &'static str) -> Files {
    let next = joins_until_executed(stage, who);
    let files = stage.rest_executed();
    stage.made.insert(Governs::Roster(next.version()), files.clone());
    (stage.roster, stage.next) = (next, None);
    files
}

/// A key by the rosters that two ceremonies made, the second of whom has an officer of the first.
fn by_the_third_roster() -> Stage {
    let mut stage = Stage::begin(Mode::Rehearsal);
    joins(&mut stage, "kim");
    joins(&mut stage, "lou");
    stage.statement = stage.key_generate(CeremonyId::from([0xa7; 16]), |_, _| {});
    stage.propose();
    for who in ["ada", "kim", "lou"] {
        stage.approve(who);
    }
    stage
}

/// A whole key.generate by a roster that a ceremony made.
pub fn by_the_second_roster() -> (Stage, Files) {
    let mut stage = Stage::begin(Mode::Rehearsal);
    joins(&mut stage, "kim");
    stage.statement = stage.key_generate(CeremonyId::from([0xa7; 16]), |_, _| {});
    stage.propose();
    for who in ["ada", "bob", "kim"] {
        stage.approve(who);
    }
    let files = stage.rest();
    (stage, files)
}

#[test]
fn the_golden_transcript_with_a_roster_change_is_valid_and_is_what_is_written() {
    let (stage, written) = by_the_second_roster();
    kept_as_written("transcript-second-roster", &stage, &written);
}

#[test]
fn a_rogue_can_leave_out_or_exchange_no_proof_of_possession() {
    let joined = |named: &dyn Fn(&str) -> Hash, brought: &dyn Fn(String) -> Option<String>| {
        let mut stage = Stage::begin(Mode::Rehearsal);
        let next = with(&stage, "kim");
        let armor = stage.possession_of("kim", &next);
        propose_joining(&mut stage, "kim", &next, named(&armor), brought(armor));
        for officer in ["ada", "bob", "cyd", "kim"] {
            stage.approve(officer);
        }
        for witness in ["fay", "gus"] {
            stage.attest(witness);
        }
        stage.start_by_itself();
        (stage.outputs, stage.possession) = (Some(Outputs::Done), None);
        stage.executed();
        let files = stage.rest_executed();
        (stage, files)
    };
    let digest = |armor: &str| Hash::of(armor.as_bytes());
    let (stage, files) = joined(&digest, &|_| None);
    invalid(&stage, &files, Step::Rosters, "are not those that the statement names");
    let (stage, files) = joined(&|_| Hash::of(b"another"), &Some);
    invalid(&stage, &files, Step::Rosters, "are not those that the statement names");
}

#[test]
fn a_completion_that_lets_permits_of_the_old_roster_stand_is_noticed() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    joins_until_executed(&mut stage, "kim");
    stage.saw("fay");
    stage.saw("gus");
    let files = stage.complete_with(|_| {}, |_| {}, |record| record.touches.clear());
    invalid(&stage, &files, Step::Effect, "touch everything");
}

#[test]
fn a_roster_change_is_valid_and_shows_what_new_keys_signed() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    let files = joins(&mut stage, "kim");
    let verified = valid(&stage, &files);
    assert_eq!(verified.kind, Kind::RosterChange);
    assert_eq!(verified.deviations, []);
    let (path, said) = files.iter().find(|(path, _)| path.starts_with("proofs/")).unwrap();
    assert!(path.ends_with(".kim.json"), "{path}");
    assert!(String::from_utf8_lossy(said).contains(&stage.roster.digest().to_string()));
    let signers = std::str::from_utf8(&files[name::ALLOWED_SIGNERS]).unwrap();
    assert!(signers.contains("\nkim namespaces=") && signers.lines().count() == PEOPLE.len() + 1);
}

#[test]
fn a_ceremony_by_a_later_roster_holds_the_ceremonies_that_made_it() {
    let mut stage = by_the_third_roster();
    let files = stage.rest();
    assert_eq!(valid(&stage, &files).deviations, []);
    // What a roster's transcript shares with this one is there once.
    assert!(files.contains_key("rosters/2/statement.json") && files.contains_key("rosters/3/statement.json"));
    assert!(!files.keys().any(|path| path.starts_with("rosters/3/rosters")));
    let path = "rosters/2/acts/000000000002-approve-ada.json";
    let mut changed = files.clone();
    changed.get_mut(path).unwrap()[20] ^= 1;
    invalid(&stage, &changed, Step::Rosters, "roster 2: hashes");
    let mut dropped = files.clone();
    dropped.retain(|path, _| !path.starts_with("rosters/2/"));
    invalid(&stage, &dropped, Step::Rosters, "the transcript of roster 2 is missing");
    let mut added = files.clone();
    added.insert("rosters/3/x".into(), vec![]);
    invalid(&stage, &added, Step::Rosters, "roster 3: files");
    for path in ["rosters/4/x", "guardrails/2/x", "rosters/02/x"] {
        let mut added = files.clone();
        added.insert(path.into(), vec![]);
        invalid(&stage, &added, Step::Files, "does not belong to any transcript");
    }
}

#[test]
fn a_rogue_can_leave_out_or_exchange_no_roster() {
    type Change = fn(&mut Files);
    let cases: [(Change, &str); 2] = [
        (
            |files| files.retain(|path, _| !path.starts_with("rosters/3/")),
            "the transcript of roster 3 is missing",
        ),
        (
            |files| files.retain(|path, _| !path.starts_with("rosters/")),
            "the transcript of roster 2 is missing",
        ),
    ];
    for (change, why) in cases {
        let mut stage = by_the_third_roster();
        let files = stage.rest_with(change);
        invalid(&stage, &files, Step::Rosters, why);
    }
    // That of another log, which is valid there, with the same genesis.
    let mut other = Stage::begin(Mode::Rehearsal);
    other.log.control(Body::Anchor { place: "elsewhere".into() }, vec![]);
    let foreign = joins(&mut other, "kim");
    let mut stage = Stage::begin(Mode::Rehearsal);
    joins(&mut stage, "kim");
    stage.statement = stage.key_generate(CeremonyId::from([0xa7; 16]), |_, _| {});
    stage.propose();
    for who in ["ada", "bob", "kim"] {
        stage.approve(who);
    }
    stage.made.insert(Governs::Roster(2), foreign);
    let files = stage.rest();
    invalid(&stage, &files, Step::Rosters, "rosters/2 is not the ceremony of record");
}

#[test]
fn an_execution_that_was_cleared_up_and_done_again_is_a_deviation() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.start("ivy");
    let (made, ceremony) = (stage.statement.clone(), stage.statement.common().ceremony);
    stage.log.control(Body::Ceremony(Ceremony::Interrupted(Turned { ceremony })), vec![]);
    let by = CeremonyId::from([8; 16]);
    let target = Resolve { ceremony, leftover: Leftover::Destroy, statement: made.digest() };
    stage.statement = Statement::new(stage.common(Kind::Resolve, by), Target::Resolve(target)).unwrap();
    stage.propose();
    stage.approve("ada");
    stage.approve("bob");
    stage.attest("fay");
    stage.start_by_itself();
    stage.outputs = Some(Outputs::Destroyed(vec![]));
    stage.executed();
    stage.saw("fay");
    let files = stage.complete();
    assert_eq!(valid(&stage, &files).deviations, []);
    stage.statement = made;
    let files = stage.rest_armed();
    assert_eq!(valid(&stage, &files).deviations, [Deviation::Resolved { by }]);
    // The first start and the second.
    assert_eq!(files.keys().filter(|path| path.ends_with("-execute-ivy.json")).count(), 2);
}

/// Somebody leaves the officers, by a ceremony of its own.
fn leaves(stage: &mut Stage, who: &'static str) -> u64 {
    let people: Vec<_> = PEOPLE.iter().filter(|(name, ..)| *name != who).copied().collect();
    let next = stage::roster(stage.mode, stage.roster.version() + 1, &people);
    let version = next.version();
    let common = stage.common(Kind::RosterChange, CeremonyId::from([u8::try_from(version).unwrap(); 16]));
    let target = Target::RosterChange(RosterChange {
        added: vec![],
        changed: vec![],
        proofs: vec![],
        quorum: Quorum { approvals: 3, officers: next.officers(), witnesses: 2 },
        removed: vec![who.parse().unwrap()],
        roster: Version { sha256: next.digest(), version },
    });
    stage.statement = Statement::new(common, target).unwrap();
    stage.next = Some(next.clone());
    stage.propose_with(vec![(document::ROSTER, String::from_utf8(next.encode()).unwrap())]);
    for officer in ["bob", "cyd", "dan"] {
        stage.approve(officer);
    }
    for witness in ["fay", "gus"] {
        stage.attest(witness);
    }
    comes_into_force(stage, next);
    stage.log.size() - 1
}

/// A key is being made; meanwhile ada leaves the roster and cyd is suspended, both of whom had approved.
fn two_leave_while_it_is_done() -> (Stage, [Deviation; 2]) {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.start("ivy");
    let made = stage.statement.clone();
    let index = leaves(&mut stage, "ada");
    let ada = Deviation::Parted { index, person: "ada".parse().unwrap(), how: Parting::Left };
    stage.statement = made;
    let index = suspends(&mut stage, "dan", "cyd");
    let cyd = Deviation::Parted { index, person: "cyd".parse().unwrap(), how: Parting::Suspended };
    stage.birth(|_, _| {});
    stage.executed();
    // Who had not agreed is missed by nobody.
    suspends(&mut stage, "bob", "ivy");
    suspends(&mut stage, "dan", "ivy");
    stage.saw("fay");
    stage.saw("gus");
    (stage, [ada, cyd])
}

#[test]
fn whoever_agreed_and_left_while_it_was_done_is_a_deviation() {
    let (mut stage, parted) = two_leave_while_it_is_done();
    let files = stage.complete();
    assert_eq!(valid(&stage, &files).deviations, parted);
    let said = ceremonies::transcript::verify(&files, stage.genesis_sha256()).to_string();
    let [ada, cyd] = parted.map(|deviation| deviation.to_string());
    assert_eq!(said, format!("VALID WITH DEVIATIONS (rehearsal: it counts for nothing)\n- {ada}\n- {cyd}"));
    assert!(ada.contains(": ada, by whose consent it was started, does not have that role"), "{ada}");
    assert!(cyd.contains(": cyd, by whose consent it was started, is suspended since then"), "{cyd}");
    // A rogue leaves out what shows it: the roster, the word against cyd, its record.
    type Change<'c> = &'c dyn Fn(&mut Files);
    let Deviation::Parted { index, .. } = two_leave_while_it_is_done().1[1].clone() else { panic!() };
    let cases: [(Change<'_>, Step, &str); 4] = [
        (
            &|files| files.retain(|path, _| !path.starts_with("rosters/")),
            Step::Rosters,
            "the transcript of roster 2 is missing",
        ),
        (
            &|files| drop(files.remove(&format!("details/{index}.json")).unwrap()),
            Step::Details,
            "the detail of record",
        ),
        (&|files| files.retain(|path, _| !path.starts_with("beside/")), Step::Copies, "is missing"),
        (
            &|files| {
                let control = String::from_utf8(files[name::CONTROL].clone()).unwrap();
                let line = format!("{{\"index\":{index},");
                let kept: Vec<&str> = control.lines().filter(|own| !own.starts_with(&line)).collect();
                assert_eq!(kept.len() + 1, control.lines().count());
                files.insert(name::CONTROL.into(), (kept.join("\n") + "\n").into_bytes());
            },
            Step::Control,
            "record",
        ),
    ];
    for (change, step, why) in cases {
        let (mut stage, _) = two_leave_while_it_is_done();
        let files = stage.complete_with(change, |_| {}, |_| {});
        invalid(&stage, &files, step, why);
    }
}

#[test]
fn a_key_that_resumes_lifts_its_own_stop_and_nothing_else() {
    let ends = |lifts: &dyn Fn(u64) -> Vec<Lift>| {
        let mut stage = Stage::played(Mode::Rehearsal);
        stage.complete();
        let key = stage::KEY.parse::<KeyName>().unwrap();
        let body = Body::Stopped { act: None, target: StopTarget::Key(key.clone()) };
        let stop = stage.log.control_with(body, vec![], |record| record.stops = vec![Term::Key(key.clone())]);
        let finding = "A test of the detector.".parse().unwrap();
        let target = KeyResume { finding, key, stop, version: None };
        let common = stage.common(Kind::KeyResume, CeremonyId::from([9; 16]));
        stage.statement = Statement::new(common, Target::KeyResume(target)).unwrap();
        stage.propose();
        for who in ["ada", "bob", "cyd"] {
            stage.approve(who);
        }
        stage.attest("fay");
        stage.start_by_itself();
        (stage.outputs, stage.possession) = (Some(Outputs::Done), None);
        stage.executed();
        stage.saw("fay");
        let files = stage.complete_with(|_| {}, |_| {}, |record| record.lifts = lifts(stop));
        (stage, files)
    };
    let key = || Term::Key(stage::KEY.parse().unwrap());
    let (stage, files) = ends(&|index| vec![Lift { index, terms: vec![key()] }]);
    assert_eq!(valid(&stage, &files).kind, Kind::KeyResume);
    for (less, terms) in [(0, vec![key(), Term::All]), (0, vec![Term::All]), (1, vec![key()])] {
        let (stage, files) = ends(&|stop| vec![Lift { index: stop - less, terms: terms.clone() }]);
        invalid(&stage, &files, Step::Effect, "ends other stops");
    }
    let (stage, files) = ends(&|_| vec![]);
    invalid(&stage, &files, Step::Effect, "ends other stops");
}

#[test]
fn a_stop_that_another_ceremony_lifted_first_is_lifted_once() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    let body = Body::Stopped { act: None, target: StopTarget::All };
    let stop = stage.log.control_with(body, vec![], |record| record.stops = vec![Term::All]);
    let mut lift = |id: u8, lifts: Vec<Lift>| {
        let finding = "The alarm was a test.".parse().unwrap();
        let target = StopLift { finding, stop, terms: vec![Term::All] };
        let common = stage.common(Kind::StopLift, CeremonyId::from([id; 16]));
        stage.statement = Statement::new(common, Target::StopLift(target)).unwrap();
        stage.propose();
        for who in ["ada", "bob", "cyd"] {
            stage.approve(who);
        }
        stage.attest("fay");
        stage.start_by_itself();
        (stage.outputs, stage.possession, stage.spoken) = (Some(Outputs::Done), None, vec![]);
        stage.executed();
        stage.saw("fay");
        let files = stage.complete_with(|_| {}, |_| {}, |record| record.lifts = lifts);
        (stage.clone(), files)
    };
    let all = || vec![Lift { index: stop, terms: vec![Term::All] }];
    let (first, files) = lift(9, all());
    assert_eq!(valid(&first, &files).deviations, []);
    let (second, files) = lift(10, vec![]);
    assert_eq!(valid(&second, &files).deviations, [Deviation::NothingLifted { stop }]);
    // Who lifts twice what was lifted once wrote another log.
    let (third, files) = lift(11, all());
    invalid(&third, &files, Step::Effect, "ends other stops");
}
