//! The ceremony invariants over generated histories: an adversarial scheduler decides what is proposed and appended, by whom, in
//! which order and by which clock, and an oracle judges from the records alone.
//!
//! A few hundred histories in every run; in a full one so many that at least 10,000 executions are started in them. C6 (gap-free
//! versions) is held by the tests of statements, too; C7 (rehearsal and production) here, both ways; C8 for one ceremony here, for several
//! at once by `daemon`'s `no_history_puts_looser_guardrails_in_force_within_a_day`; C9 by
//! `c9_a_verdict_is_a_function_of_the_files_and_the_genesis_and_holds_for_no_others`.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "session/casts.rs"]
mod casts;
#[path = "session/model.rs"]
mod model;
#[path = "session/moves.rs"]
mod moves;
#[path = "session/oracle.rs"]
mod oracle;
#[path = "session/room.rs"]
mod room;
#[path = "statements/samples.rs"]
mod samples;
#[path = "session/stage.rs"]
mod stage;
#[path = "session/undone.rs"]
mod undone;

use std::cell::RefCell;
use std::collections::BTreeMap;

use casts::{KINDS, Proposal, Setting, may_open, settings};
use ceremonies::genesis::Mode;
use ceremonies::session::{Refusal, Session, Stamp, Step};
use ceremonies::statement::{Kind, Target};
use model::Model;
use moves::{Move, moves};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use proto::proof::note::{Ed25519Signer, NoteSigner as _};
use room::{Room, roster};
use stage::Stage;
use undone::{Counts, People};

/// After the end so many moves are made: nothing follows.
const AFTERMATH: usize = 4;

fn is_full() -> bool {
    std::env::var_os("COUNTERSIGN_FULL").is_some()
}

/// How many executions there are in a full run, at least.
const EXECUTIONS: u32 = 10_000;

/// How many histories: a few in every run, and in a full one as many as so many executions take. Four in ten get so far.
fn histories() -> u32 {
    if is_full() { EXECUTIONS * 13 / 5 } else { 600 }
}

/// Opens what is proposed, exactly where it may be.
fn opened(proposal: &Proposal) -> Option<Session> {
    let Proposal { statement, in_force, next, stamp } = proposal.clone();
    match (Session::open(statement, &in_force, next, stamp), may_open(proposal)) {
        (Ok(session), Ok(())) => Some(session),
        (Ok(_), Err(broken)) => panic!("{broken}"),
        (Err(refusal), Ok(())) => panic!("C2: a good proposal was refused: {refusal}"),
        (Err(_), Err(_)) => None,
    }
}

/// A history: what is wrong is proposed, then what is good; then the scheduler has its way.
fn played(setting: Setting, moves: &[Move]) -> Stage {
    drop(opened(&setting.spoilt()));
    let proposal = setting.proposal();
    let session = opened(&proposal).expect("a good proposal");
    let mut room = Room::of(session, proposal.stamp);
    room.signs = setting.cast.signs();
    let mut stage = Stage::new(room, Model::new(&proposal), setting);
    let mut over = 0;
    for turn in moves {
        over += usize::from(stage.room.step().is_end());
        if over > AFTERMATH {
            break;
        }
        stage.play(turn);
    }
    stage
}

#[test]
fn the_invariants_c1_to_c8_c10_and_c11_hold_in_every_history() {
    let reached = RefCell::new(BTreeMap::<Step, u32>::new());
    let people_of_all = RefCell::new(Counts::new());
    let config = Config { cases: histories(), failure_persistence: None, ..Config::default() };
    let histories = (settings(), prop::collection::vec(moves(), 5..60));
    let run = TestRunner::new(config).run(&histories, |(setting, moves)| {
        let stage = played(setting, &moves);
        // The session is the fold of its records: with the refused ones, and without them.
        let room = &stage.room;
        let all = room.records.iter().map(|(event, stamp)| (event, *stamp));
        prop_assert_eq!(&room.opened.clone().fold(all), &room.session);
        let taken = stage.oracle.effects.iter().map(|effect| (&effect.event, effect.stamp));
        prop_assert_eq!(&room.opened.clone().fold(taken), &room.session);
        let mut reached = reached.borrow_mut();
        for (step, times) in stage.reached {
            *reached.entry(step).or_default() += times;
        }
        let mut people = people_of_all.borrow_mut();
        for (kind, here) in stage.people {
            let all = people.entry(kind).or_insert(here);
            all.fewest_to_do = all.fewest_to_do.min(here.fewest_to_do);
            all.most_to_stop = all.most_to_stop.max(here.most_to_stop);
        }
        Ok(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
    // C11, over all of them: of every kind some could be stopped, and, where there are many histories, some were done.
    let people = people_of_all.into_inner();
    for (_, kind) in KINDS {
        let People { fewest_to_do, most_to_stop } = people[kind.name()];
        assert!(most_to_stop > 0 && (!is_full() || fewest_to_do < usize::MAX), "{kind}: {people:?}");
        assert!(most_to_stop <= fewest_to_do, "C11: {kind}: {people:?}");
    }
    // A property of histories that get nowhere says nothing.
    let reached = reached.into_inner();
    let of = |step| reached.get(&step).copied().unwrap_or(0);
    let cases = self::histories();
    assert!(!is_full() || of(Step::Executing) >= EXECUTIONS, "{reached:?}");
    assert!(of(Step::Executing) > cases / 5 && of(Step::Completed) > cases / 40, "{reached:?}");
    for step in [
        Step::Vetoed,
        Step::Expired,
        Step::Superseded,
        Step::Aborted,
        Step::Failed,
        Step::Indeterminate,
        Step::Waiting,
    ] {
        assert!(of(step) > 0, "{step} was never reached: {reached:?}");
    }
}

#[test]
fn c7_no_statement_of_production_is_held_in_a_rehearsal_nor_the_reverse() {
    let modes = [Mode::Production, Mode::Rehearsal];
    let origin = |mode| match mode {
        Mode::Production => "log.example.org".parse().unwrap(),
        Mode::Rehearsal => samples::common(Kind::KeyGenerate).log.origin,
    };
    let held = |kind: Kind, of: Mode, held: Mode, same_log: bool| {
        let statement = room::statement(kind, |common, target| {
            (common.mode, common.log.origin) = (of, origin(of));
            // Keys of a log have its name.
            let key = |seed, of: &str| {
                let signer = Ed25519Signer::from_seed(of, &[seed; 32]).unwrap();
                signer.verifier().to_string().parse().unwrap()
            };
            match target {
                Target::LogRekey(rekey) if of == Mode::Production => {
                    (rekey.replaces, rekey.log_key) = (key(1, "log.example.org"), key(2, "log.example.org"));
                }
                Target::LogRecover(recover) if of == Mode::Production => {
                    recover.origin = "second.example.org".parse().unwrap();
                    (recover.replaces, recover.log_key) =
                        (key(1, "log.example.org"), key(2, "second.example.org"));
                }
                _ => {}
            }
        });
        let mut in_force = room::in_force(roster(2, |_| {}));
        in_force.mode = held;
        in_force.origin = if same_log { origin(of) } else { origin(held) };
        let next = matches!(kind, Kind::RosterChange).then(room::next_roster);
        let stamp = Stamp { index: 50, time: statement.common().not_before, trusted: true };
        Session::open(statement, &in_force, next, stamp).map(drop)
    };
    for kind in Kind::ALL.iter().copied().filter(|kind| *kind != Kind::Genesis) {
        for of in modes {
            assert_eq!(held(kind, of, of, true), Ok(()), "{kind}: {of:?}");
            let other = if of == Mode::Production { Mode::Rehearsal } else { Mode::Production };
            // Also where an instance of the other mode has taken the name of the log.
            for same_log in [false, true] {
                let refused = Err(Refusal::Instance { field: "mode" });
                assert_eq!(
                    held(kind, of, other, same_log),
                    refused,
                    "{kind}: {of:?} where {other:?} is held"
                );
            }
        }
    }
}
