//! Control records: what changes what may be signed.
//!
//! They share one envelope and are chained: `previous` is the leaf hash of the control record before, 64 zeros in
//! `genesis`. An unknown kind refuses the start of an older version.

mod form;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::{self, CanonicalError};
use crate::hash::Hash;
use crate::name::KeyName;
use crate::operation::OperationId;
use crate::record::carried::CarriedKey;
use crate::record::people::{Suspend, Vouched};
use crate::record::{Ceremony, Draft, RecordError, Times, kind};
use crate::term::Term;
use crate::time::Time;

/// A record that changes what may be signed.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlRecord {
    /// Who did it.
    pub actor: Actor,
    /// What was done; it decides the kind.
    pub body: Body,
    /// SHA-256 of the detail, where there is one.
    pub detail: Option<Hash>,
    /// Stops that end.
    pub lifts: Vec<Lift>,
    /// Names the record for ever.
    pub operation: OperationId,
    /// Leaf hash of the control record before; spliced by the writer.
    pub previous: Hash,
    /// These sign no more.
    pub stops: Vec<Term>,
    /// When.
    pub time: Times,
    /// For these, permits of before are decided again.
    pub touches: Vec<Term>,
}

/// Who did something: never a name or an address of a person, but a stable id.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Stable id: of the caller, of the operator's uid, or the daemon's instance.
    pub id: String,
    /// What the id is.
    pub kind: ActorKind,
}

/// What the id of an actor is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// An authenticated caller.
    Caller,
    /// The daemon itself.
    Daemon,
    /// Somebody with the state directory in hand, by uid.
    Operator,
    /// Somebody of the roster, by an act that he signed.
    Person,
}

/// The end of a stop, or of some of its terms.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lift {
    /// Index of the record that made the stop.
    pub index: u64,
    /// The terms of it that end.
    pub terms: Vec<Term>,
}

/// What a control record says.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// `caller.enrolled`: an invitation was used, and a client certificate issued for it.
    Enrolled {
        /// Stable id of the caller; the invitation's.
        caller: String,
        /// SHA-256 of the certificate's DER.
        certificate: Hash,
        /// SHA-256 of the DER SubjectPublicKeyInfo that it is for.
        key: Hash,
        /// When the certificate ends.
        not_after: Time,
        /// SHA-256 of the invitation's token.
        token: Hash,
    },
    /// `caller.invited`: whoever brings this token may come by one client certificate for this caller.
    Invited {
        /// Stable id of the caller.
        caller: String,
        /// From here on the token is worth nothing.
        expires: Time,
        /// SHA-256 of the token.
        token: Hash,
    },
    /// `key.carried`: a key of a lost log comes into the one that takes its place, and is stopped.
    Carried(Box<CarriedKey>),
    /// `ceremony.*`: a step of a ceremony.
    Ceremony(Ceremony),
    /// `clock`: an officer vouches for the wall clock.
    Clock(Box<Vouched>),
    /// `genesis`: record 0, with the genesis statement; of a log that takes the place of a lost one, a `log.recover`.
    Genesis {
        /// The statement; its canonical bytes' SHA-256 is the configuration's `genesis_sha256`.
        statement: Value,
    },
    /// `grant`: the grants file in force, by the SHA-256 of its bytes.
    Grant {
        /// SHA-256 of the file.
        sha256: Hash,
    },
    /// `incident.stopped`: a stop; its terms are in `stops`.
    Stopped {
        /// SHA-256 of the act that says so, which is in the detail; absent where a caller did it by its right.
        act: Option<Hash>,
        /// What was named.
        target: StopTarget,
    },
    /// `log.anchor`: a place outside the database that keeps the newest checkpoint.
    Anchor {
        /// Where.
        place: String,
    },
    /// `log.redacted`: details that were erased.
    Redacted {
        /// Indices of their records, sorted.
        indices: Vec<u64>,
    },
    /// `policy`: the guardrails file in force, by the SHA-256 of its bytes.
    Policy {
        /// SHA-256 of the file.
        sha256: Hash,
    },
    /// `roster.suspend`: an officer says that a person's acts count no more.
    Suspend(Box<Suspend>),
}

/// What a stop names.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StopTarget {
    /// Everything.
    All,
    /// A backend, by name.
    Backend(String),
    /// A caller, by stable id.
    Caller(String),
    /// A claim of callers.
    Claim {
        /// Name of the claim.
        name: String,
        /// Its value.
        value: String,
    },
    /// An issuer of identities.
    Issuer(String),
    /// Every version of a key.
    Key(KeyName),
    /// One version of a key.
    Version {
        /// The key.
        key: KeyName,
        /// Its number.
        version: u32,
    },
}

impl Body {
    /// The record's kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Carried(_) => "key.carried",
            Self::Ceremony(step) => step.kind(),
            Self::Enrolled { .. } => "caller.enrolled",
            Self::Invited { .. } => "caller.invited",
            Self::Clock(_) => "clock",
            Self::Genesis { .. } => "genesis",
            Self::Grant { .. } => "grant",
            Self::Stopped { .. } => "incident.stopped",
            Self::Anchor { .. } => "log.anchor",
            Self::Redacted { .. } => "log.redacted",
            Self::Policy { .. } => "policy",
            Self::Suspend(_) => "roster.suspend",
        }
    }

    /// Whether what follows from the record follows from its detail too: then the detail is loaded with it.
    pub fn needs_detail(&self) -> bool {
        kind::needs_detail(self.kind())
    }
}

impl ControlRecord {
    /// The leaf's draft.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn draft(&self) -> Result<Draft, RecordError> {
        Draft::control(canonical::to_vec(self)?)
    }

    /// Reads a leaf that is known to be a control record, and said to be of this kind. It is cheaper than to look for the kind
    /// first; a leaf of another kind is read as what it is.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn parse_as(kind: &str, leaf: &[u8]) -> Result<Self, RecordError> {
        match form::read_as(kind, leaf) {
            // Written again it has its own kind: so that is the leaf's.
            Ok(record) if canonical::is_form_of(&record, leaf) => Ok(record),
            _ => Self::parse(leaf),
        }
    }

    /// Reads a leaf that is known to be a control record.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn parse(leaf: &[u8]) -> Result<Self, RecordError> {
        canonical::from_slice_by(leaf, form::read).map_err(|error| {
            #[derive(Deserialize)]
            struct Kind {
                kind: String,
            }
            match serde_json::from_slice::<Kind>(leaf) {
                Ok(Kind { kind }) => explain(&kind, error),
                Err(_unsaid) => error.into(),
            }
        })
    }
}

/// An unknown kind is said as such; serde would bury it in a sentence.
pub(super) fn explain(kind: &str, error: CanonicalError) -> RecordError {
    if kind::CONTROL.contains(&kind) { error.into() } else { RecordError::UnknownControl(kind.to_owned()) }
}
