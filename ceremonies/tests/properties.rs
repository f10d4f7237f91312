//! The ceremony invariants over generated histories: an adversarial scheduler decides what is appended, by whom, in which
//! order and by which clock, and an oracle judges from the records alone.
//!
//! A few hundred histories in every run; in a full one so many that at least 10,000 executions are started in them. C6 (gap-free
//! versions) is held by the tests of statements; C7 (rehearsal and production) here, both ways; C8 for one ceremony here, for several at once
//! by `daemon`'s `no_history_puts_looser_guardrails_in_force_within_a_day`; C9 by `c9_a_verdict_is_a_function_of_the_files_and_the_genesis_and_holds_for_no_others`.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "session/oracle.rs"]
mod oracle;
#[path = "session/room.rs"]
mod room;
#[path = "statements/samples.rs"]
mod samples;
#[path = "session/undone.rs"]
mod undone;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use ceremonies::genesis::Mode;
use ceremonies::session::{
    Decision, Event, Refusal, Seat, Session, SignedAct, Stamp, State, Step, deviations_digest,
};
use ceremonies::statement::target::Leftover;
use ceremonies::statement::{CeremonyId, Kind, Target};
use oracle::Oracle;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use proto::hash::Hash;
use proto::proof::note::{Ed25519Signer, NoteSigner as _};
use room::{PEOPLE, Room, key, person, roster};
use undone::{Counts, People, c11_what_people_did_no_more_undo};

const KINDS: [Kind; 18] = [
    Kind::PolicyChange,
    Kind::PolicyChange,
    Kind::PolicyChange,
    Kind::KeyGenerate,
    Kind::KeyGenerate,
    Kind::KeyRotateEmergency,
    Kind::KeyCompromise,
    Kind::GrantChange,
    Kind::RosterChange,
    Kind::SignBreakGlass,
    Kind::ClockReset,
    Kind::StopLift,
    Kind::KeyAdopt,
    Kind::KeyResume,
    Kind::KeyDestroy,
    Kind::BackendRebind,
    Kind::LogRekey,
    Kind::Resolve,
];

/// Something that the scheduler does.
#[derive(Clone, Debug)]
enum Move {
    /// A person decides something; `twist` may spoil the act.
    Act {
        who: usize,
        decision: u8,
        twist: u8,
    },
    /// Everybody whose turn it is does what is good: so that histories get somewhere.
    Honest {
        approve: usize,
        attest: usize,
    },
    /// Everybody does all of his part, from consent to the second attestation.
    Straight,
    /// An act of before, again, or one that was signed and not sent yet.
    Replay(prop::sample::Index),
    /// An act is signed and kept for later.
    Keep {
        who: usize,
        decision: u8,
    },
    Wait(u16),
    Back(u16),
    Clock(bool),
    Tick,
    Start {
        operator: Option<usize>,
        found: u64,
    },
    Output,
    After(usize),
    Broken(u8),
    Deviate,
    Resolve(bool),
    Roster(usize),
    Guardrails(bool),
    Suspend(usize),
}

fn moves() -> impl Strategy<Value = Move> {
    let who = 0..=PEOPLE.len();
    prop_oneof![
        6 => (who.clone(), 0..7u8, 0..24u8).prop_map(|(who, decision, twist)| Move::Act { who, decision, twist }),
        8 => (0..6usize, 0..5usize).prop_map(|(approve, attest)| Move::Honest { approve, attest }),
        1 => Just(Move::Straight),
        3 => any::<prop::sample::Index>().prop_map(Move::Replay),
        2 => (who.clone(), 0..7u8).prop_map(|(who, decision)| Move::Keep { who, decision }),
        3 => prop_oneof![4 => 1..90u16, 1 => 90..2000u16].prop_map(Move::Wait),
        1 => (1..300u16).prop_map(Move::Back),
        1 => any::<bool>().prop_map(Move::Clock),
        1 => Just(Move::Tick),
        8 => (prop::option::of(8..PEOPLE.len()), prop_oneof![9 => Just(0u64), 1 => 1..3u64])
            .prop_map(|(operator, found)| Move::Start { operator, found }),
        5 => Just(Move::Output),
        4 => (0..5usize).prop_map(Move::After),
        2 => (0..2u8).prop_map(Move::Broken),
        1 => Just(Move::Deviate),
        2 => any::<bool>().prop_map(Move::Resolve),
        1 => (0..PEOPLE.len()).prop_map(Move::Roster),
        1 => any::<bool>().prop_map(Move::Guardrails),
        1 => (0..PEOPLE.len()).prop_map(Move::Suspend),
    ]
}

fn name(who: usize) -> &'static str {
    PEOPLE.get(who).map_or("ivy", |(name, ..)| name)
}

struct Stage {
    room: Room,
    oracle: Oracle,
    /// Acts that were sent, and acts that were kept.
    acts: Vec<SignedAct>,
    reached: BTreeMap<Step, u32>,
    /// How many people did, and undid.
    people: Counts,
}

impl Stage {
    fn decision(&self, who: usize, number: u8) -> Decision {
        match number {
            0 => Decision::Approve,
            1 => Decision::Attest,
            2 => {
                let deviations = deviations_digest(&self.deviations());
                Decision::AttestAfter { outputs: Hash::of(b"outputs"), deviations }
            }
            3 => Decision::Refuse,
            4 => Decision::Abort,
            5 => {
                // One of the person's acts, or one that nobody knows.
                let act = self.acts.iter().rfind(|act| act.person.as_str() == name(who)).map(|act| act.act);
                Decision::Withdraw { act: act.unwrap_or(Hash::ZERO) }
            }
            _ => Decision::Veto,
        }
    }

    fn deviations(&self) -> Vec<Hash> {
        match self.room.session.state() {
            State::Executed(executed) => executed.execution.deviations.clone(),
            State::Executing(execution) => execution.deviations.clone(),
            _ => Vec::new(),
        }
    }

    fn append(&mut self, event: Event) {
        let (before, step) = (self.room.session.clone(), self.room.step());
        let outcome = self.room.append(event.clone());
        let (_, stamp) = *self.room.records.last().unwrap();
        match outcome {
            Ok(()) => {
                self.oracle.saw(&self.room.session, &event, stamp, step);
                c11_what_people_did_no_more_undo(&mut self.room, &self.oracle, &mut self.people);
                if self.room.step() != step {
                    *self.reached.entry(self.room.step()).or_default() += 1;
                }
            }
            // A refusal has no effect, and says something.
            Err(refusal) => {
                assert_eq!(self.room.session, before, "a refusal had an effect");
                assert!(!refusal.to_string().is_empty());
            }
        }
    }

    fn send(&mut self, act: SignedAct) {
        let known = self.acts.contains(&act) && {
            // Sent before with effect: it counts no second time.
            self.oracle
                .effects
                .iter()
                .any(|effect| matches!(&effect.event, Event::Act(sent) if **sent == act))
        };
        let before = self.room.session.clone();
        self.acts.push(act.clone());
        self.append(Event::Act(act.into()));
        assert!(!known || self.room.session == before, "C2: a replayed act had an effect");
    }

    fn act(&mut self, who: usize, decision: u8, twist: u8) {
        let decision = self.decision(who, decision);
        let mut act = self.room.act(name(who), decision);
        match twist {
            0 => act.target = Hash::of(b"another statement"),
            1 => act.key = key(&person("ada"), 0),
            2 => act.key = key(&act.person, 1),
            3 => act.head.size = 45,
            4 => act.overtaken = Some(self.room.now.earlier(Duration::from_secs(3600))),
            5 => act.expires = self.room.now.later(Duration::from_secs(1800)),
            6 => act.expires = self.room.now.earlier(Duration::from_secs(1)),
            7 => act.person = person("mallory"),
            8 => act.nonce = [0; 32].into(),
            _ => {}
        }
        self.send(act);
    }

    fn play(&mut self, turn: &Move) {
        match turn {
            Move::Act { who, decision, twist } => self.act(*who, *decision, *twist),
            Move::Honest { approve, attest } => {
                for who in 0..*approve {
                    self.act(who, 0, u8::MAX);
                }
                for who in 0..*attest {
                    self.act(5 + who, 1, u8::MAX);
                }
            }
            Move::Straight => {
                self.play(&Move::Honest { approve: 5, attest: 4 });
                self.play(&Move::Start { operator: Some(10), found: 0 });
                self.play(&Move::Output);
                self.play(&Move::After(4));
            }
            Move::Replay(index) => {
                if !self.acts.is_empty() {
                    let act = index.get(&self.acts).clone();
                    self.send(act);
                }
            }
            Move::Keep { who, decision } => {
                let decision = self.decision(*who, *decision);
                let act = self.room.act(name(*who), decision);
                self.acts.push(act);
            }
            Move::Wait(minutes) => drop(self.room.wait_minutes(u64::from(*minutes))),
            Move::Back(minutes) => {
                self.room.now = self.room.now.earlier(Duration::from_secs(60 * u64::from(*minutes)))
            }
            Move::Clock(trusted) => self.room.trusted = *trusted,
            Move::Tick => self.append(Event::Tick),
            Move::Start { operator, found } => {
                // What is to be destroyed is there, as a rule; what is to be made is not.
                let destroys = matches!(self.room.session.statement().target(), Target::KeyDestroy(_));
                let found = if destroys { u64::from(*found == 0) } else { *found };
                self.append(Event::Start { operator: operator.map(|who| person(name(who))), found });
            }
            Move::Output => self.append(Event::Output { outputs: Hash::of(b"outputs") }),
            Move::After(witnesses) => {
                for who in 0..*witnesses {
                    self.act(5 + who, 2, u8::MAX);
                }
            }
            Move::Broken(how) => self.append(if *how == 0 { Event::NothingDone } else { Event::Interrupted }),
            Move::Deviate => {
                let deviation = Hash::of(&self.room.index.to_be_bytes());
                self.append(Event::Deviation { deviation, person: person("oscar") });
            }
            Move::Resolve(destroy) => {
                let leftover = if *destroy { Leftover::Destroy } else { Leftover::Abandon };
                self.append(Event::Resolved { by: CeremonyId::from([9; 16]), leftover });
            }
            Move::Roster(leaves) => {
                let version = 3 + u64::try_from(*leaves).unwrap();
                self.append(Event::Roster(roster(version, |people: &mut BTreeMap<_, Seat>| {
                    people.remove(&person(name(*leaves)));
                })));
            }
            Move::Guardrails(same) => {
                self.append(Event::Guardrails(samples::version(if *same { 3 } else { 4 }, "guardrails")));
            }
            Move::Suspend(who) => {
                // Who is suspended is so no more.
                let mut suspended = self.oracle.suspended.clone();
                if !suspended.remove(&person(name(*who))) {
                    suspended.insert(person(name(*who)));
                }
                self.append(Event::Suspended(suspended));
            }
        }
    }
}

fn is_full() -> bool {
    std::env::var_os("COUNTERSIGN_FULL").is_some()
}

/// How many executions there are in a full run, at least.
const EXECUTIONS: u32 = 10_000;

/// How many histories: a few in every run, and in a full one as many as so many executions take. Four in ten get so far.
fn histories() -> u32 {
    if is_full() { EXECUTIONS * 13 / 5 } else { 600 }
}

#[test]
fn the_invariants_c1_to_c6_c8_c10_and_c11_hold_in_every_history() {
    let reached = RefCell::new(BTreeMap::<Step, u32>::new());
    let people_of_all = RefCell::new(Counts::new());
    let config = Config { cases: histories(), failure_persistence: None, ..Config::default() };
    let histories = (0..KINDS.len(), prop::collection::vec(moves(), 5..60));
    let run = TestRunner::new(config).run(&histories, |(kind, moves)| {
        // Of the first kind what makes nothing looser.
        let room = Room::with(room::statement(KINDS[kind], |_, target| {
            if let Target::PolicyChange(change) = target {
                change.loosens = kind > 0;
            }
        }));
        let oracle = Oracle::new(&room.session);
        let (reached_here, people) = (BTreeMap::new(), Counts::new());
        let mut stage = Stage { room, oracle, acts: Vec::new(), reached: reached_here, people };
        for turn in &moves {
            stage.play(turn);
        }
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
    for kind in KINDS {
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
