//! Acts: one form for each, nothing longer than is taken; what is read is what an independent canonicalizer writes.

use ceremonies::act::{Act, ActKind, Decision, LARGEST, LONGEST_REASON, MOST_STOPS};
use serde_json::Value;

/// Words of acts.
pub const WORDS: &[&str] = &[
    "\"act\":\"stop\"",
    "\"act\":\"approve\"",
    "\"attest\"",
    "\"withdraw\"",
    "\"refuse\"",
    "\"accept\"",
    ",\"statement\":\"",
    "{\"all\"}",
    "\"all\",",
    "{\"key\":\"a\"}",
    "{\"claim\":{\"name\":\"a\",\"value\":\"b\"}}",
    "\"target\":{}",
    "\"size\":0",
    "\"size\":9007199254740992",
    "2026-11-22T15:06:40.000001Z",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "\\n",
    "\\u0061",
    "\u{202e}",
    "null",
    " ",
];

/// The golden acts: every kind, and both decisions.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    super::golden("ceremonies/tests/golden/acts", "act-")
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let Ok(act) = Act::parse(bytes) else { return false };
    let text = String::from_utf8_lossy(bytes);
    assert!(bytes.len() <= LARGEST && act.reason.len() <= LONGEST_REASON);
    assert_eq!(String::from_utf8_lossy(&act.encode().unwrap()), text, "written again");
    let value: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), bytes, "an independent canonicalizer");
    let fields: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(fields.len(), 9, "{text}");
    assert_eq!(value["act"], act.deed.kind().name());
    // What is accepted, proposed or started says why in its statement.
    use ActKind::{Approve, Attest, Execute, Propose};
    let consents = matches!(act.deed.kind(), Approve | Attest | Execute | Propose)
        && act.deed.decision() == Decision::Accept;
    assert!(consents || !act.reason.trim().is_empty(), "a reason: {text}");
    let about = act.deed.statement().is_some();
    assert_eq!(value["target"].get("statement").is_some(), about, "{text}");
    assert!(value["target"]["stops"].as_array().is_none_or(|stops| (1..=MOST_STOPS).contains(&stops.len())));
    true
}
