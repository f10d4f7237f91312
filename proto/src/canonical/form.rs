//! The form of a JSON text, read once and kept nowhere: what canonical JSON does not have, and whether keys are in order.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::map::order;
use super::{CanonicalError, DEPTH, LARGEST};

/// What a text is like.
pub(super) struct Form {
    /// Whether in every object keys are in order (RFC 8785, 3.2.3) and none stands twice.
    pub(super) is_sorted: bool,
}

/// Reads a text through.
///
/// # Errors
/// [`CanonicalError::Shape`] where it is no JSON, [`CanonicalError::Forbidden`].
pub(super) fn of(bytes: &[u8]) -> Result<Form, CanonicalError> {
    let mut found = Found::new(false);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Walk { found: &mut found, depth: 0 }.deserialize(&mut reader)?;
    reader.end()?;
    match found.forbidden {
        Some(what) => Err(CanonicalError::Forbidden(what)),
        None => Ok(Form { is_sorted: found.is_sorted }),
    }
}

/// The first key that stands twice in one object, as far as the text can be read.
pub(super) fn twice(bytes: &[u8]) -> Option<String> {
    let mut found = Found::new(true);
    // What comes after a fault is in no object.
    let _fault =
        Walk { found: &mut found, depth: 0 }.deserialize(&mut serde_json::Deserializer::from_slice(bytes));
    found.twice
}

struct Found {
    /// The first thing that canonical JSON does not have.
    forbidden: Option<&'static str>,
    is_sorted: bool,
    /// Whether a key that stands twice is looked for: it takes a set of them for each object.
    by_name: bool,
    twice: Option<String>,
}

impl Found {
    const fn new(by_name: bool) -> Self {
        Self { forbidden: None, is_sorted: true, by_name, twice: None }
    }

    fn forbid(&mut self, what: &'static str) {
        self.forbidden.get_or_insert(what);
    }
}

/// One value, `depth` objects and arrays down.
struct Walk<'f> {
    found: &'f mut Found,
    depth: usize,
}

impl Walk<'_> {
    fn integer(self, magnitude: u64) {
        if magnitude > LARGEST {
            self.found.forbid("integer beyond 2^53 - 1");
        }
    }

    fn enter(&mut self) {
        if self.depth >= DEPTH {
            self.found.forbid("nesting deeper than 16");
        }
        self.depth += 1;
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.integer(number);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.integer(number.unsigned_abs());
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.found.forbid("floating point number");
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.found.forbid("null");
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.enter();
        while items.next_element_seed(Walk { found: self.found, depth: self.depth })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        self.enter();
        let (mut before, mut seen): (Option<Cow<'de, str>>, _) = (None, BTreeSet::new());
        while let Some(key) = fields.next_key_seed(Name)? {
            if before.is_some_and(|before| order(&before, &key).is_ge()) {
                self.found.is_sorted = false;
            }
            fields.next_value_seed(Walk { found: self.found, depth: self.depth })?;
            if self.found.by_name && !seen.insert(key.clone()) {
                self.found.twice.get_or_insert_with(|| key.to_string());
            }
            before = Some(key);
        }
        Ok(())
    }
}

/// A key, borrowed where it is written without escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
