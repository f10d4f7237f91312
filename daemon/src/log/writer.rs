//! The one thread that writes the log.
//!
//! ```text
//! Open ── commit ok ──► release ──► Open
//!   ├──── disk full (known not to have happened) ──► everybody is told, what must not be lost waits ──► Open
//!   └──── any other error: nobody knows ──► Closed ── load again ──► Open
//!                                              └──── inconsistent: stays closed until a person acts
//! ```
//!
//! Batches form while a commit is in progress, and while everybody in one can wait for company. Stops, the ends of intents and
//! what is owed are never lost while the process lives: they wait in [`Deferred`] until the log takes them.

mod recover;
mod release;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::operation::OperationId;
use proto::proof::frontier::Frontier;
use proto::reason::Reason;
use proto::record::SignRecord;
use proto::time::Time;

use super::anchor::{Anchor, Kept};
use super::batch::{self, Batch, BatchError};
use super::error::LogError;
use super::fence::Touches;
use super::intent::{Closure, End};
use super::queue::{ControlJob, Jobs, OwedJob};
use super::seal::Prepared;
use super::shared::Shared;
use super::watch::{Control, Head, LogHealth};
use crate::clock::Watch;
use crate::store::{Store, StoreError};

/// How long the writer waits before it tries again what a full disk did not take.
const AGAIN: Duration = Duration::from_millis(250);
/// Bytes in the WAL after which the background is asked to move them.
const BACKGROUND: u64 = 4 << 20;
/// What a commit adds to the WAL beside its rows, about: four pages.
const OVERHEAD: u64 = 16 << 10;

/// A loaded log.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) store: Store,
    pub(super) frontier: Frontier,
    pub(super) head: Arc<Head>,
    pub(super) epoch: u64,
    pub(super) counter: u64,
    pub(super) sealed: Time,
    pub(super) touches: Touches,
    pub(super) anchors: Vec<Anchor>,
    pub(super) clock: Watch,
    /// Bytes that went into the WAL since the background was last asked to move it.
    pub(super) written: u64,
}

/// What must not be lost while the log takes nothing.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    pub(super) controls: Vec<ControlJob>,
    pub(super) owed: Vec<OwedJob>,
    pub(super) closures: Vec<Closure>,
    /// Operations of intents that nobody was given: if they are in the store after all, nothing was signed.
    pub(super) unhanded: HashSet<OperationId>,
}

impl Deferred {
    fn is_empty(&self) -> bool {
        self.controls.is_empty() && self.owed.is_empty() && self.closures.is_empty()
    }

    fn only_owes(&self) -> bool {
        self.controls.is_empty() && self.closures.is_empty()
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    open: Option<Open>,
    deferred: Deferred,
    backoff: Duration,
    /// Loading again is of no use until a person has acted.
    stuck: bool,
    clock: Watch,
}

impl Writer {
    /// A writer of a loaded log.
    pub(super) fn new(shared: Arc<Shared>, clock: Watch, controls: Vec<ControlJob>) -> Self {
        let deferred = Deferred { controls, ..Deferred::default() };
        Self { shared, open: None, deferred, backoff: recover::FIRST, stuck: false, clock }
    }

    /// Writes and releases until the log is closed.
    pub(super) fn run(mut self) {
        loop {
            let goes_on = if self.open.is_some() { self.turn() } else { self.recover() };
            if !goes_on {
                break;
            }
        }
        self.finish();
    }

    /// One batch. False: the log is being closed and nothing is left.
    fn turn(&mut self) -> bool {
        let patience = (!self.deferred.is_empty()).then_some(AGAIN);
        let (mut jobs, orders) = self.shared.queue.take(patience);
        let nothing_new = jobs.is_empty();
        if orders.reload {
            self.poison(jobs, "the log is loaded again, as was asked");
            return true;
        }
        // While a full disk is full nothing is signed, so what is owed alone need not be tried again and again.
        let waits = nothing_new && self.deferred.only_owes() && !self.is_ready();
        if !waits {
            self.take_deferred(&mut jobs);
        }
        if !jobs.is_empty() {
            self.commit(jobs);
        }
        if orders.truncate {
            self.truncate();
        }
        !(orders.close && nothing_new)
    }

    fn is_ready(&self) -> bool {
        *self.shared.health.borrow() == LogHealth::Ready
    }

    fn take_deferred(&mut self, jobs: &mut Jobs) {
        let mut controls = std::mem::take(&mut self.deferred.controls);
        controls.append(&mut jobs.controls);
        jobs.controls = controls;
        let mut owed = std::mem::take(&mut self.deferred.owed);
        owed.append(&mut jobs.owed);
        jobs.owed = owed;
        let room = self.shared.settings.limits.batch.min(self.deferred.closures.len());
        let mut closures: Vec<Closure> = self.deferred.closures.drain(..room).collect();
        closures.append(&mut jobs.closures);
        jobs.closures = closures;
    }

    /// Writes what was deferred; called before anybody else can ask for anything.
    pub(super) fn begin(&mut self) {
        while self.open.is_some() && !self.deferred.is_empty() {
            let mut jobs = Jobs::default();
            let before = self.deferred.closures.len();
            self.take_deferred(&mut jobs);
            self.commit(jobs);
            if self.deferred.closures.len() >= before {
                break;
            }
        }
    }

    /// Writes jobs in one batch, or, where a record among them ends a log key, in two: what came with that is after it.
    fn commit(&mut self, mut jobs: Jobs) {
        while let Some(rest) = jobs.after_an_end() {
            self.commit_batch(std::mem::replace(&mut jobs, rest));
        }
        if !jobs.is_empty() {
            self.commit_batch(jobs);
        }
    }

    fn commit_batch(&mut self, mut jobs: Jobs) {
        let Some(open) = &mut self.open else {
            return self.fail(jobs, &LogError::unavailable("it is not loaded"));
        };
        let began = self.shared.clock.monotonic();
        #[cfg(test)]
        faulty::before(open, &self.shared);
        let written = batch::write(open, &self.shared, &mut jobs);
        #[cfg(test)]
        let written = faulty::after(written, &self.shared);
        match written {
            Ok(batch) => {
                let took = self.shared.clock.monotonic().since(began);
                self.shared.queue.committed(took);
                let intents: usize = batch.intends.iter().map(Vec::len).sum();
                crate::measure::log_committed(batch.rows.len() + intents, took);
                self.committed(jobs, batch);
            }
            Err(BatchError::Store(StoreError::Full)) => {
                open.frontier.rewind();
                self.full(jobs);
            }
            Err(error) => self.poison(jobs, &super::tree::detailed(&error)),
        }
    }

    /// The batch is durable. Safe now: every record in it. A crash before the anchor is written leaves the anchor a batch
    /// behind, which the next load accepts; nothing of the batch has left.
    fn committed(&mut self, jobs: Jobs, batch: Batch) {
        let Some(open) = &mut self.open else { return };
        let head = batch.head.clone().unwrap_or_else(|| Arc::clone(&open.head));
        let kept = Kept { checkpoint: head.checkpoint.to_string(), number: batch.counter };
        let mut anchored = false;
        for anchor in &mut open.anchors {
            match anchor.write(&kept) {
                Ok(()) => anchored = true,
                Err(error) => {
                    tracing::error!(%error, anchor = %anchor.path().display(), "an anchor was not written")
                }
            }
        }
        if !anchored {
            return self.poison(jobs, "no anchor could be written");
        }
        self.shared.off_host.offer(kept, &*self.shared.clock);
        open.head = Arc::clone(&head);
        open.counter = batch.counter;
        open.sealed = batch.sealed;
        open.clock = batch.clock.clone();
        // A log that is loaded again goes on by the same watch, and so does whoever asks what time it is.
        self.clock = batch.clock.clone();
        self.shared.watch.store(Arc::new(batch.clock.clone()));
        if let Some(touches) = &batch.touches {
            open.touches = touches.clone();
        }
        for (job, (index, row)) in jobs.controls.iter().zip((batch.first..).zip(&batch.rows)) {
            self.shared.fence.apply(index, &job.record);
            let detail =
                job.record.body.needs_detail().then(|| job.detail.as_deref().map(Bytes::copy_from_slice));
            self.shared.feed.push(Control {
                index,
                hash: row.hash,
                record: job.record.clone(),
                detail: detail.flatten(),
            });
        }
        if let Some(keys) = &batch.keys {
            // First, so that nobody sees a head without the keys that have signed it.
            self.shared.keys.store(Arc::clone(keys));
            tracing::warn!(key = %keys.newest(), size = open.head.size, "the log has another key from here on");
        }
        if batch.head.is_some() {
            self.shared.head.send_replace(head);
            crate::measure::log_size(open.head.size);
        }
        let bytes: usize = batch.rows.iter().map(|row| row.leaf.len() * 2).sum();
        open.written += OVERHEAD + bytes as u64;
        self.shared.queue.ended(batch.closed);
        self.shared.fence.count_withheld(batch.withheld);
        self.shared.signals.dirty();
        let stays: HashSet<OperationId> =
            jobs.controls.iter().filter(|job| job.stays).map(|job| job.record.operation).collect();
        release::release(open, &self.shared, jobs, batch);
        self.shared.following.wake();
        open.frontier.settle();
        crate::measure::log_open_intents(self.shared.queue.open_intents());
        if !stays.is_empty() {
            self.settle_stop_file(|operation| stays.contains(operation));
        }
        self.backoff = recover::FIRST;
        self.tend();
    }

    /// Keeps the WAL short. The background moves its pages, but while commits follow each other there is always a newer
    /// one, and a WAL begins anew only when everything has been moved: then it is moved here, between two commits.
    fn tend(&mut self) {
        let Some(open) = &mut self.open else { return };
        let longest = self.shared.settings.limits.longest_wal;
        if open.written + self.shared.signals.wal() > longest {
            match open.store.checkpoint() {
                // Somebody else is moving it: asked again after the next commit.
                Ok(wal) if wal.busy => {}
                // The next commit begins the WAL anew, or a reader held it up, which lasts a page.
                Ok(_) => {
                    open.written = 0;
                    self.shared.signals.set_wal(0);
                }
                // The WAL still has everything; if the disk is ill the next commit says so.
                Err(error) => tracing::warn!(%error, "the WAL could not be moved into the database"),
            }
        } else if open.written > BACKGROUND {
            open.written = 0;
            self.shared.signals.checkpoint();
        }
    }

    fn truncate(&mut self) {
        let done = match &self.open {
            Some(open) => match open.store.truncate() {
                Ok(wal) if !wal.busy => Ok(()),
                Ok(_) => Err(LogError::unavailable("a reader was in the way of emptying the WAL; ask again")),
                Err(error) => Err(LogError::unavailable(error)),
            },
            None => Err(LogError::unavailable("it is not loaded")),
        };
        for asked in self.shared.queue.truncated() {
            // Whoever asked may have gone.
            let _gone = asked.send(done.clone());
        }
    }

    /// No space: known not to have happened. Control records are tried once more by themselves; stops, the ends of intents
    /// and what is owed wait, everybody else is told.
    fn full(&mut self, mut jobs: Jobs) {
        let cause: Arc<str> =
            "its disk is full: free space or grow the disk; it is looked at every second".into();
        self.shared.set_health(|_| Some(LogHealth::Refusing { cause: Arc::clone(&cause) }));
        let controls = std::mem::take(&mut jobs.controls);
        let alone = jobs.is_empty();
        self.fail(jobs, &LogError::Full { cause: Arc::clone(&cause) });
        let mut controls = Jobs { controls, ..Jobs::default() };
        if controls.is_empty() {
            return;
        }
        if !alone && let Some(open) = &mut self.open {
            match batch::write(open, &self.shared, &mut controls) {
                Ok(batch) => return self.committed(controls, batch),
                Err(BatchError::Store(StoreError::Full)) => open.frontier.rewind(),
                Err(error) => return self.poison(controls, &super::tree::detailed(&error)),
            }
        }
        self.fail(controls, &LogError::Full { cause });
    }

    /// Nobody knows whether it happened, or the store is ill: this handle is not used again.
    fn poison(&mut self, jobs: Jobs, cause: &str) {
        let mut cause: Arc<str> = format!("{cause}; it is loaded again by itself").into();
        self.shared.set_health(|health| match health {
            // Closed for good already, by a checkpoint that it does not extend: that cause is the one to name.
            LogHealth::Failed { cause: known } => {
                cause = Arc::clone(known);
                None
            }
            _ => Some(LogHealth::Failed { cause: Arc::clone(&cause) }),
        });
        self.shared.readers.store(None);
        self.open = None;
        self.fail(jobs, &LogError::Unavailable { cause });
    }

    /// Tells everybody in the batch, and keeps what must not be lost.
    fn fail(&mut self, jobs: Jobs, error: &LogError) {
        for job in jobs.controls {
            if job.stays {
                self.deferred.controls.push(job);
                continue;
            }
            self.shared.fence.withdraw(job.record.operation);
            if let Some(reply) = job.reply {
                let _gone = reply.send(Err(error.clone()));
            }
        }
        for mut job in jobs.owed {
            if let Some(reply) = job.reply.take() {
                let _gone = reply.send(Err(error.clone()));
            }
            self.deferred.owed.push(job);
        }
        for job in jobs.seals {
            let results = job.items.into_iter().map(|item| {
                self.deferred.closures.extend(withheld(item));
                Err(error.clone())
            });
            let _gone = job.reply.send(Ok(results.collect()));
        }
        self.deferred.closures.extend(jobs.closures);
        for job in jobs.intends {
            self.deferred.unhanded.extend(job.items.iter().map(|item| item.draft.operation));
            let results = job.items.into_iter().map(|_item| Err(error.clone()));
            let _gone = job.reply.send(Ok(results.collect()));
        }
        for job in jobs.plains {
            let _gone = job.reply.send(Err(error.clone()));
        }
    }
}

impl Drop for Writer {
    /// The thread ends, in order or by a panic: whoever waits or comes is told.
    fn drop(&mut self) {
        self.shared.readers.store(None);
        self.shared.set_health(|health| match health {
            LogHealth::Failed { .. } => None,
            _ => Some(LogHealth::Failed { cause: "the log's writer ended; restart the daemon".into() }),
        });
        self.shared.queue.die();
    }
}

/// The end of a seal's intent when its record could not be written: nobody got anything.
fn withheld(item: Prepared) -> Option<Closure> {
    let seal = item.seal;
    let intent = seal.intent?;
    let mut record = SignRecord::clone(&seal.released);
    let all: Vec<_> =
        (0..record.signatures.len()).map(|position| (position, Reason::LogUnavailable)).collect();
    record.withhold(&all);
    let closure = Closure {
        number: intent.number(),
        operation: intent.operation(),
        owner: None,
        end: End::Withheld(Box::new((record, seal.detail.to_vec()))),
    };
    intent.end();
    Some(closure)
}

/// Where tests make a commit fail.
#[cfg(test)]
mod faulty {
    use std::sync::atomic::Ordering;

    use super::{Batch, BatchError, Open, Shared, StoreError};

    pub(super) fn before(open: &Open, shared: &Shared) {
        drop(shared.settings.faults.slow.lock());
        shared.settings.faults.commits.fetch_add(1, Ordering::SeqCst);
        let pages = shared.settings.faults.pages.load(Ordering::SeqCst);
        let bound = if pages == 0 { u32::MAX - 1 } else { pages };
        open.store.bound(bound).expect("a bound can be set");
    }

    pub(super) fn after(written: Result<Batch, BatchError>, shared: &Shared) -> Result<Batch, BatchError> {
        if shared.settings.faults.unknown.swap(false, Ordering::SeqCst) {
            return Err(BatchError::Store(StoreError::Shape("the commit said that it failed")));
        }
        written
    }
}
