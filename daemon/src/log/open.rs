//! Opening a log: load, take over what a dead process left, start the threads.

use std::sync::{Arc, Mutex};

use arc_swap::{ArcSwap, ArcSwapOption};
use proto::operation::OperationId;
use proto::record::{Actor, ActorKind, Body, StopTarget};
use proto::term::Term;
use proto::time::Time;
use tokio::sync::watch;

use super::anchor::OffHost;
use super::error::LoadError;
use super::fence::Fence;
use super::handover::Barrier;
use super::index::{self, Following};
use super::keeper::{self, Signals};
use super::load;
use super::queue::{ControlJob, Queue};
use super::replay::Requests;
use super::settings::Settings;
use super::shared::Shared;
use super::signer::Signers;
use super::stops::{Found, StopFile};
use super::tree::EdgeTiles;
use super::watch::{Control, Controls, Feed, LogHealth};
use super::writer::Writer;
use super::{ControlDraft, Life, Log};
use crate::clock::{Clock, Watch};
use crate::random;
use crate::store::{Owner, StoreLock};

/// An open log.
#[derive(Debug)]
pub struct Opened {
    /// The log.
    pub log: Log,
    /// Every control record that was in it, in order.
    pub history: Vec<Control>,
    /// Those since: begins with the stops of a stop file that were appended just now.
    pub controls: Controls,
}

/// Opens a log that [`super::create()`] made. Stops of the stop file are in the log, and intents of dead processes closed,
/// before this returns, unless the disk is full: then they are in force, and written as soon as it is not.
///
/// # Errors
/// [`LoadError`].
pub fn open(
    settings: Settings,
    clock: Arc<dyn Clock>,
    signers: impl Into<Signers>,
) -> Result<Opened, LoadError> {
    open_waiting(settings, clock, signers.into(), |_, _| None)
}

/// The same. `due` says, by the control records and the newest time in the log, the first moment after that at which something
/// would come about by waiting alone: a wall clock that is beyond it already is not believed.
///
/// # Errors
/// [`LoadError`].
pub fn open_waiting(
    settings: Settings,
    clock: Arc<dyn Clock>,
    signers: Signers,
    due: impl FnOnce(&[Control], Time) -> Option<Time>,
) -> Result<Opened, LoadError> {
    let lock = StoreLock::take(&settings.state_directory)?;
    let stop_path = settings.stop_file().ok_or_else(|| {
        LoadError::Inconsistent("no anchor is configured that is a file: at least one is needed".into())
    })?;
    let (stop_file, found) = StopFile::open(&stop_path)?;
    let off_host = OffHost::start(&settings, &clock)?;
    let loaded = load::load(&settings, &signers, None, &off_host)?;
    let logged = loaded.operations();
    let queue = Arc::new(Queue::new(settings.limits.clone()));
    let due = due(&loaded.history, loaded.sealed);
    let clock_watch = Watch::begin(Arc::clone(&clock), Some(loaded.sealed), due, settings.limits.skew);
    let verdict = clock_watch.now();
    if !verdict.is_trusted() {
        tracing::error!("{verdict}");
    }
    let feed = Arc::new(Feed::default());
    let shared = Arc::new(Shared {
        signers,
        keys: ArcSwap::from_pointee(loaded.keys.clone()),
        owner: Owner(random::bytes()?),
        queue,
        fence: Fence::default(),
        barrier: Barrier::default(),
        requests: Requests::default(),
        feed: Arc::clone(&feed),
        head: watch::channel(Arc::clone(&loaded.head)).0,
        health: watch::channel(LogHealth::Failed { cause: "it is being loaded".into() }).0,
        stop_file: Mutex::new(stop_file),
        signals: Signals::default(),
        off_host,
        following: Following::default(),
        readers: ArcSwapOption::empty(),
        edge: EdgeTiles::default(),
        clock,
        watch: ArcSwap::from_pointee(clock_watch.clone()),
        settings,
    });
    let stops = pending_stops(&shared, found, |operation| logged.contains(operation))?;
    let mut writer = Writer::new(Arc::clone(&shared), clock_watch, Vec::new());
    let history = writer.adopt(loaded, false)?;
    writer.defer(stops);
    // Safe now: everything that was in the log and in the stop file. Nobody has a permit yet.
    writer.begin();
    let threads = vec![
        thread("log-writer", move || {
            // The lock lives as long as the thread that writes.
            let _lock = lock;
            writer.run();
        })?,
        thread("log-keeper", {
            let shared = Arc::clone(&shared);
            move || keeper::run(&shared)
        })?,
        thread("log-index", {
            let shared = Arc::clone(&shared);
            move || index::run(&shared)
        })?,
    ];
    let life = Arc::new(Life { shared: Arc::clone(&shared), threads: Mutex::new(threads) });
    let controls = Controls::of(&feed);
    Ok(Opened { log: Log { shared, _life: life }, history, controls })
}

/// Stops that the stop file holds and the log does not: in force from here on.
fn pending_stops(
    shared: &Shared,
    found: Found,
    logged: impl Fn(&OperationId) -> bool,
) -> Result<Vec<ControlJob>, LoadError> {
    let mut jobs = Vec::new();
    for entry in found.entries.into_iter().filter(|entry| !logged(&entry.record.operation)) {
        shared.fence.raise(entry.record.operation, &entry.record.stops);
        let index = 0;
        let draft = entry.record.draft().map_err(|cause| LoadError::Record { index, cause })?;
        jobs.push(ControlJob {
            record: entry.record,
            draft,
            detail: entry.detail,
            follows: None,
            erases: None,
            stays: true,
            beside: None,
            reply: None,
        });
    }
    if found.damaged {
        tracing::error!("an entry of the stop file cannot be read: everything is stopped");
        let mut job = stop_everything(shared)?;
        shared.fence.raise(job.record.operation, &job.record.stops);
        job.stays = true;
        jobs.push(job);
    }
    Ok(jobs)
}

/// A stop of everything by the daemon itself, because a stop could not be kept or read.
pub(super) fn stop_everything(shared: &Shared) -> Result<ControlJob, LoadError> {
    let now = shared.clock.wall();
    let draft = ControlDraft {
        operation: OperationId::new(now.milliseconds(), random::bytes()?),
        actor: Actor { id: shared.signers.origin().to_owned(), kind: ActorKind::Daemon },
        body: Body::Stopped { act: None, target: StopTarget::All },
        stops: vec![Term::All],
        lifts: Vec::new(),
        touches: Vec::new(),
        detail: None,
        follows: None,
        asked: now,
    };
    Ok(draft.job()?)
}

fn thread<T: Send + 'static>(
    name: &'static str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<std::thread::JoinHandle<T>, LoadError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|source| LoadError::Io {
        doing: "starting the thread",
        path: name.into(),
        source,
    })
}
