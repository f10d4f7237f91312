//! The log's housekeeping, on a thread of its own: moving the WAL, syncing anchors, judging those that answered late,
//! looking at free space, forgetting request ids. Nothing here is in anybody's latency, and nothing here is needed for a record to be durable.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use proto::operation::OperationId;
use proto::proof::checkpoint::CheckpointError;
use proto::time::Time;

use super::judge::Stored;
use super::present::close_for_good;
use super::shared::Shared;
use super::watch::LogHealth;
use crate::clock::Monotonic;
use crate::store::{Checkpointer, StoreError, free_bytes};

/// How often anchors are synced and free space is looked at.
const BEAT: Duration = Duration::from_secs(1);
/// How often the request ids are gone through.
const SWEEP: Duration = Duration::from_secs(3600);
/// Request ids read at once.
const PAGE: u32 = 1000;

/// What the writer asks of the keeper.
#[derive(Debug, Default)]
pub(super) struct Signals {
    asked: Mutex<Asked>,
    wake: Condvar,
    /// Bytes that the WAL had when it was last moved.
    wal: AtomicU64,
}

#[derive(Debug, Default)]
struct Asked {
    dirty: bool,
    checkpoint: bool,
    tools: Option<(Checkpointer, Vec<File>)>,
    end: bool,
}

impl Signals {
    fn ask(&self, ask: impl FnOnce(&mut Asked), now: bool) {
        ask(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        if now {
            self.wake.notify_one();
        }
    }

    /// The anchors were written.
    pub(super) fn dirty(&self) {
        self.ask(|asked| asked.dirty = true, false);
    }

    /// The WAL has grown.
    pub(super) fn checkpoint(&self) {
        self.ask(|asked| asked.checkpoint = true, true);
    }

    /// The log was loaded: these are its connection for checkpoints and its anchors.
    pub(super) fn equip(&self, checkpointer: Checkpointer, anchors: Vec<File>) {
        self.ask(|asked| asked.tools = Some((checkpointer, anchors)), false);
    }

    pub(super) fn end(&self) {
        self.ask(|asked| asked.end = true, true);
    }

    pub(super) fn wal(&self) -> u64 {
        self.wal.load(Ordering::Relaxed)
    }

    pub(super) fn set_wal(&self, bytes: u64) {
        self.wal.store(bytes, Ordering::Relaxed);
    }

    fn wait(&self) -> Asked {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut asked, _) = self
            .wake
            .wait_timeout_while(asked, BEAT, |asked| !asked.checkpoint && !asked.end)
            .unwrap_or_else(PoisonError::into_inner);
        let end = asked.end;
        Asked { end, ..std::mem::take(&mut *asked) }
    }
}

/// Keeps the log until it is closed.
pub(super) fn run(shared: &Arc<Shared>) {
    let mut tools: Option<(Checkpointer, Vec<File>)> = None;
    let mut swept = Monotonic::START;
    let mut beaten = Monotonic::START;
    let mut dirty = false;
    let mut alarmed = 0;
    look_at_space(shared);
    loop {
        let asked = shared.signals.wait();
        tools = asked.tools.or(tools);
        dirty |= asked.dirty;
        let now = shared.clock.monotonic();
        if let Some((checkpointer, anchors)) = &tools {
            if asked.checkpoint {
                move_wal(shared, checkpointer);
            }
            if dirty && (asked.end || now.since(beaten) >= BEAT) {
                dirty = !sync(anchors);
            }
        }
        if asked.end {
            return;
        }
        if now.since(beaten) >= BEAT {
            beaten = now;
            look_at_space(shared);
            look_off_host(shared);
            alarmed = look_at_intents(shared, alarmed);
        }
        if now.since(swept) >= SWEEP {
            swept = now;
            sweep(shared);
        }
    }
}

fn move_wal(shared: &Shared, checkpointer: &Checkpointer) {
    match checkpointer.run() {
        // Somebody else is moving it.
        Ok(wal) if wal.busy => {}
        Ok(wal) => shared.signals.set_wal(wal.pages * 4096),
        // The WAL keeps everything; the writer moves it itself when it has become long.
        Err(error) => tracing::warn!(%error, "the WAL was not moved into the database"),
    }
}

fn sync(anchors: &[File]) -> bool {
    let failed = anchors.iter().filter_map(|anchor| anchor.sync_data().err()).inspect(|error| {
        tracing::error!(%error, "an anchor was not synced");
    });
    failed.count() == 0
}

/// Below the reserve nothing new is taken, and above it all is well again.
fn look_at_space(shared: &Shared) {
    let reserve = shared.settings.limits.reserve;
    let low = match free_bytes(&shared.settings.state_directory) {
        Ok(free) if free >= reserve => None,
        Ok(free) => Some(format!(
            "{free} bytes are free on its disk, {reserve} are kept back: free space or grow the disk"
        )),
        Err(error) => Some(error.to_string()),
    };
    shared.set_health(|health| match (health, low) {
        (LogHealth::Failed { .. }, _) => None,
        (_, Some(cause)) => Some(LogHealth::Refusing { cause: cause.into() }),
        (_, None) => Some(LogHealth::Ready),
    });
}

/// Judges what places off the host kept that could not be read when the log was loaded. One that the tree extends is
/// written from then on; one that contradicts it closes the log, as it would have ended the start.
fn look_off_host(shared: &Shared) {
    let places = &shared.off_host;
    places.measure(&*shared.clock);
    // While the log is not loaded nothing is judged: loading reads every place anew.
    let Some(readers) = shared.readers.load_full() else { return };
    for (place, round, kept) in places.found() {
        let name = places.name(place);
        let keys = shared.keys.load_full();
        if let Err(error) = keys.verify(&kept.checkpoint) {
            let why = super::tree::detailed(&error);
            if matches!(error, CheckpointError::OutOfReign { .. }) {
                // Somebody has a key of this log and goes on by it where this log does not.
                places.alarm(place, &why);
                close_for_good(shared, format!("the anchor {name}: {why}"), &kept.checkpoint);
                continue;
            }
            places.alarm(place, &format!("it holds no checkpoint of this log, and is not written: {why}"));
            places.judged(place, round, None);
            continue;
        }
        let judged = readers.snapshot(|view| {
            let head = view.head()?.ok_or(StoreError::Shape("the log has no head"))?;
            let stored = Stored { view, head: &head, counter: view.counter()?, keys: &keys };
            Ok(stored.extends(&kept, &name))
        });
        match judged {
            Ok(Ok(())) => places.judged(place, round, Some(kept)),
            Ok(Err(error)) if error.needs_a_person() => {
                places.alarm(place, &error.to_string());
                close_for_good(shared, error.to_string(), &kept.checkpoint);
            }
            Ok(Err(error)) => unread(shared, place, round, &error),
            Err(error) => unread(shared, place, round, &error),
        }
    }
}

/// The store could not be read: the place is asked again.
fn unread(shared: &Shared, place: usize, round: u64, error: &dyn std::fmt::Display) {
    tracing::warn!(anchor = %shared.off_host.name(place), %error, "the store could not be held against the anchor");
    shared.off_host.judged(place, round, None);
}

/// An intent that nobody has ended for too long is an alarm, once. Answers the highest number that was one.
fn look_at_intents(shared: &Shared, alarmed: u64) -> u64 {
    let Some(readers) = shared.readers.load_full() else { return alarmed };
    let oldest = readers.read(|view| view.intents(alarmed + 1, 1)).ok().and_then(|mut page| page.pop());
    let Some(oldest) = oldest else { return alarmed };
    let age = shared.clock.wall().since(Time::from_microseconds(oldest.at));
    if age < shared.settings.limits.intent_alarm {
        return alarmed;
    }
    let operation = OperationId::from(oldest.operation);
    tracing::error!(number = oldest.number, %operation, age = age.as_secs(), "an operation has had an intent and no end for too long");
    oldest.number
}

/// Goes through all request ids, a page at a time, and has the old ones forgotten.
fn sweep(shared: &Shared) {
    let Some(readers) = shared.readers.load_full() else { return };
    let before = shared.clock.wall().earlier(shared.settings.limits.remembered).microseconds();
    let mut after = (String::new(), String::new());
    loop {
        let page = match readers.read(|view| view.requests((&after.0, &after.1), PAGE)) {
            Ok(page) => page,
            Err(error) => return tracing::warn!(%error, "request ids were not gone through"),
        };
        let Some(last) = page.last() else { return };
        after = (last.id.clone(), last.caller.clone());
        let old = page.into_iter().filter(|row| row.at < before);
        let old: Vec<_> = old.map(|row| (row.id, row.caller)).collect();
        if !old.is_empty() {
            shared.queue.forget(old, before);
        }
    }
}
