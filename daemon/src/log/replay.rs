//! Requests in progress: a second one with the same id waits for the first.
//!
//! What came of a request that has ended is in the store's request rows; see [`super::batch`] for how a row that is
//! already there is read, and [`super::keeper`] for how rows are forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

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
