//! What is asked of the writer, with where the answer goes.

use std::time::Duration;

use proto::hash::Hash;
use proto::operation::OperationId;
use proto::proof::keys::ended;
use proto::record::{Body, ControlRecord, Draft};
use tokio::sync::oneshot;

use crate::log::error::LogError;
use crate::log::intent::{Closure, Intended, IntentDraft};
use crate::log::replay::Hold;
use crate::log::seal::{Prepared, Sealed};
use crate::log::watch::Appended;

/// Where the results of a job go.
pub(in crate::log) type Reply<T> = oneshot::Sender<Result<T, LogError>>;

/// Control records.
#[derive(Debug)]
pub(in crate::log) struct ControlJob {
    pub(in crate::log) record: ControlRecord,
    pub(in crate::log) draft: Draft,
    pub(in crate::log) detail: Option<Vec<u8>>,
    /// Leaf hash of the control record that it must follow at once.
    pub(in crate::log) follows: Option<Hash>,
    /// What the same commit erases.
    pub(in crate::log) erases: Option<Erased>,
    /// A stop: it waits until it is in the log, whatever happens.
    pub(in crate::log) stays: bool,
    /// A plain record that is in the log exactly if this one is: in the same commit, before any seal.
    pub(in crate::log) beside: Option<Beside>,
    pub(in crate::log) reply: Option<Reply<Appended>>,
}

/// A plain record of a control record's commit.
#[derive(Debug)]
pub(in crate::log) struct Beside {
    pub(in crate::log) draft: Draft,
    pub(in crate::log) detail: Vec<u8>,
}

/// A plain record that comes before every seal and intent of its batch, and that waits, as a stop does, until it is in the
/// log. Who asked is told of the first attempt.
#[derive(Debug)]
pub(in crate::log) struct OwedJob {
    pub(in crate::log) operation: OperationId,
    pub(in crate::log) draft: Draft,
    pub(in crate::log) detail: Vec<u8>,
    pub(in crate::log) reply: Option<Reply<Appended>>,
}

/// What a `log.redacted` record erases.
#[derive(Debug)]
pub(in crate::log) struct Erased {
    /// The record whose detail goes.
    pub(in crate::log) index: u64,
    /// Its request row: (id, caller).
    pub(in crate::log) request: Option<(String, String)>,
}

/// Intents of one call.
#[derive(Debug)]
pub(in crate::log) struct IntendJob {
    pub(in crate::log) items: Vec<IntendItem>,
    pub(in crate::log) reply: Reply<Vec<Result<Intended, LogError>>>,
}

#[derive(Debug)]
pub(in crate::log) struct IntendItem {
    pub(in crate::log) draft: IntentDraft,
    pub(in crate::log) body: Vec<u8>,
    pub(in crate::log) hold: Option<Hold>,
}

/// Seals of one call.
#[derive(Debug)]
pub(in crate::log) struct SealJob {
    pub(in crate::log) items: Vec<Prepared>,
    pub(in crate::log) reply: Reply<Vec<Result<Sealed, LogError>>>,
}

/// One plain record.
#[derive(Debug)]
pub(in crate::log) struct PlainJob {
    pub(in crate::log) draft: Draft,
    pub(in crate::log) detail: Vec<u8>,
    pub(in crate::log) reply: Reply<Appended>,
}

/// New work, in order of arrival.
#[derive(Debug)]
pub(in crate::log) enum Work {
    Intend(IntendJob),
    Seal(SealJob),
    Plain(PlainJob),
}

/// Everything for one commit.
#[derive(Debug, Default)]
pub(in crate::log) struct Jobs {
    pub(in crate::log) controls: Vec<ControlJob>,
    pub(in crate::log) owed: Vec<OwedJob>,
    pub(in crate::log) seals: Vec<SealJob>,
    pub(in crate::log) closures: Vec<Closure>,
    pub(in crate::log) intends: Vec<IntendJob>,
    pub(in crate::log) plains: Vec<PlainJob>,
    /// Request rows to forget: (id, caller), and the time before which.
    pub(in crate::log) forget: Option<(Vec<(String, String)>, i64)>,
}

impl Jobs {
    pub(in crate::log) fn is_empty(&self) -> bool {
        self.controls.is_empty()
            && self.owed.is_empty()
            && self.seals.is_empty()
            && self.closures.is_empty()
            && self.intends.is_empty()
            && self.plains.is_empty()
            && self.forget.is_none()
    }
}

impl Jobs {
    /// Keeps the control records before the first one that ends a log key, or that one alone where it is the first, and gives the
    /// rest: such a record is the last one of its tree, so that which key signs which tree follows from the records alone. None
    /// where there is no such record.
    pub(in crate::log) fn after_an_end(&mut self) -> Option<Self> {
        let end = self.controls.iter().position(|job| ended(&job.record).is_some())?;
        let controls = self.controls.split_off(end.max(1));
        let first = Self { controls: std::mem::take(&mut self.controls), ..Self::default() };
        let rest = std::mem::replace(self, first);
        Some(Self { controls, ..rest })
    }
}

/// Operations and bytes, and how long all of it may wait for company.
impl IntendJob {
    fn patience(&self) -> Duration {
        self.items.iter().map(|item| item.draft.patience).min().unwrap_or_default()
    }

    pub(super) fn size(&self) -> (usize, usize) {
        (self.items.len(), self.items.iter().map(|item| item.body.len()).sum())
    }
}

impl SealJob {
    pub(super) fn patience(&self) -> Duration {
        self.items.iter().map(|item| item.seal.patience).min().unwrap_or_default()
    }

    pub(super) fn size(&self) -> (usize, usize) {
        (self.items.len(), self.items.iter().map(Prepared::bytes).sum())
    }
}

impl PlainJob {
    pub(super) fn size(&self) -> (usize, usize) {
        (1, self.draft.len() + self.detail.len())
    }
}

impl Work {
    pub(super) fn patience(&self) -> Duration {
        match self {
            Self::Intend(job) => job.patience(),
            Self::Seal(job) => job.patience(),
            Self::Plain(_) => Duration::ZERO,
        }
    }

    pub(super) fn size(&self) -> (usize, usize) {
        match self {
            Self::Intend(job) => job.size(),
            Self::Seal(job) => job.size(),
            Self::Plain(job) => job.size(),
        }
    }
}

impl ControlJob {
    /// What the record is about, for the table of control records.
    pub(in crate::log) fn subject(&self) -> String {
        match &self.record.body {
            Body::Ceremony(step) => step.ceremony().to_string(),
            _ => self
                .record
                .stops
                .iter()
                .chain(&self.record.touches)
                .map(ToString::to_string)
                .next()
                .unwrap_or_default(),
        }
    }
}
