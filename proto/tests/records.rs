//! Golden files of every record kind, and the properties of drafts.
//!
//! `UPDATE_GOLDEN=1` is not offered on purpose: a changed golden file is a changed format, to be edited by hand.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "records/steps.rs"]
mod steps;

use proptest::prelude::*;
use proto::action::ActionName;
use proto::canonical::Map;
use proto::digest::Digest;
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::operation::OperationId;
use proto::purpose::{Kind, Purpose};
use proto::reason::Reason;
use proto::record::config::{BackendDetail, Cause, InForce, Setting};
use proto::record::*;
use proto::term::Term;
use proto::time::Time;

fn time() -> Times {
    Times::asked("2026-11-21T05:00:00.000000Z".parse().unwrap())
}

fn operation() -> OperationId {
    OperationId::new(1_795_237_200_000, [7; 10])
}

fn sign() -> SignRecord {
    let entry = |version, outcome| SignatureEntry {
        algorithm: proto::algorithm::Algorithm::EcdsaP256Sha256,
        key_id: KeyId::of_spki(&[version]),
        outcome,
        reason: None,
        sha256: None,
        value: Some(vec![0x30, version].into()),
        version: version.into(),
    };
    SignRecord {
        detail: Hash::of(b"detail"),
        key: "release/linux".parse().unwrap(),
        kind: proto::record::kind::SignTag::Tag,
        number: Some(4711),
        operation: operation(),
        signatures: vec![entry(3, Outcome::Released), entry(2, Outcome::Released)],
        signed: Signed {
            digests: Digest::of(proto::algorithm::HashAlgorithm::Sha256, b"").into(),
            kind: Kind::Oci,
            subjects: vec![Digest::of(proto::algorithm::HashAlgorithm::Sha256, b"subject").to_string()],
        },
        time: time(),
        v: VERSION,
    }
}

fn control(body: Body, stops: Vec<Term>, touches: Vec<Term>) -> ControlRecord {
    ControlRecord {
        actor: Actor { id: "unix:0".into(), kind: ActorKind::Caller },
        body,
        detail: Some(Hash::of(b"reason")),
        lifts: vec![],
        operation: operation(),
        previous: Hash::ZERO,
        stops,
        time: time(),
        touches,
    }
}

fn arrived() -> Arrived {
    Arrived {
        algorithm: proto::algorithm::Algorithm::Ed25519,
        backend: "hsm-a".into(),
        key: "release/linux".parse().unwrap(),
        key_id: KeyId::of_spki(b"spki"),
        locator: "pkcs11:token=release;object=k".into(),
        owner: "release-team".into(),
        public_key: b"spki".to_vec(),
        purpose: Purpose::new([Kind::Blob, Kind::Oci]).unwrap(),
        serial: Some("0123".into()),
        version: 1,
    }
}

fn carried() -> CarriedKey {
    CarriedKey {
        born: Born { index: 42, origin: "log.example.org".parse().unwrap(), sealed: time().asked },
        key: arrived(),
    }
}

fn vouched() -> Vouched {
    let Suspend { act, by, expires, key, nonce, .. } = suspend();
    Vouched { act, by, clock: time().asked, expires, key, nonce }
}

fn suspend() -> Suspend {
    Suspend {
        act: Hash::of(b"act"),
        by: "ada".into(),
        expires: "2026-11-21T08:00:00.000000Z".parse().unwrap(),
        key: KeyId::of_spki(b"ada"),
        nonce: Hash::of(b"nonce"),
        person: "bob".into(),
    }
}

fn config(changed: Vec<Setting>) -> ConfigRecord {
    let named = |text: &[u8], version| InForce { sha256: Hash::of(text), version };
    ConfigRecord {
        cause: if changed.is_empty() { Cause::Start } else { Cause::Reload },
        changed,
        client_ca: vec![Hash::of(b"authority")],
        detail: Hash::of(b"detail"),
        file: Hash::of(b"countersignd.toml"),
        grants: named(b"grants", 12),
        guardrails: named(b"guardrails", 7),
        kind: proto::record::kind::ConfigTag::Tag,
        operation: operation(),
        roster: named(b"roster", 3),
        software: "0.1.0".into(),
        time: time(),
        v: VERSION,
    }
}

fn every_kind() -> Vec<(&'static str, Draft)> {
    let mut withheld = sign();
    withheld.number = None;
    withheld.withhold(&[(1, Reason::KeySuspended)]);
    let mut unknown = sign();
    unknown.signatures.iter_mut().for_each(|entry| (entry.outcome, entry.value) = (Outcome::Unknown, None));
    unknown.close(Outcome::Unknown, Reason::Crash);
    let denied = DeniedRecord {
        action: ActionName::Sign,
        detail: Hash::of(b"detail"),
        digests: Some(sign().signed.digests),
        key: Some("release/linux".parse().unwrap()),
        kind: proto::record::kind::DeniedTag::Tag,
        operation: operation(),
        reason: Reason::PolicyDenied,
        time: time(),
        v: VERSION,
    };
    let denied_search =
        DeniedRecord { action: ActionName::SearchLog, digests: None, key: None, ..denied.clone() };
    let summary = DeniedSummary {
        action: ActionName::GetKey,
        count: 12,
        detail: Hash::of(b"detail"),
        key: Some("release/linux".parse().unwrap()),
        kind: proto::record::kind::DeniedSummaryTag::Tag,
        operation: operation(),
        reason: Reason::PolicyDenied,
        since: time().asked,
        time: time(),
        v: VERSION,
    };
    let read = ReadRecord {
        detail: Hash::of(b"detail"),
        kind: proto::record::kind::ReadTag::Tag,
        operation: operation(),
        query: Query::Search,
        time: time(),
        v: VERSION,
    };
    let key: proto::name::KeyName = "release/linux".parse().unwrap();
    let stop = Body::Stopped { act: None, target: StopTarget::Version { key: key.clone(), version: 3 } };
    let of_key = Term::Key(key.clone());
    let by_act = Body::Stopped { act: Some(Hash::of(b"act")), target: StopTarget::All };
    let (caller, token) = ("spiffe://example.org/ci/linux".to_owned(), Hash::of(b"token"));
    let invited = Body::Invited { caller: caller.clone(), expires: sealed(), token };
    let (certificate, key) = (Hash::of(b"certificate"), Hash::of(b"spki"));
    let enrolled = Body::Enrolled { caller, certificate, key, not_after: sealed(), token };
    let statement = serde_json::json!({"instance": "rehearsal.example.org", "mode": "rehearsal"});
    let all = || vec![Term::All];
    let steps = steps::all(arrived()).into_iter();
    let steps = steps.map(|(name, body)| (name, control(body, vec![], vec![]).draft().unwrap()));
    let mut kinds = vec![
        ("sign", sign().draft().unwrap()),
        ("sign-withheld", withheld.draft().unwrap()),
        ("sign-unknown", unknown.draft().unwrap()),
        ("denied", denied.draft().unwrap()),
        ("denied-search", denied_search.draft().unwrap()),
        ("denied.summary", summary.draft().unwrap()),
        ("audit.read", read.draft().unwrap()),
        ("config", config(vec![]).draft().unwrap()),
        ("config-changed", config(vec![Setting::Grants, Setting::Guardrails]).draft().unwrap()),
        ("genesis", control(Body::Genesis { statement }, vec![], vec![]).draft().unwrap()),
        ("grant", control(Body::Grant { sha256: Hash::of(b"") }, vec![], all()).draft().unwrap()),
        ("policy", control(Body::Policy { sha256: Hash::of(b"") }, vec![], all()).draft().unwrap()),
        ("incident.stopped", control(stop, vec![Term::KeyId(KeyId::of_spki(&[3]))], vec![]).draft().unwrap()),
        ("incident.stopped-by-act", control(by_act, vec![Term::All], vec![]).draft().unwrap()),
        ("key.carried", control(Body::Carried(Box::new(carried())), vec![of_key], vec![]).draft().unwrap()),
        ("log.anchor", control(Body::Anchor { place: "anchor".into() }, vec![], vec![]).draft().unwrap()),
        ("caller.invited", control(invited, vec![], vec![]).draft().unwrap()),
        ("caller.enrolled", control(enrolled, vec![], vec![]).draft().unwrap()),
        ("log.redacted", control(Body::Redacted { indices: vec![4, 9] }, vec![], vec![]).draft().unwrap()),
        ("clock", control(Body::Clock(Box::new(vouched())), vec![], all()).draft().unwrap()),
        ("roster.suspend", control(Body::Suspend(Box::new(suspend())), vec![], all()).draft().unwrap()),
    ];
    kinds.extend(steps);
    kinds
}

fn sealed() -> Time {
    "2026-11-21T05:00:01.234567Z".parse().unwrap()
}

#[test]
fn every_kind_has_its_golden_file() {
    for (name, draft) in every_kind() {
        let leaf = draft.stamp(sealed(), false, &Hash::of(b"previous"));
        let path = format!("{}/tests/golden/records/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let golden = std::fs::read_to_string(&path).unwrap_or_else(|e| format!("{path}: {e}"));
        assert_eq!(golden, String::from_utf8(leaf).unwrap(), "{name}");
    }
}

#[test]
fn every_written_kind_is_in_the_registry_and_has_a_golden_file() {
    let names: Vec<_> = every_kind().into_iter().map(|(name, _)| name).collect();
    for kind in kind::PLAIN.iter().chain(&kind::CONTROL) {
        assert!(names.contains(kind), "{kind}");
    }
}

#[test]
fn stamped_drafts_are_canonical_with_and_without_the_mark() {
    for (name, draft) in every_kind() {
        for untrusted in [false, true] {
            let is_control = draft.is_control();
            let leaf = draft.clone().stamp(sealed(), untrusted, &Hash::of(b"previous"));
            let mark = untrusted.then_some(Untrusted::Untrusted);
            match Record::parse(&leaf).unwrap_or_else(|e| panic!("{name}: {e}")) {
                Record::Control(record) => {
                    assert!(is_control, "{name}");
                    assert_eq!((record.time.sealed, record.time.clock), (sealed(), mark));
                    assert_eq!(record.previous, Hash::of(b"previous"));
                }
                Record::Sign(record) => assert_eq!((record.time.sealed, record.time.clock), (sealed(), mark)),
                Record::Unknown { kind } => panic!("{kind} is not read"),
                _ => assert!(!is_control),
            }
        }
    }
}

#[test]
fn what_belongs_to_the_machine_is_in_the_detail() {
    let mut backends = Map::default();
    backends.insert("soft".to_owned(), BackendDetail { kind: "software".into(), module: None });
    let hsm = BackendDetail { kind: "pkcs11".into(), module: Some(Hash::of(b"module")) };
    backends.insert("hsm-a".to_owned(), hsm);
    let detail = ConfigDetail { backends, salt: Salt::from([0; 16]) };
    let (bytes, name) = detail.encode().unwrap();
    assert_eq!(name, Hash::of(&bytes));
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        format!(
            r#"{{"backends":{{"hsm-a":{{"kind":"pkcs11","module":"{}"}},"soft":{{"kind":"software"}}}},"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}}"#,
            Hash::of(b"module")
        )
    );
}

#[test]
fn a_withheld_signature_leaves_its_hash_alone() {
    let mut record = sign();
    record.withhold(&[(0, Reason::CallerStopped)]);
    let entry = &record.signatures[0];
    assert_eq!((entry.outcome, entry.reason), (Outcome::Withheld, Some(Reason::CallerStopped)));
    assert_eq!((entry.value.as_ref(), entry.sha256), (None, Some(Hash::of(&[0x30, 3]))));
    assert_eq!(record.signatures[1].outcome, Outcome::Released);
}

#[test]
fn unknown_plain_kinds_are_kept_and_unknown_control_kinds_refused() {
    let plain = br#"{"kind":"sparkle","time":{"asked":"x"},"v":7}"#;
    assert_eq!(Record::parse(plain).unwrap(), Record::Unknown { kind: "sparkle".into() });
    let newer = sign().draft().unwrap().stamp(sealed(), false, &Hash::ZERO);
    let newer = String::from_utf8(newer).unwrap().replace("\"v\":0}", "\"v\":1}");
    assert_eq!(Record::parse(newer.as_bytes()).unwrap(), Record::Unknown { kind: "sign".into() });
    let (_, draft) = every_kind().into_iter().find(|(name, _)| *name == "policy").unwrap();
    let leaf = String::from_utf8(draft.stamp(sealed(), false, &Hash::ZERO)).unwrap();
    let error =
        Record::parse(leaf.replace("\"policy\"", "\"policy.new\"").as_bytes()).unwrap_err().to_string();
    assert!(error.contains("policy.new") && error.contains("newer version"), "{error}");
}

#[test]
fn a_caller_cannot_forge_the_place_of_the_stamp() {
    let detail = Detail {
        annotations: Map::from_iter([("\"sealed\":\"".to_owned(), "x".to_owned())]),
        backend: None,
        caller: CallerDetail { claims: Map::default(), id: "unix:0".into(), kind: "unix".into() },
        policy: None,
        repository: None,
        request: None,
        salt: Salt::from([0; 16]),
        subjects: vec![],
    };
    detail.encode().unwrap();
    let mut record = sign();
    record.signed.subjects = vec!["\"sealed\":\"9999-99-99".into()];
    let leaf = record.draft().unwrap().stamp(sealed(), false, &Hash::ZERO);
    let Record::Sign(read) = Record::parse(&leaf).unwrap() else { panic!("no sign record") };
    assert_eq!(read.signed.subjects, record.signed.subjects);
    assert_eq!(read.time.sealed, sealed());
}

#[test]
fn a_leaf_too_long_for_a_tile_entry_is_refused() {
    let mut record = sign();
    record.signed.subjects = vec!["x".repeat(70_000)];
    assert!(matches!(record.draft(), Err(RecordError::TooLong(_))));
}

/// Every kind of control record, stamped.
fn every_control_kind() -> Vec<Vec<u8>> {
    let drafts = every_kind().into_iter().map(|(_, draft)| draft).filter(Draft::is_control);
    drafts.map(|draft| draft.stamp(sealed(), false, &Hash::of(b"previous"))).collect()
}

#[test]
fn a_control_record_is_what_its_leaf_says_whatever_kind_it_is_said_to_be_of() {
    for leaf in every_control_kind() {
        let read = ControlRecord::parse(&leaf).unwrap();
        assert!(proto::canonical::is_form_of(&read, &leaf), "{}", read.body.kind());
        for kind in kind::CONTROL.iter().chain(&["sign", "", "newer"]) {
            assert_eq!(ControlRecord::parse_as(kind, &leaf).unwrap(), read, "{kind}");
        }
    }
}

proptest! {
    /// A leaf that somebody has changed is refused as it would be without a word about its kind, and read as that alone.
    #[test]
    fn a_changed_leaf_is_read_alike_with_and_without_its_kind(
        which: prop::sample::Index,
        at: prop::sample::Index,
        byte: u8,
        piece in prop::sample::select(vec!["", " ", "0", "null", "\"a\":1,", "\u{10000}", "\"stops\":[],", "\"lifts\":[],", "[]", "\\u0061"]),
        removed in 0..3_usize,
    ) {
        let leaves = every_control_kind();
        let leaf = which.get(&leaves);
        let kind = ControlRecord::parse(leaf).unwrap().body.kind();
        let at = at.index(leaf.len());
        let mut struck = leaf.clone();
        struck[at] = byte;
        let mut spliced = leaf.clone();
        spliced.splice(at..(at + removed).min(leaf.len()), piece.bytes());
        for changed in [struck, spliced] {
            let (said, unsaid) = (ControlRecord::parse_as(kind, &changed), ControlRecord::parse(&changed));
            let text = |error: &RecordError| error.to_string();
            prop_assert_eq!(said.as_ref().map_err(text), unsaid.as_ref().map_err(text));
        }
    }
}
