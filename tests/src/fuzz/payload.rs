//! Payloads of other people: an in-toto statement, a simple-signing document or any message. What is accepted has one
//! reading: a reader that takes the first of two keys, one that takes the last and one that folds case see the same.

use bytes::Bytes;
use daemon::sign::Input;
use daemon::sign::prepare::{self, Reading};
use proto::purpose::Kind;
use serde_json::Value;

const IN_TOTO: &str = "application/vnd.in-toto+json";

/// Words of payloads.
pub const WORDS: &[&str] = &[
    "\"subject\":[],",
    "\"Subject\":[{\"digest\":{\"sha256\":\"ff\"}}],",
    "\"predicateType\":\"x\",",
    "\"PREDICATETYPE\":\"x\",",
    "\"predicat\\u0065Type\":\"x\",",
    "\"\u{17f}ubject\":[],",
    "\"critical\":{},",
    "\"Critical\":{},",
    "\"digest\":{\"sha256\":\"ee\"},",
    "[[[[[[[[[[[[[[[[[[[[",
    "{\"a\":",
    "\\ud800",
    "\0",
    "DSSEv1 ",
    "DSSEv1 28 application/vnd.in-toto+json 2 {}",
];

/// Statements of both versions, a simple-signing document, and an encoding of DSSE.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let statement = r#"{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1","subject":[{"name":"a","digest":{"sha256":"00ff","sha512":"11"}}],"predicate":{"a":[1,2.5,null]}}"#;
    let older = statement.replace("Statement/v1", "Statement/v0.1");
    let image = format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"registry.example.org/app:latest"}},"image":{{"docker-manifest-digest":"sha256:{}"}},"type":"cosign container image signature"}},"optional":null}}"#,
        "ab".repeat(32)
    );
    let encoding = format!("DSSEv1 {} {IN_TOTO} {} {statement}", IN_TOTO.len(), statement.len());
    [statement.to_owned(), older, image, encoding].map(String::into_bytes).to_vec()
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(bytes);
    let statement = read(&Input::Dsse { payload_type: IN_TOTO.into(), payload: bytes.clone() });
    let mut accepted = false;
    if let Some(reading) = &statement {
        one_reading(&bytes, reading);
        accepted = true;
    }
    if let Some(reading) = read(&Input::Message(bytes.clone())) {
        let lenient: Option<Value> = serde_json::from_slice(&bytes).ok();
        let critical = lenient.as_ref().and_then(Value::as_object).is_some_and(|fields| fields.contains_key("critical"));
        assert_eq!(critical, reading.kind == Kind::Oci, "{reading:?}");
        assert!(!bytes.starts_with(b"DSSEv1 ") || matches!(reading.kind, Kind::Dsse(_)), "{reading:?}");
        accepted |= reading.kind == Kind::Oci || matches!(reading.kind, Kind::Dsse(_));
    }
    if let Err(refusal) = prepare::read(&Input::Notation(bytes)) {
        super::request::explained(&refusal);
    }
    accepted
}

fn read(input: &Input) -> Option<Reading> {
    match prepare::read(input) {
        Ok(reading) => Some(reading),
        Err(refusal) => {
            super::request::explained(&refusal);
            None
        }
    }
}

/// Three readers of the statement, each lenient in its own way, see the predicate type and subjects that policy saw.
fn one_reading(payload: &[u8], reading: &Reading) {
    let last: Value = serde_json::from_slice(payload).expect("what is accepted is JSON");
    let first: Value = FirstWins::read(payload);
    for (who, value) in [("the last key", &last), ("the first key", &first), ("folded keys", &folded(last.clone()))] {
        let folds = who == "folded keys";
        let name = |name: &str| if folds { name.to_ascii_lowercase() } else { name.to_owned() };
        let predicate = value[name("predicateType")].as_str();
        assert_eq!(predicate, reading.predicate_type.as_deref(), "by {who}");
        let digests = |subject: &Value| -> Vec<String> {
            let digests = subject["digest"].as_object().expect("digests");
            digests.iter().map(|(hash, value)| format!("{hash}:{}", value.as_str().expect("text"))).collect()
        };
        let mut subjects: Vec<String> = value["subject"].as_array().expect("subjects").iter().flat_map(digests).collect();
        let mut seen: Vec<String> = reading.subjects.clone();
        if folds {
            seen.iter_mut().for_each(|subject| *subject = fold_hash(subject));
        }
        subjects.sort();
        seen.sort();
        assert_eq!(subjects, seen, "by {who}");
    }
}

fn fold_hash(subject: &str) -> String {
    let (hash, value) = subject.split_once(':').expect("hash:value");
    format!("{}:{value}", hash.to_ascii_lowercase())
}

/// As a reader that matches keys case-insensitively sees it.
fn folded(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(folded).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (key.to_ascii_lowercase(), folded(value))).collect()
        }
        other => other,
    }
}

/// As a reader that keeps the first of two equal keys sees it.
struct FirstWins(Value);

impl FirstWins {
    fn read(bytes: &[u8]) -> Value {
        serde_json::from_slice::<Self>(bytes).expect("what is accepted is JSON").0
    }
}

impl<'de> serde::Deserialize<'de> for FirstWins {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> serde::de::Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(FirstWins(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let mut fields = serde_json::Map::new();
        while let Some((key, FirstWins(value))) = pairs.next_entry::<String, FirstWins>()? {
            fields.entry(key).or_insert(value);
        }
        Ok(Value::Object(fields))
    }
}
