//! What comes over from a lost log: one form, and lists in which nothing is twice.

use std::collections::BTreeSet;

use ceremonies::recovery::Carried;
use serde_json::Value;

/// Words of such documents.
pub const WORDS: &[&str] = &[
    "\"births\":[]",
    "\"key_ids\":[]",
    "\"keys\":[]",
    "\"stops\":[]",
    "\"suspended\":[]",
    "\"terms\":[\"all\"]",
    "\"target\":\"all\"",
    "{\"key\":\"a\"}",
    "\"index\":0",
    "\"version\":1",
    "\"needs\":65536",
    "true",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "2026-11-22T15:06:40.000001Z",
    "null",
    " ",
];

/// The golden document.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    super::golden("ceremonies/tests/golden/carried", "carried")
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let Ok(carried) = Carried::parse(bytes) else { return false };
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(String::from_utf8_lossy(&carried.encode()), text, "written again");
    let value: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), bytes, "an independent canonicalizer");
    let ids: BTreeSet<_> =
        carried.keys.iter().map(|key| key.key_id).chain(carried.key_ids.iter().copied()).collect();
    assert_eq!(ids.len(), carried.keys.len() + carried.key_ids.len(), "a key pair twice: {text}");
    assert_eq!(carried.records(), carried.keys.len() + carried.stops.len());
    true
}
