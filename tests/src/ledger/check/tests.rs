//! A good log has no complaints, and each broken promise is noticed.

use base64::Engine;
use serde_json::{Value, json};

use crate::ledger::{Ledger, Record, hash, leaf_hash, tree};

fn record(mut body: Value, detail: &Value) -> Record {
    let detail = detail.to_string().into_bytes();
    body["detail"] = hex::encode(hash(&detail)).into();
    Record { leaf: body.to_string().into_bytes(), detail: Some(detail), body }
}

fn sign(number: u64, second: u64) -> Record {
    let body = json!({
        "key": "release/linux", "kind": "sign", "number": number, "operation": format!("{second:032x}"),
        "signatures": [{"key_id": "51be", "outcome": "released", "value": "MEUC"}],
        "time": {"sealed": format!("2026-11-21T05:00:{second:02}.000000Z")},
    });
    record(body, &json!({"backend": "hsm-a", "caller": {"id": "spiffe://example.org/ci/linux"}}))
}

fn control(previous: &str, second: u64, stops: &Value) -> Record {
    let body = json!({
        "kind": "incident.stopped", "operation": format!("{second:032x}"), "previous": previous, "stops": stops,
        "time": {"sealed": format!("2026-11-21T05:00:{second:02}.000000Z")},
    });
    record(body, &json!({}))
}

fn ledger(records: Vec<Record>) -> Ledger {
    let root = tree(&records);
    let text = base64::engine::general_purpose::STANDARD.encode(root);
    let taken = records.iter().filter_map(|record| record.body["number"].as_u64()).max();
    Ledger {
        size: records.len() as u64,
        root: root.to_vec(),
        checkpoint: format!("rehearsal.example.org\n{}\n{text}\n\n— sig\n", records.len()),
        counter: taken.unwrap_or(0),
        open: Vec::new(),
        records,
    }
}

/// A step of the ceremony that brings `release/linux`.
fn step(previous: &str, second: u64, kind: &str, body: &Value, documents: &Value) -> Record {
    let mut step = control(previous, second, &json!([])).body;
    step["kind"] = kind.into();
    step["body"] = body.clone();
    step["body"]["ceremony"] = "a7".into();
    record(step, &json!({"documents": documents}))
}

fn completed(previous: &str, second: u64) -> Record {
    let effect = json!({"effect": {"key": {"key": "release/linux"}}});
    step(previous, second, "ceremony.completed", &effect, &json!({}))
}

/// Genesis, or what stands for it here: the end of a key's ceremony; two signatures, a stop of another key.
fn good() -> Ledger {
    let first = completed(&"0".repeat(64), 0);
    let before = hex::encode(leaf_hash(&first.leaf));
    ledger(vec![
        first,
        sign(1, 1),
        sign(2, 2),
        control(&before, 3, &json!([{"key": "release/windows"}])),
        sign(3, 4),
    ])
}

#[track_caller]
fn caught(ledger: &Ledger, words: &str) {
    let complaints = ledger.complaints();
    assert_eq!(complaints.len(), 1, "{complaints:#?}");
    assert!(complaints[0].contains(words), "{complaints:#?}");
}

#[test]
fn a_good_log_has_no_complaints_and_extends_its_past() {
    let good = good();
    assert_eq!(good.complaints(), Vec::<String>::new());
    assert_eq!((good.released().len(), good.asked()), (3, 3));
    let earlier = ledger(good.records[..3].to_vec());
    assert_eq!(good.breaks(&earlier.checkpoint), None);
    assert!(earlier.breaks(&good.checkpoint).unwrap().contains("fewer than the 5"));
    let mut other = good.clone();
    other.records[1].leaf.push(b' ');
    assert!(other.breaks(&earlier.checkpoint).unwrap().contains("the first 3 records are not those"));
}

#[test]
fn the_tree_is_that_of_the_known_answers() {
    // The leaves and roots of the certificate-transparency project's own reference tests.
    let leaves: [&[u8]; 3] = [b"", &[0], &[0x10]];
    let records: Vec<Record> =
        leaves.iter().map(|leaf| Record { leaf: leaf.to_vec(), detail: None, body: Value::Null }).collect();
    for (size, root) in [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ] {
        assert_eq!(hex::encode(tree(&records[..size])), root, "{size}");
    }
}

#[test]
fn the_roots_of_prefixes_are_those_of_the_definition() {
    let records: Vec<Record> = (1..40).map(|number| sign(number, number)).collect();
    let whole = ledger(records.clone()).tree();
    assert!((0..40).all(|size| whole.root(size) == Some(tree(&records[..size]))));
    assert_eq!(whole.root(40), None);
    let (all, other) = (ledger(records.clone()), ledger(records[1..5].to_vec()));
    assert!(all.breaks_any([all.checkpoint.as_str()]).is_empty());
    assert_eq!(all.breaks_any([other.checkpoint.as_str()]).len(), 1);
}

#[test]
fn numbers_are_whole_and_single() {
    let mut bad = good();
    bad.counter = 4;
    caught(&bad, "number 4 is missing");
    bad.open = vec![4];
    assert_eq!(bad.complaints(), Vec::<String>::new());
    bad.open = vec![3, 4];
    caught(&bad, "number 3 is used 2 times");
    bad.open = vec![4, 5];
    caught(&bad, "number 5 was never taken");
}

#[test]
fn a_second_leaf_of_an_operation_and_time_running_backwards_are_noticed() {
    let mut records = good().records;
    records.push(sign(4, 4));
    caught(&ledger(records), "record 5 is a second one of its operation");
    let mut records = good().records;
    records.push(sign(4, 3));
    let complaints = ledger(records).complaints().join("\n");
    assert!(complaints.contains("record 5 was sealed before the one before it"), "{complaints}");
}

#[test]
fn a_wrong_head_chain_or_detail_is_noticed() {
    let mut bad = good();
    bad.root[0] ^= 1;
    caught(&bad, "root");
    let mut bad = good();
    bad.checkpoint = bad.checkpoint.replace("\n5\n", "\n4\n");
    caught(&bad, "the checkpoint does not state");
    let mut records = good().records;
    records.push(control(&"0".repeat(64), 9, &json!([])));
    caught(&ledger(records), "control record 5 does not name the one before it");
    let mut bad = good();
    bad.records[1].detail = Some(b"{}".to_vec());
    caught(&bad, "the detail of record 1");
}

#[test]
fn a_signature_before_the_end_of_its_keys_ceremony_is_noticed() {
    let statement = json!({"target": {"key": "release/linux"}}).to_string();
    let proof = |number: u64, second: u64| {
        let mut body = sign(number, second).body;
        body["signed"] = json!({"kind": "possession"});
        record(body, &json!({}))
    };
    let mut previous = "0".repeat(64);
    let mut next = |second: u64, kind: &str| {
        let documents = json!({"statement": statement});
        let made = match kind {
            "ceremony.completed" => completed(&previous, second),
            kind => step(&previous, second, kind, &json!({}), &documents),
        };
        previous = hex::encode(leaf_hash(&made.leaf));
        made
    };
    let (proposed, started) = (next(0, "ceremony.proposed"), next(2, "ceremony.started"));
    let (executed, ended) = (next(4, "ceremony.executed"), next(6, "ceremony.completed"));
    let whole = [proposed, started, proof(1, 3), executed, ended, sign(2, 7)];
    assert_eq!(ledger(whole.to_vec()).complaints(), Vec::<String>::new());
    let good = ledger(whole.to_vec());
    assert_eq!((good.released().len(), good.asked()), (1, 1), "nobody asked for the proof");
    let [proposed, started, _, executed, ended, _] = whole;
    let all = |records: &[&Record]| ledger(records.iter().copied().cloned().collect());
    let (early, late, signed) = (proof(1, 1), proof(1, 5), sign(1, 5));
    caught(&all(&[&proposed, &early, &started, &executed, &ended]), "outside of the key's ceremony");
    caught(&all(&[&proposed, &started, &executed, &late, &ended]), "outside of the key's ceremony");
    caught(&all(&[&proposed, &started, &executed, &signed, &ended]), "no ceremony has brought before");
}

/// A log that began in place of another one, with its key; resumed, and used.
fn recovered(change: impl FnOnce(&mut Vec<Value>)) -> Ledger {
    let carried = json!({"key": {"key": "release/linux"}});
    let mut bodies = vec![
        step("", 0, "genesis", &json!({}), &json!({})).body,
        step("", 1, "key.carried", &carried, &json!({})).body,
        config("start", 2).body,
        completed("", 3).body,
    ];
    bodies[1]["stops"] = json!([{"key": "release/linux"}]);
    bodies[3]["body"] = json!({"ceremony": "a7", "effect": "lifts"});
    bodies[3]["lifts"] = json!([{"index": 1, "terms": [{"key": "release/linux"}]}]);
    change(&mut bodies);
    let mut before = [0; 32];
    let mut records = Vec::new();
    for mut body in bodies {
        if body.get("previous").is_some() {
            body["previous"] = hex::encode(before).into();
        }
        let made = record(body, &json!({"documents": {}}));
        if made.body.get("previous").is_some() {
            before = leaf_hash(&made.leaf);
        }
        records.push(made);
    }
    records.push(sign(1, 4));
    ledger(records)
}

#[test]
fn a_key_that_comes_over_late_or_unstopped_is_noticed() {
    assert_eq!(recovered(|_| {}).complaints(), Vec::<String>::new());
    let late = recovered(|bodies| {
        bodies.swap(1, 2);
        for (second, at) in [(1, 1), (2, 2)] {
            bodies[at]["time"]["sealed"] = format!("2026-11-21T05:00:{second:02}.000000Z").into();
        }
        bodies[3]["lifts"][0]["index"] = 2.into();
    });
    caught(&late, "after the beginning");
    let free = recovered(|bodies| {
        bodies[1]["stops"] = json!([]);
        bodies[3]["lifts"] = json!([]);
    });
    caught(&free, "does not stop it");
}

/// A key that is there and a refusal, changed in its leaf and detail.
fn refused(change: impl FnOnce(&mut Value, &mut Value)) -> Ledger {
    let born = completed(&"0".repeat(64), 0);
    let mut body = json!({
        "action": "stop", "key": "release/linux", "kind": "denied", "operation": format!("{:032x}", 1),
        "reason": "POLICY_DENIED", "time": {"sealed": "2026-11-21T05:00:01.000000Z"}, "v": 0,
    });
    let mut detail = json!({"caller": {"id": "unix:7"}, "policy": {"rule": ""}, "salt": ""});
    change(&mut body, &mut detail);
    ledger(vec![born, record(body, &detail)])
}

#[test]
fn a_refusal_that_says_too_little_or_too_much_is_noticed() {
    assert_eq!(refused(|_, _| {}).complaints(), Vec::<String>::new());
    caught(&refused(|body, _| body["action"] = "nod".into()), "does not say which call it was");
    caught(&refused(|body, _| body["action"] = Value::Null), "does not say which call it was");
    caught(&refused(|body, _| body["digests"] = json!({"sha256": "00"})), "was of no signature");
    caught(&refused(|body, _| body["key"] = "release/windows".into()), "no ceremony has brought before");
    caught(&refused(|body, _| body["target"] = "unix:8".into()), "refusal 1 says `target`");
    caught(&refused(|_, detail| detail["annotations"] = json!({})), "says `annotations` beside");
    caught(&refused(|_, detail| detail["caller"]["claims"] = json!({})), "claims of its caller");
}

#[test]
fn a_request_that_is_released_twice_is_noticed() {
    let of = |number: u64, caller: &str, outcome: &str| {
        let mut body = sign(number, number).body;
        body["signatures"][0]["outcome"] = outcome.into();
        record(body, &json!({"caller": {"id": caller}, "request": "build-1"}))
    };
    let born = completed(&"0".repeat(64), 0);
    let good = [born, of(1, "dns:a", "withheld"), of(2, "dns:a", "released"), of(3, "dns:b", "released")];
    assert_eq!(ledger(good.to_vec()).complaints(), Vec::<String>::new());
    let bad = [&good[..], &[of(4, "dns:a", "released")]].concat();
    caught(&ledger(bad), "record 4 releases request build-1, which record 2 released");
}

#[test]
fn a_release_above_its_stop_is_noticed_for_every_term() {
    for term in [
        json!("all"),
        json!({"key": "release/linux"}),
        json!({"key_id": "51be"}),
        json!({"caller": "spiffe://example.org/ci/linux"}),
        json!({"backend": "hsm-a"}),
    ] {
        let born = completed(&"0".repeat(64), 0);
        let stop = control(&hex::encode(leaf_hash(&born.leaf)), 1, &json!([term]));
        caught(&ledger(vec![born, stop, sign(1, 2)]), "record 2 releases what record 1 stops");
    }
}

fn config(cause: &str, second: u64) -> Record {
    let body = json!({
        "cause": cause, "kind": "config", "operation": format!("{second:012x}{:020x}", 0xc0),
        "time": {"sealed": format!("2026-11-21T05:00:{second:02}.000000Z")},
    });
    record(body, &json!({}))
}

/// A signature that rules of these records permitted, asked in this second.
fn permitted(grants: u64, second: u64) -> Record {
    let mut body = sign(0, second).body;
    body.as_object_mut().unwrap().remove("number");
    body["operation"] = format!("{second:012x}{:020x}", 0x51).into();
    record(body, &json!({"policy": {"grants": grants, "guardrails": 0, "rule": "all"}}))
}

/// Genesis with a key, a start, a signature, another grants file with its reload, a signature by it.
fn configured() -> Vec<Record> {
    let mut genesis = completed(&"0".repeat(64), 0);
    genesis.body["kind"] = "genesis".into();
    let genesis = record(genesis.body, &json!({}));
    let mut key = completed(&hex::encode(leaf_hash(&genesis.leaf)), 1).body;
    key["operation"] = format!("{:032x}", 0xff).into();
    let key = record(key, &json!({}));
    let mut grant = control(&hex::encode(leaf_hash(&key.leaf)), 4, &json!([])).body;
    grant["kind"] = "grant".into();
    let grant = record(grant, &json!({}));
    vec![genesis, key, config("start", 2), permitted(0, 3), grant, config("reload", 5), permitted(4, 6)]
}

#[test]
fn a_signature_before_the_record_of_its_start_or_reload_is_noticed() {
    assert_eq!(ledger(configured()).complaints(), Vec::<String>::new());
    let mut records = configured();
    records.remove(2);
    records.remove(4);
    let complaints = ledger(records).complaints().join("\n");
    assert!(complaints.contains("record 2 is signed before any start is recorded"), "{complaints}");
    let mut records = configured();
    records.remove(5);
    caught(&ledger(records), "record 5 is signed by the file of record 4, and no reload says so");
    // What was asked of the second process lies before its start.
    let mut records = configured();
    let mut late = config("start", 7).body;
    late["operation"] = format!("{:012x}{:020x}", 5, 0xc1).into();
    records.push(record(late, &json!({})));
    caught(&ledger(records), "record 6 was asked of a process whose start is record 7");
}

#[test]
fn a_signature_that_its_key_does_not_verify_is_noticed() {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let spki = pair.public_key().as_der().unwrap();
    let value = pair.sign(&SystemRandom::new(), b"a file").unwrap();
    let judged = |signed: &[u8]| {
        let mut born = completed(&"0".repeat(64), 0).body;
        born["body"]["effect"]["key"]["key_id"] = "51be".into();
        born["body"]["effect"]["key"]["public_key"] = encode(spki.as_ref()).into();
        let mut released = sign(1, 1).body;
        released["signed"] = json!({"digests": {"sha256": hex::encode(hash(signed))}});
        released["signatures"][0]["algorithm"] = "ecdsa-p256-sha256".into();
        released["signatures"][0]["value"] = encode(value.as_ref()).into();
        let detail = json!({"backend": "hsm-a", "caller": {"id": "spiffe://example.org/ci/linux"}});
        ledger(vec![record(born, &json!({"documents": {}})), record(released, &detail)]).complaints()
    };
    let said = |complaints: Vec<String>| complaints.iter().any(|said| said.contains("does not verify"));
    assert!(!said(judged(b"a file")));
    assert!(said(judged(b"another file")));
}
