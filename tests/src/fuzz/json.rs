//! Canonical JSON: what is read is what an independent canonicalizer writes, and nothing that has two readings.

use proto::canonical::{self, DEPTH, LARGEST, Map};
use serde_json::Value;

/// Words of JSON.
pub const WORDS: &[&str] = &[
    "null",
    "true",
    "[[[[[[[[",
    "]]]]]]]]",
    "{\"a\":",
    "\"a\":1,",
    "9007199254740991",
    "9007199254740992",
    "-9007199254740992",
    "-0",
    "1.0",
    "1e0",
    "\\u0061",
    "\\ud800",
    "\\/",
    "\\u001f",
    "\u{10000}",
    "\u{e000}",
    "\u{feff}",
    "\n",
];

/// Every kind of value, and the keys whose order differs by bytes and by UTF-16 code units.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = [
        r#"{}"#,
        r#"{"a":[1,-1,true,"x"],"b":{"c":""}}"#,
        r#"{"large":9007199254740991,"small":-9007199254740991}"#,
        r#"{"text":"\u001f\"\\\b\f\n\r\t"}"#,
        "{\"\u{10000}\":\"1\",\"\u{e000}\":\"2\"}",
        "{\"\u{e000}\":\"1\"}",
        r#"{"key":"value","other":"word"}"#,
        r#"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"#,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    seeds.extend(super::golden("proto/tests/golden/records", ""));
    seeds
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let text = || String::from_utf8_lossy(bytes);
    let mut read = false;
    if let Ok(value) = canonical::from_slice::<Value>(bytes) {
        let written = serde_json_canonicalizer::to_vec(&value).unwrap();
        assert_eq!(String::from_utf8_lossy(&written), text(), "an independent canonicalizer");
        bounded(&value, 0);
        read = true;
    }
    if let Ok(map) = canonical::from_slice::<Map<String>>(bytes) {
        let written = canonical::to_vec(&map).unwrap();
        assert_eq!(String::from_utf8_lossy(&written), text(), "written again");
        assert_eq!(serde_json_canonicalizer::to_vec(&map).unwrap(), bytes, "an independent canonicalizer");
        assert!(map.iter().all(|(key, value)| map.find(key) == Some(value)));
        read = true;
    }
    read
}

fn bounded(value: &Value, depth: usize) {
    assert!(depth <= DEPTH, "nested {depth} deep");
    match value {
        Value::Null => panic!("a null"),
        Value::Number(number) => {
            let magnitude = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
            assert!(magnitude.is_some_and(|magnitude| magnitude <= LARGEST), "the number {number}");
        }
        Value::Array(items) => items.iter().for_each(|item| bounded(item, depth + 1)),
        Value::Object(fields) => fields.values().for_each(|field| bounded(field, depth + 1)),
        Value::Bool(_) | Value::String(_) => {}
    }
}
