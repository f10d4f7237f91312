//! The barrier of a stop: it waits until signatures released before it have been handed to their connections.
//!
//! Every reply carries a [`HandOver`]. A stop ends the current epoch and waits for its guards; later replies belong to
//! the next epoch and were compared with the stop already. An epoch holds its successor, so it cannot end before those
//! before it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// A reply on its way. Drop it when the reply has been handed to its connection.
#[derive(Clone, Debug)]
pub struct HandOver {
    _epoch: Arc<Epoch>,
}

#[derive(Debug)]
struct Epoch {
    next: OnceLock<Arc<Epoch>>,
    over: Mutex<Option<oneshot::Sender<()>>>,
}

impl Epoch {
    fn begin() -> Arc<Self> {
        Arc::new(Self { next: OnceLock::new(), over: Mutex::new(None) })
    }
}

impl Drop for Epoch {
    fn drop(&mut self) {
        if let Some(waiting) = self.over.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // The stop may have stopped waiting.
            let _gone = waiting.send(());
        }
    }
}

/// The current epoch.
#[derive(Debug)]
pub(super) struct Barrier(Mutex<Arc<Epoch>>);

impl Default for Barrier {
    fn default() -> Self {
        Self(Mutex::new(Epoch::begin()))
    }
}

impl Barrier {
    /// A guard for one reply.
    pub(super) fn guard(&self) -> HandOver {
        HandOver { _epoch: Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) }
    }

    /// Waits until every guard given out before this call is dropped, at most so long. Whether they all were.
    pub(super) async fn pass(&self, at_most: Duration) -> bool {
        let (over, passed) = oneshot::channel();
        {
            let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let next = Epoch::begin();
            let old = std::mem::replace(&mut *current, Arc::clone(&next));
            *old.over.lock().unwrap_or_else(PoisonError::into_inner) = Some(over);
            // Invariant: an epoch is over only when those before it are; held by `a_later_stop_waits_for_earlier_guards`.
            let _set_once = old.next.set(next);
        }
        tokio::time::timeout(at_most, passed).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn the_barrier_waits_for_earlier_guards_and_not_for_later_ones() {
        let barrier = Arc::new(Barrier::default());
        assert!(barrier.pass(LONG).await);
        let guard = barrier.guard();
        let second = guard.clone();
        assert!(!barrier.pass(Duration::ZERO).await);
        drop(guard);
        assert!(!barrier.pass(Duration::ZERO).await, "a clone is the same reply");
        let waiting = tokio::spawn({
            let barrier = Arc::clone(&barrier);
            async move { barrier.pass(LONG).await }
        });
        drop(second);
        assert!(waiting.await.is_ok_and(|passed| passed));
        let _later = barrier.guard();
    }

    #[tokio::test]
    async fn a_later_stop_waits_for_earlier_guards() {
        let barrier = Barrier::default();
        let old = barrier.guard();
        assert!(!barrier.pass(Duration::ZERO).await);
        assert!(!barrier.pass(Duration::ZERO).await, "the epoch before is not over");
        drop(old);
        assert!(barrier.pass(LONG).await);
    }
}
