//! Why bytes are no statement, or parts do not make one.

use std::time::Duration;

use proto::origin::Origin;
use proto::time::Time;

use crate::form::Period;
use crate::genesis::Mode;
use crate::rules::HardLimit;
use crate::statement::{Kind, LARGEST, SCHEMA, UnknownKind};

/// Why bytes are no statement, or parts do not make one. Each says what was expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StatementError {
    /// Too many bytes.
    #[error("a statement has at most {LARGEST} bytes, this one has {0}")]
    Size(usize),
    /// No JSON.
    #[error("the statement is no JSON: {0}")]
    Json(String),
    /// A key of an object stands twice.
    #[error("the key `{0}` is given twice: which one was meant cannot be known")]
    DuplicateKey(String),
    /// A null, a float, a number beyond 2^53 − 1, or nesting deeper than 16.
    #[error("the statement holds what canonical JSON here has no place for: {0}")]
    Forbidden(String),
    /// The same value in another form.
    #[error(
        "the statement is not in canonical form (RFC 8785): white space, order of keys, escapes or number form differ; \
         it was edited by hand or written by another program"
    )]
    NotCanonical,
    /// No object.
    #[error("a statement is a JSON object")]
    NotAnObject,
    /// Of another schema.
    #[error("the statement has schema `{0}`, this version knows `{SCHEMA}`: use a newer version")]
    Schema(String),
    /// Of an unknown kind.
    #[error(transparent)]
    Kind(#[from] UnknownKind),
    /// A field is not there.
    #[error("`{place}` is missing: a statement says everything, nothing has a default")]
    Missing {
        /// The field, with the one it is in: `target.algorithm`.
        place: String,
    },
    /// A field that nobody knows.
    #[error("`{place}` is unknown in a statement of kind `{kind}`")]
    Unknown {
        /// The field, with the one it is in.
        place: String,
        /// The kind.
        kind: Kind,
    },
    /// A value of the wrong type, or outside its bounds.
    #[error("`{place}`: {message}")]
    Value {
        /// The field, with the one it is in as far as that is known.
        place: String,
        /// What was expected.
        message: String,
    },
    /// Rehearsal and production mixed up.
    #[error(
        "mode {mode} and the log `{origin}` do not fit: logs of rehearsals, and only they, begin with `rehearsal.`"
    )]
    Mode {
        /// What the statement says.
        mode: Mode,
        /// The log's name.
        origin: Origin,
    },
    /// It ends before it begins.
    #[error("it expires at {expires}, not after its beginning at {not_before}: it would never be open")]
    NeverOpen {
        /// The beginning.
        not_before: Time,
        /// The end.
        expires: Time,
    },
    /// It lives longer than any statement may.
    #[error("it lives {}, more than the {} that no guardrails can exceed", Period::of(*lives), Period::of(crate::rules::LONGEST))]
    TooLong {
        /// From its beginning to its end.
        lives: Duration,
    },
    /// Fewer people than the hard limits ask for.
    #[error("`quorum` of a `{kind}`: {broken}")]
    Quorum {
        /// The kind.
        kind: Kind,
        /// The limit.
        broken: HardLimit,
    },
    /// Fields that do not fit each other.
    #[error("`{place}`: expected {expected}")]
    Rule {
        /// The field.
        place: &'static str,
        /// What was expected.
        expected: &'static str,
    },
}
