//! One signing operation between its admission and its leaf.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::hash::Hash;
use proto::operation::OperationId;
use proto::purpose::Kind;
use proto::reason::Reason;
use proto::record::{Outcome, SignRecord};

use super::admit::Chosen;
use super::prepare::Reading;
use super::{Encoding, SignRequest, refuse};
use crate::backend::{Deadline, Failure, Prepared, Priority, RawSignature, SigningKey, Turn};
use crate::clock::Monotonic;
use crate::log::{Intent, IntentDraft, RequestKey, Requires, Seal};
use crate::policy::Permit;
use crate::policy::caller::Caller;
use crate::policy::quota::Spent;

/// Of the time that operations wait for a device, one part in so many may be added to have fewer and larger commits.
const PATIENCE: u32 = 8;

/// An admitted operation. It is spent by being sealed.
pub(crate) struct Operation {
    /// Position in the caller's request.
    pub(crate) position: usize,
    /// Who asked.
    pub(crate) caller: Arc<Caller>,
    /// The caller's stable id.
    pub(crate) caller_id: Arc<str>,
    /// For what.
    pub(crate) request: SignRequest,
    /// What the bytes are.
    pub(crate) reading: Reading,
    /// The right to it.
    pub(crate) permit: Permit,
    /// By which versions.
    pub(crate) chosen: Vec<Chosen>,
    /// Their opened keys.
    pub(crate) signers: Vec<Result<Arc<dyn SigningKey>, Failure>>,
    /// Its id.
    pub(crate) id: OperationId,
    /// Its record, every outcome still unknown at first.
    pub(crate) record: Arc<SignRecord>,
    /// The detail's canonical bytes.
    pub(crate) detail: Bytes,
    /// Hash of the input, where there is a request id.
    pub(crate) input: Option<Hash>,
    /// The first failure, for the answer.
    pub(crate) failure: Option<(String, Failure)>,
    /// How long its record may wait for company.
    pub(crate) patience: Duration,
    /// How often it was decided again.
    pub(crate) decided: u8,
    /// What it took from quotas.
    pub(crate) spent: Spent,
}

/// The caller's id for its request, with the hash of its input.
pub(crate) fn request_key(request: &SignRequest, input: Option<Hash>) -> Option<RequestKey> {
    Some(RequestKey { id: request.request_id.clone()?, input: input? })
}

/// How long what is recorded of an operation with these keys may wait for company: a part of the time that the next such
/// operation would wait for a device.
pub(crate) fn patience(signers: &[Result<Arc<dyn SigningKey>, Failure>], turn: &Turn) -> Duration {
    let delays = signers.iter().flatten().map(|signer| signer.delay(turn));
    delays.max().unwrap_or_default() / PATIENCE
}

impl Operation {
    /// The caller's id for its request.
    pub(crate) fn request_key(&self) -> Option<RequestKey> {
        request_key(&self.request, self.input)
    }

    /// What is to be recorded before a backend is asked.
    pub(crate) fn draft(&self, by: Option<Monotonic>) -> IntentDraft {
        IntentDraft {
            operation: self.id,
            caller: Arc::clone(&self.caller_id),
            request: self.request_key(),
            record: SignRecord::clone(&self.record),
            detail: self.detail.clone(),
            patience: patience(&self.signers, &self.turn(by)),
        }
    }

    /// What each version's backend is given.
    pub(crate) fn prepared(&self, chosen: &Chosen) -> Prepared {
        use super::prepare::Body;
        match (&self.reading.body, chosen.version.algorithm.hash()) {
            (Body::Message(message), None) => Prepared::Message(message.clone()),
            _ => Prepared::Digest(chosen.digest.clone()),
        }
    }

    /// Its place in a backend's queue.
    pub(crate) fn turn(&self, by: Option<Monotonic>) -> Turn {
        let (caller, deadline) = (Arc::clone(&self.caller_id), by.map(Deadline));
        Turn { caller, deadline, priority: Priority::Normal }
    }

    /// Whether the backends of all its versions would try now, or which would not, and why.
    pub(crate) fn admitted(&self, by: Option<Monotonic>) -> Result<(), (&str, Failure)> {
        let turn = self.turn(by);
        self.chosen.iter().zip(&self.signers).try_for_each(|(chosen, signer)| {
            let admitted = match signer {
                Ok(signer) => signer.admits(&turn),
                Err(failure) => Err(failure.clone()),
            };
            admitted.map_err(|failure| (chosen.version.backend.as_str(), failure))
        })
    }

    /// Notes what a backend gave for the version at `position`.
    pub(crate) fn note(&mut self, position: usize, result: Result<RawSignature, Failure>) {
        let entry = &mut Arc::make_mut(&mut self.record).signatures[position];
        match result {
            Ok(signature) => {
                entry.outcome = Outcome::Released;
                entry.value = Some(signature.into_bytes());
            }
            Err(failure) => {
                let backend = self.chosen[position].version.backend.clone();
                crate::measure::backend_failed(&backend, failure.name());
                entry.outcome = refuse::outcome(&failure);
                entry.reason = Some(failure.reason());
                self.failure.get_or_insert((backend, failure));
            }
        }
    }

    /// Withholds every signature.
    pub(crate) fn withhold(&mut self, reason: Reason) {
        let all: Vec<_> = (0..self.record.signatures.len()).map(|position| (position, reason)).collect();
        Arc::make_mut(&mut self.record).withhold(&all);
    }

    /// What the log's fence is asked.
    pub(crate) fn seal(&mut self, intent: Option<Intent>) -> Seal {
        if let Some(intent) = &intent {
            Arc::make_mut(&mut self.record).number = Some(intent.number());
        }
        let request = match &intent {
            Some(_) => None,
            None => self.request_key().map(|key| (Arc::clone(&self.caller_id), key)),
        };
        Seal {
            intent,
            operation: self.id,
            request,
            requires: self
                .chosen
                .iter()
                .map(|chosen| Requires { terms: Arc::clone(&chosen.terms), not_after: chosen.not_after })
                .collect(),
            saw: self.permit.control(),
            released: Arc::clone(&self.record),
            detail: self.detail.clone(),
            patience: self.patience,
        }
    }

    /// Whether ECDSA leaves as `r ‖ s`.
    pub(crate) fn is_fixed(&self) -> bool {
        match self.request.encoding {
            Encoding::Fixed => true,
            Encoding::Der => false,
            Encoding::Ecosystem => self.reading.kind == Kind::Notation,
        }
    }
}
