//! The search index's follower: reads the log behind the writer and keeps terms of each record.
//!
//! The newest records' terms are in memory, sorted; every 65,536 records they become a segment of the index's file. A
//! restart reads the records since the last segment again. The file is rebuilt whenever it does not fit the log.

mod follow;
mod terms;

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError, RwLock};

use proto::hash::Hash;
use tokio::sync::watch;

use super::seal::Prepared;
use crate::store::{IndexReader, Posting, StoreError, Term};

pub(super) use follow::run;
pub use terms::Sought;
pub(super) use terms::{FORMAT, Found, Terms, kind, not_sign, request_of};

/// Sealed operations that wait for the follower; those beyond are read from the log.
const HANDED: usize = 4096;

/// A sealed operation: the follower need not read, parse and hash its leaf.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) index: u64,
    /// The leaf's.
    pub(super) hash: Hash,
    /// All terms but that of the leaf's hash, as its task found them.
    pub(super) found: Found,
}

/// Records in a segment. Tests cross its edge without writing that many.
pub(super) const SEGMENT: u64 = if cfg!(test) { 256 } else { 65_536 };

/// What the follower and its readers share.
#[derive(Debug)]
pub(super) struct Following {
    /// Records that can be found; the first `in_file` of them in segments.
    indexed: watch::Sender<u64>,
    /// For the tasks of operations.
    terms: Mutex<Terms>,
    tail: RwLock<Tail>,
    waiting: Mutex<VecDeque<Handed>>,
    orders: Mutex<Orders>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Orders {
    new: bool,
    end: bool,
    erase: Vec<(u64, Vec<Term>, tokio::sync::oneshot::Sender<bool>)>,
}

/// Terms that are in memory only, and the segments that are not.
#[derive(Debug, Default)]
struct Tail {
    /// Segments in the file: number `n` holds the records from `n` × 65,536 on. What is in memory is the next one.
    segments: u64,
    reader: Option<IndexReader>,
    /// Sorted runs of postings, long ones first.
    runs: Vec<Vec<Posting>>,
}

impl Default for Following {
    fn default() -> Self {
        Self {
            indexed: watch::channel(0).0,
            terms: Mutex::default(),
            tail: RwLock::default(),
            waiting: Mutex::default(),
            orders: Mutex::default(),
            wake: Condvar::new(),
        }
    }
}

impl Following {
    /// New records are there.
    pub(super) fn wake(&self) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if !orders.new {
            orders.new = true;
            drop(orders);
            self.wake.notify_one();
        }
    }

    /// Finds the terms of operations, in their task.
    pub(super) fn find_terms<'p>(&self, operations: impl Iterator<Item = &'p mut Prepared>) {
        let mut terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        for operation in operations {
            operation.found = terms.of_operation(&operation.seal.released, &operation.seal.detail);
        }
    }

    /// Hands over sealed operations, in order of their index.
    pub(super) fn hand(&self, operations: Vec<Handed>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = HANDED.saturating_sub(waiting.len());
        waiting.extend(operations.into_iter().take(room));
    }

    pub(super) fn end(&self) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).end = true;
        self.wake.notify_one();
    }

    /// Erases terms of one record from memory and file. False where that failed.
    pub(super) async fn erase(&self, index: u64, terms: Vec<Term>) -> bool {
        let (done, erased) = tokio::sync::oneshot::channel();
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).erase.push((index, terms, done));
        self.wake.notify_one();
        erased.await.unwrap_or(false)
    }

    /// How many records can be found.
    pub(super) fn indexed_to(&self) -> watch::Receiver<u64> {
        self.indexed.subscribe()
    }

    /// The records with this term in one place, in order.
    pub(super) fn find(&self, place: Place, term: Term) -> Result<Vec<u64>, StoreError> {
        let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
        let numbers = match place {
            Place::Segment(number) => number..number + 1,
            Place::From(number) => number..tail.segments,
        };
        let of = |segment: u64| move |offset: u16| segment * SEGMENT + u64::from(offset);
        let mut found = Vec::new();
        if let Some(reader) = &tail.reader {
            for number in numbers {
                found.extend(reader.find(number, term)?.into_iter().map(of(number)));
            }
        }
        if matches!(place, Place::From(_)) {
            found.extend(tail.find(term).into_iter().map(of(tail.segments)));
        }
        Ok(found)
    }

    /// The places to look at, newest first.
    pub(super) fn places(&self) -> Vec<Place> {
        let segments = self.tail.read().unwrap_or_else(PoisonError::into_inner).segments;
        std::iter::once(Place::From(segments)).chain((0..segments).rev().map(Place::Segment)).collect()
    }
}

/// A part of the index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// Everything from this segment on: what is in memory, and what has become a segment since the places were listed.
    From(u64),
    /// A segment of the file.
    Segment(u64),
}

impl Tail {
    fn find(&self, term: Term) -> Vec<u16> {
        let mut found: Vec<u16> = self
            .runs
            .iter()
            .flat_map(|run| {
                let start = run.partition_point(|posting| posting.term < term);
                run[start..]
                    .iter()
                    .take_while(move |posting| posting.term == term)
                    .map(|posting| posting.offset)
            })
            .collect();
        found.sort_unstable();
        found
    }

    /// Adds a sorted run; runs of like length are merged, so that there are few.
    fn add(&mut self, run: Vec<Posting>) {
        self.runs.push(run);
        while let [.., longer, last] = self.runs.as_slice()
            && longer.len() <= 2 * last.len()
        {
            let last = self.runs.pop().unwrap_or_default();
            if let Some(longer) = self.runs.last_mut() {
                longer.extend(last);
                // Two sorted runs: the standard library's stable sort merges them in linear time.
                longer.sort();
            }
        }
    }

    /// Makes one run of all.
    fn join(&mut self) {
        let mut all = std::mem::take(&mut self.runs).into_iter();
        let mut joined = all.next().unwrap_or_default();
        joined.extend(all.flatten());
        joined.sort();
        self.runs.push(joined);
    }
}
