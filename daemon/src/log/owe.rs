//! Plain records that are owed: what comes after them must not be in the log without them.
//!
//! Promise: no seal and no intent that is asked for after [`Log::owe`] has returned comes before the record, however often
//! the log fails in between; and a record beside a control record is in the log exactly if that one is. Stops never wait for
//! either: a disk that is full for both is asked for the control record alone.
//!
//! Invariant: nothing is signed before the record of the start, or of the reload, by whose rules it is; held by
//! `what_is_owed_comes_before_every_seal_that_is_asked_for_after_it` and
//! `under_load_no_signature_by_other_rules_comes_before_the_record_of_their_reload`.

use proto::operation::OperationId;
use tokio::sync::oneshot;

use super::error::LogError;
use super::queue::{Beside, OwedJob};
use super::watch::Appended;
use super::{ControlDraft, Log, Plain};

/// A record that is owed: what came of the first attempt to write it.
#[derive(Debug)]
pub struct Owed(oneshot::Receiver<Result<Appended, LogError>>);

impl Owed {
    /// Where it is, as soon as it is there.
    ///
    /// # Errors
    /// Why the log took nothing: it is tried again.
    pub async fn attempt(self) -> Result<Appended, LogError> {
        self.0.await.unwrap_or(Err(LogError::Closing))
    }
}

impl Log {
    /// Owes the log a plain record: no seal and no intent that is asked for after this call comes before it. It waits as long as
    /// the log takes nothing; only a log that is closed before it took anything does without. What is returned is told of the
    /// first attempt.
    ///
    /// # Errors
    /// [`LogError::Closing`].
    pub fn owe(&self, operation: OperationId, plain: Plain) -> Result<Owed, LogError> {
        let (reply, answer) = oneshot::channel();
        let Plain { draft, detail, last: _ } = plain;
        self.shared.queue.owe(OwedJob { operation, draft, detail, reply: Some(reply) })?;
        Ok(Owed(answer))
    }

    /// Appends a control record, and in the same commit a plain one that is in the log exactly if the first is; no seal comes
    /// between them.
    ///
    /// # Errors
    /// As [`Log::control`].
    pub async fn control_beside(&self, draft: ControlDraft, beside: Plain) -> Result<Appended, LogError> {
        let mut job = draft.job()?;
        job.beside = Some(Beside { draft: beside.draft, detail: beside.detail });
        self.write_control(job).await
    }
}
