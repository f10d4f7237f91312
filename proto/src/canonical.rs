//! Canonical JSON: one form for records, details, statements, acts and bundles.
//!
//! RFC 8785, restricted to what has one reading everywhere: integers only, |n| ≤ 2^53 − 1; no floats, no null; at most
//! 16 levels deep; strict UTF-8. *Reading* is: parse strictly, write again, bytes must be equal. That one check catches
//! white space, order, escapes, duplicates and number forms. It is made in one pass where nothing is wrong; what that pass does not
//! take is read through by itself first, which says why or takes it after all
//! (`what_is_read_in_one_pass_is_read_with_care_and_the_other_way_round`).
//!
//! Structs declare their fields sorted, so that writing is plain serde_json; debug builds compare with an independent
//! canonicalizer. Callers' maps are [`Map`], which orders keys as RFC 8785, 3.2.3 wants: by UTF-16 code units.

mod form;
mod map;
mod whole;

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::Value;

pub use map::{Key, Map};

/// Deepest nesting of objects and arrays.
pub const DEPTH: usize = 16;

/// Largest magnitude of an integer: 2^53 − 1.
pub const LARGEST: u64 = (1 << 53) - 1;

/// Why bytes are no canonical JSON of the expected shape.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// Not JSON, or not of the expected shape.
    #[error("expected canonical JSON of the documented shape: {0}")]
    Shape(#[from] serde_json::Error),
    /// A float, a null, an integer beyond 2^53 − 1, or nesting deeper than 16.
    #[error("canonical JSON here has no {0}")]
    Forbidden(&'static str),
    /// The same value, but not in its one form.
    #[error(
        "the JSON is not in canonical form (RFC 8785): white space, order of keys, escapes, duplicates or number form differ"
    )]
    NotCanonical,
}

/// The canonical bytes of `value`.
///
/// # Errors
/// [`CanonicalError::Shape`] where serde cannot write it (a map with keys that are no strings).
pub fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    to_vec_of(value, 1024)
}

/// The same, with room for so many bytes from the beginning.
///
/// # Errors
/// As [`to_vec`].
pub fn to_vec_of<T: Serialize>(value: &T, expected: usize) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::with_capacity(expected);
    serde_json::to_writer(&mut out, value)?;
    debug_assert_eq!(
        serde_json_canonicalizer::to_vec(value).ok().as_deref(),
        Some(out.as_slice()),
        "a struct does not declare its fields sorted: {}",
        String::from_utf8_lossy(&out)
    );
    Ok(out)
}

/// The value whose canonical bytes these are.
///
/// # Errors
/// [`CanonicalError`]; `T` should refuse unknown fields.
pub fn from_slice<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, CanonicalError> {
    if let Ok(value) = parse::<T>(bytes)
        && is_form_of(&value, bytes)
    {
        return Ok(value);
    }
    from_slice_by(bytes, parse)
}

/// Whether these are the canonical bytes of `value`, in one pass. It never says so of others; of keys with escapes and of texts with
/// characters beyond U+FFFF it does not either.
pub fn is_form_of<T: Serialize>(value: &T, bytes: &[u8]) -> bool {
    whole::is_whole(value, bytes)
}

/// The value of a JSON text. That it is UTF-8 is looked at once for the whole, which is cheaper than string by string.
///
/// # Errors
/// serde_json's.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text),
        // Its place is said by whoever reads it.
        Err(_not_utf8) => serde_json::from_slice(bytes),
    }
}

/// The same for a type that is read in a way of its own.
///
/// # Errors
/// [`CanonicalError`]; what `read` says is [`CanonicalError::Shape`].
pub fn from_slice_by<T: Serialize>(
    bytes: &[u8],
    read: impl FnOnce(&[u8]) -> serde_json::Result<T>,
) -> Result<T, CanonicalError> {
    let form = form::of(bytes)?;
    let value = read(bytes)?;
    // A `Value` inside `T` writes its keys by their bytes or, where some crate of the build asks serde_json for
    // `preserve_order`, as they were read. By bytes is by UTF-16 up to U+FFFF; beyond (four bytes in UTF-8) it is not.
    let same = if bytes.iter().any(|byte| *byte >= 0xf0) {
        serde_json_canonicalizer::to_vec(&value)? == bytes
    } else {
        form.is_sorted && is_written(&value, bytes)?
    };
    if same { Ok(value) } else { Err(CanonicalError::NotCanonical) }
}

/// The tree of a text that has nothing which canonical JSON does not have, and its keys in order. White space, escapes and number
/// forms are not looked at: whoever reads a type out of the tree writes that again and compares.
///
/// # Errors
/// [`CanonicalError`].
pub fn tree(bytes: &[u8]) -> Result<Value, CanonicalError> {
    if !form::of(bytes)?.is_sorted {
        return Err(CanonicalError::NotCanonical);
    }
    Ok(parse(bytes)?)
}

/// The first key that stands twice in one object: what to say of a text that was refused, before anything else.
pub fn twice(bytes: &[u8]) -> Option<String> {
    form::twice(bytes)
}

/// Whether serde_json writes `value` as these bytes.
fn is_written<T: Serialize>(value: &T, bytes: &[u8]) -> Result<bool, serde_json::Error> {
    /// Takes what it expects, and nothing else.
    struct Expecting<'a> {
        rest: &'a [u8],
        differs: bool,
    }
    impl io::Write for Expecting<'_> {
        fn write(&mut self, written: &[u8]) -> io::Result<usize> {
            match self.rest.strip_prefix(written) {
                Some(rest) => self.rest = rest,
                None => self.differs = true,
            }
            if self.differs { Err(io::ErrorKind::InvalidData.into()) } else { Ok(written.len()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut expecting = Expecting { rest: bytes, differs: false };
    match serde_json::to_writer(&mut expecting, value) {
        Ok(()) => Ok(expecting.rest.is_empty()),
        Err(_stopped) if expecting.differs => Ok(false),
        Err(error) => Err(error),
    }
}

/// Deserializes a string by its `FromStr`, for values that are shown and stored as text.
///
/// # Errors
/// The parser's own sentence.
pub fn parse_str<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    struct Text<T>(PhantomData<T>);
    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Text(PhantomData))
}

/// Binary values in JSON: standard base64 with padding (RFC 4648, 4). For `#[serde(with = "…")]`.
pub mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes base64.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    /// Reads base64.
    ///
    /// # Errors
    /// Where the text is no standard base64 with padding.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD
            .decode(text)
            .map_err(|e| serde::de::Error::custom(format!("expected standard base64 with padding: {e}")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        a: i64,
        b: Map<String>,
    }

    #[test]
    fn a_tree_has_sorted_keys_and_nothing_that_is_forbidden() {
        assert!(tree(br#" {"a": [1], "b": {"\u0078": true}} "#).is_ok());
        assert!(tree("{\"\u{10000}\":\"2\",\"\u{e000}\":\"1\"}".as_bytes()).is_ok());
        for bad in
            [r#"{"b":1,"a":1}"#, r#"{"a":1,"a":1}"#, r#"[{"b":1,"a":1}]"#, "{\"\u{e000}\":1,\"\u{10000}\":2}"]
        {
            assert!(matches!(tree(bad.as_bytes()), Err(CanonicalError::NotCanonical)), "{bad}");
        }
        for bad in ["[null]", "[1.5]", "[9007199254740992]", "[1e2]", "[1", "{}{}"] {
            assert!(tree(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(matches!(tree(b"[null]"), Err(CanonicalError::Forbidden("null"))));
    }

    #[test]
    fn a_key_that_stands_twice_is_found_wherever_it_stands() {
        for (text, found) in [
            (r#"{"a":1,"b":{"a":1}}"#, None),
            (r#"{"a":1,"b":2,"a":3}"#, Some("a")),
            (r#"[{"x":{"b":1,"\u0062":2}}]"#, Some("b")),
            // The inner one ends first, and what is wrong after it hides neither.
            (r#"{"a":1,"a":{"b":1,"b":2}}"#, Some("b")),
            (r#"{"a":1,"a":2,"#, Some("a")),
            (r#"{"a":1,"#, None),
        ] {
            assert_eq!(twice(text.as_bytes()).as_deref(), found, "{text}");
        }
    }

    #[test]
    fn one_form_is_read() {
        assert!(from_slice::<Sample>(br#"{"a":1,"b":{"x":"y"}}"#).is_ok());
        for (bad, why) in [
            (&br#"{"a":1, "b":{}}"#[..], "form"),
            (br#"{"b":{},"a":1}"#, "form"),
            (br#"{"a":1,"b":{"\u0078":"y"}}"#, "form"),
            (br#"{"a":1,"b":{"x":"1","x":"2"}}"#, "twice"),
            (br#"{"a":1,"a":1,"b":{}}"#, "duplicate field"),
            (br#"{"a":1,"b":{},"c":1}"#, "unknown field"),
            (br#"{"a":1e0,"b":{}}"#, "floating"),
            (br#"{"a":1.0,"b":{}}"#, "floating"),
            (br#"{"a":null,"b":{}}"#, "null"),
            (br#"{"a":9007199254740992,"b":{}}"#, "2^53"),
            (br#"{"a":-9007199254740992,"b":{}}"#, "2^53"),
            (br#"{"a":1,"b":{"x":"\ud800"}}"#, "hex escape"),
            (br#"{"a":1,"b":{}}x"#, "trailing"),
            (b"{\"a\":1,\"b\":{\"x\":\"\xff\"}}", "invalid unicode"),
        ] {
            let error = from_slice::<Sample>(bad).unwrap_err().to_string();
            assert!(error.contains(why), "{}: {error}", String::from_utf8_lossy(bad));
        }
        assert!(matches!(from_slice::<Value>(br#"{"b":1,"a":2}"#), Err(CanonicalError::NotCanonical)));
        // By UTF-16 code units the second key comes first, whatever type reads it.
        let by_bytes = "{\"\u{e000}\":\"1\",\"\u{10000}\":\"2\"}".as_bytes();
        assert!(matches!(from_slice::<Value>(by_bytes), Err(CanonicalError::NotCanonical)));
        assert!(matches!(from_slice::<Map<String>>(by_bytes), Err(CanonicalError::NotCanonical)));
        let by_units = "{\"\u{10000}\":\"2\",\"\u{e000}\":\"1\"}".as_bytes();
        assert!(from_slice::<Value>(by_units).is_ok() && from_slice::<Map<String>>(by_units).is_ok());
        let deep = format!("{}{}", "[".repeat(17), "]".repeat(17));
        assert!(matches!(from_slice::<Value>(deep.as_bytes()), Err(CanonicalError::Forbidden(_))));
    }

    /// JSON texts, or nearly: many of canonical form, and of each way to be of another one some.
    fn texts() -> impl Strategy<Value = String> {
        let sound = [
            "0",
            "1",
            "-1",
            "9007199254740991",
            "-9007199254740991",
            "true",
            "\"\"",
            "\"x\"",
            "\"\\n\"",
            "[]",
            "{}",
        ];
        let odd = [
            "-0",
            "9007199254740992",
            "-9007199254740992",
            "18446744073709551615",
            "1e99",
            "1.5",
            "1e2",
            "null",
            "\"\\u0078\"",
            "\"\\ud800\"",
            "\"\u{10000}\"",
            "\"\u{e000}\"",
            " 1",
            "01",
            "",
        ];
        let keys =
            ["", "!", "#", "a", "a b", "a!", "ab", "b", "\u{e000}", "\u{10000}", "\\n", "\\u0061", "\\\""];
        let key = move || prop::sample::select(keys.to_vec()).prop_map(|key| format!("\"{key}\""));
        let plain = prop::sample::select(keys[..8].to_vec()).prop_map(|key| format!("\"{key}\""));
        let joined = |items: Vec<(String, String)>| {
            let items: Vec<String> = items.into_iter().map(|(key, value)| format!("{key}:{value}")).collect();
            format!("{{{}}}", items.join(","))
        };
        let leaf =
            prop_oneof![12 => prop::sample::select(sound.to_vec()), 1 => prop::sample::select(odd.to_vec())];
        leaf.prop_map(str::to_owned).prop_recursive(5, 24, 4, move |inner| {
            let sorted = prop::collection::btree_map(plain.clone(), inner.clone(), 0..4);
            prop_oneof![
                3 => prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
                8 => sorted.prop_map(move |fields| joined(fields.into_iter().collect())),
                1 => prop::collection::vec((key(), inner.clone()), 0..4).prop_map(joined),
                1 => prop::collection::vec(inner, 0..3).prop_map(|items| format!("[{} ]", items.join(", "))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_an_independent_canonicalizer_writes(a in -1000_i64..1000, keys: Vec<(String, String)>) {
            let sample = Sample { a, b: keys.into_iter().collect() };
            let bytes = to_vec(&sample).unwrap();
            prop_assert_eq!(&serde_json_canonicalizer::to_vec(&sample).unwrap(), &bytes);
            prop_assert_eq!(from_slice::<Sample>(&bytes).unwrap(), sample);
        }

        /// What one pass takes is canonical, and it takes all of it but for keys with escapes and for characters beyond U+FFFF.
        #[test]
        fn what_is_read_in_one_pass_is_read_with_care_and_the_other_way_round(text in texts(), around in 0..18_usize) {
            let around = around.saturating_sub(8);
            let text = format!("{}{text}{}", "[".repeat(around), "]".repeat(around));
            let bytes = text.as_bytes();
            let with_care = from_slice_by::<Value>(bytes, parse);
            let in_one_pass = parse::<Value>(bytes).ok().filter(|value| is_form_of(value, bytes));
            if let Some(value) = &in_one_pass {
                prop_assert_eq!(with_care.as_ref().ok(), Some(value), "{}", text);
            }
            if !text.contains('\\') && !text.contains('\u{10000}') {
                prop_assert_eq!(in_one_pass.as_ref(), with_care.as_ref().ok(), "{}", text);
            }
            let said = |read: &Result<Value, CanonicalError>| read.as_ref().map_err(ToString::to_string).cloned();
            prop_assert_eq!(said(&from_slice::<Value>(bytes)), said(&with_care));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = from_slice::<Sample>(&bytes);
        }
    }
}
