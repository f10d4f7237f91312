//! Requests that were made before: a second one with the same id waits for the first, and may ask what came of it.
//!
//! What came of a request that has ended is in the store's request rows; see [`super::batch`] for how a row that is
//! already there stands in the way of a new operation, and [`super::keeper`] for how rows are forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use proto::operation::OperationId;
use proto::record::Outcome;
use tokio::sync::watch;

use super::Log;
use super::error::LogError;
use super::intent::{Earlier, RequestKey};
use crate::store::StoreError;

/// Caller and request id.
type InProgress = HashMap<(Arc<str>, String), watch::Receiver<()>>;

/// The requests with an open intent.
#[derive(Debug, Default)]
pub(super) struct Requests(Arc<Mutex<InProgress>>);

/// The right to be the one request with this id. Dropped when the operation has ended.
#[derive(Debug)]
pub(super) struct Hold {
    key: (Arc<str>, String),
    requests: Arc<Mutex<InProgress>>,
    _ended: watch::Sender<()>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Requests {
    /// Waits until no other request with this id is in progress.
    pub(super) async fn hold(&self, caller: &Arc<str>, id: &str) -> Hold {
        let key = (Arc::clone(caller), id.to_owned());
        loop {
            let mut first = {
                let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                match requests.get(&key) {
                    Some(first) => first.clone(),
                    None => {
                        let (ended, first) = watch::channel(());
                        requests.insert(key.clone(), first);
                        return Hold { key, requests: Arc::clone(&self.0), _ended: ended };
                    }
                }
            };
            // The sender is dropped with the hold, after the entry is gone: that is the event.
            while first.changed().await.is_ok() {}
        }
    }
}

impl Log {
    /// What an earlier request with this id came to, where that is all that this one can get: signatures that may have
    /// been delivered, or nobody knows. Waits for one that is in progress.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn earlier(
        &self,
        caller: &Arc<str>,
        request: &RequestKey,
    ) -> Result<Option<Earlier>, LogError> {
        drop(self.shared.requests.hold(caller, &request.id).await);
        let (caller, RequestKey { id, input }) = (Arc::clone(caller), request.clone());
        let oldest = self.time().time().earlier(self.shared.settings.limits.remembered).microseconds();
        // A record above the newest released checkpoint has not left yet.
        let size = self.head().size;
        self.reading(move |view| {
            let Some(row) = view.request(&id, &caller).map_err(LogError::unavailable)? else {
                return Ok(None);
            };
            let Some(index) = row.index.filter(|index| *index < size && row.at >= oldest) else {
                return Ok(None);
            };
            let record = view.record(index).map_err(LogError::unavailable)?;
            let leaf =
                record.ok_or_else(|| LogError::unavailable("a request id names a missing record"))?.leaf;
            let outcome = outcome(&leaf).map_err(LogError::unavailable)?;
            let operation = OperationId::from(row.operation);
            let same_input = row.input == *input.as_bytes();
            Ok(outcome.map(|ended| Earlier { operation, index: row.index, same_input, outcome: Some(ended) }))
        })
        .await
    }
}

/// How the operation of this leaf ended, as far as it hinders a second try: [`Outcome::Released`] if any signature was,
/// else [`Outcome::Unknown`] if nobody knows of one.
///
/// # Errors
/// [`StoreError::Shape`]: it is no `sign` record.
pub(super) fn outcome(leaf: &[u8]) -> Result<Option<Outcome>, StoreError> {
    #[derive(serde::Deserialize)]
    struct Ended {
        signatures: Vec<Entry>,
    }
    #[derive(serde::Deserialize)]
    struct Entry {
        outcome: Outcome,
    }
    let ended: Ended = serde_json::from_slice(leaf)
        .map_err(|_other| StoreError::Shape("a request id names no `sign` record"))?;
    let any = |outcome| ended.signatures.iter().any(|entry| entry.outcome == outcome);
    Ok([Outcome::Released, Outcome::Unknown].into_iter().find(|outcome| any(*outcome)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_request_with_the_same_id_waits_for_the_first() {
        let requests = Arc::new(Requests::default());
        let caller: Arc<str> = "unix:0".into();
        let first = requests.hold(&caller, "a").await;
        let other = requests.hold(&caller, "b").await;
        let (began, begun) = tokio::sync::oneshot::channel();
        let second = tokio::spawn({
            let (requests, caller) = (Arc::clone(&requests), Arc::clone(&caller));
            async move {
                let mut waiting = std::pin::pin!(requests.hold(&caller, "a"));
                let early = futures_util::future::poll_immediate(&mut waiting).await;
                let _told = began.send(early.is_none());
                waiting.await
            }
        });
        assert!(begun.await.is_ok_and(|waits| waits));
        drop((first, other));
        assert!(second.await.is_ok());
    }
}
