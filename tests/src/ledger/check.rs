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
