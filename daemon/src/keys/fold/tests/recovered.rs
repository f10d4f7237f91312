//! A log that takes the place of a lost one: what comes over is what the fold of the old one comes to, and every key is stopped.

use std::time::Duration;

use ceremonies::act::{Act, Decision, Deed, SeenHead};
use ceremonies::genesis::{ACT, SIGNATURE};
use ceremonies::recovery::Survey;
use ceremonies::statement::{
    Common, Head as StatedHead, Kind as StatementKind, Log, Quorum, Statement, Target, target,
};
use proto::record::ceremony::document;

use super::*;

/// A state, and what the control records that led to it say.
fn lost() -> (State, Survey) {
    let begun = signed(Mode::Rehearsal);
    let mut state = begun_as(Mode::Rehearsal);
    let mut survey = Survey::begin(begun.genesis.statement(), None, hash(0)).unwrap();
    let mut all = Vec::new();
    for (key, spki) in [("release/linux", &b"one"[..]), ("release/mac", b"two")] {
        all.extend(
            steps(&state, &arrived(key, spki)).into_iter().map(|(body, detail)| (body, vec![], detail)),
        );
        bring(&mut state, key, spki).unwrap();
    }
    let target = StopTarget::Caller("spiffe://example.org/ci".into());
    let terms = state.terms_of(&target).unwrap();
    all.push((Body::Stopped { act: None, target }, terms, None));
    all.push((Body::Grant { sha256: hash(8) }, vec![], None));
    let mut again = begun_as(Mode::Rehearsal);
    for (body, stops, detail) in all {
        let index = again.head().index + 1;
        let record = ControlRecord { stops, ..record(again.head().hash, body) };
        again.apply(index, hash(index), &record, detail.as_deref()).unwrap();
        survey.take(index, hash(index), &record);
    }
    (again, survey)
}

/// The statement that people sign, with what they sign and name.
fn recovered(survey: &Survey) -> (Statement, Map<String>) {
    let cast = Cast::new([9; 32], Mode::Rehearsal);
    let carried = survey.carried([KeyId::of_spki(b"three")], vec![], Time::from_microseconds(1));
    let origin = "rehearsal.second.example.org";
    let key = |origin: &str| Ed25519Signer::from_seed(origin, &[8; 32]).unwrap().verifier().to_string();
    let genesis = signed(Mode::Rehearsal).genesis;
    let log = Log { origin: genesis.origin().clone(), root: hash(1), size: 100 };
    let target = target::LogRecover {
        allow_software_backend: false,
        allow_software_officer_keys: true,
        carried: carried.digest(),
        gap: "Two records.".parse().unwrap(),
        genesis: genesis.digest(),
        grants: Hash::of(b"grants"),
        last: StatedHead { root: hash(2), size: 102 },
        log_key: key(origin).parse().unwrap(),
        origin: origin.parse().unwrap(),
        replaces: key(genesis.origin().as_str()).parse().unwrap(),
    };
    let common = Common {
        ceremony: [5; 16].into(),
        expires: Time::from_microseconds(1).later(Duration::from_secs(3600)),
        log,
        not_before: Time::from_microseconds(1),
        nonce: [6; 32].into(),
        quorum: Quorum { approvals: 2, officers: 3, witnesses: 1 },
        ..genesis.statement().common().clone()
    };
    let statement = Statement::new(common, Target::LogRecover(target)).unwrap();
    assert_eq!(statement.kind(), StatementKind::LogRecover);
    let mut documents = Map::default();
    for (name, bytes) in [
        (document::ROSTER, cast.roster().encode()),
        (document::GUARDRAILS, GUARDRAILS.as_bytes().to_vec()),
        (document::GRANTS, b"grants".to_vec()),
        (document::CARRIED, carried.encode()),
    ] {
        documents.insert(name.to_owned(), String::from_utf8(bytes).unwrap());
    }
    let (decision, digest) = (Decision::Accept, statement.digest());
    for (nth, person) in (0..).zip(["ada", "bob", "wanda"]) {
        let common = statement.common();
        let act = Act {
            deed: match person {
                "wanda" => Deed::Attest { decision, outcome: None, statement: digest },
                _ => Deed::Approve { decision, statement: digest },
            },
            environment: common.environment.to_string(),
            expires: common.expires,
            head: SeenHead {
                origin: common.log.origin.clone(),
                root: common.log.root,
                size: common.log.size,
            },
            instance: common.instance.to_string(),
            nonce: [nth; 32].into(),
            reason: String::new(),
        };
        let (act, signature) = cast.sign(person, &act).unwrap().unwrap();
        documents.insert(format!("{ACT}{person}"), act);
        documents.insert(format!("{SIGNATURE}{person}"), signature);
    }
    (statement, documents)
}

/// The state after record 0, and the records that have to follow.
fn begun_again() -> (State, Vec<(Body, Vec<Term>)>) {
    let (old, survey) = lost();
    let (statement, documents) = recovered(&survey);
    let first = record(Hash::ZERO, Body::Genesis { statement: statement.to_value() });
    let state = State::genesis(hash(0), &first, Some(&detail(documents))).unwrap();
    let keys = survey.keys().map(|key| {
        let stops = vec![Term::Key(key.key.key.clone())];
        (Body::Carried(Box::new(key.clone())), stops)
    });
    let stops = old
        .stops()
        .map(|stop| (Body::Stopped { act: None, target: stop.target.clone() }, stop.terms.clone()));
    (state, keys.chain(stops).collect())
}

fn follow(state: &mut State, body: Body, stops: Vec<Term>) -> Result<Effect, FoldError> {
    let index = state.head().index + 1;
    let record = ControlRecord { stops, touches: vec![], ..record(state.head().hash, body) };
    state.apply(index, hash(index), &record, None)
}

#[test]
fn what_comes_over_is_what_the_old_log_came_to() {
    let (old, survey) = lost();
    let (mut state, records) = begun_again();
    assert_eq!((records.len(), state.not_carried()), (3, 3));
    assert_eq!((survey.grants, survey.guardrails), (old.grants().sha256, old.guardrails_version()));
    for (body, stops) in records {
        follow(&mut state, body, stops).unwrap();
    }
    assert_eq!(state.not_carried(), 0);
    let keys = |state: &State| -> Vec<(KeyName, KeyId, Option<Time>)> {
        let newest = state.rings().map(|ring| ring.newest().clone());
        newest.map(|version| (version.key.clone(), version.key_id, version.valid_from)).collect()
    };
    assert_eq!(keys(&state), keys(&old));
    for ring in state.rings() {
        assert_eq!((ring.active(), ring.newest().state()), (None, VersionState::Suspended));
        // By the record that brought it, which is what its `key.resume` names.
        let index = ring.newest().state_index();
        let (stop, _) = state.covering(&ring.newest().terms()).unwrap();
        assert_eq!((stop.index, stop.terms.as_slice()), (index, &[Term::Key(ring.name().clone())][..]));
    }
    let caller = Term::Caller("spiffe://example.org/ci".into());
    assert!(state.covering(&[caller]).is_some());
    assert_eq!(state.instance().origin().as_str(), "rehearsal.second.example.org");
    assert_eq!(state.setting().origin.as_str(), "rehearsal.second.example.org");
    // A name and a key pair come once, and what the old log saw otherwise never.
    for (key, spki, expected) in [
        ("release/linux", &b"four"[..], "there is such a key already"),
        ("release/four", b"one", "is release/linux@1 already"),
        ("release/four", b"three", "is kept out"),
    ] {
        let mut copy = state.clone();
        let error = bring(&mut copy, key, spki).map(drop).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    bring(&mut state, "release/four", b"four").unwrap();
}

#[test]
fn nothing_comes_before_what_comes_over_and_no_key_from_elsewhere() {
    let (begun, records) = begun_again();
    let anchor = || Body::Anchor { place: "file:/anchor".into() };
    let place = |nth: usize| records[nth].clone();
    let mut state = begun.clone();
    refused(&mut state, "carries over in this place", |state| follow(state, anchor(), vec![]));
    refused(&mut state, "carries over in this place", |state| follow(state, place(1).0, place(1).1));
    refused(&mut state, "carries over in this place", |state| follow(state, place(0).0, vec![]));
    refused(&mut state, "carries over in this place", |state| follow(state, place(2).0, place(2).1));
    for nth in 0..2 {
        follow(&mut state, place(nth).0, place(nth).1).unwrap();
    }
    assert_eq!(state.not_carried(), 1);
    refused(&mut state, "carries over in this place", |state| follow(state, anchor(), vec![]));
    follow(&mut state, place(2).0, place(2).1).unwrap();
    refused(&mut state, "does not carry over", |state| follow(state, place(0).0, place(0).1));
    follow(&mut state, anchor(), vec![]).unwrap();
    // Nor does one come into a log that began with an instance.
    let mut other = super::begun();
    refused(&mut other, "does not carry over", |state| follow(state, place(0).0, place(0).1));
}
