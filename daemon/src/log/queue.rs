//! What waits for the writer: lanes, bounds, and the one wait.
//!
//! Control records head a batch; seals and closures are always taken, because their intents were; what is new is bounded
//! in count and bytes, *before* anything is signed; summaries come last. There is no timer: what arrives during a commit
//! is the next batch.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use proto::record::{ControlRecord, Draft};
use tokio::sync::oneshot;

use super::error::LogError;
use super::watch::Appended;
use super::intent::{Closure, IntentDraft, Intended};
use super::replay::Hold;
use super::seal::{Prepared, Sealed};
use super::settings::Limits;

/// Where the results of a job go.
pub(super) type Reply<T> = oneshot::Sender<Result<T, LogError>>;

/// Control records.
#[derive(Debug)]
pub(super) struct ControlJob {
    pub(super) record: ControlRecord,
    pub(super) draft: Draft,
    pub(super) detail: Option<Vec<u8>>,
    /// The detail of this record is erased by the same commit.
    pub(super) erases: Option<u64>,
    /// A stop: it waits until it is in the log, whatever happens.
    pub(super) stays: bool,
    pub(super) reply: Option<Reply<Appended>>,
}

/// Intents of one call.
#[derive(Debug)]
pub(super) struct IntendJob {
    pub(super) items: Vec<IntendItem>,
    pub(super) reply: Reply<Vec<Result<Intended, LogError>>>,
}

#[derive(Debug)]
pub(super) struct IntendItem {
    pub(super) draft: IntentDraft,
    pub(super) body: Vec<u8>,
    pub(super) hold: Option<Hold>,
}

/// Seals of one call.
#[derive(Debug)]
pub(super) struct SealJob {
    pub(super) items: Vec<Prepared>,
    pub(super) reply: Reply<Vec<Result<Sealed, LogError>>>,
}

/// One plain record.
#[derive(Debug)]
pub(super) struct PlainJob {
    pub(super) draft: Draft,
    pub(super) detail: Vec<u8>,
    pub(super) reply: Reply<Appended>,
}

/// New work, in order of arrival.
#[derive(Debug)]
pub(super) enum Work {
    Intend(IntendJob),
    Seal(SealJob),
    Plain(PlainJob),
}

/// Everything for one commit.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    pub(super) controls: Vec<ControlJob>,
    pub(super) seals: Vec<SealJob>,
    pub(super) closures: Vec<Closure>,
    pub(super) intends: Vec<IntendJob>,
    pub(super) plains: Vec<PlainJob>,
    /// Request rows to forget: (id, caller), and the time before which.
    pub(super) forget: Option<(Vec<(String, String)>, i64)>,
}

impl Jobs {
    pub(super) fn is_empty(&self) -> bool {
        self.controls.is_empty()
            && self.seals.is_empty()
            && self.closures.is_empty()
            && self.intends.is_empty()
            && self.plains.is_empty()
            && self.forget.is_none()
    }
}

/// What the writer is asked besides.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Orders {
    /// Nothing new is taken; when the lanes are empty the writer ends.
    pub(super) close: bool,
    /// Load again.
    pub(super) reload: bool,
    /// Empty the WAL to nothing.
    pub(super) truncate: bool,
}

#[derive(Debug, Default)]
struct Lanes {
    controls: VecDeque<ControlJob>,
    closures: VecDeque<Closure>,
    ends: VecDeque<SealJob>,
    work: VecDeque<Work>,
    last: VecDeque<PlainJob>,
    forget: Option<(Vec<(String, String)>, i64)>,
    truncated: Vec<oneshot::Sender<Result<(), LogError>>>,
    orders: Orders,
    count: usize,
    bytes: usize,
}

/// The queue in front of the writer.
#[derive(Debug)]
pub(super) struct Queue {
    lanes: Mutex<Lanes>,
    wake: Condvar,
    limits: Limits,
    /// Intents without a seal, with those that wait to be written.
    open: AtomicUsize,
    /// Exponentially weighted time of a commit, nanoseconds.
    commit: AtomicU64,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            lanes: Mutex::default(),
            wake: Condvar::new(),
            limits,
            open: AtomicUsize::new(0),
            commit: AtomicU64::new(200_000),
        }
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long one commit takes, about.
    pub(super) fn commit_time(&self) -> Duration {
        Duration::from_nanos(self.commit.load(Ordering::Relaxed))
    }

    pub(super) fn committed(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let old = self.commit.load(Ordering::Relaxed);
        self.commit.store(old - old / 8 + took / 8, Ordering::Relaxed);
    }

    pub(super) fn open_intents(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(super) fn opened(&self, intents: usize) {
        self.open.fetch_add(intents, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, intents: usize) {
        // A load finds intents of other owners, which were never counted here.
        let _old = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| Some(open.saturating_sub(intents)));
    }

    /// Whether so much more may be taken now; `left` is the time until the caller's deadline.
    pub(super) fn admits(&self, count: usize, intents: usize, left: Option<Duration>) -> Result<(), LogError> {
        let lanes = self.lanes();
        self.room(&lanes, count, intents, 0, left)
    }

    fn room(
        &self,
        lanes: &Lanes,
        count: usize,
        intents: usize,
        bytes: usize,
        left: Option<Duration>,
    ) -> Result<(), LogError> {
        if lanes.orders.close {
            return Err(LogError::Closing);
        }
        let batches = u32::try_from(lanes.count / self.limits.batch.max(1)).unwrap_or(u32::MAX).saturating_add(2);
        let wait = self.commit_time().saturating_mul(batches);
        let full = lanes.count + count > self.limits.queued.max(count)
            || lanes.bytes + bytes > self.limits.queued_bytes.max(bytes)
            || (intents > 0 && self.open_intents() + intents > self.limits.open_intents.max(intents));
        if full {
            return Err(LogError::Busy { retry_after: wait.max(Duration::from_millis(5)) });
        }
        if left.is_some_and(|left| left < wait) {
            return Err(LogError::Late);
        }
        Ok(())
    }

    fn put(&self, count: usize, bytes: usize, put: impl FnOnce(&mut Lanes)) {
        let mut lanes = self.lanes();
        lanes.count += count;
        lanes.bytes += bytes;
        put(&mut lanes);
        drop(lanes);
        self.wake.notify_one();
    }

    /// Takes a control record; never refused but when closing.
    pub(super) fn control(&self, job: ControlJob) -> Result<(), Box<ControlJob>> {
        let mut lanes = self.lanes();
        if lanes.orders.close {
            return Err(Box::new(job));
        }
        lanes.controls.push_back(job);
        drop(lanes);
        self.wake.notify_one();
        Ok(())
    }

    /// Takes the end of an intent; never refused.
    pub(super) fn close(&self, closure: Closure) {
        self.put(0, 0, |lanes| lanes.closures.push_back(closure));
    }

    /// Takes seals. Those that end an intent are never refused.
    pub(super) fn seal(&self, job: SealJob) -> Result<(), LogError> {
        if job.items.iter().any(|item| item.seal.intent.is_some()) {
            self.put(0, 0, |lanes| lanes.ends.push_back(job));
            return Ok(());
        }
        let (count, bytes) = (job.items.len(), job.items.iter().map(Prepared::bytes).sum());
        self.offer(count, 0, bytes, None, Work::Seal(job))
    }

    pub(super) fn intend(&self, job: IntendJob, left: Option<Duration>) -> Result<(), LogError> {
        let count = job.items.len();
        let bytes = job.items.iter().map(|item| item.body.len()).sum();
        self.offer(count, count, bytes, left, Work::Intend(job))
    }

    pub(super) fn plain(&self, job: PlainJob, last: bool) -> Result<(), LogError> {
        let bytes = job.draft.len() + job.detail.len();
        if !last {
            return self.offer(1, 0, bytes, None, Work::Plain(job));
        }
        let mut lanes = self.lanes();
        self.room(&lanes, 1, 0, bytes, None)?;
        lanes.count += 1;
        lanes.bytes += bytes;
        lanes.last.push_back(job);
        drop(lanes);
        self.wake.notify_one();
        Ok(())
    }

    fn offer(&self, count: usize, intents: usize, bytes: usize, left: Option<Duration>, work: Work) -> Result<(), LogError> {
        let mut lanes = self.lanes();
        self.room(&lanes, count, intents, bytes, left)?;
        lanes.count += count;
        lanes.bytes += bytes;
        lanes.work.push_back(work);
        drop(lanes);
        self.wake.notify_one();
        Ok(())
    }

    /// Request rows to forget.
    pub(super) fn forget(&self, keys: Vec<(String, String)>, before: i64) {
        self.put(0, 0, |lanes| match &mut lanes.forget {
            Some(waiting) => waiting.0.extend(keys),
            none => *none = Some((keys, before)),
        });
    }

    pub(super) fn order(&self, change: impl FnOnce(&mut Orders)) {
        self.put(0, 0, |lanes| change(&mut lanes.orders));
    }

    /// Asks for a WAL cut to nothing.
    pub(super) fn truncate(&self) -> oneshot::Receiver<Result<(), LogError>> {
        let (done, asked) = oneshot::channel();
        self.put(0, 0, |lanes| {
            lanes.orders.truncate = true;
            lanes.truncated.push(done);
        });
        asked
    }

    pub(super) fn truncated(&self) -> Vec<oneshot::Sender<Result<(), LogError>>> {
        std::mem::take(&mut self.lanes().truncated)
    }

    /// Waits for work or an order, at most `patience`, and takes one batch.
    pub(super) fn take(&self, patience: Option<Duration>) -> (Jobs, Orders) {
        let mut lanes = self.lanes();
        if lanes.idle() {
            lanes = match patience {
                Some(patience) => self.wake.wait_timeout(lanes, patience).unwrap_or_else(PoisonError::into_inner).0,
                None => {
                    self.wake.wait_while(lanes, |lanes| lanes.idle()).unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
        let jobs = lanes.batch(self.limits.batch);
        let orders = lanes.orders;
        lanes.orders.reload = false;
        lanes.orders.truncate = false;
        (jobs, orders)
    }

    /// Waits for an order or a control record, at most `patience`, and takes nothing.
    pub(super) fn pause(&self, patience: Duration) -> Orders {
        let lanes = self.lanes();
        let wait = self.wake.wait_timeout_while(lanes, patience, |lanes| lanes.orders == Orders::default());
        let (mut lanes, _) = wait.unwrap_or_else(PoisonError::into_inner);
        let orders = lanes.orders;
        lanes.orders.reload = false;
        lanes.orders.truncate = false;
        orders
    }
}

impl Lanes {
    fn idle(&self) -> bool {
        self.controls.is_empty()
            && self.closures.is_empty()
            && self.ends.is_empty()
            && self.work.is_empty()
            && self.last.is_empty()
            && self.forget.is_none()
            && self.orders == Orders::default()
    }

    fn batch(&mut self, most: usize) -> Jobs {
        let mut jobs = Jobs { controls: self.controls.drain(..).collect(), ..Jobs::default() };
        let mut taken = jobs.controls.len();
        while taken < most
            && let Some(job) = self.ends.pop_front()
        {
            taken += job.items.len();
            jobs.seals.push(job);
        }
        while taken < most
            && let Some(closure) = self.closures.pop_front()
        {
            taken += 1;
            jobs.closures.push(closure);
        }
        while taken < most
            && let Some(work) = self.work.pop_front()
        {
            let (count, bytes) = match work {
                Work::Intend(job) => {
                    let size = (job.items.len(), job.items.iter().map(|item| item.body.len()).sum());
                    jobs.intends.push(job);
                    size
                }
                Work::Seal(job) => {
                    let size = (job.items.len(), job.items.iter().map(Prepared::bytes).sum());
                    jobs.seals.push(job);
                    size
                }
                Work::Plain(job) => {
                    let size = (1, job.draft.len() + job.detail.len());
                    jobs.plains.push(job);
                    size
                }
            };
            taken += count;
            self.count = self.count.saturating_sub(count);
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        while taken < most
            && let Some(job) = self.last.pop_front()
        {
            taken += 1;
            self.count = self.count.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(job.draft.len() + job.detail.len());
            jobs.plains.push(job);
        }
        jobs.forget = self.forget.take();
        jobs
    }
}

impl ControlJob {
    /// What the record is about, for the table of control records.
    pub(super) fn subject(&self) -> String {
        match &self.record.body {
            proto::record::Body::Enrolled(enrolled) => format!("{}@{}", enrolled.key, enrolled.version),
            _ => self.record.stops.iter().chain(&self.record.touches).map(ToString::to_string).next().unwrap_or_default(),
        }
    }
}
