//! Backup: a copy of the log while it goes on, verified as it is made.
//!
//! Records are copied a page at a time, each hashed into a tree of its own; the last page, the head and what is open are
//! one short read. So the copy ends at a checkpoint, and its tree is known to lead to that checkpoint's root.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use proto::hash::Hash;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::frontier::Frontier;
use proto::proof::leaf::leaf_hash;

use super::anchor::{Anchor, AnchorPlace, Kept, OffHost};
use super::error::{LoadError, LogError};
use super::settings::Settings;
use super::signer::Signers;
use super::stops::StopFile;
use super::tree::detailed;
use super::{Log, load};
use crate::store::{HeadRow, IntentRow, KeptRequest, Readers, Store, StoreError, Stored, View};

/// Bytes of records copied at once.
const PAGE: usize = 1 << 20;
/// Records that the last read may hold: it is one read transaction.
const LAST: u64 = 4096;

/// A finished backup.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Backup {
    /// Records in it.
    pub size: u64,
    /// The checkpoint at which it ends.
    pub checkpoint: String,
}

impl Log {
    /// Copies the log into `directory`, which must be empty or new: `log.db`, `anchor` and `anchor.stops`, as
    /// [`super::open()`] wants them. `progress` is told how many records of how many have been copied.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] says what failed; what was copied until then is of no use.
    pub async fn backup(
        &self,
        directory: &Path,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<Backup, LogError> {
        let directory = directory.to_owned();
        let shared = Arc::clone(&self.shared);
        let readers = shared.readers.load_full().ok_or_else(|| LogError::unavailable("it is not loaded"))?;
        let copied =
            tokio::task::spawn_blocking(move || verified(&readers, &directory, &shared.signers, progress));
        match copied.await {
            Ok(Ok(backup)) => Ok(backup),
            Ok(Err(error)) => Err(LogError::unavailable(detailed(&error))),
            Err(panicked) => Err(LogError::unavailable(panicked)),
        }
    }
}

/// Copies, and loads the copy once.
pub(super) fn verified(
    readers: &Readers,
    directory: &Path,
    signers: &Signers,
    progress: impl FnMut(u64, u64),
) -> Result<Backup, LoadError> {
    let backup = copy(readers, directory, progress)?;
    let settings = Settings::new(directory, vec![AnchorPlace::File(directory.join("anchor"))]);
    load::load(&settings, signers, None, &OffHost::none())?;
    Ok(backup)
}

/// What the last read finds at one moment.
struct Rest {
    records: Vec<Stored>,
    head: HeadRow,
    counter: u64,
    intents: Vec<IntentRow<'static>>,
}

struct Copying {
    store: Store,
    frontier: Frontier,
}

fn copy(
    readers: &Readers,
    directory: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<Backup, LoadError> {
    std::fs::create_dir_all(directory).map_err(|source| LoadError::Io {
        doing: "making the directory",
        path: directory.to_owned(),
        source,
    })?;
    let meta = readers.read(|view| view.all_meta())?;
    let meta: Vec<(&str, &str)> = meta.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut copying = Copying { store: Store::create(directory, &meta)?, frontier: Frontier::new() };
    loop {
        let next = copying.frontier.size();
        let size = readers.read(|view| view.head())?.map_or(0, |head| head.size);
        progress(next, size);
        if size - next.min(size) <= LAST {
            break;
        }
        copying.records(readers.read(|view| view.records(next, size, PAGE))?)?;
    }
    let rest = readers.snapshot(|view| rest(view, copying.frontier.size()))?;
    let size = rest.head.size;
    let checkpoint = rest.head.checkpoint.clone();
    let controls = readers.read(|view| all_controls(view, size))?;
    let number = rest.counter;
    let open: HashSet<[u8; 16]> = rest.intents.iter().map(|intent| intent.operation).collect();
    copying.finish(rest, &controls)?;
    copying.requests(readers, |request| match request.index {
        Some(index) => index < size,
        None => open.contains(&request.operation),
    })?;
    progress(size, size);
    StopFile::create(&directory.join("anchor.stops"))?;
    Anchor::create(&directory.join("anchor"), &Kept { checkpoint: checkpoint.clone(), number })?;
    Ok(Backup { size, checkpoint })
}

fn rest(view: View<'_>, next: u64) -> Result<Rest, StoreError> {
    let head = view.head()?.ok_or(StoreError::Shape("the log has no head"))?;
    let mut records: Vec<Stored> = Vec::new();
    while next + (records.len() as u64) < head.size {
        let page = view.records(next + records.len() as u64, head.size, PAGE)?;
        if page.is_empty() {
            return Err(StoreError::Shape("a record is missing"));
        }
        records.extend(page);
    }
    Ok(Rest { records, counter: view.counter()?, intents: view.intents(0, u32::MAX)?, head })
}

fn all_controls(view: View<'_>, end: u64) -> Result<Vec<crate::store::ControlRow>, StoreError> {
    let mut all = view.controls(0, u32::MAX)?;
    all.retain(|row| row.index < end);
    Ok(all)
}

impl Copying {
    fn records(&mut self, records: Vec<Stored>) -> Result<(), LoadError> {
        let append = self.store.begin()?;
        let first = self.frontier.size();
        if records.iter().zip(first..).any(|(record, index)| record.index != index) {
            return Err(LoadError::Inconsistent(format!("a record after {first} is missing")));
        }
        append
            .insert_records(first, records.iter().map(|record| (&*record.leaf, record.detail.as_deref())))?;
        for record in &records {
            self.frontier.push(leaf_hash(&record.leaf));
        }
        let tiles = self.frontier.full_tiles().map_err(|e| LoadError::Inconsistent(e.to_string()))?;
        for tile in tiles {
            append.insert_tile(tile.level, tile.number, &tile.to_bytes())?;
        }
        append.commit()?;
        self.frontier.settle();
        self.store.checkpoint()?;
        Ok(())
    }

    /// Request ids, a page at a time: those that what was copied knows of.
    fn requests(&mut self, readers: &Readers, known: impl Fn(&KeptRequest) -> bool) -> Result<(), LoadError> {
        let mut after = (String::new(), String::new());
        loop {
            let page = readers.read(|view| view.requests((&after.0, &after.1), 1000))?;
            let Some(last) = page.last() else { break };
            after = (last.id.clone(), last.caller.clone());
            let append = self.store.begin()?;
            for request in page.iter().filter(|request| known(request)) {
                append.claim_request(&request.row())?;
            }
            append.commit()?;
        }
        self.store.truncate()?;
        Ok(())
    }

    fn finish(&mut self, rest: Rest, controls: &[crate::store::ControlRow]) -> Result<(), LoadError> {
        self.records(rest.records)?;
        let root = self.frontier.root();
        if root != Hash::from(rest.head.root) || self.frontier.size() != rest.head.size {
            let said = Checkpoint::parse(&rest.head.checkpoint).map(|said| said.root).unwrap_or(Hash::ZERO);
            return Err(LoadError::Inconsistent(format!(
                "the records lead to root {root}, the checkpoint says {said}"
            )));
        }
        let append = self.store.begin()?;
        for row in controls {
            append.insert_control(row)?;
        }
        append.open_intents(&rest.intents)?;
        append.set_counter(rest.counter)?;
        append.set_head(&rest.head)?;
        append.commit()?;
        Ok(())
    }
}
