//! What went otherwise than it should, and does not make a transcript invalid.

use std::fmt;

use super::Governs;
use crate::person::PersonId;
use crate::session::Parting;
use crate::ssh::key::SshKind;
use crate::statement::{CeremonyId, Line};

/// Something that went otherwise than it should, for whoever reads the verdict to judge.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Deviation {
    /// Somebody said so, in the record with this index.
    Spoken {
        /// Index of the record.
        index: u64,
        /// Who.
        person: PersonId,
        /// What.
        text: String,
    },
    /// In production a person of the roster holds a key that is on no FIDO token.
    SoftwareKey {
        /// Who.
        person: PersonId,
        /// What kind of key.
        kind: SshKind,
    },
    /// In production the new key lives in the software backend, as genesis allows.
    SoftwareBackend,
    /// A record of this ceremony was sealed while the daemon did not trust its clock.
    UntrustedClock {
        /// Index of the record.
        index: u64,
    },
    /// The daemon did not trust its clock, and an officer vouched for it while the ceremony was held.
    ClockAccepted {
        /// Index of the record.
        index: u64,
        /// Who.
        person: PersonId,
    },
    /// In a rehearsal the guardrails were changed without a ceremony.
    Guardrails {
        /// Index of the record.
        index: u64,
    },
    /// The execution was interrupted, and another ceremony cleared up. Its transcript is not in here.
    Resolved {
        /// That ceremony.
        by: CeremonyId,
    },
    /// Somebody by whose approval or first attestation it was started counted no more before it was over. It was finished all the
    /// same: what a quorum decided while it counted is decided.
    Parted {
        /// Index of the record since which it is so.
        index: u64,
        /// Who.
        person: PersonId,
        /// Why.
        how: Parting,
    },
    /// The stop that it should end was in force no more: another ceremony had lifted it. Nothing was lifted.
    NothingLifted {
        /// Index of the stop's record.
        stop: u64,
    },
    /// Something that nobody could prove of an adopted key.
    Unproven(Line),
    /// A deviation of the ceremony that made this roster, these guardrails or this log key.
    Of {
        /// What it made.
        change: Governs,
        /// What deviated.
        deviation: Box<Self>,
    },
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spoken { index, person, text } => write!(f, "record {index}, spoken by {person}: {text}"),
            Self::SoftwareKey { person, kind } => write!(f, "{person} signs with a key in software ({kind})"),
            Self::SoftwareBackend => f.write_str("the new key lives in software, as genesis allows"),
            Self::UntrustedClock { index } => {
                write!(f, "record {index} was sealed while the clock was untrusted")
            }
            Self::ClockAccepted { index, person } => {
                write!(f, "record {index}: {person} vouched for a clock that was not trusted")
            }
            Self::Guardrails { index } => {
                write!(f, "record {index} changed the guardrails without a ceremony, as rehearsals may")
            }
            Self::Resolved { by } => write!(
                f,
                "the execution was interrupted and ceremony {by} cleared up: verify its transcript too"
            ),
            Self::Parted { index, person, how } => {
                let now = match how {
                    Parting::Left => "does not have that role and key in the roster",
                    Parting::Suspended => "is suspended",
                };
                write!(f, "record {index}: {person}, by whose consent it was started, {now} since then")
            }
            Self::NothingLifted { stop } => {
                write!(f, "the stop of record {stop} was in force no more, and nothing was lifted")
            }
            Self::Unproven(what) => write!(f, "not proven of the adopted key: {what}"),
            Self::Of { change, deviation } => write!(f, "{change}: {deviation}"),
        }
    }
}
