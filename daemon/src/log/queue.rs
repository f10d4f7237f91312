//! What waits for the writer: lanes, bounds, and the one wait.
//!
//! Control records head a batch, and then what is owed; seals and closures are always taken, because their intents were;
//! what is new is bounded in count and bytes, *before* anything is signed; summaries come last. What arrives during a
//! commit is the next batch.
//!
//! Where everybody in a batch is patient, because calls wait for their device anyway, the batch waits for company: as long as
//! those may that are there first, or until half of what is open is in it. Whoever is in a hurry ends that wait; nothing else waits
//! for a timer.

mod jobs;
mod lanes;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::error::LogError;
use super::intent::Closure;
use super::settings::Limits;
use lanes::{Lanes, Waits};

pub(super) use jobs::{
    Beside, ControlJob, Erased, IntendItem, IntendJob, Jobs, OwedJob, PlainJob, SealJob, Work,
};

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

/// What came into the lanes: so many operations, which may wait so long for company.
type Came = (usize, Duration);

/// What ends everybody's waiting.
const HURRIED: Came = (0, Duration::ZERO);

/// The queue in front of the writer.
#[derive(Debug)]
pub(super) struct Queue {
    lanes: Mutex<Lanes>,
    work: Condvar,
    limits: Limits,
    /// Intents without a seal, with those that wait to be written.
    open: AtomicUsize,
    /// Told when that has become none.
    settled: Notify,
    /// Exponentially weighted time of a commit, nanoseconds.
    commit: AtomicU64,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            lanes: Mutex::default(),
            work: Condvar::new(),
            limits,
            open: AtomicUsize::new(0),
            settled: Notify::new(),
            commit: AtomicU64::new(200_000),
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
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
        let old = self
            .open
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |open| Some(open.saturating_sub(intents)));
        if old.is_ok_and(|old| old <= intents) {
            self.settled.notify_waiters();
        }
    }

    /// Waits until no intent is without its end.
    pub(super) async fn settled(&self) {
        loop {
            let settled = self.settled.notified();
            if self.open_intents() == 0 {
                return;
            }
            settled.await;
        }
    }

    /// Whether so much more may be taken now; `left` is the time until the caller's deadline.
    pub(super) fn admits(
        &self,
        count: usize,
        intents: usize,
        left: Option<Duration>,
    ) -> Result<(), LogError> {
        let lanes = self.lanes();
        self.room(&lanes, (count, 0), intents, left)
    }

    fn room(
        &self,
        lanes: &Lanes,
        (count, bytes): (usize, usize),
        intents: usize,
        left: Option<Duration>,
    ) -> Result<(), LogError> {
        if lanes.orders.close {
            return Err(LogError::Closing);
        }
        let batches =
            u32::try_from(lanes.count / self.limits.batch.max(1)).unwrap_or(u32::MAX).saturating_add(2);
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

    /// Puts something in that is never refused. After the writer's end it comes back: it may hold intents, whose drop
    /// comes here again, so it must not be dropped under the lock.
    fn put<T>(&self, what: T, came: Came, put: impl FnOnce(&mut Lanes, T)) -> Result<(), T> {
        let mut lanes = self.lanes();
        if lanes.dead {
            return Err(what);
        }
        put(&mut lanes, what);
        self.came(lanes, came);
        Ok(())
    }

    /// Lets go of the lanes, to which this came.
    fn came(&self, mut lanes: MutexGuard<'_, Lanes>, (operations, patience): Came) {
        lanes.patience = Some(lanes.patience.map_or(patience, |others| others.min(patience)));
        lanes.came += operations;
        self.wake(lanes);
    }

    /// Lets go of the lanes and wakes the writer, if it waits for this: a notification is a system call even where nobody does.
    fn wake(&self, mut lanes: MutexGuard<'_, Lanes>) {
        let waited = match lanes.waits {
            Waits::Nothing => false,
            Waits::Work => true,
            Waits::Company => self.wants_company(&lanes).is_none(),
        };
        if waited {
            lanes.waits = Waits::Nothing;
        }
        drop(lanes);
        if waited {
            self.work.notify_one();
        }
    }

    /// How long what is in the lanes waits for more, if it does: nobody in it is in a hurry, and the greater part of what is open is still
    /// elsewhere.
    fn wants_company(&self, lanes: &Lanes) -> Option<Duration> {
        let patience = lanes.patience.filter(|patience| !patience.is_zero())?;
        (lanes.came * 2 < self.open_intents()).then(|| patience.min(self.limits.company))
    }

    /// The writer has ended: whoever waits is told by the drop of what it waits for.
    pub(super) fn die(&self) {
        let waiting = {
            let mut lanes = self.lanes();
            let orders = Orders { close: true, ..Orders::default() };
            std::mem::replace(&mut *lanes, Lanes { dead: true, orders, ..Lanes::default() })
        };
        drop(waiting);
    }

    /// Takes a control record; never refused but when closing.
    pub(super) fn control(&self, job: ControlJob) -> Result<(), Box<ControlJob>> {
        let mut lanes = self.lanes();
        if lanes.orders.close {
            return Err(Box::new(job));
        }
        lanes.controls.push_back(job);
        self.came(lanes, HURRIED);
        Ok(())
    }

    /// Takes a record that is owed; never refused but when closing.
    pub(super) fn owe(&self, job: OwedJob) -> Result<(), LogError> {
        let mut lanes = self.lanes();
        if lanes.orders.close {
            return Err(LogError::Closing);
        }
        lanes.owed.push(job);
        self.came(lanes, HURRIED);
        Ok(())
    }

    /// Takes the end of an intent; never refused.
    pub(super) fn close(&self, closure: Closure) {
        // After the writer's end the intent stays open, and the next load closes it.
        let _left = self.put(closure, HURRIED, |lanes, closure| lanes.closures.push_back(closure));
    }

    /// Takes seals. Those that end an intent are never refused.
    pub(super) fn seal(&self, job: SealJob) -> Result<(), LogError> {
        if job.items.iter().any(|item| item.seal.intent.is_some()) {
            let came = (job.items.len(), job.patience());
            return self
                .put(job, came, |lanes, job| lanes.ends.push_back(job))
                .map_err(|_unanswered| LogError::Closing);
        }
        self.offer(0, None, Work::Seal(job))
    }

    pub(super) fn intend(&self, job: IntendJob, left: Option<Duration>) -> Result<(), LogError> {
        self.offer(job.items.len(), left, Work::Intend(job))
    }

    /// Takes a plain record; `last`: after everything else.
    pub(super) fn plain(&self, job: PlainJob, last: bool) -> Result<(), LogError> {
        if !last {
            return self.offer(0, None, Work::Plain(job));
        }
        let size = job.size();
        let mut lanes = self.lanes();
        self.room(&lanes, size, 0, None)?;
        lanes.count += size.0;
        lanes.bytes += size.1;
        lanes.last.push_back(job);
        self.came(lanes, HURRIED);
        Ok(())
    }

    fn offer(&self, intents: usize, left: Option<Duration>, work: Work) -> Result<(), LogError> {
        let size = work.size();
        let mut lanes = self.lanes();
        // What is refused holds no intents yet, so it may be dropped under the lock.
        self.room(&lanes, size, intents, left)?;
        lanes.count += size.0;
        lanes.bytes += size.1;
        let came = (size.0, work.patience());
        lanes.work.push_back(work);
        self.came(lanes, came);
        Ok(())
    }

    /// Request rows to forget.
    pub(super) fn forget(&self, keys: Vec<(String, String)>, before: i64) {
        let _ended = self.put(keys, HURRIED, |lanes, keys| match &mut lanes.forget {
            Some(waiting) => waiting.0.extend(keys),
            none => *none = Some((keys, before)),
        });
    }

    pub(super) fn order(&self, change: impl FnOnce(&mut Orders)) {
        let _ended = self.put((), HURRIED, |lanes, ()| change(&mut lanes.orders));
    }

    /// Asks for a WAL cut to nothing.
    pub(super) fn truncate(&self) -> oneshot::Receiver<Result<(), LogError>> {
        let (done, asked) = oneshot::channel();
        let _ended = self.put(done, HURRIED, |lanes, done| {
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
        let mut lanes = self.wait(patience, Waits::Work, Lanes::idle);
        if let (None, Some(company)) = (patience, self.wants_company(&lanes)) {
            drop(lanes);
            lanes = self.wait(Some(company), Waits::Company, |lanes| self.wants_company(lanes).is_some());
        }
        let jobs = lanes.batch(self.limits.batch, self.limits.batch_bytes);
        let orders = lanes.orders;
        lanes.orders.reload = false;
        lanes.orders.truncate = false;
        (jobs, orders)
    }

    /// Waits while it is quiet, at most `patience`. Only the writer waits here.
    fn wait(
        &self,
        patience: Option<Duration>,
        what: Waits,
        quiet: impl Fn(&Lanes) -> bool,
    ) -> MutexGuard<'_, Lanes> {
        let mut waits = |lanes: &mut Lanes| {
            let waits = quiet(lanes);
            lanes.waits = if waits { what } else { Waits::Nothing };
            waits
        };
        let lanes = self.lanes();
        let mut lanes = match patience {
            Some(patience) => {
                self.work
                    .wait_timeout_while(lanes, patience, &mut waits)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
            None => self.work.wait_while(lanes, &mut waits).unwrap_or_else(PoisonError::into_inner),
        };
        lanes.waits = Waits::Nothing;
        lanes
    }

    /// Waits for an order or a control record, at most `patience`, and takes nothing.
    pub(super) fn pause(&self, patience: Duration) -> Orders {
        let mut lanes = self.wait(Some(patience), Waits::Work, |lanes| lanes.orders == Orders::default());
        let orders = lanes.orders;
        lanes.orders.reload = false;
        lanes.orders.truncate = false;
        orders
    }
}
