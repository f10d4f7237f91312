//! What is read at once, held against what is read with care.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use proptest::prelude::*;

use super::*;

macro_rules! golden {
    ($($name:literal)*) => {
        [$(include_str!(concat!("../../../tests/golden/statements/", $name, ".json")),)*]
    };
}

/// Every kind as its golden file has it, in their order.
fn golden() -> Vec<(Kind, String)> {
    let texts = golden!(
        "genesis" "key-generate" "key-adopt" "key-rotate" "key-rotate-emergency" "key-compromise"
        "key-resume" "stop-lift" "key-remove" "key-destroy" "roster-change" "policy-change"
        "grant-change" "sign-break-glass" "resolve" "backend-rebind" "clock-reset" "log-rekey"
        "log-recover"
    );
    assert_eq!(texts.len(), Kind::ALL.len());
    Kind::ALL.iter().zip(texts).map(|(kind, text)| (*kind, text.trim_end().to_owned())).collect()
}

#[test]
fn every_kind_is_read_at_once() {
    for (kind, text) in golden() {
        let statement = at_once(text.as_bytes()).unwrap_or_else(|| panic!("{kind}"));
        assert_eq!((statement.kind(), Ok(&statement)), (kind, with_care(text.as_bytes()).as_ref()));
        // A kind that somebody writes of is not the one that it is.
        let other = text.replace(r#""justification":""#, r#""justification":"\"kind\":\"resolve\" "#);
        let statement = at_once(other.as_bytes()).unwrap_or_else(|| panic!("{kind}: {other}"));
        assert_eq!((statement.kind(), Ok(&statement)), (kind, with_care(other.as_bytes()).as_ref()));
    }
}

/// One thing that somebody does to a text.
#[derive(Clone, Debug)]
enum Change {
    Nothing,
    Byte(prop::sample::Index, u8),
    Insert(prop::sample::Index, &'static str),
    Remove(prop::sample::Index, usize),
    /// A field of this statement is that of another kind.
    Value(prop::sample::Index, prop::sample::Index),
    /// Two fields have changed their places.
    Swap(prop::sample::Index, prop::sample::Index),
}

fn changes() -> impl Strategy<Value = Change> {
    let place = any::<prop::sample::Index>;
    let pieces = [
        " ",
        "\n",
        "0",
        "null",
        "1.0",
        "9007199254740992",
        "[]",
        "\\u0061",
        "\u{10000}",
        "\u{e000}",
        "\"a\":1,",
        "\u{202e}",
        "A",
        "\"kind\":\"resolve\",",
    ];
    prop_oneof![
        1 => Just(Change::Nothing),
        4 => (place(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        4 => (place(), prop::sample::select(pieces.to_vec())).prop_map(|(at, what)| Change::Insert(at, what)),
        2 => (place(), 1..9_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        4 => (place(), place()).prop_map(|(at, other)| Change::Value(at, other)),
        2 => (place(), place()).prop_map(|(one, other)| Change::Swap(one, other)),
    ]
}

fn fields_of(text: &str) -> Vec<(String, Value)> {
    let Value::Object(fields) = serde_json::from_str(text).unwrap() else { panic!("no object") };
    fields.into_iter().collect()
}

fn changed(text: &str, other: &str, change: &Change) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let written = |fields: Vec<(String, Value)>| {
        let field = |(name, value): (String, Value)| format!("\"{name}\":{value}");
        format!("{{{}}}", fields.into_iter().map(field).collect::<Vec<_>>().join(",")).into_bytes()
    };
    match change {
        Change::Nothing => bytes,
        Change::Byte(at, byte) => {
            *at.get_mut(&mut bytes) = *byte;
            bytes
        }
        Change::Insert(at, what) => {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, what.bytes());
            bytes
        }
        Change::Remove(at, length) => {
            let at = at.index(bytes.len());
            bytes.drain(at..(at + length).min(text.len()));
            bytes
        }
        Change::Value(at, from) => {
            let (mut own, others) = (fields_of(text), fields_of(other));
            at.get_mut(&mut own).1 = from.get(&others).1.clone();
            written(own)
        }
        Change::Swap(one, two) => {
            let mut own = fields_of(text);
            let (one, two) = (one.index(own.len()), two.index(own.len()));
            own.swap(one, two);
            written(own)
        }
    }
}
proptest! {
    #[test]
    fn what_is_read_at_once_is_read_with_care_and_the_other_way_round(
        kinds: (prop::sample::Index, prop::sample::Index),
        first in changes(),
        second in changes(),
    ) {
        let golden = golden();
        let ((_, text), (_, other)) = (kinds.0.get(&golden), kinds.1.get(&golden));
        let mut bytes = changed(text, other, &first);
        if let Ok(text) = String::from_utf8(bytes.clone()) && serde_json::from_str::<Map<String, Value>>(&text).is_ok() {
            bytes = changed(&text, other, &second);
        }
        let (at_once, with_care) = (at_once(&bytes), with_care(&bytes));
        // Beyond U+FFFF keys sort otherwise than their bytes: such a text is read with care.
        let is_plain = bytes.iter().all(|byte| *byte < 0xf0);
        prop_assert!(at_once.is_none() || at_once.as_ref() == with_care.as_ref().ok());
        prop_assert!(!is_plain || at_once.as_ref() == with_care.as_ref().ok());
    }
}
