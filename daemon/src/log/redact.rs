//! Erasing details: the leaf stays, and with it every proof; who and what the detail named is gone.

use std::time::Duration;

use proto::proof::leaf::leaf_hash;
use proto::record::{Body, Record};

use super::error::LogError;
use super::index;
use super::load::sealed_of;
use super::queue::Erased;
use super::watch::Appended;
use super::{ControlDraft, Log};
use crate::store::Stored;

/// Records younger than this keep their detail: their request ids may still be asked for.
const YOUNG: Duration = Duration::from_secs(24 * 3600);

impl Log {
    /// Erases the detail of one record. `draft` is the `log.redacted` record that names exactly this index; it is written
    /// in the same transaction. When this returns, the detail is in no file of the log: not in the database, its WAL,
    /// the request ids, or the search index.
    ///
    /// # Errors
    /// [`LogError::Kept`] for control records, for records younger than a day and for details that are gone already;
    /// [`LogError::Unavailable`] where some copy could not be erased: the record stands, ask again.
    pub async fn redact(&self, index: u64, draft: ControlDraft) -> Result<Appended, LogError> {
        if !matches!(&draft.body, Body::Redacted { indices } if indices == &[index]) {
            return Err(LogError::Malformed {
                cause: "a `log.redacted` record that names this index was expected".into(),
            });
        }
        let record = self.record(index).await?;
        self.may_erase(&record)?;
        // What is to be erased from the index must be in it.
        self.indexed(index + 1, Duration::from_secs(1)).await?;
        let (public, mut private) = index::Terms::default().of(&record, &leaf_hash(&record.leaf));
        private.retain(|term| !public.contains(term));
        let mut job = draft.job()?;
        let request = record.detail.as_deref().and_then(index::request_of);
        job.erases = Some(Erased { index, request });
        let appended = self.write_control(job).await?;
        // A crash here leaves the terms of an erased record in the index, which is rebuilt from the log without them when
        // it is deleted; the operator sees no answer and asks again, or deletes it.
        if !self.shared.following.erase(index, private).await {
            return Err(LogError::unavailable(
                "its terms are still in the search index: stop the daemon and delete index.db",
            ));
        }
        let emptied = self.shared.queue.truncate().await;
        emptied.unwrap_or(Err(LogError::Closing))?;
        Ok(appended)
    }

    fn may_erase(&self, record: &Stored) -> Result<(), LogError> {
        if record.detail.is_none() {
            return Err(LogError::Kept { cause: "it is gone already" });
        }
        if matches!(Record::parse(&record.leaf), Ok(Record::Control(_))) {
            return Err(LogError::Kept {
                cause: "it belongs to a control record, whose acts others must be able to check",
            });
        }
        let sealed = sealed_of(&record.leaf);
        if sealed.is_none_or(|sealed| self.shared.clock.wall().since(sealed) < YOUNG) {
            return Err(LogError::Kept { cause: "the record is younger than a day" });
        }
        Ok(())
    }
}
