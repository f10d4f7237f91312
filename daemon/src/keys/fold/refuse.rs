//! What no history may say.

use ceremonies::genesis::GenesisError;
use ceremonies::recovery::{self, Carried, Misplaced};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::name::{KeyName, VersionName};
use proto::record::{Arrived, Body, Ceremony, ControlRecord, StopTarget};
use proto::term::Term;

use crate::keys::fold::{Head, State};
use crate::keys::sessions::Unheld;

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
    /// A step of a ceremony that no ceremony bears out.
    #[error("record {index} is a `{kind}`, and {cause}: it was written by no daemon of ours")]
    Ceremony {
        /// Its index.
        index: u64,
        /// Its kind.
        kind: &'static str,
        /// What is wrong with it.
        cause: Unheld,
    },
    /// An officer's word about nobody, or by nobody.
    #[error("record {index} is a `roster.suspend`, and {cause}: it was written by no daemon of ours")]
    Person {
        /// Its index.
        index: u64,
        /// What is no person's id.
        cause: ceremonies::person::PersonError,
    },
    /// Not the next one.
    #[error("control record {index} {cause}")]
    Order {
        /// Its index.
        index: u64,
        /// What is wrong with its place.
        cause: &'static str,
    },
    /// One key pair, two versions.
    #[error(
        "record {index} brings the key pair {key_id} as {version}, and it is {known} already: a key pair comes once"
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
    /// One that was no key of a lost log.
    #[error(
        "record {index} brings the key pair {key_id} as {version}, and the log that was lost has seen it, as no key: it is \
         kept out"
    )]
    KeyIdOfOld {
        /// Its index.
        index: u64,
        /// The key pair.
        key_id: KeyId,
        /// What it would become.
        version: VersionName,
    },
    /// What comes over from a lost log comes in its place.
    #[error("record {index}, a `{kind}`, {cause}: it was written by no daemon of ours")]
    Misplaced {
        /// Its index.
        index: u64,
        /// Its kind.
        kind: &'static str,
        /// What is wrong with it.
        cause: Misplaced,
    },
    /// A key that is there.
    #[error("record {index} brings {version}, and there is such a key already")]
    KeyExists {
        /// Its index.
        index: u64,
        /// What it would bring.
        version: VersionName,
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
    /// An invitation that cannot be given, or was not.
    #[error("record {index}: {cause}")]
    Invitation {
        /// Its index.
        index: u64,
        /// What is wrong with it.
        cause: &'static str,
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
    let completes = matches!(record.body, Body::Ceremony(Ceremony::Completed(_)));
    if !record.lifts.is_empty() && !completes {
        let what = "lifts a stop: completed ceremonies alone do";
        return Err(FoldError::Overreach { index, kind, what });
    }
    match (&record.body, record.stops.is_empty()) {
        (Body::Carried(_) | Body::Stopped { .. }, false) | (_, true) => Ok(()),
        (_, false) => Err(FoldError::Overreach { index, kind, what: "stops something, as it never does" }),
    }
}

/// Whether it is what record 0 carries over in this place, or brings nothing from elsewhere.
pub(super) fn misplaced(
    carried: Option<&Carried>,
    index: u64,
    record: &ControlRecord,
) -> Result<(), FoldError> {
    let judged = match carried {
        Some(carried) => carried.judge(index, record),
        None => recovery::nothing(record),
    };
    judged.map_err(|cause| FoldError::Misplaced { index, kind: record.body.kind(), cause })
}

/// Whether a key pair can come as this version of its key.
pub(super) fn birth(state: &State, index: u64, arrived: &Arrived) -> Result<(), FoldError> {
    let version = VersionName { key: arrived.key.clone(), version: arrived.version };
    if state.sessions.was_seen(arrived.key_id) {
        return Err(FoldError::KeyIdOfOld { index, key_id: arrived.key_id, version });
    }
    if let Some(known) = state.key_ids.get(&arrived.key_id) {
        return Err(FoldError::KeyIdSeen { index, key_id: arrived.key_id, version, known: known.clone() });
    }
    match state.rings.contains_key(&arrived.key) {
        true => Err(FoldError::KeyExists { index, version }),
        false => Ok(()),
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
