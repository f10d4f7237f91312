//! Records: the leaves of the signing log, and the details beside them.
//!
//! A leaf is one canonical JSON object of at most 65,535 bytes; its stored bytes are authoritative. Plain records say
//! what happened (`sign`, `denied`, `denied.summary`, `audit.read`, `config`); control records change what may be signed and are
//! chained by `previous`. The detail of a record is a second object, named in the leaf by its SHA-256 and salted, so
//! that it can be erased while every proof still holds.
//!
//! Each kind and version has a golden file. `v` is 0 until the first tagged release.

pub mod carried;
pub mod ceremony;
pub mod config;
pub mod control;
pub mod detail;
pub mod draft;
pub mod kind;
pub mod people;
pub mod plain;
pub mod sign;

use serde::{Deserialize, Serialize};

use crate::canonical::{self, CanonicalError};
use crate::time::Time;

pub use carried::{Born, CarriedKey};
pub use ceremony::{Arrived, Ceremony};
pub use config::{ConfigDetail, ConfigRecord};
pub use control::{Actor, ActorKind, Body, ControlRecord, Lift, StopTarget};
pub use detail::{CallerDetail, ControlDetail, Detail, PolicyDetail, Salt};
pub use draft::Draft;
pub use people::{Suspend, Vouched};
pub use plain::{DeniedRecord, DeniedSummary, Query, ReadRecord};
pub use sign::{Outcome, SignRecord, SignatureEntry, Signed};

/// Version of the records that this crate writes.
pub const VERSION: u8 = 0;

/// Longest leaf in bytes: what a C2SP tile entry can hold.
pub const LONGEST_LEAF: usize = 65_535;

/// Longest detail of a control record in bytes.
pub const LONGEST_CONTROL_DETAIL: usize = 256 * 1024;

/// When it was asked and when it was sealed. The writer stamps `sealed` and the mark of an untrusted clock.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// When the daemon was asked.
    pub asked: Time,
    /// Present while the clock is untrusted: `sealed` then advances with the monotonic clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Untrusted>,
    /// When the record was made durable; never less than its predecessor's, but after a `clock` record.
    pub sealed: Time,
}

impl Times {
    /// Asked at this time, not sealed yet.
    pub fn asked(asked: Time) -> Self {
        Self { asked, clock: None, sealed: asked }
    }
}

/// The mark of a record that was sealed while the clock was untrusted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Untrusted {
    /// Written `"clock":"untrusted"`.
    Untrusted,
}

/// Why a record cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not canonical, or not of the shape of its kind.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// Longer than a tile entry can hold.
    #[error("a record has at most 65,535 bytes, this one would have {0}")]
    TooLong(usize),
    /// A control record of a kind that this version does not know.
    #[error("control record of kind `{0}`: written by a newer version; use that version or a later one")]
    UnknownControl(String),
    /// A value outside its bounds.
    #[error("{0}")]
    Bounds(String),
}

/// Any leaf, read.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A signing operation.
    Sign(SignRecord),
    /// A refusal by policy.
    Denied(DeniedRecord),
    /// Many refusals by policy.
    DeniedSummary(DeniedSummary),
    /// A reading of the log.
    Read(ReadRecord),
    /// With which configuration the daemon runs.
    Config(Box<ConfigRecord>),
    /// What changes what may be signed.
    Control(Box<ControlRecord>),
    /// A plain kind, or a `v`, of a newer version: kept, never interpreted.
    Unknown {
        /// Its kind.
        kind: String,
    },
}

impl Record {
    /// Reads a leaf. A record with `previous` is a control record, whatever its kind.
    ///
    /// # Errors
    /// [`RecordError`]; an unknown plain kind is none, an unknown control kind is.
    pub fn parse(leaf: &[u8]) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Head {
            kind: String,
            #[serde(default)]
            previous: Option<serde::de::IgnoredAny>,
            #[serde(default)]
            v: serde_json::Value,
        }
        let head: Head = serde_json::from_slice(leaf).map_err(CanonicalError::from)?;
        if head.previous.is_some() {
            return ControlRecord::parse_as(&head.kind, leaf).map(Box::new).map(Self::Control);
        }
        let newer = head.v.as_u64().is_some_and(|version| version > VERSION.into());
        Ok(match head.kind.as_str() {
            _ if newer => {
                canonical::from_slice::<serde_json::Value>(leaf)?;
                Self::Unknown { kind: head.kind }
            }
            "sign" => Self::Sign(canonical::from_slice(leaf)?),
            "denied" => Self::Denied(canonical::from_slice(leaf)?),
            "denied.summary" => Self::DeniedSummary(canonical::from_slice(leaf)?),
            "audit.read" => Self::Read(canonical::from_slice(leaf)?),
            "config" => Self::Config(canonical::from_slice(leaf)?),
            _ => {
                canonical::from_slice::<serde_json::Value>(leaf)?;
                Self::Unknown { kind: head.kind }
            }
        })
    }

    /// When; none where the kind is of a newer version.
    pub fn times(&self) -> Option<Times> {
        match self {
            Self::Sign(record) => Some(record.time),
            Self::Denied(record) => Some(record.time),
            Self::DeniedSummary(record) => Some(record.time),
            Self::Read(record) => Some(record.time),
            Self::Config(record) => Some(record.time),
            Self::Control(record) => Some(record.time),
            Self::Unknown { .. } => None,
        }
    }
}
