#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use std::sync::LazyLock;

use ceremonies::cast::{Beginning, Begun, Cast};
use ceremonies::genesis::Mode;
use ceremonies::session::Step;
use proptest::prelude::*;
use proto::algorithm::Algorithm;
use proto::canonical::Map;
use proto::operation::OperationId;
use proto::proof::note::{Ed25519Signer, NoteSigner as _};
use proto::purpose::{Kind, Purpose};
use proto::reason::Reason;
use proto::record::ceremony::{Completed, Effect as InForceNow};
use proto::record::{Actor, ActorKind, Ceremony, ControlDetail, Lift, Times};
use proto::time::Time;

use super::*;
use crate::keys::state::VersionState;
use crate::keys::trial;

const GUARDRAILS: &str = "[log]\nleaves = \"private\"\n";

fn signed(mode: Mode) -> Begun {
    let origin = if mode == Mode::Production { "log.example.org" } else { "rehearsal.example.org" };
    let key = Ed25519Signer::from_seed(origin, &[7; 32]).unwrap();
    let begun = Cast::new([9; 32], mode).begin(Beginning {
        allow_software_backend: false,
        at: Time::from_microseconds(1),
        environment: &"test".parse().unwrap(),
        grants: "grants",
        guardrails: GUARDRAILS,
        instance: &"signing.example.org".parse().unwrap(),
        log_key: &key.verifier().to_string().parse().unwrap(),
        origin: &origin.parse().unwrap(),
    });
    begun.unwrap()
}

fn detail(documents: Map<String>) -> Vec<u8> {
    ControlDetail { documents, reason: None, salt: [0; 16].into() }.encode().unwrap().0
}

fn first(begun: &Begun) -> ControlRecord {
    record(Hash::ZERO, Body::Genesis { statement: begun.genesis.statement().to_value() })
}

fn begun_as(mode: Mode) -> State {
    let begun = signed(mode);
    State::genesis(hash(0), &first(&begun), Some(&detail(begun.documents))).unwrap()
}

fn record(previous: Hash, body: Body) -> ControlRecord {
    let time = Times::asked(Time::from_microseconds(1));
    let actor = Actor { id: "unix:0".into(), kind: ActorKind::Operator };
    let operation = OperationId::new(1, [0; 10]);
    let (stops, lifts, touches) = (Vec::new(), Vec::new(), vec![Term::All]);
    ControlRecord { actor, body, detail: None, lifts, operation, previous, stops, time, touches }
}

fn hash(index: u64) -> Hash {
    Hash::of(&index.to_be_bytes())
}

/// Signed once: what follows is tried thousands of times.
fn begun() -> State {
    static BEGUN: LazyLock<State> = LazyLock::new(|| begun_as(Mode::Rehearsal));
    BEGUN.clone()
}

fn arrived(key: &str, spki: &[u8]) -> Arrived {
    Arrived {
        algorithm: Algorithm::EcdsaP256Sha256,
        backend: "hsm-a".into(),
        key: key.parse().unwrap(),
        key_id: KeyId::of_spki(spki),
        locator: "pkcs11:object=a".into(),
        owner: "release team".into(),
        public_key: spki.to_vec(),
        purpose: Purpose::new([Kind::Blob]).unwrap(),
        serial: None,
        version: 1,
    }
}

fn next(state: &mut State, body: Body, stops: Vec<Term>) -> Result<Effect, FoldError> {
    let index = state.head().index + 3;
    let record = ControlRecord { stops, ..record(state.head().hash, body) };
    state.apply(index, hash(index), &record, None)
}

/// The records of a ceremony that brings a key, from the next index on.
fn steps(state: &State, arrived: &Arrived) -> Vec<trial::Step> {
    static CAST: LazyLock<Cast> = LazyLock::new(|| Cast::new([9; 32], Mode::Rehearsal));
    let at = Time::from_microseconds(1);
    trial::birth(state, &CAST, GUARDRAILS, arrived, state.head().index + 1, at)
}

/// Applies steps, each at the next index, until one is refused.
fn take(state: &mut State, steps: Vec<trial::Step>) -> Result<Effect, FoldError> {
    let mut effect = Effect::Nothing;
    for (body, detail) in steps {
        let index = state.head().index + 1;
        let record = record(state.head().hash, body);
        effect = state.apply(index, hash(index), &record, detail.as_deref())?;
    }
    Ok(effect)
}

fn bring(state: &mut State, key: &str, spki: &[u8]) -> Result<Effect, FoldError> {
    take(state, steps(state, &arrived(key, spki)))
}

fn stop(state: &mut State, target: StopTarget) -> Result<Effect, FoldError> {
    let terms = state.terms_of(&target).unwrap();
    next(state, Body::Stopped { act: None, target }, terms)
}

fn version(key: &str, version: u32) -> StopTarget {
    StopTarget::Version { key: key.parse().unwrap(), version }
}

fn refused(state: &mut State, expected: &str, result: impl FnOnce(&mut State) -> Result<Effect, FoldError>) {
    let before = state.clone();
    let error = result(state).unwrap_err().to_string();
    assert!(error.contains(expected), "expected {expected:?} in {error:?}");
    assert_eq!(*state, before, "a refused record changes nothing");
}

#[test]
fn genesis_begins_an_instance_and_nothing_else_does() {
    let (state, begun) = (begun_as(Mode::Production), signed(Mode::Production));
    assert_eq!(state.genesis_sha256(), begun.genesis.digest());
    assert_eq!(state.instance(), &begun.genesis);
    assert_eq!(
        state.guardrails(),
        InForce { sha256: Hash::of(GUARDRAILS.as_bytes()), index: 0, version: 1, proposed: None }
    );
    let stored = detail(begun.documents.clone());
    let other = record(Hash::ZERO, Body::Anchor { place: "/a".into() });
    let refusal = |record: &ControlRecord, detail: Option<&[u8]>| {
        State::genesis(hash(0), record, detail).unwrap_err().to_string()
    };
    let first = first(&begun);
    assert!(refusal(&other, Some(&stored)).contains("record 0 is a `log.anchor`"));
    assert!(refusal(&first, None).contains("record 0 has no detail"));
    assert!(refusal(&first, Some(b"{}")).contains("salt"));
    let unsigned = begun.documents.iter().filter(|(name, _)| !name.ends_with(".carol"));
    let unsigned = detail(unsigned.map(|(name, text)| (name.to_owned(), text.clone())).collect());
    assert!(refusal(&first, Some(&unsigned)).contains("the approval of `carol` is missing"));
    let late = ControlRecord { time: Times::asked(Time::from_microseconds(i64::MAX)), ..first.clone() };
    assert!(refusal(&late, Some(&stored)).contains("is good from"));
    let chained = ControlRecord { previous: hash(7), ..first.clone() };
    assert!(refusal(&chained, Some(&stored)).contains("names a record before it"));
    let statement = begun.genesis.statement().to_value();
    refused(&mut begun_as(Mode::Production), "a second `genesis`", |s| {
        next(s, Body::Genesis { statement }, vec![])
    });
}

#[test]
fn a_key_that_a_ceremony_brings_signs_until_it_is_stopped() {
    let mut state = begun();
    assert_eq!(bring(&mut state, "a", b"1").unwrap(), Effect::Brought("a@1".parse().unwrap()));
    bring(&mut state, "b", b"2").unwrap();
    let name = "a".parse().unwrap();
    let active = state.ring(&name).unwrap().active().unwrap();
    assert_eq!((active.version, active.state(), active.state_index()), (1, VersionState::Active, 10));
    assert_eq!(
        stop(&mut state, StopTarget::Key("a".parse().unwrap())).unwrap(),
        Effect::Stopped(vec![Term::Key("a".parse().unwrap())])
    );
    let ring = state.ring(&name).unwrap();
    assert_eq!(
        (ring.active(), ring.phase().name(), ring.newest().state()),
        (None, "halted", VersionState::Suspended)
    );
    assert_eq!(ring.newest().state_index(), 23);
    let (standing, term) = state.covering(&ring.newest().terms()).unwrap();
    assert_eq!((standing.index, term.stopped_reason()), (23, Reason::KeySuspended));
    assert!(state.ring(&"b".parse().unwrap()).unwrap().active().is_some());
}

#[test]
fn a_completion_that_its_ceremony_does_not_bear_out_is_no_history() {
    let completion = |steps: &mut Vec<trial::Step>| {
        let Some((Body::Ceremony(Ceremony::Completed(completed)), None)) = steps.pop() else {
            panic!("no completion")
        };
        completed
    };
    let body = |completed: Box<Completed>| Body::Ceremony(Ceremony::Completed(completed));
    let mut state = begun();
    let all = steps(&state, &arrived("a", b"1"));
    // Of nothing, and after every step but the last.
    for so_far in 0..all.len() - 1 {
        let mut state = begun();
        let mut taken = all[..so_far].to_vec();
        take(&mut state, taken.clone()).unwrap();
        taken = all.clone();
        let completed = body(completion(&mut taken));
        let expected = if so_far == 0 { "of which there is none" } else { "is not executed and attested" };
        refused(&mut state, expected, |s| next(s, completed, vec![]));
        assert!(state.ring(&"a".parse().unwrap()).is_none());
    }
    let mut taken = all;
    let completed = completion(&mut taken);
    take(&mut state, taken).unwrap();
    let with = |change: &dyn Fn(&mut Completed)| {
        let mut completed = completed.clone();
        change(&mut completed);
        body(completed)
    };
    let other_key = arrived("a", b"2");
    let owner = Arrived { owner: "others".into(), ..arrived("a", b"1") };
    for (changed, expected) in [
        (with(&|c| c.outputs = Hash::of(b"?")), "other outputs"),
        (with(&|c| c.statement = Hash::of(b"?")), "another statement"),
        (with(&|c| c.effect = InForceNow::Key(Box::new(other_key.clone()))), "another effect"),
        (with(&|c| c.effect = InForceNow::Key(Box::new(owner.clone()))), "another effect"),
        (with(&|c| c.effect = InForceNow::Lifts), "another effect"),
    ] {
        refused(&mut state, expected, |s| next(s, changed, vec![]));
    }
    let lifting = ControlRecord {
        lifts: vec![Lift { index: 0, terms: vec![Term::All] }],
        ..record(state.head().hash, body(completed.clone()))
    };
    refused(&mut state, "other stops to end", |s| s.apply(99, hash(99), &lifting, None));
    next(&mut state, body(completed.clone()), vec![]).unwrap();
    // Twice is once.
    let before = state.rings().cloned().collect::<Vec<_>>();
    next(&mut state, body(completed), vec![]).unwrap();
    assert_eq!(state.rings().cloned().collect::<Vec<_>>(), before);
}

#[test]
fn a_proposal_without_effect_takes_its_id_with_it() {
    let cast = Cast::new([9; 32], Mode::Rehearsal);
    let drafted = |state: &State| {
        trial::birth(state, &cast, GUARDRAILS, &arrived("a", b"1"), 9, Time::from_microseconds(1))
    };
    let others = |state: &mut State| next(state, Body::Policy { sha256: hash(7) }, vec![]).unwrap();
    let back = |state: &mut State| {
        next(state, Body::Policy { sha256: Hash::of(GUARDRAILS.as_bytes()) }, vec![]).unwrap()
    };
    // Over other guardrails than those in force, and over a version of them that is in force no more.
    for in_force_again in [false, true] {
        let mut state = begun();
        let void = drafted(&state)[..1].to_vec();
        others(&mut state);
        if in_force_again {
            back(&mut state);
        }
        take(&mut state, void).unwrap();
        if !in_force_again {
            back(&mut state);
        }
        let mut again = drafted(&state);
        let Some((Body::Ceremony(proposed), _)) = again.first() else { panic!("no proposal") };
        let id = proposed.ceremony();
        assert!(state.sessions().was_proposed(id));
        let completion = again.pop().unwrap();
        take(&mut state, again).unwrap();
        assert!(state.sessions().find(id).is_none());
        refused(&mut state, "of which there is none", |state| take(state, vec![completion]));
    }
}

#[test]
fn a_name_and_a_key_pair_come_once() {
    let mut state = begun();
    bring(&mut state, "a", b"1").unwrap();
    // The start of a ceremony for a name that is taken has no effect, and its completion would be no history.
    let error = bring(&mut state, "a", b"2").unwrap_err().to_string();
    assert!(error.contains("there is such a key already"), "{error}");
    let second = state.sessions().iter().map(|(_, held)| held.session.state().step()).collect::<Vec<_>>();
    assert!(second.contains(&Step::Armed), "{second:?}");
    let error = bring(&mut state, "b", b"1").unwrap_err().to_string();
    assert!(error.contains("is a@1 already"), "{error}");
    assert_eq!(state.rings().count(), 1);
}

#[test]
fn details_that_are_not_what_their_records_name_are_no_history() {
    let all = steps(&begun(), &arrived("a", b"1"));
    for (position, (_, detail)) in all.iter().enumerate().filter(|(_, (_, detail))| detail.is_some()) {
        for bad in [
            None,
            Some(b"{}".to_vec()),
            detail.as_ref().map(|detail| {
                String::from_utf8_lossy(detail).replace("countersign.", "countersigned.").into_bytes()
            }),
        ] {
            let mut state = begun();
            take(&mut state, all[..position].to_vec()).unwrap();
            let (body, _) = all[position].clone();
            refused(&mut state, "its detail lacks", |s| take(s, vec![(body, bad)]));
        }
    }
}

#[test]
fn records_out_of_place() {
    let mut state = begun();
    bring(&mut state, "a", b"1").unwrap();
    let body = || Body::Policy { sha256: hash(9) };
    refused(&mut state, "is not after", |s| s.apply(10, hash(10), &record(s.head().hash, body()), None));
    refused(&mut state, "does not name the control record before it", |s| {
        s.apply(19, hash(19), &record(hash(0), body()), None)
    });
    refused(&mut state, "as only record 0 does", |s| {
        s.apply(19, hash(19), &record(Hash::ZERO, body()), None)
    });
}

#[test]
fn records_that_do_what_their_kind_does_not() {
    let mut state = begun();
    bring(&mut state, "a", b"1").unwrap();
    refused(&mut state, "stops something, as it never does", |s| {
        next(s, Body::Policy { sha256: hash(9) }, vec![Term::All])
    });
    let a = || StopTarget::Key("a".parse().unwrap());
    refused(&mut state, "not those of its target", |s| {
        next(s, Body::Stopped { act: None, target: a() }, vec![])
    });
    refused(&mut state, "not those of its target", |s| {
        next(s, Body::Stopped { act: None, target: a() }, vec![Term::All])
    });
    refused(&mut state, "not those of its target", |s| {
        next(s, Body::Stopped { act: None, target: version("a", 7) }, vec![Term::All])
    });
    refused(&mut state, "lifts a stop", |s| {
        let lifts = vec![Lift { index: 1, terms: vec![Term::All] }];
        s.apply(
            19,
            hash(19),
            &ControlRecord { lifts, ..record(s.head().hash, Body::Policy { sha256: hash(9) }) },
            None,
        )
    });
    refused(&mut state, "touches everything", |s| {
        s.apply(
            19,
            hash(19),
            &ControlRecord { touches: vec![], ..record(s.head().hash, Body::Grant { sha256: hash(9) }) },
            None,
        )
    });
    next(&mut state, Body::Anchor { place: "/a".into() }, vec![]).unwrap();
    refused(&mut state, "is an anchor already", |s| next(s, Body::Anchor { place: "/a".into() }, vec![]));
    for indices in [vec![], vec![2, 1], vec![1, 1], vec![99]] {
        refused(&mut state, "earlier records, sorted", |s| next(s, Body::Redacted { indices }, vec![]));
    }
    assert_eq!(next(&mut state, Body::Redacted { indices: vec![1, 2] }, vec![]).unwrap(), Effect::Nothing);
}

#[test]
fn policy_records_put_their_files_in_force() {
    let mut state = begun();
    next(&mut state, Body::Policy { sha256: hash(7) }, vec![]).unwrap();
    next(&mut state, Body::Grant { sha256: hash(8) }, vec![]).unwrap();
    assert_eq!(state.guardrails(), InForce { sha256: hash(7), index: 3, version: 2, proposed: None });
    assert_eq!(state.grants(), InForce { sha256: hash(8), index: 6, version: 2, proposed: None });
    assert_eq!(state.head(), Head { index: 6, hash: hash(6) });
}

#[test]
fn a_stop_says_what_still_signs() {
    let mut state = begun();
    bring(&mut state, "a", b"1").unwrap();
    let elsewhere = Arrived { backend: "hsm-b".into(), ..arrived("b", b"3") };
    let brought = steps(&state, &elsewhere);
    take(&mut state, brought).unwrap();
    let still = |state: &State, target: StopTarget| -> Vec<String> {
        state.still_signing(&target).iter().map(ToString::to_string).collect()
    };
    assert_eq!(still(&state, version("a", 1)), [""; 0]);
    assert_eq!(still(&state, StopTarget::Key("a".parse().unwrap())), [""; 0]);
    assert_eq!(still(&state, StopTarget::Backend("hsm-a".into())), ["b@1"]);
    assert_eq!(still(&state, StopTarget::Caller("unix:0".into())), ["a@1", "b@1"]);
    assert_eq!(still(&state, StopTarget::All), [""; 0]);
    stop(&mut state, StopTarget::Backend("hsm-b".into())).unwrap();
    assert_eq!(still(&state, StopTarget::Caller("unix:0".into())), ["a@1"]);
}

#[test]
fn every_term_has_its_reason() {
    for (target, reason) in [
        (StopTarget::All, Reason::AllStopped),
        (StopTarget::Backend("b".into()), Reason::BackendStopped),
        (StopTarget::Caller("unix:0".into()), Reason::CallerStopped),
        (StopTarget::Issuer("i".into()), Reason::CallerStopped),
        (StopTarget::Claim { name: "n".into(), value: "v".into() }, Reason::CallerStopped),
    ] {
        assert_eq!(begun().terms_of(&target).unwrap()[0].stopped_reason(), reason);
    }
    assert_eq!(begun().terms_of(&StopTarget::Key("unknown".parse().unwrap())), None);
}

/// What somebody tries.
#[derive(Clone, Debug)]
enum Try {
    /// So many records of a ceremony that brings this key.
    Bring(usize, u8, usize),
    StopKey(usize),
    StopVersion(usize, u32),
    StopAll,
    Policy,
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let one = prop_oneof![
        6 => (0..3usize, any::<u8>(), 1..=10usize).prop_map(|(key, spki, steps)| Try::Bring(key, spki, steps)),
        1 => (0..3usize).prop_map(Try::StopKey),
        4 => (0..3usize, 1..3u32).prop_map(|(key, version)| Try::StopVersion(key, version)),
        1 => Just(Try::StopAll),
        1 => Just(Try::Policy),
    ];
    prop::collection::vec(one, 0..12)
}

/// A record that was taken, and its detail.
type Taken = (u64, ControlRecord, Option<Vec<u8>>);

fn attempt(state: &mut State, what: &Try) -> Vec<Taken> {
    const KEYS: [&str; 3] = ["a", "b", "c/d"];
    let target = match what {
        Try::StopKey(key) => Some(StopTarget::Key(KEYS[*key].parse().unwrap())),
        Try::StopVersion(key, number) => Some(version(KEYS[*key], *number)),
        Try::StopAll => Some(StopTarget::All),
        Try::Bring(..) | Try::Policy => None,
    };
    let stops = target.as_ref().and_then(|target| state.terms_of(target)).unwrap_or_default();
    let bodies = match (what, target) {
        (_, Some(target)) => vec![(Body::Stopped { act: None, target }, None)],
        // At least to the end for whoever goes so far, else abandoned on the way.
        (Try::Bring(key, spki, count), None) => {
            let mut steps = steps(state, &arrived(KEYS[*key], &[*spki]));
            steps.truncate(if *count > 4 { 10 } else { *count * 2 });
            steps
        }
        // The same text again: another version of the guardrails.
        (_, None) => vec![(Body::Policy { sha256: Hash::of(GUARDRAILS.as_bytes()) }, None)],
    };
    let mut taken = Vec::new();
    for (body, detail) in bodies {
        let index = state.head().index + 1;
        let record = ControlRecord { stops: stops.clone(), ..record(state.head().hash, body) };
        let before = state.clone();
        match state.apply(index, hash(index), &record, detail.as_deref()) {
            Ok(_) => taken.push((index, record, detail)),
            Err(_) => {
                assert_eq!(*state, before, "a refused record changes nothing");
                break;
            }
        }
    }
    taken
}

proptest! {
    // A ceremony is ten records, each played by its session: fewer and shorter histories than elsewhere.
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Invariant: no history brings a key twice, and what a stop of a key or version covers does not sign.
    #[test]
    fn what_a_stop_covers_does_not_sign(tries in tries()) {
        let mut state = begun();
        let mut brought = std::collections::BTreeMap::new();
        for what in &tries {
            attempt(&mut state, what);
            for ring in state.rings() {
                let version = ring.newest();
                let first = *brought.entry(ring.name().clone()).or_insert(version.key_id);
                prop_assert_eq!((version.version, version.key_id), (1, first));
                let [key, id, _] = version.terms();
                let covered = state.stops().any(|stop| stop.terms.contains(&key) || stop.terms.contains(&id));
                prop_assert_eq!(covered, version.state() == VersionState::Suspended);
                prop_assert_eq!(covered, ring.active().is_none());
            }
        }
    }

    /// Invariant: a history folds to one state, however often, and from its bytes as well.
    #[test]
    fn folding_twice_gives_equal_states(tries in tries()) {
        let mut state = begun();
        let history: Vec<_> = tries.iter().flat_map(|what| attempt(&mut state, what)).collect();
        let mut again = begun();
        for (index, record, detail) in &history {
            let leaf = proto::canonical::to_vec(record).unwrap();
            let record = ControlRecord::parse(&leaf).unwrap();
            again.apply(*index, hash(*index), &record, detail.as_deref()).unwrap();
        }
        prop_assert_eq!(again, state);
    }
}

mod recovered;
