//! The follower's thread.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use proto::hash::Hash;
use proto::proof::leaf::leaf_hash;

use super::terms::of_leaf_hash;
use super::{FORMAT, Following, Found, Handed, SEGMENT, Tail, Terms};
use crate::log::shared::Shared;
use crate::log::tree::Tree;
use crate::store::{Index, Posting, Segment, StoreError, Term};

/// Bytes of records read at once.
const PAGE: usize = 1 << 20;
/// Handed-over operations taken at once.
const AT_ONCE: usize = 1024;
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
                if error.is_damage() {
                    tracing::warn!(%error, "the search index is damaged; it is built again");
                    follower = None;
                    following.reset();
                    if let Err(error) = Index::remove(&shared.settings.state_directory) {
                        tracing::warn!(%error, "the search index could not be removed");
                    }
                } else {
                    tracing::warn!(%error, "the search index does not go on; it is tried again");
                }
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
                let quiet =
                    |orders: &mut super::Orders| !orders.new && !orders.end && orders.erase.is_empty();
                self.wake.wait_while(orders, quiet).unwrap_or_else(PoisonError::into_inner)
            }
        };
        orders.new = false;
        !orders.end
    }
}

/// Makes the unfinished tiles of the upper levels known, so that nobody waits for them in a proof.
fn warm(shared: &Shared) {
    let size = shared.head.borrow().size;
    let Some(readers) = shared.readers.load_full() else { return };
    // Whoever needs a proof says what is wrong with the tree.
    let _known = readers.read(|view| Ok(Tree::of(view, size, &shared.edge).root(size)));
}

struct Follower {
    index: Index,
    /// The next record to read.
    next: u64,
    /// Number of the segment in memory.
    segment: u64,
    /// Leaf hash of the record before `next`: a segment that ends there is known by it.
    last: Hash,
    terms: Terms,
}

impl Follower {
    /// Opens the index and throws it away where it is not this log's, or has other terms.
    fn begin(shared: &Shared) -> Result<Option<Self>, StoreError> {
        let Some(readers) = shared.readers.load_full() else { return Ok(None) };
        let directory = &shared.settings.state_directory;
        let mut index = match Index::open(directory, FORMAT) {
            Err(other @ StoreError::Format { .. }) => {
                tracing::info!(%other, "the search index is built again");
                Index::remove(directory)?;
                Index::open(directory, FORMAT)?
            }
            opened => opened?,
        };
        let mut newest = index.newest()?;
        if let Some(segment) = newest {
            let record = readers.read(|view| view.record(segment.last))?;
            if record.is_none_or(|record| leaf_hash(&record.leaf).as_bytes() != &segment.anchor) {
                drop(index);
                tracing::warn!("the search index belongs to another log; it is built again");
                Index::remove(directory)?;
                index = Index::open(directory, FORMAT)?;
                newest = None;
            }
        }
        let (segment, next) = newest.map_or((0, 0), |segment| (segment.number + 1, segment.last + 1));
        let last = newest.map_or(Hash::ZERO, |segment| segment.anchor.into());
        {
            let mut tail = shared.following.tail.write().unwrap_or_else(PoisonError::into_inner);
            *tail = Tail { segments: segment, reader: Some(index.readers()), runs: Vec::new() };
        }
        shared.following.indexed.send_replace(next);
        warm(shared);
        Ok(Some(Self { index, next, segment, last, terms: Terms::default() }))
    }

    /// Reads on. Whether there may be more.
    fn round(&mut self, shared: &Shared) -> Result<bool, StoreError> {
        let following = &shared.following;
        if self.next == (self.segment + 1) * SEGMENT {
            self.flush(following)?;
        }
        let head = shared.head.borrow().size;
        let end = head.min((self.segment + 1) * SEGMENT);
        crate::measure::index_lag(head.saturating_sub(self.next));
        if self.next >= end {
            return Ok(false);
        }
        let mut run = Vec::new();
        let handed = self.handed(following, end, &mut run);
        if !handed {
            // What was handed over begins later, or not at all: read up to there. A failed read says nothing about the
            // index: the log may be loading again.
            let until = self.first_handed(following).unwrap_or(end).clamp(self.next + 1, end);
            let Some(readers) = shared.readers.load_full() else { return Ok(false) };
            let Ok(records) = readers.read(|view| view.records(self.next, until, PAGE)) else {
                return Ok(false);
            };
            if records.is_empty() {
                return Ok(false);
            }
            for record in &records {
                let hash = leaf_hash(&record.leaf);
                let (public, private) = self.terms.of(record, &hash);
                self.passed(record.index, hash, public.into_iter().chain(private), &mut run);
            }
        }
        run.sort_unstable();
        run.dedup();
        following.tail.write().unwrap_or_else(PoisonError::into_inner).add(run);
        following.indexed.send_replace(self.next);
        if self.next == (self.segment + 1) * SEGMENT {
            self.flush(following)?;
            warm(shared);
        }
        Ok(self.next < head)
    }

    /// Takes what was handed over, if it begins here. Whether there was anything.
    fn handed(&mut self, following: &Following, end: u64, run: &mut Vec<Posting>) -> bool {
        let mut taken = Vec::new();
        {
            let mut waiting = following.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            while waiting.front().is_some_and(|first| first.index < self.next) {
                waiting.pop_front();
            }
            let mut next = self.next;
            while next < end
                && taken.len() < AT_ONCE
                && let Some(first) = waiting.pop_front_if(|first| first.index == next)
            {
                next += 1;
                taken.push(first);
            }
        }
        run.reserve(taken.len() * Found::FEW);
        for Handed { index, hash, found } in &taken {
            self.passed(*index, *hash, found.iter().chain([of_leaf_hash(hash)]), run);
        }
        !taken.is_empty()
    }

    fn first_handed(&self, following: &Following) -> Option<u64> {
        let waiting = following.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.front().map(|first| first.index)
    }

    /// One more record has been read.
    fn passed(&mut self, index: u64, hash: Hash, terms: impl Iterator<Item = Term>, run: &mut Vec<Posting>) {
        // Below 65,536: a round never goes beyond its segment.
        let offset = u16::try_from(index - self.segment * SEGMENT).unwrap_or(u16::MAX);
        run.extend(terms.map(|term| Posting { term, offset }));
        (self.next, self.last) = (index + 1, hash);
    }

    /// Makes a segment of what is in memory. A crash before it is durable leaves records that are read again.
    fn flush(&mut self, following: &Following) -> Result<(), StoreError> {
        following.tail.write().unwrap_or_else(PoisonError::into_inner).join();
        let first = self.segment * SEGMENT;
        let anchor = *self.last.as_bytes();
        let segment = Segment { number: self.segment, first, last: self.next - 1, anchor };
        {
            // They are found in memory until they are found in the file.
            let tail = following.tail.read().unwrap_or_else(PoisonError::into_inner);
            self.index.add(segment, tail.runs.first().map_or(&[], Vec::as_slice))?;
        }
        let mut tail = following.tail.write().unwrap_or_else(PoisonError::into_inner);
        tail.segments = self.segment + 1;
        tail.runs.clear();
        self.segment += 1;
        Ok(())
    }

    fn erase(&mut self, following: &Following) {
        let asked =
            std::mem::take(&mut following.orders.lock().unwrap_or_else(PoisonError::into_inner).erase);
        for (index, terms, done) in asked {
            {
                let mut tail = following.tail.write().unwrap_or_else(PoisonError::into_inner);
                let first = tail.segments * SEGMENT;
                for run in &mut tail.runs {
                    run.retain(|posting| {
                        first + u64::from(posting.offset) != index || !terms.contains(&posting.term)
                    });
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
