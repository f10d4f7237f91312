//! What no history may say.

use ceremonies::genesis::{GenesisError, Mode};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::name::{KeyName, VersionName};
use proto::record::{Body, ControlRecord, Enrolled, StopTarget};
use proto::term::Term;

use crate::keys::fold::{Head, State};

/// Why a control record cannot follow. A log that holds one does not start the daemon: it was written by another version,
/// or by no version at all.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// Record 0 is something else.
    #[error("record 0 is a `{kind}`, expected `genesis`: this is not the log of an instance")]
    NoGenesis {
        /// What it is.
        kind: &'static str,
    },
    /// The statement cannot begin an instance.
    #[error("record 0: {0}")]
    Genesis(#[from] GenesisError),
    /// A second one.
    #[error("record {index} is a second `genesis`: an instance begins once")]
    SecondGenesis {
        /// Its index.
        index: u64,
    },
    /// A ceremony without people.
    #[error(
        "record {index} is a `{kind}`, and the genesis of this instance names no roster: nobody can hold a ceremony"
    )]
    NoRoster {
        /// Its index.
        index: u64,
        /// Its kind.
        kind: &'static str,
    },
    /// Not the next one.
    #[error("control record {index} {cause}")]
    Order {
        /// Its index.
        index: u64,
        /// What is wrong with its place.
        cause: &'static str,
    },
    /// Keys of a production instance are born in ceremonies.
    #[error(
        "record {index} enrols {version} into a production instance: its keys come from ceremonies alone"
    )]
    EnrolmentInProduction {
        /// Its index.
        index: u64,
        /// What it would enrol.
        version: VersionName,
    },
    /// The key id does not name the public key.
    #[error("record {index}: the key id of {version} is not the SHA-256 of its public key")]
    KeyId {
        /// Its index.
        index: u64,
        /// What it would enrol.
        version: VersionName,
    },
    /// One key pair, two versions.
    #[error(
        "record {index} enrols the key pair {key_id} as {version}, and it is {known} already: a key pair is enrolled once"
    )]
    KeyIdSeen {
        /// Its index.
        index: u64,
        /// The key pair.
        key_id: KeyId,
        /// What it would become.
        version: VersionName,
        /// What it is.
        known: VersionName,
    },
    /// A gap.
    #[error("record {index} enrols {found} as the next version of a key whose next version is {next}")]
    VersionNotNext {
        /// Its index.
        index: u64,
        /// What it would enrol.
        found: VersionName,
        /// What could be enrolled.
        next: u32,
    },
    /// Two active versions.
    #[error("record {index} enrols {version} while {active} is active: a key has one active version")]
    SecondActive {
        /// Its index.
        index: u64,
        /// What it would enrol.
        version: VersionName,
        /// What signs.
        active: VersionName,
    },
    /// Another purpose or owner than before.
    #[error(
        "record {index}: {version} has another purpose or owner than the key's first version; they are for life"
    )]
    Purpose {
        /// Its index.
        index: u64,
        /// What it would enrol.
        version: VersionName,
    },
    /// A stopped key.
    #[error("record {index} enrols {version}, and the stop of record {stop} covers it")]
    EnrolmentOfStopped {
        /// Its index.
        index: u64,
        /// What it would enrol.
        version: VersionName,
        /// Index of the stop.
        stop: u64,
    },
    /// A stop whose terms are not those of its target.
    #[error("record {index}: the terms of the stop are not those of its target")]
    StopTerms {
        /// Its index.
        index: u64,
    },
    /// A record that stops or lifts although its kind does neither.
    #[error("record {index}: a `{kind}` record {what}")]
    Overreach {
        /// Its index.
        index: u64,
        /// Its kind.
        kind: &'static str,
        /// What it does.
        what: &'static str,
    },
    /// A policy change that lets permits of before stand.
    #[error("record {index}: a `{kind}` record touches everything, and this one does not say so")]
    Untouched {
        /// Its index.
        index: u64,
        /// Its kind.
        kind: &'static str,
    },
    /// One place, two anchors.
    #[error("record {index}: {place} is an anchor already")]
    AnchorTwice {
        /// Its index.
        index: u64,
        /// Where.
        place: String,
    },
    /// A redaction of nothing, of the future, or in no order.
    #[error("record {index}: a redaction names earlier records, sorted, each once")]
    Redaction {
        /// Its index.
        index: u64,
    },
}

pub(super) fn out_of_order(head: Head, index: u64, record: &ControlRecord) -> Result<(), FoldError> {
    let wrong = |cause| Err(FoldError::Order { index, cause });
    if index <= head.index {
        wrong("is not after the control record before it")
    } else if record.previous == Hash::ZERO {
        wrong("names no record before it, as only record 0 does")
    } else if record.previous != head.hash {
        wrong("does not name the control record before it: one is missing or too many")
    } else {
        Ok(())
    }
}

pub(super) fn stops_and_lifts(index: u64, record: &ControlRecord) -> Result<(), FoldError> {
    let kind = record.body.kind();
    if !record.lifts.is_empty() {
        let what = "lifts a stop: stops are lifted by ceremonies, which this version does not know; use a newer version";
        return Err(FoldError::Overreach { index, kind, what });
    }
    match (&record.body, record.stops.is_empty()) {
        (Body::Stopped { .. }, false) | (_, true) => Ok(()),
        (_, false) => {
            Err(FoldError::Overreach { index, kind, what: "stops something: only `incident.stopped` does" })
        }
    }
}

pub(super) fn enrolment(state: &State, index: u64, enrolled: &Enrolled) -> Result<(), FoldError> {
    let version = VersionName { key: enrolled.key.clone(), version: enrolled.version };
    if state.genesis.mode == Mode::Production {
        return Err(FoldError::EnrolmentInProduction { index, version });
    }
    if KeyId::of_spki(&enrolled.public_key) != enrolled.key_id {
        return Err(FoldError::KeyId { index, version });
    }
    if let Some(known) = state.key_ids.get(&enrolled.key_id) {
        return Err(FoldError::KeyIdSeen { index, key_id: enrolled.key_id, version, known: known.clone() });
    }
    let ring = state.rings.get(&enrolled.key);
    let next = ring.map_or(1, |ring| ring.newest().version.saturating_add(1));
    if enrolled.version != next {
        return Err(FoldError::VersionNotNext { index, found: version, next });
    }
    if let Some(ring) = ring {
        if let Some(active) = ring.active() {
            return Err(FoldError::SecondActive { index, version, active: active.name() });
        }
        if *ring.purpose() != enrolled.purpose || ring.owner() != enrolled.owner {
            return Err(FoldError::Purpose { index, version });
        }
    }
    let terms = [Term::Key(enrolled.key.clone()), Term::KeyId(enrolled.key_id)];
    // A stop of everything or of a backend concerns what is enrolled meanwhile like all else; it need not be named here.
    let named = |stop: &&super::Stop| stop.terms.iter().any(|term| terms.contains(term));
    match state.stops.values().find(named) {
        Some(stop) => Err(FoldError::EnrolmentOfStopped { index, version, stop: stop.index }),
        None => Ok(()),
    }
}

/// A stop is protective, so one of a key that nobody knows is taken as it stands; but what it stops must be what it names.
pub(super) fn stop_of_something_else(
    state: &State,
    index: u64,
    target: &StopTarget,
    terms: &[Term],
) -> Result<(), FoldError> {
    let expected = match (state.terms_of(target), target) {
        (Some(expected), _) => expected,
        (None, StopTarget::Key(name)) => vec![Term::Key(KeyName::clone(name))],
        (None, _) => return Err(FoldError::StopTerms { index }),
    };
    if expected == terms { Ok(()) } else { Err(FoldError::StopTerms { index }) }
}

pub(super) fn untouched(index: u64, record: &ControlRecord) -> Result<(), FoldError> {
    if record.touches.contains(&Term::All) {
        Ok(())
    } else {
        Err(FoldError::Untouched { index, kind: record.body.kind() })
    }
}

pub(super) fn redaction(index: u64, indices: &[u64]) -> Result<(), FoldError> {
    let sorted = indices.windows(2).all(|pair| pair[0] < pair[1]);
    if sorted && indices.last().is_some_and(|last| *last < index) {
        Ok(())
    } else {
        Err(FoldError::Redaction { index })
    }
}
