//! Stopping: in memory at once, in the log as soon as it takes it, in the stop file if that is not soon.

use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;

use super::error::LogError;
use super::open::stop_everything;
use super::queue::ControlJob;
use super::shared::Shared;
use super::stops::Entry;
use super::{ControlDraft, Log};

/// What became of a stop. It is in force in any case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stopped {
    /// Its record; absent while the log cannot take it.
    pub index: Option<u64>,
    /// In force and not in the log yet; the record follows.
    pub pending: bool,
    /// It survives the end of this process: it is in the log or in the stop file.
    pub durable: bool,
    /// The stop file had no room, so everything is stopped.
    pub everything: bool,
    /// Every signature released before it has been handed to its connection.
    pub handed_over: bool,
    /// Operations under way that were withheld while it took effect.
    pub withheld: u32,
}

impl Log {
    /// Stops. Taken also while the log cannot be written; once begun it is not undone by dropping the future.
    ///
    /// When this returns, nothing that the stop covers is handed out any more by this process, and no record with a
    /// higher index releases any of it.
    ///
    /// # Errors
    /// [`LogError::Malformed`] where the draft is no record; nothing is stopped then.
    pub async fn stop(&self, draft: ControlDraft) -> Result<Stopped, LogError> {
        let mut job = draft.job()?;
        job.stays = true;
        let shared = Arc::clone(&self.shared);
        let log = self.clone();
        // In force from here on.
        shared.fence.raise(job.record.operation, &job.record.stops);
        let stopping = tokio::spawn(async move { log.see_through(job).await });
        stopping.await.map_err(LogError::unavailable)
    }

    async fn see_through(&self, mut job: ControlJob) -> Stopped {
        let shared = &self.shared;
        let before = shared.fence.withheld();
        let operation = job.record.operation;
        let entry = Entry { record: job.record.clone(), detail: job.detail.clone() };
        let (reply, mut answer) = oneshot::channel();
        job.reply = Some(reply);
        // A closing log takes no record; the stop file does.
        let queued = shared.queue.control(job).is_ok();
        let patience = if queued { shared.settings.limits.stop_patience } else { std::time::Duration::ZERO };
        let mut stopped = match tokio::time::timeout(patience, &mut answer).await {
            Ok(Ok(Ok(appended))) => Stopped {
                index: Some(appended.index),
                pending: false,
                durable: true,
                everything: false,
                handed_over: false,
                withheld: 0,
            },
            _ => self.keep(entry).await,
        };
        stopped.handed_over = shared.barrier.pass(shared.settings.limits.hand_over).await;
        if stopped.index.is_none()
            && let Ok(Ok(appended)) = answer.try_recv()
        {
            stopped.index = Some(appended.index);
            stopped.pending = false;
            stopped.durable = true;
            let mut file = shared.stop_file.lock().unwrap_or_else(PoisonError::into_inner);
            // The entry was written while the record became durable; what stays in the file is skipped at the next load.
            if let Err(error) = file.settle(|kept| *kept == operation) {
                tracing::warn!(%error, "the stop file could not be emptied");
            }
        }
        stopped.withheld = shared.fence.withheld().saturating_sub(before);
        stopped
    }

    /// Writes the stop file. Where it has no room, everything is stopped.
    async fn keep(&self, entry: Entry) -> Stopped {
        let shared = Arc::clone(&self.shared);
        let kept = tokio::task::spawn_blocking(move || write(&shared, &entry)).await;
        let (durable, everything) = match kept {
            Ok(Ok(kept)) => kept,
            Ok(Err(error)) => {
                tracing::error!(%error, "a stop is in force in memory only: neither log nor stop file took it");
                (false, false)
            }
            Err(error) => {
                tracing::error!(%error, "a stop is in force in memory only");
                (false, false)
            }
        };
        Stopped { index: None, pending: true, durable, everything, handed_over: false, withheld: 0 }
    }
}

/// Whether the stop is durable, and whether everything had to be stopped for that.
fn write(shared: &Shared, entry: &Entry) -> Result<(bool, bool), super::error::LoadError> {
    if shared.stop_file.lock().unwrap_or_else(PoisonError::into_inner).write(entry)? {
        return Ok((true, false));
    }
    let mut job = stop_everything(shared)?;
    job.stays = true;
    shared.fence.raise(job.record.operation, &job.record.stops);
    let everything = Entry { record: job.record.clone(), detail: None };
    let written =
        shared.stop_file.lock().unwrap_or_else(PoisonError::into_inner).write_everything(&everything)?;
    // A closing log takes no record; the stop file has it.
    let _closing = shared.queue.control(job);
    Ok((written, true))
}
