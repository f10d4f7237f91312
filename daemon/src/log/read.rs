//! Reading the log: pages, proofs, tiles, search. Never a read transaction longer than a page, never the writer's
//! connection.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use proto::hash::Hash;
use proto::proof::leaf::leaf_hash;
use proto::proof::tile::{self, bundle};
use proto::time::Time;

use super::Log;
use super::error::LogError;
use super::index::{self, Place, SEGMENT, Sought};
use super::load::sealed_of;
use super::tree::Tree;
use crate::store::{Stored, View};

/// Bytes of records that one page holds, about.
const PAGE: usize = 1 << 20;

/// What proves that a record is in the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proven {
    /// Index in the tree.
    pub index: u64,
    /// The leaf's exact bytes.
    pub leaf: Bytes,
    /// `SHA-256(0x00 ‖ leaf)`.
    pub leaf_hash: Hash,
    /// Tree size that the path leads to.
    pub size: u64,
    /// Inclusion path (RFC 6962, 2.1.1).
    pub path: Vec<Hash>,
    /// Root of the tree of that size.
    pub root: Hash,
    /// The signed checkpoint; absent where `size` is not the newest.
    pub checkpoint: Option<Arc<str>>,
}

/// That one tree extends another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Extension {
    /// Size and root of the older tree.
    pub old: (u64, Hash),
    /// Size and root of the newer tree.
    pub new: (u64, Hash),
    /// Consistency path (RFC 6962, 2.1.2).
    pub path: Vec<Hash>,
    /// The signed checkpoint of the newer tree, where it is the newest.
    pub checkpoint: Option<Arc<str>>,
}

/// What to search for. Every term must match; an empty list matches everything.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// All of these.
    pub terms: Vec<Sought>,
    /// One of these record kinds; empty: any.
    pub kinds: Vec<String>,
    /// Sealed at or after this.
    pub since: Option<Time>,
    /// Sealed before this.
    pub until: Option<Time>,
    /// Lowest index first.
    pub oldest_first: bool,
    /// Only records after this one in the order asked for: where the page before ended.
    pub after: Option<u64>,
    /// At most so many; 0: 1,000.
    pub limit: usize,
}

/// A page of indices that match.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Matches {
    /// In the order asked for.
    pub indices: Vec<u64>,
    /// Holds for records below this index: the index may lag behind the log.
    pub indexed_to: u64,
    /// Whether a next page may hold more.
    pub more: bool,
}

impl Log {
    /// Runs a read on a thread that may block.
    pub(super) async fn reading<T: Send + 'static>(
        &self,
        read: impl FnOnce(View<'_>) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let Some(readers) = self.shared.readers.load_full() else { return Err(self.not_there()) };
        let done = tokio::task::spawn_blocking(move || {
            let mut result = None;
            let failed = readers.read(|view| {
                result = Some(read(view));
                Ok(())
            });
            match (failed, result) {
                (Ok(()), Some(result)) => result,
                (Err(error), _) => Err(LogError::unavailable(error)),
                (Ok(()), None) => Err(LogError::unavailable("the read did not run")),
            }
        });
        done.await.unwrap_or_else(|panicked| Err(LogError::unavailable(panicked)))
    }

    /// Reads the tree of the newest released checkpoint, or of a given earlier size.
    async fn in_tree<T: Send + 'static>(
        &self,
        size: Option<u64>,
        read: impl FnOnce(Tree<'_>) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let newest = self.head().size;
        let size = size.unwrap_or(newest);
        if size > newest || size == 0 {
            return Err(LogError::Absent { what: format!("a tree of {size} records") });
        }
        let shared = Arc::clone(&self.shared);
        self.reading(move |view| read(Tree::of(view, size, &shared.edge))).await
    }

    fn checkpoint_of(&self, size: u64) -> Option<Arc<str>> {
        let head = self.head();
        (head.size == size).then(|| Arc::clone(&head.checkpoint))
    }

    /// Records from `first` to before `end`, in order: as many as fit in a page of about 1 MiB, at least one if there is
    /// one. Nothing above the newest released checkpoint is shown.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn records(&self, first: u64, end: u64) -> Result<Vec<Stored>, LogError> {
        let end = end.min(self.head().size);
        if first >= end {
            return Ok(Vec::new());
        }
        self.reading(move |view| view.records(first, end, PAGE).map_err(LogError::unavailable)).await
    }

    /// One record.
    ///
    /// # Errors
    /// [`LogError::Absent`], [`LogError::Unavailable`].
    pub async fn record(&self, index: u64) -> Result<Stored, LogError> {
        let found = self.records(index, index.saturating_add(1)).await?.pop();
        found.ok_or_else(|| LogError::Absent { what: format!("record {index}") })
    }

    /// A record with what proves it, against the newest checkpoint or the tree of a given size.
    ///
    /// # Errors
    /// [`LogError::Absent`], [`LogError::Unavailable`].
    pub async fn receipt(&self, index: u64, size: Option<u64>) -> Result<Proven, LogError> {
        let head = self.head();
        let size = size.unwrap_or(head.size);
        let record = self.record(index).await?;
        let (path, root) =
            self.in_tree(Some(size), move |tree| Ok((tree.inclusion(index)?, tree.root(size)?))).await?;
        let checkpoint = (head.size == size).then(|| Arc::clone(&head.checkpoint));
        let leaf_hash = leaf_hash(&record.leaf);
        Ok(Proven { index, leaf: record.leaf.into(), leaf_hash, size, path, root, checkpoint })
    }

    /// The proof that a tree of `new` leaves (the newest, if absent) extends one of `old`.
    ///
    /// # Errors
    /// [`LogError::Absent`], [`LogError::Unavailable`].
    pub async fn consistency(&self, old: u64, new: Option<u64>) -> Result<Extension, LogError> {
        let size = new.unwrap_or_else(|| self.head().size);
        let (path, old_root, root) = self
            .in_tree(Some(size), move |tree| Ok((tree.consistency(old)?, tree.root(old)?, tree.root(size)?)))
            .await?;
        Ok(Extension { old: (old, old_root), new: (size, root), path, checkpoint: self.checkpoint_of(size) })
    }

    /// The first `width` hashes of a tile (C2SP tlog-tiles), 32 bytes each.
    ///
    /// # Errors
    /// [`LogError::Absent`] where the tree has no such tile, [`LogError::Unavailable`].
    pub async fn tile(&self, level: u8, number: u64, width: u16) -> Result<Vec<u8>, LogError> {
        let size = self.head().size;
        if width == 0 || tile::width(size, level, number) < width {
            return Err(LogError::Absent {
                what: format!("tile {number} of level {level} with {width} hashes"),
            });
        }
        self.in_tree(Some(size), move |tree| {
            let mut hashes = tree.hashes(level, number, width).map_err(LogError::unavailable)?;
            hashes.truncate(usize::from(width));
            Ok(tile::encode_hashes(&hashes))
        })
        .await
    }

    /// The first `width` entries of a bundle (C2SP tlog-tiles): leaves with their lengths.
    ///
    /// # Errors
    /// [`LogError::Absent`], [`LogError::Unavailable`].
    pub async fn bundle(&self, number: u64, width: u16) -> Result<Vec<u8>, LogError> {
        let size = self.head().size;
        if width == 0 || tile::width(size, 0, number) < width {
            return Err(LogError::Absent { what: format!("entry bundle {number} with {width} entries") });
        }
        let first = number * tile::WIDTH as u64;
        let end = first + u64::from(width);
        self.reading(move |view| {
            let mut leaves: Vec<Vec<u8>> = Vec::new();
            while first + (leaves.len() as u64) < end {
                let page =
                    view.records(first + leaves.len() as u64, end, PAGE).map_err(LogError::unavailable)?;
                if page.is_empty() {
                    return Err(LogError::Absent { what: format!("entry bundle {number}") });
                }
                leaves.extend(page.into_iter().map(|record| record.leaf));
            }
            bundle::encode(&leaves).map_err(LogError::unavailable)
        })
        .await
    }

    /// Indices of records that match, a page at a time. It answers for the records below `indexed_to`.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn search(&self, query: Query) -> Result<Matches, LogError> {
        let indexed_to = *self.shared.following.indexed_to().borrow();
        let end = indexed_to.min(self.head().size);
        let log = self.clone();
        self.reading(move |view| {
            let bounds = (begins(view, end, query.since)?, until(view, end, query.until)?);
            let (indices, more) = log.matches(&query, bounds)?;
            Ok(Matches { indices, indexed_to: end, more })
        })
        .await
    }

    /// Matches in `bounds.0..bounds.1`, place by place.
    fn matches(&self, query: &Query, mut bounds: (u64, u64)) -> Result<(Vec<u64>, bool), LogError> {
        match query.after {
            Some(after) if query.oldest_first => bounds.0 = bounds.0.max(after.saturating_add(1)),
            Some(after) => bounds.1 = bounds.1.min(after),
            None => {}
        }
        let limit = if query.limit == 0 { 1000 } else { query.limit };
        let mut found = Vec::new();
        if query.terms.is_empty() && query.kinds.is_empty() {
            let range = bounds.0..bounds.1;
            let most = limit.saturating_add(1);
            found = if query.oldest_first {
                range.take(most).collect()
            } else {
                range.rev().take(most).collect()
            };
        } else {
            let mut places = self.shared.following.places();
            if query.oldest_first {
                places.reverse();
            }
            for place in places {
                let range = within(place, bounds);
                if range.is_empty() {
                    continue;
                }
                let mut here = self.in_place(query, place, range.clone())?;
                here.retain(|index| range.contains(index));
                if !query.oldest_first {
                    here.reverse();
                }
                found.append(&mut here);
                if found.len() > limit {
                    break;
                }
            }
        }
        let more = found.len() > limit;
        found.truncate(limit);
        Ok((found, more))
    }

    /// Indices in one place that have all terms and one of the kinds, in order.
    fn in_place(&self, query: &Query, place: Place, range: Range<u64>) -> Result<Vec<u64>, LogError> {
        let following = &self.shared.following;
        let find = |term| following.find(place, term).map_err(LogError::unavailable);
        let mut found: Option<Vec<u64>> = None;
        for sought in &query.terms {
            let with = find(sought.term())?;
            match &mut found {
                Some(known) => known.retain(|index| with.binary_search(index).is_ok()),
                None => found = Some(with),
            }
            if found.as_ref().is_some_and(Vec::is_empty) {
                return Ok(Vec::new());
            }
        }
        if query.kinds.is_empty() {
            return Ok(found.unwrap_or_default());
        }
        let mut of_kind = Vec::new();
        for kind in query.kinds.iter().filter(|kind| *kind != "sign") {
            of_kind.append(&mut find(index::kind(kind))?);
        }
        of_kind.sort_unstable();
        // `sign` is the kind of what has no other.
        let others =
            if query.kinds.iter().any(|kind| kind == "sign") { Some(find(index::not_sign())?) } else { None };
        let fits = |index: &u64| {
            of_kind.binary_search(index).is_ok()
                || others.as_ref().is_some_and(|others| others.binary_search(index).is_err())
        };
        Ok(match found {
            Some(found) => found.into_iter().filter(fits).collect(),
            None if others.is_none() => of_kind,
            None => range.filter(fits).collect(),
        })
    }
}

/// The part of `bounds` that lies in a place.
fn within(place: Place, bounds: (u64, u64)) -> Range<u64> {
    let (first, end) = match place {
        Place::From(number) => (number * SEGMENT, u64::MAX),
        Place::Segment(number) => (number * SEGMENT, (number + 1) * SEGMENT),
    };
    first.max(bounds.0)..end.min(bounds.1)
}

/// The first record of the first `end` that was sealed at or after `time`. Time grows with the index.
fn first_at(view: View<'_>, end: u64, time: Time) -> Result<u64, LogError> {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low + (high - low) / 2;
        let record = view.record(middle).map_err(LogError::unavailable)?;
        let sealed = record.and_then(|record| sealed_of(&record.leaf));
        let sealed = sealed.ok_or_else(|| {
            LogError::unavailable(format!("record {middle} does not say when it was sealed"))
        })?;
        if sealed < time { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

fn begins(view: View<'_>, end: u64, since: Option<Time>) -> Result<u64, LogError> {
    since.map_or(Ok(0), |since| first_at(view, end, since))
}

fn until(view: View<'_>, end: u64, until: Option<Time>) -> Result<u64, LogError> {
    until.map_or(Ok(end), |until| first_at(view, end, until))
}
