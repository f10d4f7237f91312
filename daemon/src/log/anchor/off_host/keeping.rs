//! One place off the host: the task that reads and writes it.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use super::{Ask, Place};
use crate::log::anchor::{Client, Kept};

/// Between two writes, from the end of one to the beginning of the next: with the time of a write, a place is less than
/// a second behind.
const PACE: Duration = Duration::from_millis(500);
/// After a failure; doubled up to [`LONGEST`].
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(16);

/// What may be done with a place; see the diagram of [`super`].
enum Standing {
    /// Nothing, until somebody says so.
    AtRest,
    /// It is to be read, and judged before it may be written.
    Unread,
    /// It is written. This is what it keeps.
    Kept(Arc<Kept>),
}

/// Keeps one place.
pub(super) struct Keeping {
    place: Arc<Place>,
    client: Client,
    asks: UnboundedReceiver<Ask>,
    newest: watch::Receiver<Option<Arc<Kept>>>,
    standing: Standing,
    round: u64,
    /// Nothing is read or written by itself before it is over.
    pause: Option<Pin<Box<Sleep>>>,
    backoff: Duration,
}

impl Keeping {
    pub(super) fn new(
        place: Arc<Place>,
        client: Client,
        asks: UnboundedReceiver<Ask>,
        newest: watch::Receiver<Option<Arc<Kept>>>,
    ) -> Self {
        let (standing, round, pause, backoff) = (Standing::AtRest, 0, None, FIRST);
        Self { place, client, asks, newest, standing, round, pause, backoff }
    }

    /// Until it is told to end, or nobody is left who could tell.
    pub(super) async fn run(mut self) {
        loop {
            let pausing = self.pause.is_some();
            let reads = !pausing && matches!(self.standing, Standing::Unread);
            let writes = !pausing && matches!(self.standing, Standing::Kept(_));
            tokio::select! {
                biased;
                ask = self.asks.recv() => match ask {
                    Some(Ask::Read { round, answer }) => {
                        self.round = round;
                        self.standing = Standing::AtRest;
                        // Whoever asked may have stopped waiting: then it is read again.
                        let _gone = answer.send(self.client.read().await);
                    }
                    // A judgement on what an earlier round found is nothing to go by.
                    Some(Ask::Follow { round, .. }) if round != self.round => {}
                    Some(Ask::Follow { agreed, .. }) => self.follow(agreed),
                    Some(Ask::End) => return self.end().await,
                    None => return,
                },
                () = over(&mut self.pause), if pausing => self.pause = None,
                () = std::future::ready(()), if reads => self.read().await,
                Ok(()) = self.newest.changed(), if writes => self.write().await,
            }
        }
    }

    fn follow(&mut self, agreed: Option<Kept>) {
        match agreed {
            Some(kept) => {
                self.standing = Standing::Kept(Arc::new(kept));
                self.pause = None;
                self.backoff = FIRST;
                // Whether it is the newest is looked at now.
                self.newest.mark_changed();
            }
            None => {
                self.standing = Standing::Unread;
                self.wait();
            }
        }
    }

    /// Pauses after something failed.
    fn wait(&mut self) {
        self.pause = Some(Box::pin(sleep(self.backoff)));
        self.backoff = self.backoff.saturating_mul(2).min(LONGEST);
    }

    async fn read(&mut self) {
        match self.client.read().await {
            Ok(kept) => {
                *self.place.found.lock().unwrap_or_else(PoisonError::into_inner) = Some((self.round, kept));
                self.standing = Standing::AtRest;
            }
            Err(failure) => {
                self.place.alarm(&failure.to_string());
                self.wait();
            }
        }
    }

    async fn write(&mut self) {
        {
            // Before the newest is taken: what is offered from here on counts by itself.
            let mut behind = self.place.behind();
            behind.writing = behind.writing.or(behind.waiting.take());
        }
        let newest = self.newest.borrow_and_update().clone();
        let (Some(newest), Standing::Kept(kept)) = (newest, &self.standing) else { return };
        if newest != *kept
            && let Err(failure) = self.client.write(&newest).await
        {
            self.place.alarm(&failure.to_string());
            self.newest.mark_changed();
            return self.wait();
        }
        {
            let mut behind = self.place.behind();
            behind.writing = None;
            if self.newest.borrow().as_ref().is_none_or(|now| Arc::ptr_eq(now, &newest)) {
                behind.waiting = None;
            }
        }
        self.standing = Standing::Kept(newest);
        self.place.well();
        self.backoff = FIRST;
        self.pause = Some(Box::pin(sleep(PACE)));
    }

    /// The last one, exactly; one attempt, as long as any.
    async fn end(mut self) {
        self.write().await;
        let newest = self.newest.borrow().clone();
        let exact = match (&self.standing, &newest) {
            (Standing::Kept(kept), Some(newest)) => kept == newest,
            (_, newest) => newest.is_none(),
        };
        if !exact {
            tracing::error!(anchor = %self.place.name, "it was left behind: it does not keep the last checkpoint");
        }
        self.client.close().await;
    }
}

async fn over(pause: &mut Option<Pin<Box<Sleep>>>) {
    if let Some(pause) = pause {
        pause.await;
    }
}
