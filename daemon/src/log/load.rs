//! Loading: the one path by which a log comes to life, at start and after every failed commit.
//!
//! In this order: empty the WAL, check the checkpoint's signature by the keys that its control records name, compute the root
//! again from the tiles and the newest leaves, walk the chain of control records, hold the tree against every anchor. It reads
//! O(log n) tiles and the control records, never the log. It creates nothing and repairs nothing; what contradicts itself is an
//! error.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use proto::hash::Hash;
use proto::operation::OperationId;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::frontier::Frontier;
use proto::proof::keys::LogKeys;
use proto::proof::leaf::leaf_hash;
use proto::proof::tile;
use proto::record::{ControlRecord, kind};
use proto::time::Time;
use serde::Deserialize;

use super::anchor::{Anchor, Kept, OffHost};
use super::error::LoadError;
use super::settings::Settings;
use super::signer::Signers;
use super::tree::detailed;
use super::watch::{Control, Head};
use super::{judge, keys};
use crate::ahead;
use crate::store::{ControlPage, ControlStored, HeadRow, Store, StoreError, View};

/// How long a start waits for the anchors off the host: as long as they may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long loading again waits for them. This process remembers what it has released, and callers wait.
const SHORT: Duration = Duration::from_secs(1);

/// Control records that are read at once.
const PAGE: u32 = 100;
/// And their bytes, about.
const PAGE_BYTES: usize = 4 << 20;

/// A log in memory: its edge, its newest facts, its control records.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) store: Store,
    pub(super) frontier: Frontier,
    pub(super) head: Arc<Head>,
    pub(super) epoch: u64,
    pub(super) counter: u64,
    /// When the newest record was sealed.
    pub(super) sealed: Time,
    pub(super) history: Vec<Control>,
    /// Which keys sign which checkpoints.
    pub(super) keys: LogKeys,
    pub(super) anchors: Vec<Anchor>,
    /// What each anchor off the host keeps, where it has answered.
    pub(super) off_host: Vec<Option<Kept>>,
}

impl Loaded {
    /// Operations of control records: a stop that is among them is in the log.
    pub(super) fn operations(&self) -> HashSet<OperationId> {
        self.history.iter().map(|control| control.record.operation).collect()
    }
}

pub(super) fn broken(what: impl Into<String>) -> LoadError {
    LoadError::Inconsistent(what.into())
}

/// Loads the log. `released` is the newest checkpoint that this process has released, if it has had the log before: an
/// anchor that the process keeps in memory, which nobody can replace together with the store.
pub(super) fn load(
    settings: &Settings,
    signers: &Signers,
    released: Option<&str>,
    off_host: &OffHost,
) -> Result<Loaded, LoadError> {
    // They answer while the store is read.
    let reading = off_host.read();
    let store = Store::open(&settings.state_directory)?;
    let view = store.view();
    let keys = keys::named(view, signers.first())?;
    let (head, checkpoint) = signed_head(view, signers.origin(), &keys)?;
    let frontier = edge(view, &head, &checkpoint)?;
    let sealed = newest_time(view, head.size)?;
    let counter = view.counter()?;
    let control =
        checkpoint.control.ok_or_else(|| broken("the newest checkpoint names no control record"))?;
    let history = chain(view, control, head.control)?;
    keys::check(&keys, &history, view, signers)?;
    let stored = judge::Stored { view, head: &head, counter, keys: &keys };
    let mut anchors = Vec::new();
    for path in settings.files() {
        let (anchor, kept) = Anchor::open(path)?;
        stored.extends(&kept, &path.display().to_string())?;
        anchors.push(anchor);
    }
    if let Some(path) = settings.presented_file() {
        stored.presented(&path)?;
    }
    if let Some(released) = released {
        stored.covers(released, "this process")?;
    }
    let patience = if released.is_some() { SHORT } else { PATIENCE };
    let off_host = stored.off_host(off_host, reading, patience)?;
    // Only now, when no anchor disagrees: from here on each is exact again.
    for anchor in &mut anchors {
        anchor.write(&Kept { checkpoint: head.checkpoint.clone(), number: counter })?;
        anchor.sync()?;
    }
    let head_row = head;
    let head = Arc::new(Head {
        size: head_row.size,
        root: checkpoint.root,
        checkpoint: head_row.checkpoint.into(),
        control,
    });
    let epoch = head_row.epoch;
    Ok(Loaded { store, frontier, head, epoch, counter, sealed, history, keys, anchors, off_host })
}

/// The head row, and the checkpoint in it, signed by the keys in force at its size and equal to the row. `origin` is the name that
/// the log is expected to have.
pub(super) fn signed_head(
    view: View<'_>,
    origin: &str,
    keys: &LogKeys,
) -> Result<(HeadRow, Checkpoint), LoadError> {
    let head =
        view.head()?.ok_or_else(|| broken("the log has no head: it was never finished; make it again"))?;
    if let Some(found) = view.meta("origin")?
        && found != origin
    {
        return Err(broken(format!("the log's origin is {found}, the log key's is {origin}")));
    }
    let checkpoint = keys
        .verify(&head.checkpoint)
        .map_err(|e| broken(format!("the newest checkpoint: {}", detailed(&e))))?;
    if checkpoint.size != head.size || checkpoint.root.as_bytes() != &head.root {
        return Err(broken("the head row and its checkpoint differ"));
    }
    let stored = view.end()?;
    if stored != head.size {
        return Err(broken(format!(
            "the newest checkpoint covers {} records, the store holds {stored}",
            head.size
        )));
    }
    Ok((head, checkpoint))
}

/// The tree's right edge from full tiles and the newest leaves; its root is the checkpoint's.
pub(super) fn edge(view: View<'_>, head: &HeadRow, checkpoint: &Checkpoint) -> Result<Frontier, LoadError> {
    let first = head.size - head.size % tile::WIDTH as u64;
    let mut tail = Vec::new();
    while first + (tail.len() as u64) < head.size {
        let records = view.records(first + tail.len() as u64, head.size, 4 << 20)?;
        if records.is_empty() {
            return Err(broken(format!("record {} is missing", first + tail.len() as u64)));
        }
        for record in records {
            if record.index != first + tail.len() as u64 {
                return Err(broken(format!("record {} is missing", first + tail.len() as u64)));
            }
            tail.push(leaf_hash(&record.leaf));
        }
    }
    let frontier = Frontier::restore(head.size, tail, |level, number| -> Result<Vec<Hash>, StoreError> {
        let bytes = view.tile(level, number)?.ok_or(StoreError::Shape("a full tile is missing"))?;
        tile::decode_hashes(&bytes, tile::WIDTH)
            .map_err(|_short| StoreError::Shape("a tile does not have 256 hashes"))
    })
    .map_err(|e| broken(detailed(&e)))?;
    if frontier.root() != checkpoint.root {
        return Err(broken(format!(
            "tiles and newest records lead to root {}, the newest checkpoint says {}",
            frontier.root(),
            checkpoint.root
        )));
    }
    let stored: Vec<u8> = frontier.nodes().iter().flat_map(|node| *node.as_bytes()).collect();
    if stored != head.frontier {
        return Err(broken("the head row's frontier is not that of its tree"));
    }
    Ok(frontier)
}

/// When a leaf was sealed.
pub(super) fn sealed_of(leaf: &[u8]) -> Option<Time> {
    #[derive(Deserialize)]
    struct Sealed {
        time: At,
    }
    #[derive(Deserialize)]
    struct At {
        sealed: Time,
    }
    serde_json::from_slice::<Sealed>(leaf).ok().map(|record| record.time.sealed)
}

pub(super) fn newest_time(view: View<'_>, size: u64) -> Result<Time, LoadError> {
    let last = size.checked_sub(1).ok_or_else(|| broken("the log is empty"))?;
    let record = view.record(last)?.ok_or_else(|| broken("the newest record is missing"))?;
    sealed_of(&record.leaf).ok_or_else(|| broken("the newest record does not say when it was sealed"))
}

/// Pages of control records as they are stored.
fn stored(view: View<'_>) -> impl Iterator<Item = Result<ControlPage, LoadError>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let page = view.control_records(next, PAGE, PAGE_BYTES, kind::needs_detail);
        if let Ok(rows) = &page {
            next = rows.last()? + 1;
        }
        Some(page.map_err(LoadError::from))
    })
}

/// The control records of a page, read; what is before each is another thing.
fn read(page: &ControlPage) -> Vec<Result<Control, LoadError>> {
    let mut read = Vec::with_capacity(page.len());
    read.extend(page.rows().map(read_one));
    read
}

fn read_one(stored: ControlStored<'_>) -> Result<Control, LoadError> {
    let ControlStored { index, kind, leaf, detail } = stored;
    let leaf = leaf.ok_or_else(|| broken(format!("control record {index} is missing")))?;
    let record = ControlRecord::parse_as(kind, leaf).map_err(|cause| LoadError::Record { index, cause })?;
    if record.body.kind() != kind {
        return Err(broken(format!("the table of control records says that {index} is a `{kind}`")));
    }
    // The one that its leaf names.
    if record.body.needs_detail() && detail.as_deref().map(Hash::of) != record.detail {
        return Err(broken(format!(
            "the detail of control record {index} is not the one that its leaf names"
        )));
    }
    Ok(Control { index, hash: leaf_hash(leaf), record, detail })
}

/// Walks the control records from the first to the one that the checkpoint names; each names the one before.
pub(super) fn chain(view: View<'_>, newest: (u64, Hash), row: u64) -> Result<Vec<Control>, LoadError> {
    let mut history: Vec<Control> = Vec::new();
    let mut follows = |control: Control| {
        let index = control.index;
        let last = history.last();
        if last.is_none() != (index == 0) {
            return Err(broken("the chain of control records does not begin with record 0"));
        }
        if control.record.previous != last.map_or(Hash::ZERO, |last| last.hash) {
            let before = last.map_or(0, |last| last.index);
            return Err(broken(format!(
                "the chain of control records is broken between {before} and {index}: one was removed or changed, \
                 perhaps to hide a stop"
            )));
        }
        history.push(control);
        Ok(())
    };
    view.once_through(|| {
        ahead::in_order(
            stored(view),
            |page| read(&page),
            |page| page.into_iter().try_for_each(|control| follows(control?)),
        )
    })?;
    match history.last() {
        Some(last) if (last.index, last.hash) == newest && last.index == row => Ok(history),
        last => Err(broken(format!(
            "the newest checkpoint names control record {}, the table ends with {}: a control record was removed",
            newest.0,
            last.map_or("none".into(), |last| last.index.to_string())
        ))),
    }
}
