//! The keys of the log through its life: read from its control records, and kept with the checkpoints that ended them.
//!
//! Which key signs which size is a function of the control records alone ([`proto::proof::keys`]): the completion of a
//! `log.rekey` is the last record of its commit, and the checkpoint of that commit is signed by both keys. Its text is put into
//! the store in the same transaction, because nobody can make it again once the old key is gone; a log without it does not load.
//!
//! Invariant: every head that the store holds verifies by the keys in force at its size
//! (`killed_around_the_change_of_its_key_a_log_loads_with_one_key`).

use std::sync::Arc;

use proto::proof::checkpoint::Checkpoint;
use proto::proof::keys::{LogKeys, ended};
use proto::proof::note::{self, Verifier};
use proto::proof::receipt::Receipt;
use proto::record::{Body, ControlRecord};

use super::Log;
use super::error::{LoadError, LogError};
use super::load::broken;
use super::signer::Signers;
use super::tree::{EdgeTiles, Tree, detailed};
use super::watch::Control;
use crate::store::View;

/// Control rows that are read at once.
const PAGE: u32 = 1000;

/// The name of the `meta` row that keeps the checkpoint by which the record with this index ended a key.
pub(super) fn row(index: u64) -> String {
    format!("log_key.ended.{index}")
}

/// The keys that the control records in the store name, before anything of it is proven: whoever reads them goes on to prove
/// the checkpoint by them, and the records by the checkpoint.
///
/// `first` is the first key of a log whose record 0 names none.
pub(super) fn named(view: View<'_>, first: &Verifier) -> Result<LogKeys, LoadError> {
    let mut keys: Option<LogKeys> = None;
    let mut next = 0;
    loop {
        let rows = view.controls(next, PAGE)?;
        let Some(last) = rows.last() else { break };
        next = last.index + 1;
        for row in rows.iter().filter(|row| row.index == 0 || row.kind == "ceremony.completed") {
            let Some(stored) = view.record(row.index)? else { continue };
            // One that cannot be read ends the walk along their chain, which comes after this.
            let Ok(record) = ControlRecord::parse(&stored.leaf) else { continue };
            follow(&mut keys, row.index, &record, first);
        }
    }
    keys.ok_or_else(|| broken("the log has no control record"))
}

/// The keys after one more control record.
fn follow(keys: &mut Option<LogKeys>, index: u64, record: &ControlRecord, first: &Verifier) {
    match keys {
        Some(keys) => {
            keys.take(index, record);
        }
        None => *keys = Some(begin(record, first)),
    }
}

/// The keys as of the first record: the one that its statement names, a `genesis` or a `log.recover`. Every instance's does; a
/// log whose first record names none is that of whoever opens it.
fn begin(record: &ControlRecord, first: &Verifier) -> LogKeys {
    let named = match &record.body {
        Body::Genesis { statement } => statement.pointer("/target/log_key").and_then(|key| key.as_str()),
        _ => None,
    };
    LogKeys::new(named.and_then(|key| key.parse().ok()).unwrap_or_else(|| first.clone()))
}

/// Whether these keys are those of the proven history, each end is kept, and this process can sign with the one in force.
pub(super) fn check(
    keys: &LogKeys,
    history: &[Control],
    view: View<'_>,
    signers: &Signers,
) -> Result<(), LoadError> {
    proven(keys, history, view, signers.first())?;
    if signers.find(keys.newest()).is_none() {
        return Err(broken(format!(
            "the log key in force is {}, and the configuration holds {}: put the right key back, as `key` or `next_key` in [log]",
            keys.newest(),
            signers.names()
        )));
    }
    Ok(())
}

/// Whether these keys are those of the proven history, and each end is kept.
pub(super) fn proven(
    keys: &LogKeys,
    history: &[Control],
    view: View<'_>,
    first: &Verifier,
) -> Result<(), LoadError> {
    let mut found: Option<LogKeys> = None;
    for control in history {
        follow(&mut found, control.index, &control.record, first);
    }
    if found.as_ref() != Some(keys) {
        return Err(broken("the control records name other log keys than their table led to"));
    }
    for end in keys.ends() {
        let text = view.meta(&row(end.index))?.ok_or_else(|| {
            broken(format!("the checkpoint with which record {} ended a log key is missing", end.index))
        })?;
        for key in [end.replaces, end.next] {
            let said = Checkpoint::verify(&text, key).map_err(|error| {
                broken(format!(
                    "the checkpoint with which record {} ended a log key: {}",
                    end.index,
                    detailed(&error)
                ))
            })?;
            if said.size != end.index + 1 {
                return Err(broken(format!(
                    "the checkpoint with which record {} ended a log key is of {} records",
                    end.index, said.size
                )));
            }
        }
    }
    Ok(())
}

/// What leads from each of these keys to the next, as far as a tree of this size holds it.
pub(super) fn ends(
    view: View<'_>,
    edge: &EdgeTiles,
    keys: &LogKeys,
    size: u64,
) -> Result<Vec<Receipt>, LogError> {
    let receipt = |index: u64| {
        let leaf = view.record(index).map_err(LogError::unavailable)?;
        let leaf = leaf.ok_or_else(|| LogError::Absent { what: format!("record {index}") })?.leaf;
        let path = Tree::of(view, index + 1, edge).inclusion(index)?;
        let checkpoint = view.meta(&row(index)).map_err(LogError::unavailable)?;
        let checkpoint = checkpoint.ok_or_else(|| LogError::Absent {
            what: format!("the checkpoint with which record {index} ended a log key"),
        })?;
        Ok(Receipt { leaf, index, path, checkpoint })
    };
    keys.ends().filter(|end| end.index < size).map(|end| receipt(end.index)).collect()
}

impl Log {
    /// The keys of this log, oldest first.
    pub fn keys(&self) -> Arc<LogKeys> {
        self.shared.keys.load_full()
    }

    /// The log's origin and its public key in force.
    pub fn verifier(&self) -> Verifier {
        self.shared.keys.load().newest().clone()
    }

    /// Whether this process can sign with a key.
    pub fn can_sign_with(&self, key: &Verifier) -> bool {
        self.shared.signers.find(key).is_some()
    }

    /// The newest released checkpoint, signed once more by the key in force and by another one that is to follow it.
    ///
    /// # Errors
    /// [`LogError::Malformed`] where this process cannot sign with one of them.
    pub fn signed_with(&self, next: &Verifier) -> Result<String, LogError> {
        let (head, keys) = (self.head(), self.keys());
        let by = [keys.newest(), next].into_iter();
        let signed = self.shared.signers.sign(by, head.size, head.root, head.control);
        signed.map_err(|error| LogError::Malformed { cause: detailed(&error).into() })
    }

    /// Whether a record that ends a log key could be signed for.
    pub(super) fn may_end(&self, record: &ControlRecord) -> Result<(), LogError> {
        match ended(record) {
            Some((_, next)) if !self.can_sign_with(next) => Err(LogError::Malformed {
                cause: format!("the private key of the next log key, {next}, is not configured").into(),
            }),
            _ => Ok(()),
        }
    }

    /// What leads from each key of this log to the next: the receipt of each end, by the checkpoint that both have signed.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where the log cannot be read.
    pub async fn key_ends(&self) -> Result<Vec<Receipt>, LogError> {
        let (keys, size) = (self.keys(), self.head().size);
        let shared = Arc::clone(&self.shared);
        // One that is not released yet is nobody's to see.
        self.reading(move |view| ends(view, &shared.edge, &keys, size)).await
    }

    /// The receipt of a record by a checkpoint that verifiers who know the log's keys up to this record believe: the newest one,
    /// or, where the key in force at the record has ended since, the one with which it ended. Of the latter the signature of
    /// the next key is there only where the record itself begins that.
    ///
    /// # Errors
    /// [`LogError`]; [`LogError::Overtaken`] where the log grew meanwhile.
    pub async fn receipt_of_its_key(&self, index: u64) -> Result<Receipt, LogError> {
        let keys = self.keys();
        let Some(end) = keys.ends().find(|end| end.index >= index) else {
            let proven = self.receipt(index, None).await?;
            let checkpoint = proven.checkpoint.ok_or(LogError::Overtaken)?.to_string();
            return Ok(Receipt { leaf: proven.leaf.to_vec(), index, path: proven.path, checkpoint });
        };
        let ends = self.key_ends().await?;
        let own = ends.into_iter().find(|receipt| receipt.index == end.index);
        let own = own.ok_or(LogError::Overtaken)?;
        if end.index == index {
            return Ok(own);
        }
        let note = note::parse(&own.checkpoint).map_err(LogError::unavailable)?;
        let checkpoint = note.only(end.replaces).to_string();
        let proven = self.receipt(index, Some(end.index + 1)).await?;
        Ok(Receipt { leaf: proven.leaf.to_vec(), index, path: proven.path, checkpoint })
    }
}
