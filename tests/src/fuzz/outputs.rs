//! Outputs: one form for each, of one statement; what is read is what an independent canonicalizer writes.

use std::sync::LazyLock;

use ceremonies::outputs::{Outputs, effect};
use ceremonies::statement::{Kind, Statement, Target};
use serde_json::Value;

/// Words of outputs.
pub const WORDS: &[&str] = &[
    "\"attributes\":{}",
    "\"birth\":\"08080808080808080808080808080808\"",
    "\"destroyed\":[]",
    "\"destroyed\":[\"pkcs11:object=a\"]",
    "\"device\":{\"serial\":\"1\"}",
    "\"rebound\":[]",
    "\"version\":2",
    "\"public_key\":\"\"",
    "\"schema\":",
    ",\"statement\":\"",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "\\u0061",
    "null",
    "{}",
    "==",
    " ",
];

/// One statement of every kind, and that of the golden transcript, which is the first.
static STATEMENTS: LazyLock<Vec<Statement>> = LazyLock::new(|| {
    let mut all = super::golden("ceremonies/tests/golden/transcript", "statement.json");
    all.extend(super::golden("ceremonies/tests/golden/statements", ""));
    all.iter().map(|bytes| Statement::parse(bytes.trim_ascii_end()).unwrap()).collect()
});

/// What came of the golden transcript, and of every statement whose outputs say what the statement asked for.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = super::golden("ceremonies/tests/golden/transcript", "outputs.json");
    for statement in STATEMENTS.iter() {
        let outputs = match statement.target() {
            Target::Resolve(_) => Outputs::Destroyed(vec!["pkcs11:object=a".into()]),
            Target::KeyDestroy(_) => Outputs::Gone([8; 16].into()),
            _ => Outputs::Done,
        };
        // Keys need a device; the golden transcript has one.
        seeds.extend(outputs.encode(statement).ok());
    }
    assert!(seeds.len() > 5, "the golden statements have outputs");
    seeds
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let read =
        STATEMENTS.iter().filter_map(|statement| Some((statement, Outputs::parse(bytes, statement).ok()?)));
    let mut found = None;
    for (statement, outputs) in read {
        let text = String::from_utf8_lossy(bytes);
        assert!(found.is_none_or(|other| other == statement.digest()), "of two statements: {text}");
        found = Some(statement.digest());
        assert_eq!(String::from_utf8_lossy(&outputs.encode(statement).unwrap()), text, "written again");
        let value: Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), bytes, "an independent canonicalizer");
        assert_eq!(value["statement"], statement.digest().to_string(), "{text}");
        assert_eq!(value["ceremony"], statement.common().ceremony.to_string(), "{text}");
        let is_key = matches!(outputs, Outputs::Key(_));
        assert_eq!(is_key, matches!(statement.kind(), Kind::KeyGenerate | Kind::KeyAdopt), "{text}");
        if let Outputs::Key(born) = &outputs
            && let Ok(proto::record::ceremony::Effect::Key(arrived)) = effect(statement, &outputs)
        {
            assert_eq!(arrived.public_key, born.public_key);
            assert_eq!(arrived.key_id.to_string(), value["key_id"].as_str().unwrap(), "{text}");
        }
    }
    found.is_some()
}
