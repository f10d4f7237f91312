//! The promises, one function each.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

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
    births(&ledger.records, &mut complaints);
    carried(&ledger.records, &mut complaints);
    denials(&ledger.records, &mut complaints);
    requests(&ledger.records, &mut complaints);
    configurations(&ledger.records, &mut complaints);
    signatures(&ledger.records, &mut complaints);
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

/// No signature is released at an index above a stop that covers it, unless a completed ceremony has lifted that stop.
fn stops(records: &[Record], complaints: &mut Vec<String>) {
    let mut stopped: Vec<(usize, Value)> = Vec::new();
    for (index, record) in records.iter().enumerate() {
        for lift in record.body["lifts"].as_array().into_iter().flatten() {
            let ended = |stop: usize, term: &Value| {
                lift["index"] == stop && lift["terms"].as_array().is_some_and(|terms| terms.contains(term))
            };
            let before = stopped.len();
            stopped.retain(|(stop, term)| !ended(*stop, term));
            if record.body["kind"] != "ceremony.completed" || stopped.len() == before {
                complaints.push(format!("record {index} lifts what it may not, or what is not stopped"));
            }
        }
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

/// What is said of the key that a completed ceremony brought into force, or that came over from a lost log.
fn key(record: &Record) -> Option<&Value> {
    match record.body["kind"].as_str()? {
        "ceremony.completed" => Some(&record.body["body"]["effect"]["key"]),
        "key.carried" => Some(&record.body["body"]["key"]),
        _ => None,
    }
}

/// Its name.
fn born(record: &Record) -> Option<&str> {
    key(record)?["key"].as_str()
}

/// Its public key, by its id: DER of a SubjectPublicKeyInfo.
fn public_key(record: &Record) -> Option<(&str, Vec<u8>)> {
    let key = key(record)?;
    Some((key["key_id"].as_str()?, STANDARD.decode(key["public_key"].as_str()?).ok()?))
}

/// What is released verifies by the public key that its ceremony has recorded, over the digest that the record names. Of
/// algorithms that sign digests with SHA-256; others are verified where they are used.
fn signatures(records: &[Record], complaints: &mut Vec<String>) {
    let keys: BTreeMap<&str, Vec<u8>> = records.iter().filter_map(public_key).collect();
    for (index, record) in records.iter().enumerate() {
        let digest =
            record.body["signed"]["digests"]["sha256"].as_str().and_then(|hex| hex::decode(hex).ok());
        let Some(digest) = digest.and_then(|bytes| Digest::import_less_safe(&bytes, &SHA256).ok()) else {
            continue;
        };
        for signature in record.body["signatures"].as_array().into_iter().flatten() {
            let Some(algorithm) = verification(&signature["algorithm"]) else { continue };
            let key = signature["key_id"].as_str().and_then(|id| keys.get(id));
            let value = signature["value"].as_str().and_then(|value| STANDARD.decode(value).ok());
            let (Some(key), Some(value), true) = (key, value, signature["outcome"] == "released") else {
                continue;
            };
            if UnparsedPublicKey::new(algorithm, key).verify_digest(&digest, &value).is_err() {
                complaints.push(format!("record {index} releases a signature that its key does not verify"));
            }
        }
    }
}

fn verification(algorithm: &Value) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match algorithm.as_str()? {
        "ecdsa-p256-sha256" => &ECDSA_P256_SHA256_ASN1,
        "rsa-pkcs1-2048-sha256" | "rsa-pkcs1-3072-sha256" | "rsa-pkcs1-4096-sha256" => {
            &RSA_PKCS1_2048_8192_SHA256
        }
        "rsa-pss-2048-sha256" | "rsa-pss-3072-sha256" | "rsa-pss-4096-sha256" => &RSA_PSS_2048_8192_SHA256,
        _ => return None,
    })
}

/// Keys of a lost log come over before anything else, and stopped.
fn carried(records: &[Record], complaints: &mut Vec<String>) {
    let comes = |record: &Record| record.body["kind"] == "key.carried";
    let first = records.iter().skip(1).take_while(|record| comes(record)).count();
    for (index, record) in records.iter().enumerate().filter(|(_, record)| comes(record)) {
        if !(1..=first).contains(&index) {
            complaints.push(format!("record {index} brings a key from another log after the beginning"));
        }
        if record.body["stops"] != json!([{"key": record.body["body"]["key"]["key"]}]) {
            complaints.push(format!("record {index} brings a key from another log and does not stop it"));
        }
    }
}

/// Nothing is signed by a key that no ceremony has brought into force before, but the proof of possession: while the
/// ceremony that brings the key, or that binds it to another device, is being executed.
fn births(records: &[Record], complaints: &mut Vec<String>) {
    let mut in_force = BTreeSet::new();
    let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut executing = BTreeSet::new();
    for (index, record) in records.iter().enumerate() {
        let body = &record.body;
        let id = || body["body"]["ceremony"].as_str().unwrap_or_default().to_owned();
        match body["kind"].as_str().unwrap_or_default() {
            "ceremony.proposed" => {
                let statement = detail(record)["documents"]["statement"].as_str().map(str::to_owned);
                let statement: Value =
                    serde_json::from_str(&statement.unwrap_or_default()).unwrap_or(Value::Null);
                let target = &statement["target"];
                // By their names where they are made, by their ids where they are found on another device.
                let named = target["key"].as_str().into_iter();
                let found = target["keys"].as_array().into_iter().flatten().filter_map(Value::as_str);
                asked.insert(id(), named.chain(found).map(str::to_owned).collect());
            }
            "ceremony.started" => executing.extend(asked.get(&id()).cloned().into_iter().flatten()),
            "ceremony.executed" | "ceremony.failed" | "ceremony.interrupted" => {
                for key in asked.get(&id()).into_iter().flatten() {
                    executing.remove(key);
                }
            }
            "ceremony.completed" | "key.carried" => in_force.extend(born(record)),
            "sign" => {
                let key = body["key"].as_str().unwrap_or_default();
                let key_id = body["signatures"][0]["key_id"].as_str().unwrap_or_default();
                match record.proves_possession() {
                    true if !executing.contains(key) && !executing.contains(key_id) => complaints
                        .push(format!("record {index} proves possession outside of the key's ceremony")),
                    false if !in_force.contains(key) => complaints.push(format!(
                        "record {index} is signed by a key that no ceremony has brought before"
                    )),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// A whole log, from its genesis on: nothing is signed before the daemon says with which configuration it runs, neither by a
/// process that began later than it was asked, nor by rules that a file changed.
fn configurations(records: &[Record], complaints: &mut Vec<String>) {
    if records.first().is_none_or(|first| first.body["kind"] != "genesis") {
        return;
    }
    // Operation ids begin with the millisecond in which they were asked.
    let asked = |record: &Record| record.body["operation"].as_str().map(|id| id[..12].to_owned());
    let mut begun: Option<usize> = None;
    for (index, record) in records.iter().enumerate() {
        let body = &record.body;
        if body["kind"] == "config" {
            begun = Some(index);
            let early = |(_, earlier): &(usize, &Record)| {
                earlier.body["kind"] == "sign" && asked(earlier) > asked(record)
            };
            if body["cause"] == "start"
                && let Some((early, _)) = records[..index].iter().enumerate().find(early)
            {
                complaints
                    .push(format!("record {early} was asked of a process whose start is record {index}"));
            }
        }
        if body["kind"] != "sign" {
            continue;
        }
        let Some(begun) = begun else {
            complaints.push(format!("record {index} is signed before any start is recorded"));
            continue;
        };
        let policy = &detail(record)["policy"];
        for decided in ["grants", "guardrails"].iter().filter_map(|of| policy[of].as_u64()) {
            let at = usize::try_from(decided).unwrap_or(usize::MAX);
            let by_file =
                records.get(at).is_some_and(|by| by.body["kind"] == "grant" || by.body["kind"] == "policy");
            if by_file && begun < at {
                complaints.push(format!(
                    "record {index} is signed by the file of record {at}, and no reload says so"
                ));
            }
        }
    }
}

/// Calls that policy decides.
const ACTIONS: [&str; 11] = [
    "get-key",
    "get-public-key",
    "get-receipt",
    "invite",
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
        keys.extend(born(record));
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
        if body.get("key").is_some_and(|key| !key.as_str().is_some_and(|key| keys.contains(key))) {
            complain("names a key that no ceremony has brought before");
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
mod tests;
