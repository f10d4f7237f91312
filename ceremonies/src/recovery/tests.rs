#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use proto::operation::OperationId;
use proto::purpose::{Kind as PurposeKind, Purpose};
use proto::record::{Actor, ActorKind, Arrived, Born, Times};

use super::*;

fn key(name: &str) -> CarriedKey {
    CarriedKey {
        born: Born { index: 9, origin: "old.example.org".parse().unwrap(), sealed: time() },
        key: Arrived {
            algorithm: proto::algorithm::Algorithm::Ed25519,
            backend: "hsm-a".into(),
            key: name.parse().unwrap(),
            key_id: KeyId::of_spki(name.as_bytes()),
            locator: "pkcs11:object=k".into(),
            owner: "release".into(),
            public_key: name.as_bytes().to_vec(),
            purpose: Purpose::new([PurposeKind::Blob]).unwrap(),
            serial: None,
            version: 1,
        },
    }
}

fn time() -> Time {
    "2026-11-21T05:00:00.000000Z".parse().unwrap()
}

fn listed(key: &CarriedKey) -> Key {
    let Arrived { key: name, key_id, version, .. } = key.key.clone();
    Key { key: name, key_id, sha256: digest(key), version }
}

fn carried() -> Carried {
    let target = StopTarget::Caller("spiffe://example.org/ci".into());
    Carried {
        births: vec![Birth { ceremony: [3; 16].into(), statement: Hash::of(b"birth") }],
        control: Newest { hash: Hash::of(b"control"), index: 41 },
        grants_made: false,
        guardrails_made: true,
        key_ids: vec![KeyId::of_spki(b"gone")],
        keys: vec![listed(&key("a")), listed(&key("b"))],
        schema: SCHEMA.into(),
        sealed: time(),
        stops: vec![Stop { index: 17, target, terms: vec![Term::Caller("spiffe://example.org/ci".into())] }],
        suspended: vec![Suspended {
            by: vec!["ada".parse().unwrap()],
            needs: 1,
            person: "bob".parse().unwrap(),
        }],
    }
}

fn record(body: Body, stops: Vec<Term>) -> ControlRecord {
    ControlRecord {
        actor: Actor { id: "unix:0".into(), kind: ActorKind::Operator },
        body,
        detail: None,
        lifts: vec![],
        operation: OperationId::new(1, [0; 10]),
        previous: Hash::ZERO,
        stops,
        time: Times::asked(time()),
        touches: vec![],
    }
}

fn comes(name: &str) -> ControlRecord {
    record(Body::Carried(Box::new(key(name))), vec![Term::Key(name.parse().unwrap())])
}

fn stopped() -> ControlRecord {
    let Stop { target, terms, .. } = carried().stops[0].clone();
    record(Body::Stopped { act: None, target }, terms)
}

#[test]
fn what_comes_over_has_one_form() {
    let good = carried();
    let golden = include_str!("../../tests/golden/carried/carried.json");
    assert_eq!(String::from_utf8(good.encode()).unwrap(), golden);
    assert_eq!(Carried::parse(&good.encode()).unwrap(), good);
    assert_eq!(good.records(), 3);
    type Change = fn(&mut Carried);
    let wrong: [(&str, Change); 8] = [
        ("schema", |of| of.schema.push('x')),
        ("births", |of| of.births.push(of.births[0])),
        ("key_ids", |of| of.key_ids.push(of.key_ids[0])),
        ("keys", |of| of.keys.reverse()),
        ("keys", |of| of.key_ids = vec![of.keys[1].key_id]),
        ("keys", |of| of.keys[1].key_id = of.keys[0].key_id),
        ("stops", |of| of.stops.push(of.stops[0].clone())),
        ("suspended", |of| of.suspended.push(of.suspended[0].clone())),
    ];
    for (place, change) in wrong {
        let mut bad = carried();
        change(&mut bad);
        let error = Carried::parse(&bad.encode()).unwrap_err().to_string();
        assert!(error.contains(place), "{place}: {error}");
    }
    let text = String::from_utf8(good.encode()).unwrap();
    for bad in [text.replace(":", ": "), text.replace("\"births\"", "\"birth\""), String::new()] {
        assert!(matches!(Carried::parse(bad.as_bytes()), Err(CarriedError::Canonical(_))), "{bad}");
    }
}

#[test]
fn what_comes_over_comes_first_and_exactly() {
    let of = carried();
    of.judge(1, &comes("a")).unwrap();
    of.judge(2, &comes("b")).unwrap();
    of.judge(3, &stopped()).unwrap();
    // Afterwards anything but a key from elsewhere.
    of.judge(4, &stopped()).unwrap();
    assert_eq!(of.judge(4, &comes("b")), Err(Misplaced::Nowhere));
    assert_eq!(nothing(&comes("a")), Err(Misplaced::Nowhere));
    nothing(&stopped()).unwrap();
    let elsewhere = record(Body::Anchor { place: "file:/a".into() }, vec![]);
    for (index, other) in [
        (1, comes("b")),
        (1, stopped()),
        (1, elsewhere.clone()),
        (2, comes("a")),
        (3, comes("b")),
        (3, elsewhere),
        (1, ControlRecord { stops: vec![], ..comes("a") }),
        (1, ControlRecord { stops: vec![Term::Key("b".parse().unwrap())], ..comes("a") }),
        (3, ControlRecord { stops: vec![Term::All], ..stopped() }),
        (3, ControlRecord { stops: vec![], ..stopped() }),
        (
            1,
            ControlRecord {
                lifts: vec![proto::record::Lift { index: 0, terms: vec![Term::All] }],
                ..comes("a")
            },
        ),
    ] {
        assert_eq!(of.judge(index, &other), Err(Misplaced::Other), "{index}: {}", other.body.kind());
    }
    // The same key at another place is another key.
    let mut moved = key("a");
    moved.key.locator = "pkcs11:object=other".into();
    let moved = record(Body::Carried(Box::new(moved)), vec![Term::Key("a".parse().unwrap())]);
    assert_eq!(of.judge(1, &moved), Err(Misplaced::Other));
}
