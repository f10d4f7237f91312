//! Reading a statement: strictly, field by field, so that each thing that can be wrong is said as what it is.

use proto::canonical::{self, CanonicalError};
use proto::hash::Hash;
use serde::de::DeserializeOwned;
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
    if let Some(key) = canonical::twice(bytes) {
        return StatementError::DuplicateKey(key.chars().take(64).collect());
    }
    match error {
        CanonicalError::Shape(error) => StatementError::Json(error.to_string()),
        CanonicalError::Forbidden(what) => StatementError::Forbidden(what.to_owned()),
        CanonicalError::NotCanonical => StatementError::NotCanonical,
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
