//! Reading a statement: strictly, field by field, so that each thing that can be wrong is said as what it is.
//!
//! A statement in which nothing is wrong is read at once and written again over its bytes: a start reads thousands of them. What
//! that does not take is read with care, and taken or refused by that alone.
//!
//! Invariant: what is read at once is what reading with care takes, and the same statement
//! (`what_is_read_at_once_is_read_with_care_and_the_other_way_round`).

use proto::canonical::{self, CanonicalError};
use proto::ceremony_id::CeremonyId;
use proto::hash::Hash;
use proto::time::Time;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use crate::genesis::Mode;
use crate::nonce::Nonce;
use crate::person::PersonId;
use crate::statement::target::Fill;
use crate::statement::{
    Common, Kind, LARGEST, Line, Log, Name, Prose, Quorum, SCHEMA, Statement, StatementError, Target, Version,
};

/// The statement whose canonical bytes these are.
pub(super) fn statement(bytes: &[u8]) -> Result<Statement, StatementError> {
    if bytes.len() > LARGEST {
        return Err(StatementError::Size(bytes.len()));
    }
    match at_once(bytes) {
        Some(statement) => Ok(statement),
        None => with_care(bytes),
    }
}

/// A statement in which nothing is wrong.
fn at_once(bytes: &[u8]) -> Option<Statement> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut whole = Whole { text, common: None };
    let target = Target::fill(kind(text)?, &mut whole)?;
    let statement = Statement::unnamed(whole.common?, target).ok()?;
    // Kind and schema are written as they are: so they are those of the text as well.
    let same = canonical::is_form_of(&statement.written(), bytes);
    same.then(|| Statement { digest: Hash::of(bytes), ..statement })
}

/// The kind that a canonical text names: no field before it holds one of its own, and inside of a string its quotes would be escaped.
fn kind(text: &str) -> Option<Kind> {
    let (_, rest) = text.split_once(r#""kind":""#)?;
    rest.split_once('"')?.0.parse().ok()
}

/// The text of a statement, read as one whose parameters are what is asked for.
struct Whole<'t> {
    text: &'t str,
    /// What it says beside them, once they are read.
    common: Option<Common>,
}

impl Fill for Whole<'_> {
    fn fill<T: DeserializeOwned>(&mut self) -> Option<T> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Read<T> {
            ceremony: CeremonyId,
            environment: Name,
            expires: Time,
            guardrails: Version,
            initiator: PersonId,
            instance: Name,
            justification: Prose,
            #[serde(rename = "kind")]
            _kind: IgnoredAny,
            log: Log,
            mode: Mode,
            nonce: Nonce,
            not_before: Time,
            purpose: Line,
            quorum: Quorum,
            roster: Version,
            #[serde(rename = "schema")]
            _schema: IgnoredAny,
            target: T,
            ticket: Line,
        }
        let read: Read<T> = serde_json::from_str(self.text).ok()?;
        self.common = Some(Common {
            ceremony: read.ceremony,
            environment: read.environment,
            expires: read.expires,
            guardrails: read.guardrails,
            initiator: read.initiator,
            instance: read.instance,
            justification: read.justification,
            log: read.log,
            mode: read.mode,
            nonce: read.nonce,
            not_before: read.not_before,
            purpose: read.purpose,
            quorum: read.quorum,
            roster: read.roster,
            ticket: read.ticket,
        });
        Some(read.target)
    }
}

/// Reads a statement field by field.
fn with_care(bytes: &[u8]) -> Result<Statement, StatementError> {
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

#[cfg(test)]
mod tests;
