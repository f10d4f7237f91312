//! The signing log: append-only, Merkle-hashed, fenced, and durable before anything is released.
//!
//! ```text
//! intend ─► Intent ─► (backend signs) ─► seal ─► Released, with what proves it
//!                                          └────► Withheld · Touched (decide again) · Replay · Gone
//! control · stop ─► the fence, in memory at once, and the next batch's head
//! append ─► plain records
//! owe ─► a plain record before every seal that is asked for after it, whatever the log says now
//! ```
//!
//! **Promises.** An intent is durable before its task goes on, and ends as exactly one leaf. What [`Log::seal`] hands out
//! is durable in the tree, and no stop covered it when its record was made durable nor when it left. A log that cannot
//! be written takes nothing and says why; it comes back by itself when it can. Stops are taken always.
//!
//! **Does not** know keyrings, policies or backends, decide who may do anything, or read a record's meaning beyond what
//! closing, fencing and searching need.
//!
//! `writer` owns thread and batching; [`crate::store`] owns bytes.

mod anchor;
mod backup;
mod batch;
mod create;
mod error;
mod fence;
mod find;
mod fresh;
mod handover;
mod index;
mod intent;
mod judge;
mod keeper;
mod keys;
mod load;
mod lost;
mod offline;
mod open;
mod owe;
mod present;
mod queue;
mod read;
mod redact;
mod replay;
mod seal;
mod settings;
mod shared;
mod signer;
mod stop;
mod stops;
#[cfg(test)]
mod tests;
mod transcript;
mod tree;
mod watch;
mod writer;

use std::sync::Arc;
use std::thread::JoinHandle;

use proto::hash::Hash;
use proto::operation::OperationId;
use proto::record::{Actor, Body, ControlRecord, Draft, Lift, Times};
use proto::term::Term;
use proto::time::Time;
use tokio::sync::oneshot;

use crate::clock::{Monotonic, Verdict};
use queue::{ControlJob, IntendItem, IntendJob, PlainJob, SealJob};
use shared::Shared;

pub use crate::store::Stored;
pub use anchor::{
    Access, Address, AnchorFailure, AnchorHealth, AnchorPlace, Authorization, Exchange, NotAnAddress, Reach,
    Remote,
};
pub use backup::Backup;
pub use create::create;
pub use error::{CreateError, LoadError, LogError};
pub use fence::StandingStop;
pub use fresh::Fresh;
pub use handover::HandOver;
pub use index::Sought;
pub use intent::{Earlier, Intended, Intent, IntentDraft, RequestKey};
pub use lost::{Brought, Known, Remains, first, first_detail, pending};
pub use offline::{copy, vacant};
pub use open::{Opened, open, open_waiting};
pub use owe::Owed;
pub use present::Presented;
pub use read::{Extension, Matches, Proven, Query};
pub use seal::{Released, Requires, Seal, Sealed};
pub use settings::{Limits, Settings};
pub use signer::{LogKey, Signers, UnfitKeys};
pub use stop::Stopped;
pub use transcript::{Forebear, Material};
pub use watch::{Appended, Control, Controls, Head, LogHealth};

/// The cause that health names once the log was closed on purpose.
const CLOSED: &str = "it is closed";

/// A handle of the log; clones are the same log.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<Shared>,
    /// Ends the threads when the last handle goes.
    _life: Arc<Life>,
}

/// The threads of the log. The last handle's drop asks them to end and does not wait; [`Log::close`] waits.
#[derive(Debug)]
struct Life {
    shared: Arc<Shared>,
    threads: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.shared.queue.order(|orders| orders.close = true);
        self.shared.following.end();
        self.shared.signals.end();
    }
}

/// A control record to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlDraft {
    /// Names the record for ever.
    pub operation: OperationId,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub body: Body,
    /// These sign no more.
    pub stops: Vec<Term>,
    /// Stops that end.
    pub lifts: Vec<Lift>,
    /// For these, permits of before are decided again.
    pub touches: Vec<Term>,
    /// Canonical bytes of the detail, at most 256 KiB.
    pub detail: Option<Vec<u8>>,
    /// Leaf hash of the control record that it must follow at once, where it says something about all before it.
    pub follows: Option<Hash>,
    /// When it was asked.
    pub asked: Time,
}

impl ControlDraft {
    /// A draft that stops, lifts and touches nothing, without detail.
    pub fn new(fresh: Fresh, actor: Actor, body: Body) -> Self {
        let Fresh { operation, asked, .. } = fresh;
        Self {
            operation,
            actor,
            body,
            stops: vec![],
            lifts: vec![],
            touches: vec![],
            detail: None,
            follows: None,
            asked,
        }
    }

    fn job(self) -> Result<ControlJob, LogError> {
        let longest = proto::record::LONGEST_CONTROL_DETAIL;
        if self.detail.as_ref().is_some_and(|detail| detail.len() > longest) {
            return Err(LogError::Malformed {
                cause: format!("a detail of at most {longest} bytes was expected").into(),
            });
        }
        let record = ControlRecord {
            actor: self.actor,
            body: self.body,
            detail: self.detail.as_deref().map(Hash::of),
            lifts: self.lifts,
            operation: self.operation,
            previous: Hash::ZERO,
            stops: self.stops,
            time: Times::asked(self.asked),
            touches: self.touches,
        };
        let draft = record.draft()?;
        let follows = self.follows;
        Ok(ControlJob {
            record,
            draft,
            detail: self.detail,
            follows,
            erases: None,
            stays: false,
            beside: None,
            reply: None,
        })
    }
}

/// A plain record to be written: `denied`, its summary, `audit.read`, `config`.
#[derive(Clone, Debug)]
pub struct Plain {
    /// The leaf's draft.
    pub draft: Draft,
    /// The detail that it names, canonical.
    pub detail: Vec<u8>,
    /// Comes after everything else in a batch: summaries.
    pub last: bool,
}

impl Log {
    /// What time it is by the log, and whether the wall clock can be believed.
    pub fn time(&self) -> Verdict {
        self.shared.watch.load().now()
    }

    /// Whether `operations` more would be taken now, `left` before the caller's deadline. Signing in this process asks
    /// before it signs; for keys outside it, [`Log::intend`] is the question.
    ///
    /// # Errors
    /// Why they would not be.
    pub fn admits(&self, operations: usize, by: Option<Monotonic>) -> Result<(), LogError> {
        self.takes_new()?;
        self.shared.queue.admits(operations, 0, self.left(by))
    }

    /// Makes intents durable, all in one commit, in the order given. A request id in use by another operation is waited
    /// for. Dropping the future before it answers leaves no signature and, at most, a record `not-executed` or `unknown`.
    pub async fn intend(
        &self,
        drafts: Vec<IntentDraft>,
        by: Option<Monotonic>,
    ) -> Vec<Result<Intended, LogError>> {
        let count = drafts.len();
        match self.try_intend(drafts, by).await {
            Ok(results) => results,
            Err(error) => (0..count).map(|_| Err(error.clone())).collect(),
        }
    }

    async fn try_intend(
        &self,
        drafts: Vec<IntentDraft>,
        by: Option<Monotonic>,
    ) -> Result<Vec<Result<Intended, LogError>>, LogError> {
        self.takes_new()?;
        self.shared.queue.admits(drafts.len(), drafts.len(), self.left(by))?;
        let mut holds = self.holds(&drafts).await?;
        let mut items = Vec::with_capacity(drafts.len());
        for (at, draft) in drafts.into_iter().enumerate() {
            // The leaf is encoded when it is sealed; that it can be is known before anybody is asked to sign.
            draft.record.draft()?;
            let body = intent::Body::of(&draft)?;
            items.push(IntendItem { draft, body, hold: holds[at].take() });
        }
        let (reply, answer) = oneshot::channel();
        self.shared.queue.intend(IntendJob { items, reply }, self.left(by))?;
        answer.await.unwrap_or_else(|_ended| Err(self.not_there()))
    }

    /// Takes the request ids in one order for everybody, so that two batches cannot wait for each other.
    async fn holds(&self, drafts: &[IntentDraft]) -> Result<Vec<Option<replay::Hold>>, LogError> {
        let mut holds: Vec<Option<replay::Hold>> = drafts.iter().map(|_| None).collect();
        let mut wanted: Vec<(&Arc<str>, &str, usize)> = drafts
            .iter()
            .enumerate()
            .filter_map(|(at, draft)| Some((&draft.caller, draft.request.as_ref()?.id.as_str(), at)))
            .collect();
        wanted.sort_unstable();
        if wanted.windows(2).any(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)) {
            return Err(LogError::Malformed {
                cause: "one request id was given to two items of a batch".into(),
            });
        }
        for (caller, id, at) in wanted {
            holds[at] = Some(self.shared.requests.hold(caller, id).await);
        }
        Ok(holds)
    }

    /// Seals finished operations, all in one commit. Dropping the future changes nothing: the records are written.
    pub async fn seal(&self, seals: Vec<Seal>) -> Vec<Result<Sealed, LogError>> {
        let mut results: Vec<Option<Result<Sealed, LogError>>> = Vec::with_capacity(seals.len());
        let mut items = Vec::with_capacity(seals.len());
        for seal in seals {
            match seal::Prepared::of(seal) {
                Ok(item) => {
                    items.push(item);
                    results.push(None);
                }
                Err(error) => results.push(Some(Err(error))),
            }
        }
        self.shared.following.find_terms(items.iter_mut());
        let mut sealed = self.sealed(items).await.into_iter();
        let missing = || Err(self.not_there());
        results.into_iter().map(|result| result.or_else(|| sealed.next()).unwrap_or_else(missing)).collect()
    }

    async fn sealed(&self, items: Vec<seal::Prepared>) -> Vec<Result<Sealed, LogError>> {
        let count = items.len();
        let fail = |error: LogError| (0..count).map(|_| Err(error.clone())).collect();
        if count == 0 {
            return Vec::new();
        }
        if items.iter().any(|item| item.seal.intent.is_none())
            && let Err(error) = self.takes_new()
        {
            return fail(error);
        }
        let (reply, answer) = oneshot::channel();
        if let Err(error) = self.shared.queue.seal(SealJob { items, reply }) {
            return fail(error);
        }
        match answer.await {
            Ok(Ok(results)) => results,
            Ok(Err(error)) => fail(error),
            Err(_ended) => fail(self.not_there()),
        }
    }

    /// Appends a plain record.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn append(&self, plain: Plain) -> Result<Appended, LogError> {
        self.takes_new()?;
        let (reply, answer) = oneshot::channel();
        self.shared.queue.plain(PlainJob { draft: plain.draft, detail: plain.detail, reply }, plain.last)?;
        answer.await.unwrap_or_else(|_ended| Err(self.not_there()))
    }

    /// Appends a control record; it heads the next batch. What it stops is stopped from this call on.
    ///
    /// # Errors
    /// [`LogError`], [`LogError::Overtaken`] among them where it must follow another record than the newest; what it would have stopped is then as before.
    pub async fn control(&self, draft: ControlDraft) -> Result<Appended, LogError> {
        self.write_control(draft.job()?).await
    }

    async fn write_control(&self, mut job: ControlJob) -> Result<Appended, LogError> {
        self.is_loaded()?;
        self.may_end(&job.record)?;
        let (reply, answer) = oneshot::channel();
        job.reply = Some(reply);
        let operation = job.record.operation;
        self.shared.fence.raise(operation, &job.record.stops);
        if self.shared.queue.control(job).is_err() {
            self.shared.fence.withdraw(operation);
            return Err(LogError::Closing);
        }
        answer.await.unwrap_or_else(|_ended| Err(self.not_there()))
    }

    /// The stop that covers any of these terms, in the log or not yet: the last look before a reply leaves.
    pub fn covers(&self, terms: &[Term]) -> Option<StandingStop> {
        self.shared.fence.now().covers(terms)
    }

    /// Whether no stop is in force at all, which is how it nearly always is.
    pub fn stops_nothing(&self) -> bool {
        self.shared.fence.now().is_empty()
    }

    /// The newest released checkpoint.
    pub fn head(&self) -> Arc<Head> {
        Arc::clone(&self.shared.head.borrow())
    }

    /// Follows the newest released checkpoint.
    pub fn watch_head(&self) -> tokio::sync::watch::Receiver<Arc<Head>> {
        self.shared.head.subscribe()
    }

    /// Control records in order, starting after the history that opening returned.
    pub fn controls(&self) -> Controls {
        Controls::of(&self.shared.feed)
    }

    /// Whether the log takes records.
    pub fn health(&self) -> tokio::sync::watch::Receiver<LogHealth> {
        self.shared.health.subscribe()
    }

    /// Asks for loading the log again, after a person has put right what kept it closed.
    pub fn reload(&self) {
        self.shared.queue.order(|orders| orders.reload = true);
    }

    /// The anchors off the host by their addresses, and whether each keeps the newest checkpoint.
    pub fn off_host(&self) -> Vec<(Arc<str>, tokio::sync::watch::Receiver<AnchorHealth>)> {
        self.shared.off_host.health()
    }

    /// Waits until every intent has its leaf: whoever asked may have gone, and its operation runs on. A log that takes
    /// nothing is not waited for.
    pub async fn settled(&self) {
        let mut health = self.health();
        tokio::select! {
            () = self.shared.queue.settled() => {}
            _ill = health.wait_for(|health| *health != LogHealth::Ready) => {}
        }
    }

    /// Takes nothing new, writes everything that waits, empties the WAL, syncs the anchors, tells those off the host (for
    /// a bounded time), and ends the log's threads.
    pub async fn close(&self) {
        self.shared.queue.order(|orders| orders.close = true);
        self.shared.following.end();
        self.shared.signals.end();
        let threads = std::mem::take(
            &mut *self._life.threads.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        );
        let shared = Arc::clone(&self.shared);
        let joined = tokio::task::spawn_blocking(move || {
            // The writer first: only then is it known which checkpoint was the last.
            let ended: Vec<bool> = threads.into_iter().map(|thread| thread.join().is_ok()).collect();
            shared.off_host.close() && ended.into_iter().all(|in_order| in_order)
        });
        if !joined.await.unwrap_or(false) {
            tracing::error!("a thread of the log ended by a panic");
        }
    }

    fn left(&self, by: Option<Monotonic>) -> Option<std::time::Duration> {
        by.map(|by| by.since(self.shared.clock.monotonic()))
    }

    fn is_loaded(&self) -> Result<(), LogError> {
        match &*self.shared.health.borrow() {
            LogHealth::Failed { cause } => Err(LogError::Unavailable { cause: Arc::clone(cause) }),
            _ => Ok(()),
        }
    }

    fn takes_new(&self) -> Result<(), LogError> {
        match &*self.shared.health.borrow() {
            LogHealth::Failed { cause } => Err(LogError::Unavailable { cause: Arc::clone(cause) }),
            LogHealth::Refusing { cause } => Err(LogError::Full { cause: Arc::clone(cause) }),
            LogHealth::Ready => Ok(()),
        }
    }

    fn not_there(&self) -> LogError {
        match self.is_loaded() {
            Err(error) => error,
            Ok(()) => LogError::unavailable("it is being loaded"),
        }
    }
}
