//! Coming to life: adopting a loaded log, and loading it again after it failed.

use std::sync::Arc;
use std::time::Duration;

use proto::operation::OperationId;
use proto::reason::Reason;
use proto::record::{Outcome, Record};

use super::{Open, Writer};
use crate::log::anchor::Kept;
use crate::log::error::{LoadError, LogError};
use crate::log::fence::Touches;
use crate::log::intent::Closure;
use crate::log::load::{self, Loaded};
use crate::log::queue::ControlJob;
use crate::log::watch::{Appended, Control, LogHealth};

/// The first pause before loading again; doubled up to [`LONGEST`].
pub(super) const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);
/// How long a caller whose seal meets a failed log waits to be told.
const SLICE: Duration = Duration::from_millis(100);
/// How many open intents are read at once.
const PAGE: u32 = 256;
/// How many bytes of records are read at once.
const PAGE_BYTES: usize = 1 << 20;

impl Writer {
    /// Waits, tells whoever asks that the log is not there, and loads again. False: the log is being closed.
    pub(super) fn recover(&mut self) -> bool {
        let mut left = self.backoff;
        loop {
            let slice = left.min(SLICE);
            let orders = self.shared.queue.pause(slice);
            let (jobs, _) = self.shared.queue.take(Some(Duration::ZERO));
            let cause = match &*self.shared.health.borrow() {
                LogHealth::Failed { cause } | LogHealth::Refusing { cause } => Arc::clone(cause),
                LogHealth::Ready => "it is not loaded".into(),
            };
            self.fail(jobs, &LogError::Unavailable { cause });
            if orders.truncate {
                self.truncate();
            }
            if orders.close {
                return false;
            }
            if orders.reload {
                break;
            }
            left = left.saturating_sub(slice);
            if left.is_zero() && !self.stuck {
                break;
            }
            left = left.max(SLICE);
        }
        self.backoff = self.backoff.saturating_mul(2).min(LONGEST);
        let released = Arc::clone(&self.shared.head.borrow());
        let shared = &self.shared;
        let loaded =
            load::load(&shared.settings, &shared.signers, Some(&released.checkpoint), &shared.off_host);
        match loaded.and_then(|loaded| self.adopt(loaded, true)) {
            Ok(_history) => self.begin(),
            Err(error) => {
                self.stuck = error.needs_a_person();
                let cause: Arc<str> = if self.stuck {
                    format!("{error}; put it right and restart the daemon").into()
                } else {
                    format!("{error}; it is tried again by itself").into()
                };
                self.open = None;
                self.shared.set_health(|_| Some(LogHealth::Failed { cause }));
            }
        }
        true
    }

    /// Takes over a loaded log and gives its control records back. `again`: those that nobody has been told of are told now.
    pub(in crate::log) fn adopt(&mut self, loaded: Loaded, again: bool) -> Result<Vec<Control>, LoadError> {
        let logged = loaded.operations();
        let mut touches = Touches::default();
        loaded.history.iter().for_each(|control| touches.apply(control.index, &control.record));
        self.shared.fence.rebuild(loaded.history.iter().map(|control| (control.index, &control.record)));
        if again {
            let told = self.shared.head.borrow().control.0;
            for control in loaded.history.iter().filter(|control| control.index > told) {
                self.shared.feed.push(control.clone());
            }
        }
        self.settle_controls(&loaded);
        self.settle_owed(&loaded)?;
        self.settle_stop_file(|operation| logged.contains(operation));
        self.orphans(&loaded)?;
        let tools = (
            loaded.store.checkpointer()?,
            loaded.anchors.iter().map(|anchor| anchor.handle()).collect::<Result<Vec<_>, _>>()?,
        );
        self.shared.signals.equip(tools.0, tools.1);
        self.shared.readers.store(Some(Arc::new(loaded.store.readers())));
        // First, so that nobody sees a head without the keys that have signed it.
        self.shared.keys.store(Arc::new(loaded.keys.clone()));
        self.shared.head.send_replace(Arc::clone(&loaded.head));
        let Loaded { store, frontier, head, epoch, counter, sealed, history, anchors, off_host, .. } = loaded;
        let newest = Kept { checkpoint: head.checkpoint.to_string(), number: counter };
        self.shared.off_host.follow(off_host, newest, &*self.shared.clock);
        crate::measure::log_size(head.size);
        let clock = self.clock.clone();
        let epoch = epoch + 1;
        self.open =
            Some(Open { store, frontier, head, epoch, counter, sealed, touches, anchors, clock, written: 0 });
        self.stuck = false;
        self.shared.set_health(|_| Some(LogHealth::Ready));
        self.shared.following.wake();
        Ok(history)
    }

    /// Stops that were being written when the log failed and that are in it after all.
    fn settle_controls(&mut self, loaded: &Loaded) {
        let waiting = std::mem::take(&mut self.deferred.controls);
        for job in waiting {
            match loaded.history.iter().find(|control| control.record.operation == job.record.operation) {
                Some(control) => {
                    if let Some(reply) = job.reply {
                        let _gone = reply.send(Ok(Appended { index: control.index, hash: control.hash }));
                    }
                }
                None => self.deferred.controls.push(job),
            }
        }
    }

    /// Records that were owed when a commit failed of which nobody knew, and that are in the log after all: among those
    /// that this process has not released.
    fn settle_owed(&mut self, loaded: &Loaded) -> Result<(), LoadError> {
        let mut next = self.shared.head.borrow().size;
        while !self.deferred.owed.is_empty() && next < loaded.head.size {
            let page = loaded.store.view().records(next, loaded.head.size, PAGE_BYTES)?;
            let Some(last) = page.last() else { break };
            next = last.index + 1;
            let written = page.iter().filter_map(|stored| match Record::parse(&stored.leaf) {
                Ok(Record::Config(config)) => Some(config.operation),
                _ => None,
            });
            let written: Vec<OperationId> = written.collect();
            self.deferred.owed.retain(|job| !written.contains(&job.operation));
        }
        Ok(())
    }

    /// Intents that nobody owns: those of other processes' lives, and those that nobody was given.
    fn orphans(&mut self, loaded: &Loaded) -> Result<(), LoadError> {
        let mut next = 0;
        loop {
            let page = loaded.store.view().intents(next, PAGE)?;
            let Some(last) = page.last() else { break };
            next = last.number + 1;
            for row in page {
                let operation = OperationId::from(row.operation);
                let (outcome, reason) = if row.owner != self.shared.owner {
                    (Outcome::Unknown, Reason::Crash)
                } else if self.deferred.unhanded.contains(&operation) {
                    (Outcome::NotExecuted, Reason::LogUnavailable)
                } else {
                    continue;
                };
                let owner = Some(row.owner);
                self.deferred
                    .closures
                    .push(Closure { owner, ..Closure::bare(row.number, operation, outcome, reason) });
            }
        }
        self.deferred.unhanded.clear();
        Ok(())
    }

    pub(super) fn settle_stop_file(&self, logged: impl Fn(&OperationId) -> bool) {
        let mut file = self.shared.stop_file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // What stays in the file is skipped at the next load.
        if let Err(error) = file.settle(logged) {
            tracing::warn!(%error, "the stop file could not be emptied");
        }
    }

    /// Ends the log: everything is written; the WAL is emptied and the anchors are synced.
    pub(super) fn finish(&mut self) {
        let (jobs, _) = self.shared.queue.take(Some(Duration::ZERO));
        self.fail(jobs, &LogError::Closing);
        self.truncate();
        if let Some(open) = &mut self.open {
            for anchor in &open.anchors {
                if let Err(error) = anchor.sync() {
                    tracing::error!(%error, "an anchor was not synced at the end");
                }
            }
        }
        self.shared.readers.store(None);
        self.open = None;
        self.shared.set_health(|_| Some(LogHealth::Failed { cause: super::super::CLOSED.into() }));
    }

    /// Controls that a stop file held, as jobs.
    pub(in crate::log) fn defer(&mut self, jobs: Vec<ControlJob>) {
        self.deferred.controls.extend(jobs);
    }
}
