//! The follower's thread.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use proto::hash::Hash;
use proto::proof::leaf::leaf_hash;

use super::{Following, SEGMENT, Tail, terms};
use crate::log::shared::Shared;
use crate::store::{Index, Posting, Segment, StoreError, Stored};

/// Bytes of records read at once.
const PAGE: usize = 1 << 20;
/// How long the follower rests between two rounds, so that it does not wake for each commit.
const REST: Duration = Duration::from_millis(10);
/// How long it rests after an error.
const LONG_REST: Duration = Duration::from_secs(1);

/// Follows the log until it is closed.
pub(in crate::log) fn run(shared: &Arc<Shared>) {
    let mut follower: Option<Follower> = None;
    loop {
        let worked = match &mut follower {
            Some(follower) => follower.round(shared),
            None => Follower::begin(shared).map(|begun| {
                follower = begun;
                follower.is_some()
            }),
        };
        let following = &shared.following;
        let rest = match worked {
            Ok(true) => Some(REST),
            Ok(false) => None,
            Err(error) => {
                tracing::warn!(%error, "the search index is built again");
                follower = None;
                if let Err(error) = Index::remove(&shared.settings.state_directory) {
                    tracing::warn!(%error, "the search index could not be removed");
                }
                following.reset();
                Some(LONG_REST)
            }
        };
        if !following.rest(rest) {
            return;
        }
        if let Some(follower) = &mut follower {
            follower.erase(following);
        }
    }
}

impl Following {
    fn reset(&self) {
        *self.tail.write().unwrap_or_else(PoisonError::into_inner) = Tail::default();
        self.indexed.send_replace(0);
    }

    /// Rests, or waits until there is something to do. False: the log is being closed.
    fn rest(&self, rest: Option<Duration>) -> bool {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let mut orders = match rest {
            Some(rest) => {
                let quiet = |orders: &mut super::Orders| !orders.end && orders.erase.is_empty();
                self.wake.wait_timeout_while(orders, rest, quiet).unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let quiet = |orders: &mut super::Orders| !orders.new && !orders.end && orders.erase.is_empty();
                self.wake.wait_while(orders, quiet).unwrap_or_else(PoisonError::into_inner)
            }
        };
        orders.new = false;
        !orders.end
    }
}

struct Follower {
    index: Index,
    /// The next record to read.
    next: u64,
    /// Number of the segment in memory.
    segment: u64,
    last: Hash,
}

impl Follower {
    /// Opens the index and throws it away where it is not this log's.
    fn begin(shared: &Shared) -> Result<Option<Self>, StoreError> {
        let Some(readers) = shared.readers.load_full() else { return Ok(None) };
        let directory = &shared.settings.state_directory;
        let mut index = Index::open(directory)?;
        let mut newest = index.newest()?;
        if let Some(segment) = newest {
            let record = readers.read(|view| view.record(segment.last))?;
            if record.is_none_or(|record| leaf_hash(&record.leaf).as_bytes() != &segment.anchor) {
                drop(index);
                tracing::warn!("the search index belongs to another log; it is built again");
                Index::remove(directory)?;
                index = Index::open(directory)?;
                newest = None;
            }
        }
        let (segment, next) = newest.map_or((0, 0), |segment| (segment.number + 1, segment.last + 1));
        {
            let mut tail = shared.following.tail.write().unwrap_or_else(PoisonError::into_inner);
            *tail = Tail { segments: segment, reader: Some(index.readers()), runs: Vec::new() };
        }
        shared.following.indexed.send_replace(next);
        Ok(Some(Self { index, next, segment, last: Hash::ZERO }))
    }

    /// Reads on. Whether there may be more.
    fn round(&mut self, shared: &Shared) -> Result<bool, StoreError> {
        let Some(readers) = shared.readers.load_full() else { return Ok(false) };
        let head = shared.head.borrow().size;
        let end = head.min((self.segment + 1) * SEGMENT);
        crate::measure::index_lag(head.saturating_sub(self.next));
        if self.next >= end {
            return Ok(false);
        }
        // A failed read says nothing about the index: the log may be loading again.
        let Ok(records) = readers.read(|view| view.records(self.next, end, PAGE)) else { return Ok(true) };
        let mut run = Vec::with_capacity(records.len() * 8);
        for record in &records {
            postings(record, &mut run);
        }
        run.sort_unstable();
        run.dedup();
        let Some(last) = records.last() else { return Ok(true) };
        self.last = leaf_hash(&last.leaf);
        self.next = last.index + 1;
        let following = &shared.following;
        following.tail.write().unwrap_or_else(PoisonError::into_inner).add(run);
        following.indexed.send_replace(self.next);
        if self.next == (self.segment + 1) * SEGMENT {
            self.flush(following)?;
        }
        Ok(self.next < head)
    }

    /// Makes a segment of what is in memory. A crash before it is durable leaves records that are read again.
    fn flush(&mut self, following: &Following) -> Result<(), StoreError> {
        let postings = {
            let mut tail = following.tail.write().unwrap_or_else(PoisonError::into_inner);
            let all = tail.take();
            tail.runs = vec![all.clone()];
            all
        };
        let first = self.segment * SEGMENT;
        let segment = Segment { number: self.segment, first, last: self.next - 1, anchor: *self.last.as_bytes() };
        self.index.add(segment, &postings)?;
        let mut tail = following.tail.write().unwrap_or_else(PoisonError::into_inner);
        tail.segments = self.segment + 1;
        tail.runs.clear();
        self.segment += 1;
        Ok(())
    }

    fn erase(&mut self, following: &Following) {
        let asked = std::mem::take(&mut following.orders.lock().unwrap_or_else(PoisonError::into_inner).erase);
        for (index, terms, done) in asked {
            {
                let mut tail = following.tail.write().unwrap_or_else(PoisonError::into_inner);
                for run in &mut tail.runs {
                    run.retain(|posting| posting.index != index || !terms.contains(&posting.term));
                }
            }
            let erased = self.index.erase(index, &terms);
            if let Err(error) = &erased {
                tracing::error!(%error, index, "search terms of an erased detail are still in the index");
            }
            // Whoever asked may have gone.
            let _gone = done.send(erased.is_ok());
        }
    }
}

fn postings(record: &Stored, run: &mut Vec<Posting>) {
    let (public, private) = terms::of(record);
    run.extend(public.into_iter().chain(private).map(|term| Posting { term, index: record.index }));
}
