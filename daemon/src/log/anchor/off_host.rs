//! Anchors off the host, on a thread of their own: no commit, no signature and no start waits for one longer than said.
//!
//! ```text
//!            load: read           it agrees                newest changed
//! at rest ──────────────► at rest ───────────────► kept ◄────────────────► written, again and again until it succeeds
//!    ▲                       │ no answer             ▲ │
//!    │                       ▼                       │ │ load again
//!    │                    unread ──── read ──► at rest, the keeper judges
//!    └─────────────────────────────────────────────────┘ └──► it contradicts: the log closes, nothing is written
//! ```
//!
//! Invariant: a place is written only after what it keeps was read and the tree was found to extend it, since the last
//! load (`an_anchor_that_could_not_be_read_is_read_before_it_is_written`). So what contradicts us is never lost.
//!
//! Only the newest checkpoint is ever written: what was newest in between is let go.

mod keeping;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use super::{AnchorFailure, Client, Kept};
use crate::clock::{Clock, Monotonic};
use crate::log::error::LoadError;
use crate::log::settings::Settings;
use keeping::Keeping;

/// Whether an anchor off the host keeps the newest checkpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AnchorHealth {
    /// It does, or will within a second.
    Kept,
    /// It cannot be reached, or holds something else. Signing goes on by the anchors that are files.
    Away {
        /// What is wrong, and what to do.
        cause: Arc<str>,
    },
}

/// What is asked of the one who keeps a place.
enum Ask {
    /// A round begins: write no more, read, and say what is there.
    Read { round: u64, answer: mpsc::Sender<Answer> },
    /// What was found in this round is what the tree extends; nothing: it is to be read again.
    Follow { round: u64, agreed: Option<Kept> },
    /// Write what is not kept yet, and end.
    End,
}

/// What a place keeps, or why that is not known.
pub(in crate::log) type Answer = Result<Kept, AnchorFailure>;

/// One place, as everybody sees it.
struct Place {
    name: Arc<str>,
    health: watch::Sender<AnchorHealth>,
    behind: Mutex<Behind>,
    /// What was read after the load, not judged yet, and in which round.
    found: Mutex<Option<(u64, Kept)>>,
    asks: UnboundedSender<Ask>,
}

/// Since when the place does not keep the newest.
#[derive(Debug, Default)]
struct Behind {
    /// The first checkpoint that nobody is writing yet.
    waiting: Option<Monotonic>,
    /// The first of those that are being written, or whose writing failed.
    writing: Option<Monotonic>,
}

impl Place {
    fn new(name: Arc<str>, asks: UnboundedSender<Ask>) -> Self {
        let unread = AnchorHealth::Away { cause: "it has not been read yet".into() };
        let health = watch::Sender::new(unread);
        crate::measure::log_anchor_healthy(&name, false);
        Self { name, health, behind: Mutex::default(), found: Mutex::default(), asks }
    }

    fn behind(&self) -> std::sync::MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, ask: Ask) {
        // Its keeper has ended: the log is closed.
        let _gone = self.asks.send(ask);
    }

    /// Says what is wrong, once.
    fn alarm(&self, cause: &str) {
        self.health.send_if_modified(|health| {
            let new = AnchorHealth::Away { cause: cause.into() };
            if *health == new {
                return false;
            }
            crate::measure::log_anchor_healthy(&self.name, false);
            tracing::error!(anchor = %self.name, cause, "the newest checkpoint is not kept off the host");
            *health = new;
            true
        });
    }

    fn well(&self) {
        self.health.send_if_modified(|health| {
            let changed = *health != AnchorHealth::Kept;
            if changed {
                crate::measure::log_anchor_healthy(&self.name, true);
                tracing::info!(anchor = %self.name, "the newest checkpoint is kept off the host");
                *health = AnchorHealth::Kept;
            }
            changed
        });
    }
}

/// The anchors off the host, and the thread that keeps them.
pub(in crate::log) struct OffHost {
    places: Vec<Arc<Place>>,
    newest: watch::Sender<Option<Arc<Kept>>>,
    /// Counts the loads: an answer of an earlier one says nothing.
    round: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Answers that are under way.
pub(in crate::log) struct Reading(Vec<(Arc<str>, mpsc::Receiver<Answer>)>);

impl OffHost {
    /// Starts the thread, if any of the places is off the host.
    pub(in crate::log) fn start(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Self, LoadError> {
        let failed =
            |source| LoadError::Io { doing: "starting the thread", path: "log-anchors".into(), source };
        let newest = watch::Sender::new(None);
        let clients =
            settings.anchors.iter().filter_map(|place| Some((place, Client::of(place, settings, clock)?)));
        let (kept, keepings): (Vec<_>, Vec<_>) = clients
            .map(|(named, client)| {
                let (asks, asked) = unbounded_channel();
                let place = Arc::new(Place::new(named.to_string().into(), asks));
                let keeping = Keeping::new(Arc::clone(&place), client, asked, newest.subscribe());
                (place, keeping)
            })
            .unzip();
        let thread = match keepings.is_empty() {
            true => None,
            false => {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
                let run = move || {
                    runtime.block_on(async {
                        let mut all: tokio::task::JoinSet<()> =
                            keepings.into_iter().map(Keeping::run).collect();
                        while let Some(ended) = all.join_next().await {
                            if let Err(panicked) = ended {
                                tracing::error!(%panicked, "an anchor off the host is kept no more");
                            }
                        }
                    });
                    // A name that is still being looked up is not waited for.
                    runtime.shutdown_background();
                };
                Some(std::thread::Builder::new().name("log-anchors".into()).spawn(run).map_err(failed)?)
            }
        };
        Ok(Self { places: kept, newest, round: AtomicU64::new(0), thread: Mutex::new(thread) })
    }

    /// None at all: a copy of a log has only the anchor beside it.
    pub(in crate::log) fn none() -> Self {
        let (newest, round) = (watch::Sender::new(None), AtomicU64::new(0));
        Self { places: Vec::new(), newest, round, thread: Mutex::new(None) }
    }

    /// Asks every place what it keeps. None is written from now on until [`Self::follow`].
    pub(in crate::log) fn read(&self) -> Reading {
        let round = self.round.fetch_add(1, Ordering::SeqCst) + 1;
        let ask = |place: &Arc<Place>| {
            let (answer, answered) = mpsc::channel();
            place.ask(Ask::Read { round, answer });
            (Arc::clone(&place.name), answered)
        };
        Reading(self.places.iter().map(ask).collect())
    }

    /// The log is loaded, with this as the newest; `agreed` is what each place keeps and the tree extends, in the order of
    /// [`Reading::wait`]. The others are read until they answer.
    pub(in crate::log) fn follow(&self, agreed: Vec<Option<Kept>>, newest: Kept, clock: &dyn Clock) {
        if self.places.is_empty() {
            return;
        }
        self.offer(newest, clock);
        let round = self.round.load(Ordering::SeqCst);
        for (place, agreed) in self.places.iter().zip(agreed) {
            place.ask(Ask::Follow { round, agreed });
        }
    }

    /// This is the newest. Never waits.
    pub(in crate::log) fn offer(&self, kept: Kept, clock: &dyn Clock) {
        if self.places.is_empty() {
            return;
        }
        let now = clock.monotonic();
        for place in &self.places {
            place.behind().waiting.get_or_insert(now);
        }
        self.newest.send_replace(Some(Arc::new(kept)));
    }

    /// Says what is wrong with a place, by its position.
    pub(in crate::log) fn alarm(&self, position: usize, cause: &str) {
        if let Some(place) = self.places.get(position) {
            place.alarm(cause);
        }
    }

    /// What was read after the load and waits for a judgement: position, round, content. Each once.
    pub(in crate::log) fn found(&self) -> Vec<(usize, u64, Kept)> {
        let take = |place: &Arc<Place>| place.found.lock().unwrap_or_else(PoisonError::into_inner).take();
        let places = self.places.iter().enumerate();
        places.filter_map(|(at, place)| take(place).map(|(round, kept)| (at, round, kept))).collect()
    }

    /// The judgement of what was found in a round: the tree extends it, or it is to be read again.
    pub(in crate::log) fn judged(&self, position: usize, round: u64, agreed: Option<Kept>) {
        if let Some(place) = self.places.get(position) {
            place.ask(Ask::Follow { round, agreed });
        }
    }

    /// The name of a place.
    pub(in crate::log) fn name(&self, position: usize) -> Arc<str> {
        self.places.get(position).map_or_else(|| "".into(), |place| Arc::clone(&place.name))
    }

    /// The names and healths of all.
    pub(in crate::log) fn health(&self) -> Vec<(Arc<str>, watch::Receiver<AnchorHealth>)> {
        self.places.iter().map(|place| (Arc::clone(&place.name), place.health.subscribe())).collect()
    }

    /// Counts for how long each has been behind.
    pub(in crate::log) fn measure(&self, clock: &dyn Clock) {
        let now = clock.monotonic();
        for place in &self.places {
            let since = {
                let behind = place.behind();
                behind.writing.or(behind.waiting)
            };
            let late = since.map_or(Duration::ZERO, |since| now.since(since));
            crate::measure::log_anchor_behind(&place.name, late);
        }
    }

    /// Writes what is not kept yet, for a bounded time, and ends. To be called when nothing is offered any more.
    pub(in crate::log) fn close(&self) -> bool {
        self.places.iter().for_each(|place| place.ask(Ask::End));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.is_none_or(|thread| thread.join().is_ok())
    }
}

impl Reading {
    /// What each place answered, or that it has not within this time.
    pub(in crate::log) fn wait(self, patience: Duration) -> Vec<(Arc<str>, Answer)> {
        let late =
            |_late| Err(AnchorFailure::Away(format!("it has not answered within {} s", patience.as_secs())));
        let answers = self.0.into_iter();
        answers.map(|(name, answer)| (name, answer.recv_timeout(patience).unwrap_or_else(late))).collect()
    }
}

impl std::fmt::Debug for OffHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.places.iter().map(|place| &place.name)).finish()
    }
}
