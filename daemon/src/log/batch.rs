//! One batch: everything that arrived during the last commit becomes one transaction.
//!
//! Order inside it: control records (in order of arrival, chained), what comes beside them, what is owed, seals (fence,
//! then intent, then request id), closures, plain records, intents. Only what is accepted gets an index, is stamped and
//! hashed, so what drops out leaves no hole, and time grows with the index.
//!
//! Nothing here is released: the writer does that after the commit.

mod claim;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use proto::hash::Hash;
use proto::operation::OperationId;
use proto::proof::checkpoint::CheckpointError;
use proto::proof::keys::{LogKeys, ended};
use proto::proof::leaf::leaf_hash;
use proto::reason::Reason;
use proto::record::{Body as ControlBody, Draft, Times, Untrusted};
use proto::time::Time;

use super::error::LogError;
use super::fence::{StopSet, Touches};
use super::intent::{Body, Closure, Earlier, End};
use super::keys;
use super::queue::{ControlJob, Jobs};
use super::seal::Prepared;
use super::shared::Shared;
use super::watch::Head;
use super::writer::Open;
use crate::clock::Watch;
use crate::store::{Append, ControlRow, HeadRow, IntentRow, RequestRow, StoreError};

/// What a seal comes to.
#[derive(Debug)]
pub(super) enum SealFate {
    /// A leaf: its row, and what is withheld in it.
    Leaf(usize, Vec<(usize, Reason)>),
    Touched(u64),
    Replay(Earlier),
    Gone,
}

/// What an intent comes to.
#[derive(Debug)]
pub(super) enum IntentFate {
    Number(u64),
    Replay(Earlier),
}

#[derive(Debug)]
enum DetailOf {
    Control(usize),
    Beside(usize),
    Owed(usize),
    Seal(usize, usize),
    Plain(usize),
    Own(Vec<u8>),
}

/// A new leaf.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) leaf: Bytes,
    pub(super) hash: Hash,
    detail: DetailOf,
}

/// A batch that is written.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) first: u64,
    pub(super) rows: Vec<Row>,
    pub(super) seals: Vec<Vec<SealFate>>,
    pub(super) intends: Vec<Vec<IntentFate>>,
    /// Row of the first record that was owed; the others follow.
    pub(super) owed: usize,
    /// Row of the first plain record; the others follow.
    pub(super) plain: usize,
    pub(super) counter: u64,
    pub(super) sealed: Time,
    pub(super) touches: Option<Touches>,
    pub(super) head: Option<Arc<Head>>,
    /// The log's keys, where its last record ends one.
    pub(super) keys: Option<Arc<LogKeys>>,
    pub(super) closed: usize,
    pub(super) withheld: u32,
    /// The watch by which it was stamped.
    pub(super) clock: Watch,
}

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum BatchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the log key did not sign the checkpoint: {0}")]
    Key(#[from] CheckpointError),
    #[error("the tree's edge is incomplete: {0}")]
    Edge(#[from] proto::proof::frontier::FrontierError),
    #[error(transparent)]
    Record(#[from] proto::record::RecordError),
}

/// Writes the batch in one transaction and commits it. On any error nothing of it may be released, and the frontier must
/// be rewound.
pub(super) fn write(open: &mut Open, shared: &Shared, jobs: &mut Jobs) -> Result<Batch, BatchError> {
    // The record by which an officer vouches for the wall clock is the first one that has its time.
    let vouched = jobs.controls.iter().any(|job| matches!(job.record.body, ControlBody::Clock(_)));
    let clock = if vouched { open.clock.accepted(open.sealed) } else { open.clock.clone() };
    let verdict = clock.now();
    crate::measure::clock_trusted(verdict.is_trusted());
    let sealed = open.sealed.max(verdict.time());
    let stops = Arc::clone(&shared.fence.now());
    let Open { store, frontier, .. } = open;
    let append = store.begin()?;
    let mut writing = Writing {
        append,
        shared,
        sealed,
        untrusted: !verdict.is_trusted(),
        stops,
        control: open.head.control,
        batch: Batch {
            first: open.head.size,
            rows: Vec::new(),
            seals: Vec::with_capacity(jobs.seals.len()),
            intends: Vec::with_capacity(jobs.intends.len()),
            owed: 0,
            plain: 0,
            counter: open.counter,
            sealed,
            touches: None,
            head: None,
            keys: None,
            closed: 0,
            withheld: 0,
            clock,
        },
    };
    writing.controls(jobs, &open.touches)?;
    for (at, job) in jobs.controls.iter().enumerate() {
        if let Some(beside) = &job.beside {
            writing.plain(&beside.draft, DetailOf::Beside(at));
        }
    }
    writing.batch.owed = writing.batch.rows.len();
    for (at, job) in jobs.owed.iter().enumerate() {
        writing.plain(&job.draft, DetailOf::Owed(at));
    }
    for at in 0..jobs.seals.len() {
        let mut fates = Vec::with_capacity(jobs.seals[at].items.len());
        for (place, item) in jobs.seals[at].items.iter_mut().enumerate() {
            let touches = writing.batch.touches.as_ref().unwrap_or(&open.touches).since_any(item);
            fates.push(writing.seal(item, touches, (at, place))?);
        }
        writing.batch.seals.push(fates);
    }
    for closure in &jobs.closures {
        writing.closure(closure)?;
    }
    writing.batch.plain = writing.batch.rows.len();
    for (at, job) in jobs.plains.iter().enumerate() {
        writing.plain(&job.draft, DetailOf::Plain(at));
    }
    writing.intents(jobs)?;
    if let Some((keys, before)) = &jobs.forget {
        writing.append.forget_requests(keys, *before)?;
    }
    let Writing { append, mut batch, control, .. } = writing;
    if !batch.rows.is_empty() {
        append.insert_records(batch.first, batch.rows.iter().map(|row| (&*row.leaf, row.detail.of(jobs))))?;
        for row in &batch.rows {
            frontier.push(row.hash);
        }
        for tile in frontier.full_tiles()? {
            append.insert_tile(tile.level, tile.number, &tile.to_bytes())?;
        }
        let root = frontier.root();
        let keys = batch.keys.clone().unwrap_or_else(|| shared.keys.load_full());
        let checkpoint = shared.signers.checkpoint(&keys, frontier.size(), root, control)?;
        if batch.keys.is_some() {
            // Nobody can make it again when the key that ends is gone.
            append.insert_meta(&keys::row(control.0), &checkpoint)?;
        }
        append.set_head(&HeadRow {
            size: frontier.size(),
            root: *root.as_bytes(),
            checkpoint: checkpoint.clone(),
            frontier: frontier.nodes().iter().flat_map(|node| *node.as_bytes()).collect(),
            epoch: open.epoch,
            control: control.0,
        })?;
        batch.head =
            Some(Arc::new(Head { size: frontier.size(), root, checkpoint: checkpoint.into(), control }));
    }
    append.commit()?;
    Ok(batch)
}

impl DetailOf {
    fn of<'a>(&'a self, jobs: &'a Jobs) -> Option<&'a [u8]> {
        match self {
            Self::Control(at) => jobs.controls[*at].detail.as_deref(),
            Self::Beside(at) => jobs.controls[*at].beside.as_ref().map(|beside| &*beside.detail),
            Self::Owed(at) => Some(&jobs.owed[*at].detail),
            Self::Seal(at, place) => Some(&jobs.seals[*at].items[*place].seal.detail),
            Self::Plain(at) => Some(&jobs.plains[*at].detail),
            Self::Own(detail) => Some(detail),
        }
    }
}

impl Touches {
    /// The newest control record that the seal's permit has not seen and that touches what it would release.
    fn since_any(&self, item: &Prepared) -> Option<u64> {
        item.releasing().filter_map(|(_, requires)| self.since(item.seal.saw, &requires.terms)).max()
    }
}

struct Writing<'a> {
    append: Append<'a>,
    shared: &'a Shared,
    sealed: Time,
    untrusted: bool,
    stops: Arc<StopSet>,
    control: (u64, Hash),
    batch: Batch,
}

/// Takes out what must follow a control record that is not the newest: nothing of it is written, and it is told so.
fn refuse_overtaken(controls: &mut Vec<ControlJob>, newest: &Hash) {
    let mut first = true;
    controls.retain_mut(|job| {
        let follows = job.follows.is_none_or(|follows| first && follows == *newest);
        first &= !follows;
        if !follows && let Some(reply) = job.reply.take() {
            // Whoever asked may have gone; then nobody needs to know.
            let _gone = reply.send(Err(LogError::Overtaken));
        }
        follows
    });
}

impl Writing<'_> {
    fn next(&self) -> u64 {
        self.batch.first + self.batch.rows.len() as u64
    }

    fn row(&mut self, leaf: Vec<u8>, detail: DetailOf) -> usize {
        let hash = leaf_hash(&leaf);
        self.batch.rows.push(Row { leaf: leaf.into(), hash, detail });
        self.batch.rows.len() - 1
    }

    fn plain(&mut self, draft: &Draft, detail: DetailOf) {
        self.row(draft.clone().stamp(self.sealed, self.untrusted, &Hash::ZERO), detail);
    }

    fn controls(&mut self, jobs: &mut Jobs, touches: &Touches) -> Result<(), BatchError> {
        if jobs.controls.is_empty() {
            return Ok(());
        }
        refuse_overtaken(&mut jobs.controls, &self.control.1);
        let mut touches = touches.clone();
        let mut stops = StopSet::clone(&self.stops);
        for (at, job) in jobs.controls.iter_mut().enumerate() {
            let index = self.next();
            job.record.previous = self.control.1;
            job.record.time = Times {
                sealed: self.sealed,
                clock: self.untrusted.then_some(Untrusted::Untrusted),
                ..job.record.time
            };
            let row = self.row(
                job.draft.clone().stamp(self.sealed, self.untrusted, &self.control.1),
                DetailOf::Control(at),
            );
            self.control = (index, self.batch.rows[row].hash);
            let kind = job.record.body.kind().to_owned();
            self.append.insert_control(&ControlRow { index, kind, subject: job.subject() })?;
            if let Some(erased) = &job.erases {
                self.append.erase_detail(erased.index)?;
                self.append.forget_requests(erased.request.as_slice(), i64::MAX)?;
            }
            if ended(&job.record).is_some() {
                let mut keys = LogKeys::clone(&self.shared.keys.load());
                self.batch.keys = keys.take(index, &job.record).then(|| Arc::new(keys));
            }
            touches.apply(index, &job.record);
            stops.raise(job.record.operation, Some(index), &job.record.stops);
        }
        self.batch.touches = Some(touches);
        self.stops = Arc::new(stops);
        Ok(())
    }

    /// What the fence withholds: stopped, or past its end. While the clock is untrusted, a version with an end has ended.
    fn fenced(&self, item: &Prepared) -> Vec<(usize, Reason)> {
        let withheld = item.releasing().filter_map(|(position, requires)| {
            let ended = requires.not_after.is_some_and(|end| self.untrusted || self.sealed >= end);
            let reason = match self.stops.covers(&requires.terms) {
                Some(stop) => stop.reason(),
                None if ended => Reason::VersionEnded,
                None => return None,
            };
            Some((position, reason))
        });
        withheld.collect()
    }

    fn seal(
        &mut self,
        item: &mut Prepared,
        touched: Option<u64>,
        place: (usize, usize),
    ) -> Result<SealFate, BatchError> {
        let withheld = self.fenced(item);
        if let Some(control) = touched
            && item.releasing().count() > withheld.len()
        {
            return Ok(SealFate::Touched(control));
        }
        let index = self.next();
        let operation = item.seal.operation;
        if let Some(intent) = &item.seal.intent {
            if !self.append.close_intent(intent.number(), &operation, self.shared.owner)? {
                return Ok(SealFate::Gone);
            }
            if let Some((caller, id)) = intent.request() {
                self.append.settle_request(id, caller, operation.as_bytes(), index)?;
            }
            self.batch.closed += 1;
        } else if let Some((caller, request)) = &item.seal.request {
            let row = self.request_row(&request.id, caller, operation, request.input, Some(index));
            if let Some(earlier) = self.claim(&row)? {
                return Ok(SealFate::Replay(earlier));
            }
        }
        if !withheld.is_empty() {
            Arc::make_mut(&mut item.seal.released).withhold(&withheld);
            item.draft = Some(item.seal.released.draft()?);
            let stopped = withheld.iter().any(|(_, reason)| *reason != Reason::VersionEnded);
            self.batch.withheld += u32::from(stopped);
        }
        let draft = match item.draft.take() {
            Some(draft) => draft,
            None => item.seal.released.draft()?,
        };
        let row =
            self.row(draft.stamp(self.sealed, self.untrusted, &Hash::ZERO), DetailOf::Seal(place.0, place.1));
        Ok(SealFate::Leaf(row, withheld))
    }

    /// Ends an intent that has no seal, if it is still open.
    fn closure(&mut self, closure: &Closure) -> Result<(), BatchError> {
        let owner = closure.owner.unwrap_or(self.shared.owner);
        let Some(body) = self.append.intent_body(closure.number, &closure.operation, owner)? else {
            return Ok(());
        };
        let body = Body::read(&body)
            .ok_or(StoreError::Shape("an intent of a form that this version does not know"))?;
        self.append.close_intent(closure.number, &closure.operation, owner)?;
        if let Some((caller, id)) = &body.request {
            self.append.settle_request(id, caller, closure.operation.as_bytes(), self.next())?;
        }
        let (draft, detail) = match &closure.end {
            End::Bare(outcome, reason) => {
                let ended = body.ended(closure.number, *outcome, *reason);
                let ended = ended.ok_or(StoreError::Shape("an intent whose record cannot be read"))?;
                (ended.draft()?, body.detail)
            }
            End::Withheld(seal) => (seal.0.draft()?, seal.1.clone()),
        };
        self.row(draft.stamp(self.sealed, self.untrusted, &Hash::ZERO), DetailOf::Own(detail));
        self.batch.closed += 1;
        Ok(())
    }

    fn intents(&mut self, jobs: &Jobs) -> Result<(), BatchError> {
        let mut rows = Vec::new();
        for job in &jobs.intends {
            let mut fates = Vec::with_capacity(job.items.len());
            for item in &job.items {
                let draft = &item.draft;
                if let Some(request) = &draft.request {
                    let row =
                        self.request_row(&request.id, &draft.caller, draft.operation, request.input, None);
                    if let Some(earlier) = self.claim(&row)? {
                        fates.push(IntentFate::Replay(earlier));
                        continue;
                    }
                }
                self.batch.counter += 1;
                rows.push(IntentRow {
                    number: self.batch.counter,
                    operation: *draft.operation.as_bytes(),
                    owner: self.shared.owner,
                    at: draft.record.time.asked.microseconds(),
                    body: Cow::Borrowed(&item.body),
                });
                fates.push(IntentFate::Number(self.batch.counter));
            }
            self.batch.intends.push(fates);
        }
        if !rows.is_empty() {
            self.append.open_intents(&rows)?;
            self.append.set_counter(self.batch.counter)?;
        }
        Ok(())
    }

    fn request_row<'r>(
        &self,
        id: &'r str,
        caller: &'r str,
        operation: OperationId,
        input: Hash,
        index: Option<u64>,
    ) -> RequestRow<'r> {
        let at = self.sealed.microseconds();
        RequestRow { id, caller, operation: *operation.as_bytes(), input: *input.as_bytes(), index, at }
    }
}
