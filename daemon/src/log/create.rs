//! Making a log: once, by `init`, or by `recover` in place of another one.

use std::path::Path;

use proto::canonical::Map;
use proto::hash::Hash;
use proto::proof::frontier::Frontier;
use proto::proof::leaf::leaf_hash;
use proto::record::{Actor, Body, ControlDetail, RecordError};
use serde_json::Value;

use super::anchor::{Anchor, Kept};
use super::error::{CreateError, LoadError};
use super::settings::Settings;
use super::signer::LogKey;
use super::stops::StopFile;
use super::{ControlDraft, Fresh};
use crate::store::{ControlRow, HeadRow, Store, StoreError, StoreLock};

impl ControlDraft {
    /// Record 0: the statement that begins the log, with what it names and what people signed as documents of the detail.
    ///
    /// # Errors
    /// [`RecordError::Canonical`].
    pub fn genesis(
        fresh: Fresh,
        actor: Actor,
        statement: Value,
        documents: Map<String>,
    ) -> Result<Self, RecordError> {
        let detail = ControlDetail { documents, reason: None, salt: fresh.salt.clone() };
        let (detail, _named_by_the_leaf) = detail.encode()?;
        Ok(Self { detail: Some(detail), ..Self::new(fresh, actor, Body::Genesis { statement }) })
    }
}

/// Makes store, first anchors and stop file, with these first records (the first is the genesis), and returns the first
/// checkpoint.
///
/// The store comes last: a crash before it is complete leaves files that `init` names and refuses to overwrite, never a
/// log that would load.
///
/// # Errors
/// [`CreateError`]; files that are in the way are left alone.
pub fn create(settings: &Settings, key: &LogKey, first: Vec<ControlDraft>) -> Result<String, CreateError> {
    let stop_file = settings.stop_file().ok_or(CreateError::NoAnchor)?;
    let genesis_first =
        first.iter().enumerate().all(|(at, draft)| (at == 0) == matches!(draft.body, Body::Genesis { .. }));
    if first.is_empty() || !genesis_first {
        return Err(CreateError::Genesis);
    }
    let _lock = StoreLock::take(&settings.state_directory)?;
    let store_path = Store::path_in(&settings.state_directory);
    if let Some(place) = settings.anchors.iter().find(|place| place.is_off_host()) {
        return Err(CreateError::OffHost { place: place.to_string() });
    }
    let anchors = settings.files().map(Path::to_owned);
    for path in anchors.chain([stop_file.clone(), store_path]) {
        if path.exists() {
            return Err(StoreError::Exists { path }.into());
        }
    }
    let meta = meta(&first, key)?;
    let meta: Vec<(&str, &str)> = meta.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut store = Store::create(&settings.state_directory, &meta)?;
    let checkpoint = fill(&mut store, key, first)?;
    StopFile::create(&stop_file)?;
    for path in settings.files() {
        Anchor::create(path, &Kept { checkpoint: checkpoint.clone(), number: 0 })?;
    }
    store.truncate()?;
    Ok(checkpoint)
}

/// Names of the log, copied from the genesis statement; compared at load, never believed.
fn meta(first: &[ControlDraft], key: &LogKey) -> Result<Vec<(String, String)>, CreateError> {
    let mut meta = vec![("origin".to_owned(), key.origin().to_owned())];
    let Some(Body::Genesis { statement }) = first.first().map(|draft| &draft.body) else {
        return Err(CreateError::Genesis);
    };
    let bytes = proto::canonical::to_vec(statement).map_err(RecordError::from)?;
    meta.push(("genesis_sha256".to_owned(), Hash::of(&bytes).to_string()));
    for name in ["instance", "mode"] {
        if let Some(value) = statement.get(name).and_then(|value| value.as_str()) {
            meta.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(meta)
}

fn fill(store: &mut Store, key: &LogKey, first: Vec<ControlDraft>) -> Result<String, CreateError> {
    let mut frontier = Frontier::new();
    let mut control = (0, Hash::ZERO);
    let append = store.begin()?;
    for draft in first {
        let sealed = draft.asked;
        let job = draft.job().map_err(|e| RecordError::Bounds(e.to_string()))?;
        let row = ControlRow {
            index: frontier.size(),
            kind: job.record.body.kind().to_owned(),
            subject: job.subject(),
        };
        let leaf = job.draft.stamp(sealed, false, &control.1);
        control = (frontier.push(leaf_hash(&leaf)), leaf_hash(&leaf));
        append.insert_records(control.0, std::iter::once((&*leaf, job.detail.as_deref())))?;
        append.insert_control(&row)?;
    }
    for tile in frontier.full_tiles().map_err(|e| LoadError::Inconsistent(e.to_string()))? {
        append.insert_tile(tile.level, tile.number, &tile.to_bytes())?;
    }
    let (size, root) = (frontier.size(), frontier.root());
    let checkpoint = key.checkpoint(size, root, control).map_err(|e| CreateError::Key(e.to_string()))?;
    append.set_head(&HeadRow {
        size,
        root: *root.as_bytes(),
        checkpoint: checkpoint.clone(),
        frontier: frontier.nodes().iter().flat_map(|node| *node.as_bytes()).collect(),
        epoch: 0,
        control: control.0,
    })?;
    append.commit()?;
    Ok(checkpoint)
}

impl From<super::error::LogError> for LoadError {
    fn from(error: super::error::LogError) -> Self {
        Self::Inconsistent(error.to_string())
    }
}
