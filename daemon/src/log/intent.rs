//! Intents: durable, numbered, and never without an end.
//!
//! ```text
//! IntentDraft ─ Log::intend ─► Intent ─ Log::seal ─► one leaf (released, withheld, not-executed, unknown)
//!                                │
//!                                └ dropped: the writer closes it as `unknown` ─► one leaf
//! ```
//!
//! An [`Intent`] cannot be cloned or made by anyone else. Its row in the store carries everything that is needed to
//! close it without its task: see [`Body`].

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use proto::hash::Hash;
use proto::operation::OperationId;
use proto::reason::Reason;
use proto::record::{Outcome, SignRecord};
use serde::{Deserialize, Serialize};

use super::error::LogError;
use super::queue::Queue;
use super::replay::Hold;
use crate::store::Owner;

/// A caller's id for its request, and what it asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestKey {
    /// The id.
    pub id: String,
    /// SHA-256 over key, kind, bytes and annotations; not over receipt or encoding.
    pub input: Hash,
}

/// What is to be recorded before a backend is asked to sign.
#[derive(Clone, Debug)]
pub struct IntentDraft {
    /// The operation.
    pub operation: OperationId,
    /// Stable id of the caller.
    pub caller: Arc<str>,
    /// Its request id, where it gave one.
    pub request: Option<RequestKey>,
    /// The record with every outcome `unknown`; the number is filled in by the log.
    pub record: SignRecord,
    /// The detail that the record names, canonical.
    pub detail: Bytes,
    /// How long it may wait for company.
    pub patience: Duration,
}

/// What became of an [`IntentDraft`].
#[derive(Debug)]
pub enum Intended {
    /// It is durable: the backend may be asked.
    Intent(Intent),
    /// The request id was used before.
    Replay(Earlier),
}

/// What a request id led to before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Earlier {
    /// The operation.
    pub operation: OperationId,
    /// Its record, if it has ended.
    pub index: Option<u64>,
    /// Whether the input was the same.
    pub same_input: bool,
    /// How it ended: `Released` if any signature was, else `Unknown`.
    pub outcome: Option<Outcome>,
}

/// A durable intent: the right and the duty to seal one operation.
#[must_use = "an intent that is dropped is closed as `unknown`"]
pub struct Intent {
    number: u64,
    operation: OperationId,
    request: Option<(Arc<str>, String)>,
    queue: Weak<Queue>,
    armed: bool,
    _hold: Option<Hold>,
}

impl std::fmt::Debug for Intent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intent")
            .field("number", &self.number)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

impl Intent {
    pub(super) fn new(
        number: u64,
        operation: OperationId,
        request: Option<(Arc<str>, String)>,
        queue: &Arc<Queue>,
    ) -> Self {
        Self { number, operation, request, queue: Arc::downgrade(queue), armed: true, _hold: None }
    }

    /// Operation number: consecutive, and in the leaf.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The operation.
    pub fn operation(&self) -> OperationId {
        self.operation
    }

    pub(super) fn request(&self) -> Option<(&str, &str)> {
        self.request.as_ref().map(|(caller, id)| (&**caller, id.as_str()))
    }

    /// Keeps a second request with the same id waiting until this one has ended.
    pub(super) fn holding(mut self, hold: Option<Hold>) -> Self {
        self._hold = hold;
        self
    }

    /// The operation has its leaf (or its closure is queued): nothing is left to do.
    pub(super) fn end(mut self) {
        self.armed = false;
    }

    /// Nobody was given this intent, so nothing was signed.
    pub(super) fn unused(self) -> Closure {
        let closure =
            Closure::bare(self.number, self.operation, Outcome::NotExecuted, Reason::LogUnavailable);
        self.end();
        closure
    }
}

impl Drop for Intent {
    fn drop(&mut self) {
        if self.armed
            && let Some(queue) = self.queue.upgrade()
        {
            queue.close(Closure::bare(self.number, self.operation, Outcome::Unknown, Reason::Crash));
        }
    }
}

/// The end of an intent that has no seal.
#[derive(Debug)]
pub(super) struct Closure {
    pub(super) number: u64,
    pub(super) operation: OperationId,
    /// Whose intent it is; this process's where nothing is said.
    pub(super) owner: Option<Owner>,
    pub(super) end: End,
}

/// What a closure writes.
#[derive(Debug)]
pub(super) enum End {
    /// The record of the intent with this outcome.
    Bare(Outcome, Reason),
    /// A record that a seal brought and that could not be written at the time: everything in it is withheld.
    Withheld(Box<(SignRecord, Vec<u8>)>),
}

impl Closure {
    pub(super) fn bare(number: u64, operation: OperationId, outcome: Outcome, reason: Reason) -> Self {
        Self { number, operation, owner: None, end: End::Bare(outcome, reason) }
    }
}

/// What an intent's row holds, so that it can be closed without its task. Stored as a version byte and postcard.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Body {
    /// Canonical bytes of the record without number.
    pub(super) record: Vec<u8>,
    /// Canonical bytes of its detail.
    pub(super) detail: Vec<u8>,
    /// Caller and request id.
    pub(super) request: Option<(String, String)>,
}

const BODY_VERSION: u8 = 1;

impl Body {
    pub(super) fn of(draft: &IntentDraft) -> Result<Vec<u8>, LogError> {
        let body = Self {
            record: proto::canonical::to_vec(&draft.record)
                .map_err(|e| LogError::Malformed { cause: e.to_string().into() })?,
            detail: draft.detail.to_vec(),
            request: draft.request.as_ref().map(|request| (draft.caller.to_string(), request.id.clone())),
        };
        let out = Vec::with_capacity(body.record.len() + body.detail.len() + 256);
        postcard::to_extend(&(BODY_VERSION, body), out)
            .map_err(|e| LogError::Malformed { cause: e.to_string().into() })
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        if *version != BODY_VERSION {
            return None;
        }
        postcard::from_bytes(rest).ok()
    }

    /// The leaf's record with its number, ended.
    pub(super) fn ended(&self, number: u64, outcome: Outcome, reason: Reason) -> Option<SignRecord> {
        let mut record: SignRecord = proto::canonical::from_slice(&self.record).ok()?;
        record.number = Some(number);
        record.close(outcome, reason);
        Some(record)
    }
}
