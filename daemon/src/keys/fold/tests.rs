#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use ceremonies::genesis::{Mode, SCHEMA};
use proptest::prelude::*;
use proto::algorithm::Algorithm;
use proto::operation::OperationId;
use proto::purpose::{Kind, Purpose};
use proto::reason::Reason;
use proto::record::{Actor, ActorKind, Lift, Times};
use proto::time::Time;

use super::*;
use crate::keys::state::VersionState;

fn genesis() -> Genesis {
    Genesis {
        allow_software_backend: false,
        environment: "test".into(),
        grants: Hash::of(b"grants"),
        guardrails: Hash::of(b"guardrails"),
        instance: "signing.example.org".into(),
        log_key: "rehearsal.example.org+00000000+AAAA".into(),
        mode: Mode::Rehearsal,
        origin: "rehearsal.example.org".parse().unwrap(),
        schema: SCHEMA.into(),
    }
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

fn begun() -> State {
    let statement = genesis().to_value().unwrap();
    State::genesis(hash(0), &record(Hash::ZERO, Body::Genesis { statement })).unwrap()
}

fn enrolled(key: &str, version: u32, spki: &[u8]) -> Enrolled {
    Enrolled {
        algorithm: Algorithm::EcdsaP256Sha256,
        backend: "hsm-a".into(),
        key: key.parse().unwrap(),
        key_id: KeyId::of_spki(spki),
        locator: "pkcs11:object=a".into(),
        owner: "release team".into(),
        public_key: spki.to_vec(),
        purpose: Purpose::new([Kind::Blob]).unwrap(),
        serial: None,
        version,
    }
}

fn next(state: &mut State, body: Body, stops: Vec<Term>) -> Result<Effect, FoldError> {
    let index = state.head().index + 3;
    let record = ControlRecord { stops, ..record(state.head().hash, body) };
    state.apply(index, hash(index), &record)
}

fn enrol(state: &mut State, key: &str, version: u32, spki: &[u8]) -> Result<Effect, FoldError> {
    next(state, Body::Enrolled(enrolled(key, version, spki)), vec![])
}

fn stop(state: &mut State, target: StopTarget) -> Result<Effect, FoldError> {
    let terms = state.terms_of(&target).unwrap();
    next(state, Body::Stopped { target }, terms)
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
    let state = begun();
    assert_eq!(state.genesis_sha256(), genesis().digest().unwrap());
    assert_eq!(state.guardrails(), InForce { sha256: Hash::of(b"guardrails"), index: 0 });
    let other = record(Hash::ZERO, Body::Anchor { place: "/a".into() });
    assert!(matches!(State::genesis(hash(0), &other), Err(FoldError::NoGenesis { kind: "log.anchor" })));
    let production =
        Genesis { mode: Mode::Production, origin: "log.example.org".parse().unwrap(), ..genesis() };
    let statement = production.to_value().unwrap();
    let error = State::genesis(hash(0), &record(Hash::ZERO, Body::Genesis { statement })).unwrap_err();
    assert!(error.to_string().contains("needs a roster"), "{error}");
    let statement = genesis().to_value().unwrap();
    let chained = record(hash(7), Body::Genesis { statement: statement.clone() });
    assert!(matches!(State::genesis(hash(0), &chained), Err(FoldError::Order { .. })));
    refused(&mut begun(), "a second `genesis`", |s| next(s, Body::Genesis { statement }, vec![]));
}

#[test]
fn an_enrolled_version_signs_until_it_is_stopped() {
    let mut state = begun();
    enrol(&mut state, "a", 1, b"1").unwrap();
    enrol(&mut state, "b", 1, b"2").unwrap();
    let name = "a".parse().unwrap();
    let active = state.ring(&name).unwrap().active().unwrap();
    assert_eq!((active.version, active.state(), active.state_index()), (1, VersionState::Active, 3));
    assert_eq!(
        stop(&mut state, StopTarget::Key("a".parse().unwrap())).unwrap(),
        Effect::Stopped(vec![Term::Key("a".parse().unwrap())])
    );
    let ring = state.ring(&name).unwrap();
    assert_eq!(
        (ring.active(), ring.phase().name(), ring.newest().state()),
        (None, "halted", VersionState::Suspended)
    );
    assert_eq!(ring.newest().state_index(), 9);
    let (standing, term) = state.covering(&ring.newest().terms()).unwrap();
    assert_eq!((standing.index, term.stopped_reason()), (9, Reason::KeySuspended));
    assert!(state.ring(&"b".parse().unwrap()).unwrap().active().is_some());
}

#[test]
fn after_the_stop_of_a_version_the_next_one_can_be_enrolled() {
    let mut state = begun();
    enrol(&mut state, "a", 1, b"1").unwrap();
    stop(&mut state, version("a", 1)).unwrap();
    enrol(&mut state, "a", 2, b"2").unwrap();
    let ring = state.ring(&"a".parse().unwrap()).unwrap();
    let states: Vec<_> = ring.versions().map(|v| (v.version, v.state())).collect();
    assert_eq!(states, [(1, VersionState::Suspended), (2, VersionState::Active)]);
    assert_eq!(state.version(&KeyId::of_spki(b"1")).unwrap().version, 1);
}

#[test]
fn enrolments_that_cannot_be() {
    let mut state = begun();
    enrol(&mut state, "a", 1, b"1").unwrap();
    refused(&mut state, "is a@1 already", |s| enrol(s, "b", 1, b"1"));
    refused(&mut state, "while a@1 is active", |s| enrol(s, "a", 2, b"2"));
    refused(&mut state, "whose next version is 2", |s| enrol(s, "a", 3, b"2"));
    refused(&mut state, "whose next version is 1", |s| enrol(s, "b", 2, b"2"));
    refused(&mut state, "not the SHA-256", |s| {
        next(s, Body::Enrolled(Enrolled { key_id: KeyId::of_spki(b"x"), ..enrolled("b", 1, b"2") }), vec![])
    });
    stop(&mut state, version("a", 1)).unwrap();
    refused(&mut state, "for life", |s| {
        next(s, Body::Enrolled(Enrolled { owner: "others".into(), ..enrolled("a", 2, b"2") }), vec![])
    });
    refused(&mut state, "is a@1 already", |s| enrol(s, "a", 2, b"1"));
    stop(&mut state, StopTarget::Key("a".parse().unwrap())).unwrap();
    refused(&mut state, "the stop of record 9 covers it", |s| enrol(s, "a", 2, b"2"));
    let mut production = begun();
    production.genesis.mode = Mode::Production;
    refused(&mut production, "come from ceremonies alone", |s| enrol(s, "a", 1, b"1"));
}

#[test]
fn records_out_of_place() {
    let mut state = begun();
    enrol(&mut state, "a", 1, b"1").unwrap();
    let body = || Body::Policy { sha256: hash(9) };
    refused(&mut state, "is not after", |s| s.apply(3, hash(3), &record(s.head().hash, body())));
    refused(&mut state, "does not name the control record before it", |s| {
        s.apply(9, hash(9), &record(hash(0), body()))
    });
    refused(&mut state, "as only record 0 does", |s| s.apply(9, hash(9), &record(Hash::ZERO, body())));
}

#[test]
fn records_that_do_what_their_kind_does_not() {
    let mut state = begun();
    enrol(&mut state, "a", 1, b"1").unwrap();
    refused(&mut state, "only `incident.stopped` does", |s| {
        next(s, Body::Policy { sha256: hash(9) }, vec![Term::All])
    });
    let a = || StopTarget::Key("a".parse().unwrap());
    refused(&mut state, "not those of its target", |s| next(s, Body::Stopped { target: a() }, vec![]));
    refused(&mut state, "not those of its target", |s| {
        next(s, Body::Stopped { target: a() }, vec![Term::All])
    });
    refused(&mut state, "not those of its target", |s| {
        next(s, Body::Stopped { target: version("a", 7) }, vec![Term::All])
    });
    refused(&mut state, "lifts a stop", |s| {
        let lifts = vec![Lift { index: 1, terms: vec![Term::All] }];
        s.apply(
            9,
            hash(9),
            &ControlRecord { lifts, ..record(s.head().hash, Body::Policy { sha256: hash(9) }) },
        )
    });
    refused(&mut state, "touches everything", |s| {
        s.apply(
            9,
            hash(9),
            &ControlRecord { touches: vec![], ..record(s.head().hash, Body::Grant { sha256: hash(9) }) },
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
    assert_eq!(state.guardrails(), InForce { sha256: hash(7), index: 3 });
    assert_eq!(state.grants(), InForce { sha256: hash(8), index: 6 });
    assert_eq!(state.head(), Head { index: 6, hash: hash(6) });
}

#[test]
fn a_stop_says_what_still_signs() {
    let mut state = begun();
    enrol(&mut state, "a", 1, b"1").unwrap();
    stop(&mut state, version("a", 1)).unwrap();
    enrol(&mut state, "a", 2, b"2").unwrap();
    next(&mut state, Body::Enrolled(Enrolled { backend: "hsm-b".into(), ..enrolled("b", 1, b"3") }), vec![])
        .unwrap();
    let still = |state: &State, target: StopTarget| -> Vec<String> {
        state.still_signing(&target).iter().map(ToString::to_string).collect()
    };
    assert_eq!(still(&state, version("a", 1)), ["a@2"]);
    assert_eq!(still(&state, version("a", 2)), [""; 0]);
    assert_eq!(still(&state, StopTarget::Key("a".parse().unwrap())), [""; 0]);
    assert_eq!(still(&state, StopTarget::Backend("hsm-a".into())), ["b@1"]);
    assert_eq!(still(&state, StopTarget::Caller("unix:0".into())), ["a@2", "b@1"]);
    assert_eq!(still(&state, StopTarget::All), [""; 0]);
    stop(&mut state, StopTarget::Backend("hsm-b".into())).unwrap();
    assert_eq!(still(&state, StopTarget::Caller("unix:0".into())), ["a@2"]);
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
    Enrol(usize, u32, u8),
    StopKey(usize),
    StopVersion(usize, u32),
    StopAll,
    Policy,
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let one = prop_oneof![
        6 => (0..3usize, 1..5u32, any::<u8>()).prop_map(|(key, version, spki)| Try::Enrol(key, version, spki)),
        1 => (0..3usize).prop_map(Try::StopKey),
        4 => (0..3usize, 1..5u32).prop_map(|(key, version)| Try::StopVersion(key, version)),
        1 => Just(Try::StopAll),
        1 => Just(Try::Policy),
    ];
    prop::collection::vec(one, 0..60)
}

fn attempt(state: &mut State, what: &Try) -> Option<(u64, ControlRecord)> {
    const KEYS: [&str; 3] = ["a", "b", "c/d"];
    let target = match what {
        Try::StopKey(key) => Some(StopTarget::Key(KEYS[*key].parse().unwrap())),
        Try::StopVersion(key, number) => Some(version(KEYS[*key], *number)),
        Try::StopAll => Some(StopTarget::All),
        Try::Enrol(..) | Try::Policy => None,
    };
    let stops = target.as_ref().and_then(|target| state.terms_of(target)).unwrap_or_default();
    let body = match (what, target) {
        (_, Some(target)) => Body::Stopped { target },
        (Try::Enrol(key, version, spki), None) => Body::Enrolled(enrolled(KEYS[*key], *version, &[*spki])),
        (_, None) => Body::Policy { sha256: hash(1) },
    };
    let index = state.head().index + 1;
    let record = ControlRecord { stops, ..record(state.head().hash, body) };
    let before = state.clone();
    match state.apply(index, hash(index), &record) {
        Ok(_) => Some((index, record)),
        Err(_) => {
            assert_eq!(*state, before, "a refused record changes nothing");
            None
        }
    }
}

proptest! {
    /// Invariant: no history leaves two active versions of a key, numbers have no gaps, a suspended version stays so.
    #[test]
    fn no_history_leaves_two_active_versions(tries in tries()) {
        let mut state = begun();
        let mut suspended = std::collections::BTreeSet::new();
        for what in &tries {
            attempt(&mut state, what);
            for ring in state.rings() {
                let numbers: Vec<_> = ring.versions().map(|version| version.version).collect();
                prop_assert_eq!(&numbers, &(1..=u32::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
                let active: Vec<_> = ring.versions().filter(|v| v.state() == VersionState::Active).collect();
                prop_assert!(active.len() <= 1);
                prop_assert_eq!(ring.active(), active.first().copied());
                for version in ring.versions() {
                    let was = suspended.contains(&version.key_id);
                    prop_assert!(!was || version.state() == VersionState::Suspended);
                    if version.state() == VersionState::Suspended {
                        suspended.insert(version.key_id);
                    }
                    // What a stop of a key or version covers does not sign.
                    let [key, id, _] = version.terms();
                    let covered = state.stops().any(|stop| stop.terms.contains(&key) || stop.terms.contains(&id));
                    prop_assert_eq!(covered, version.state() == VersionState::Suspended);
                }
            }
        }
    }

    /// Invariant: a history folds to one state, however often, and from its bytes as well.
    #[test]
    fn folding_twice_gives_equal_states(tries in tries()) {
        let mut state = begun();
        let history: Vec<_> = tries.iter().filter_map(|what| attempt(&mut state, what)).collect();
        let mut again = begun();
        for (index, record) in &history {
            let leaf = proto::canonical::to_vec(record).unwrap();
            again.apply(*index, hash(*index), &ControlRecord::parse(&leaf).unwrap()).unwrap();
        }
        prop_assert_eq!(again, state);
    }
}
