//! Whether the stored tree extends what somebody else holds: an anchor, a process that had the log before, a client.

use std::path::Path;

use proto::hash::Hash;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::keys::LogKeys;

use super::anchor::{AnchorFailure, Kept, OffHost, Reading};
use super::error::LoadError;
use super::load::broken;
use super::tree::{EdgeTiles, Tree, detailed};
use crate::store::{HeadRow, View};

/// How a stored tree stands to a checkpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Relation {
    /// It goes on from there.
    Extended,
    /// It has fewer records.
    Ahead,
    /// It has as many or more, and others.
    Forked,
}

/// A loaded log's rows that are held against what others hold.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) view: View<'a>,
    pub(super) head: &'a HeadRow,
    /// The highest operation number given out.
    pub(super) counter: u64,
    pub(super) keys: &'a LogKeys,
}

impl Stored<'_> {
    /// The tree extends what an anchor keeps.
    pub(super) fn extends(&self, kept: &Kept, name: &str) -> Result<(), LoadError> {
        let anchored = self.covers(&kept.checkpoint, &format!("the anchor {name}"))?;
        if self.counter < kept.number {
            return Err(broken(format!(
                "the anchor {name} saw operation {}, the store has given out {}: the store was rolled back",
                kept.number, self.counter
            )));
        }
        tracing::debug!(anchor = name, anchored, size = self.head.size, "the tree extends its anchor");
        Ok(())
    }

    /// The tree extends a checkpoint of this log that `name` holds.
    pub(super) fn covers(&self, checkpoint: &str, name: &str) -> Result<u64, LoadError> {
        let (held, relation) = self.relation(checkpoint, name)?;
        match relation {
            Relation::Extended => Ok(held.size),
            Relation::Ahead => Err(broken(format!(
                "{name} holds a checkpoint of {} records, the store has {}: {} are missing. The store was rolled back or \
                 damaged; put the right one back, or recover the log (`countersignd recover`)",
                held.size,
                self.head.size,
                held.size - self.head.size
            ))),
            Relation::Forked => Err(broken(format!(
                "{name} holds another tree of {} records than the store: the log was rewritten",
                held.size
            ))),
        }
    }

    /// How the tree stands to a checkpoint that `name` holds, which this log's keys have signed.
    pub(super) fn relation(&self, checkpoint: &str, name: &str) -> Result<(Checkpoint, Relation), LoadError> {
        let (view, head) = (self.view, self.head);
        let held = self
            .keys
            .verify(checkpoint)
            .map_err(|e| broken(format!("{name} holds no checkpoint of this log: {}", detailed(&e))))?;
        if held.size > head.size {
            return Ok((held, Relation::Ahead));
        }
        let root = if held.size == head.size {
            Hash::from(head.root)
        } else {
            let edge = EdgeTiles::default();
            Tree::of(view, head.size, &edge).root(held.size).map_err(|e| broken(detailed(&e)))?
        };
        let relation = if root == held.root { Relation::Extended } else { Relation::Forked };
        Ok((held, relation))
    }

    /// A checkpoint that somebody presented and that a tree did not extend refuses every start that does not extend it.
    pub(super) fn presented(&self, path: &Path) -> Result<(), LoadError> {
        match std::fs::read_to_string(path) {
            Ok(checkpoint) => {
                self.covers(&checkpoint, &format!("what was presented ({})", path.display())).map(|_size| ())
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(LoadError::Io { doing: "reading", path: path.to_owned(), source }),
        }
    }

    /// What the places off the host answered: what each keeps, where it answered and the tree extends it. One that does
    /// not answer is an alarm, because a file agrees.
    ///
    /// # Errors
    /// Where one is missing, holds something else, or contradicts.
    pub(super) fn off_host(
        &self,
        places: &OffHost,
        reading: Reading,
        patience: std::time::Duration,
    ) -> Result<Vec<Option<Kept>>, LoadError> {
        let mut agreed = Vec::new();
        for (position, (name, answer)) in reading.wait(patience).into_iter().enumerate() {
            match answer {
                Ok(kept) => {
                    self.extends(&kept, &name)?;
                    agreed.push(Some(kept));
                }
                Err(AnchorFailure::Missing) => {
                    return Err(LoadError::Gone { what: "anchor", place: name.to_string() });
                }
                Err(failure @ (AnchorFailure::Wrong(_) | AnchorFailure::Taken)) => {
                    return Err(broken(format!(
                        "the anchor {name} holds no checkpoint of this log: {failure}"
                    )));
                }
                Err(AnchorFailure::Away(cause)) => {
                    places.alarm(position, &cause);
                    agreed.push(None);
                }
            }
        }
        Ok(agreed)
    }
}
