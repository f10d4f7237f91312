//! Reading a statement: strictly, field by field, so that each thing that can be wrong is said as what it is.

use std::fmt;

use proto::canonical::{self, CanonicalError};
use proto::hash::Hash;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::statement::{Common, Kind, LARGEST, SCHEMA, Statement, StatementError, Target};

/// The statement whose canonical bytes these are.
pub(super) fn statement(bytes: &[u8]) -> Result<Statement, StatementError> {
    if bytes.len() > LARGEST {
        return Err(StatementError::Size(bytes.len()));
    }
    let value: Value = canonical::tree(bytes).map_err(|error| refused(bytes, error))?;
    let Value::Object(rest) = value else { return Err(StatementError::NotAnObject) };
    let statement = fields(Fields { rest })?;
    // It was written to be named by its digest: so it is known already whether these are its bytes.
    if statement.digest() == Hash::of(bytes) { Ok(statement) } else { Err(StatementError::NotCanonical) }
}

/// Why bytes are no canonical JSON: a key that stands twice is said before anything else.
fn refused(bytes: &[u8], error: CanonicalError) -> StatementError {
    let mut twice = None;
    let walked = Unique { twice: &mut twice }.deserialize(&mut serde_json::Deserializer::from_slice(bytes));
    match (twice, walked, error) {
        (Some(key), _, _) => StatementError::DuplicateKey(key),
        (None, Err(error), _) | (None, Ok(()), CanonicalError::Shape(error)) => {
            StatementError::Json(error.to_string())
        }
        (None, Ok(()), CanonicalError::Forbidden(what)) => StatementError::Forbidden(what.to_owned()),
        (None, Ok(()), CanonicalError::NotCanonical) => StatementError::NotCanonical,
    }
}

fn fields(mut fields: Fields) -> Result<Statement, StatementError> {
    let schema: String = fields.take("schema")?;
    if schema != SCHEMA {
        return Err(StatementError::Schema(schema.chars().take(64).collect()));
    }
    let kind: Kind = fields.take::<String>("kind")?.parse()?;
    let common = Common {
        ceremony: fields.take("ceremony")?,
        environment: fields.take("environment")?,
        expires: fields.take("expires")?,
        guardrails: fields.take("guardrails")?,
        initiator: fields.take("initiator")?,
        instance: fields.take("instance")?,
        justification: fields.take("justification")?,
        log: fields.take("log")?,
        mode: fields.take("mode")?,
        nonce: fields.take("nonce")?,
        not_before: fields.take("not_before")?,
        purpose: fields.take("purpose")?,
        quorum: fields.take("quorum")?,
        roster: fields.take("roster")?,
        ticket: fields.take("ticket")?,
    };
    let target = fields.value("target")?;
    if let Some(name) = fields.rest.keys().next() {
        return Err(StatementError::Unknown { place: name.clone(), kind });
    }
    let target = Target::read(kind, target).map_err(|error| placed("target", kind, &error))?;
    Statement::new(common, target)
}

/// The fields that have not been read yet.
struct Fields {
    rest: Map<String, Value>,
}

impl Fields {
    fn value(&mut self, name: &str) -> Result<Value, StatementError> {
        self.rest.remove(name).ok_or_else(|| StatementError::Missing { place: name.to_owned() })
    }

    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, StatementError> {
        let value = self.value(name)?;
        T::deserialize(value)
            .map_err(|error| StatementError::Value { place: name.to_owned(), message: error.to_string() })
    }
}

/// serde's sentence about a field of `inside`, as the error that it is.
fn placed(inside: &str, kind: Kind, error: &serde_json::Error) -> StatementError {
    let message = error.to_string();
    let named = |beginning: &str| {
        let name = message.strip_prefix(beginning)?.split('`').next()?;
        Some(format!("{inside}.{name}"))
    };
    if let Some(place) = named("unknown field `") {
        StatementError::Unknown { place, kind }
    } else if let Some(place) = named("missing field `") {
        StatementError::Missing { place }
    } else {
        StatementError::Value { place: inside.to_owned(), message }
    }
}

/// Walks a document and notes the first key that stands twice in one object.
struct Unique<'a> {
    twice: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Unique { twice: self.twice })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut seen = std::collections::BTreeSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            fields.next_value_seed(Unique { twice: self.twice })?;
            if self.twice.is_none() && seen.contains(&key) {
                *self.twice = Some(key.chars().take(64).collect());
            }
            seen.insert(key);
        }
        Ok(())
    }
}
