//! The promises, one function each.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Ledger, Record, leaf_hash, stated, tree};

pub(super) fn complaints(ledger: &Ledger) -> Vec<String> {
    let mut complaints = Vec::new();
    head(ledger, &mut complaints);
    numbers(ledger, &mut complaints);
    operations(&ledger.records, &mut complaints);
    times(&ledger.records, &mut complaints);
    chain(&ledger.records, &mut complaints);
    stops(&ledger.records, &mut complaints);
    details(&ledger.records, &mut complaints);
    denials(&ledger.records, &mut complaints);
    requests(&ledger.records, &mut complaints);
    complaints
}

/// The head is the tree of the records, and its checkpoint says so.
fn head(ledger: &Ledger, complaints: &mut Vec<String>) {
    if ledger.size != ledger.records.len() as u64 {
        complaints.push(format!(
            "the head states {} records, there are {}",
            ledger.size,
            ledger.records.len()
        ));
    }
    let root = tree(&ledger.records);
    if ledger.root != root {
        complaints.push("the head's root is not that of the records".to_owned());
    }
    if stated(&ledger.checkpoint) != Some((ledger.records.len() as u64, root.to_vec())) {
        complaints.push("the checkpoint does not state the records' number and root".to_owned());
    }
}

/// Each number that was taken is in one record or one open intent, and in no second.
fn numbers(ledger: &Ledger, complaints: &mut Vec<String>) {
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    let sealed = ledger.records.iter().filter_map(|record| record.body["number"].as_u64());
    for number in sealed.chain(ledger.open.iter().copied()) {
        *seen.entry(number).or_default() += 1;
    }
    complaints.extend(
        seen.iter().filter(|(_, times)| **times > 1).map(|(n, t)| format!("number {n} is used {t} times")),
    );
    complaints.extend(
        (1..=ledger.counter).filter(|n| !seen.contains_key(n)).map(|n| format!("number {n} is missing")),
    );
    complaints
        .extend(seen.keys().filter(|n| **n > ledger.counter).map(|n| format!("number {n} was never taken")));
}

/// One operation, one leaf.
fn operations(records: &[Record], complaints: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (index, record) in records.iter().enumerate() {
        if !seen.insert(record.body["operation"].as_str()) {
            complaints.push(format!("record {index} is a second one of its operation"));
        }
    }
}

/// Time grows with the index; only a `clock` record starts it again lower.
fn times(records: &[Record], complaints: &mut Vec<String>) {
    let sealed = |record: &Record| record.body["time"]["sealed"].as_str().unwrap_or_default().to_owned();
    for (index, pair) in records.windows(2).enumerate() {
        if sealed(&pair[1]) < sealed(&pair[0]) && pair[1].body["kind"] != "clock" {
            complaints.push(format!("record {} was sealed before the one before it", index + 1));
        }
    }
}

/// Each control record names the leaf hash of the one before it; the first names zeros.
fn chain(records: &[Record], complaints: &mut Vec<String>) {
    let mut before = [0; 32];
    for (index, record) in records.iter().enumerate() {
        let Some(previous) = record.body["previous"].as_str() else { continue };
        if previous != hex::encode(before) {
            complaints.push(format!("control record {index} does not name the one before it"));
        }
        before = leaf_hash(&record.leaf);
    }
}

/// No signature is released at an index above a stop that covers it.
fn stops(records: &[Record], complaints: &mut Vec<String>) {
    let mut stopped: Vec<(usize, Value)> = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let terms = record.body["stops"].as_array().into_iter().flatten();
        stopped.extend(terms.map(|term| (index, term.clone())));
        let detail = detail(record);
        for signature in record.body["signatures"].as_array().into_iter().flatten() {
            let covers = |term: &Value| {
                term == "all"
                    || same(&term["key"], &record.body["key"])
                    || same(&term["key_id"], &signature["key_id"])
                    || same(&term["caller"], &detail["caller"]["id"])
                    || same(&term["backend"], &detail["backend"])
            };
            if signature["outcome"] == "released"
                && let Some((stop, term)) = stopped.iter().find(|(_, term)| covers(term))
            {
                complaints.push(format!("record {index} releases what record {stop} stops: {term}"));
            }
        }
    }
}

fn same(term: &Value, own: &Value) -> bool {
    term.is_string() && term == own
}

fn detail(record: &Record) -> Value {
    record.detail.as_deref().map_or(Value::Null, |bytes| serde_json::from_slice(bytes).unwrap())
}

/// What a caller asked for under one request id is released once.
fn requests(records: &[Record], complaints: &mut Vec<String>) {
    let mut seen = BTreeMap::new();
    for (index, record) in records.iter().enumerate() {
        let signatures = record.body["signatures"].as_array().into_iter().flatten();
        let released = signatures.filter(|signature| signature["outcome"] == "released").count() > 0;
        let detail = detail(record);
        let (Some(caller), Some(id)) = (detail["caller"]["id"].as_str(), detail["request"].as_str()) else {
            continue;
        };
        if released && let Some(first) = seen.insert((caller.to_owned(), id.to_owned()), index) {
            complaints.push(format!("record {index} releases request {id}, which record {first} released"));
        }
    }
}

/// A detail is the one that its leaf names.
fn details(records: &[Record], complaints: &mut Vec<String>) {
    for (index, record) in records.iter().enumerate() {
        let Some(detail) = &record.detail else { continue };
        if record.body["detail"] != Value::String(hex::encode(super::hash(detail))) {
            complaints.push(format!("the detail of record {index} is not the one that its leaf names"));
        }
    }
}

/// Calls that policy decides.
const ACTIONS: [&str; 10] = [
    "get-key",
    "get-public-key",
    "get-receipt",
    "list-keys",
    "read-log",
    "redact",
    "search-log",
    "sign",
    "stop",
    "watch-keys",
];

/// What a refusal's leaf and its detail may say.
const REFUSAL: [&str; 11] =
    ["action", "count", "detail", "digests", "key", "kind", "operation", "reason", "since", "time", "v"];
const ASIDE: [&str; 3] = ["caller", "policy", "salt"];

/// A refusal says which call it was, and holds nothing that the caller wrote but a known key's name and digests.
fn denials(records: &[Record], complaints: &mut Vec<String>) {
    let names = |value: &Value| -> Vec<String> {
        value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    let mut keys = BTreeSet::new();
    for (index, record) in records.iter().enumerate() {
        let body = &record.body;
        if body["kind"] == "key.enrolled" {
            keys.insert(body["body"]["key"].as_str());
        }
        if body["kind"] != "denied" && body["kind"] != "denied.summary" {
            continue;
        }
        let detail: Value =
            record.detail.as_deref().map_or(Value::Null, |bytes| serde_json::from_slice(bytes).unwrap());
        let mut complain = |what: &str| complaints.push(format!("refusal {index} {what}"));
        if !ACTIONS.iter().any(|action| body["action"] == *action) {
            complain("does not say which call it was");
        }
        if body.get("digests").is_some() && body["action"] != "sign" {
            complain("has digests and was of no signature");
        }
        if body.get("key").is_some_and(|key| !keys.contains(&key.as_str())) {
            complain("names a key that was not enrolled before");
        }
        for name in names(body).iter().filter(|name| !REFUSAL.contains(&name.as_str())) {
            complain(&format!("says `{name}`"));
        }
        for name in names(&detail).iter().filter(|name| !ASIDE.contains(&name.as_str())) {
            complain(&format!("says `{name}` beside"));
        }
        if detail["caller"].get("claims").is_some() {
            complain("holds claims of its caller");
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use serde_json::{Value, json};

    use super::super::{Ledger, Record, hash, leaf_hash, tree};

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

    /// Genesis, two signatures, a stop of another key.
    fn good() -> Ledger {
        let first = control(&"0".repeat(64), 0, &json!([]));
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
        assert_eq!(good.released().len(), 3);
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
        let records: Vec<Record> = leaves
            .iter()
            .map(|leaf| Record { leaf: leaf.to_vec(), detail: None, body: Value::Null })
            .collect();
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

    /// An enrolled key and a refusal, changed in its leaf and detail.
    fn refused(change: impl FnOnce(&mut Value, &mut Value)) -> Ledger {
        let mut enrolled = control(&"0".repeat(64), 0, &json!([])).body;
        enrolled["kind"] = "key.enrolled".into();
        enrolled["body"] = json!({"key": "release/linux"});
        let mut body = json!({
            "action": "stop", "key": "release/linux", "kind": "denied", "operation": format!("{:032x}", 1),
            "reason": "POLICY_DENIED", "time": {"sealed": "2026-11-21T05:00:01.000000Z"}, "v": 0,
        });
        let mut detail = json!({"caller": {"id": "unix:7"}, "policy": {"rule": ""}, "salt": ""});
        change(&mut body, &mut detail);
        ledger(vec![record(enrolled, &json!({})), record(body, &detail)])
    }

    #[test]
    fn a_refusal_that_says_too_little_or_too_much_is_noticed() {
        assert_eq!(refused(|_, _| {}).complaints(), Vec::<String>::new());
        caught(&refused(|body, _| body["action"] = "nod".into()), "does not say which call it was");
        caught(&refused(|body, _| body["action"] = Value::Null), "does not say which call it was");
        caught(&refused(|body, _| body["digests"] = json!({"sha256": "00"})), "was of no signature");
        caught(&refused(|body, _| body["key"] = "release/windows".into()), "not enrolled before");
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
        let good = [of(1, "dns:a", "withheld"), of(2, "dns:a", "released"), of(3, "dns:b", "released")];
        assert_eq!(ledger(good.to_vec()).complaints(), Vec::<String>::new());
        let bad = [&good[..], &[of(4, "dns:a", "released")]].concat();
        caught(&ledger(bad), "record 3 releases request build-1, which record 1 released");
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
            let stop = control(&"0".repeat(64), 0, &json!([term]));
            caught(&ledger(vec![stop, sign(1, 1)]), "record 1 releases what record 0 stops");
        }
    }
}
