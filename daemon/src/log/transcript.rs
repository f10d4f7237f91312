//! What a transcript is made of, read in one go: control records, details, and proofs in the tree of one checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use ceremonies::statement::CeremonyId;
use ceremonies::transcript::{Files, Governs, Parts, Transcript};
use proto::proof::receipt::Receipt;

use super::Log;
use super::error::LogError;
use super::tree::{EdgeTiles, Tree, detailed};
use crate::store::{Stored, View};

/// Control records that are read at once.
const PAGE: u32 = 1000;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Material {
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// The newest control record that belongs to it, by index.
    pub newest: u64,
    /// Records whose details belong to it.
    pub details: Vec<u64>,
    /// The records of the proofs of possession.
    pub possessions: Vec<u64>,
    /// A signed checkpoint that holds them all.
    pub checkpoint: Arc<str>,
    /// The size of its tree.
    pub size: u64,
    /// The ceremonies that made the rosters and guardrails before, in their order.
    pub made: Vec<Forebear>,
}

/// A ceremony that made a roster or guardrails, with its end.
#[derive(Clone, Debug)]
pub struct Forebear {
    /// What it made.
    pub what: Governs,
    /// What its transcript is made of; what was made before is not read from there.
    pub material: Material,
    /// The record of its completion.
    pub completion: u64,
    /// A signed checkpoint that holds that: the same one in every transcript that this ceremony stands in.
    pub proven: Arc<str>,
    /// The size of its tree.
    pub proven_size: u64,
}

impl Log {
    /// The transcript of a ceremony, up to but without its completion. The same material gives the same bytes.
    ///
    /// # Errors
    /// [`LogError::Absent`] where a record is missing, [`LogError::Unavailable`] where the log cannot be read, or its
    /// records make no transcript.
    pub async fn transcript(&self, material: Material) -> Result<Transcript, LogError> {
        let shared = Arc::clone(&self.shared);
        self.reading(move |view| {
            let all = made(view, &shared.edge, &material.made)?;
            assemble(view, &shared.edge, &material, all)
        })
        .await
    }
}

/// The transcripts of ceremonies that made rosters and guardrails, in their order, each with its completion.
pub(super) fn made(
    view: View<'_>,
    edge: &EdgeTiles,
    forebears: &[Forebear],
) -> Result<BTreeMap<Governs, Files>, LogError> {
    let mut all = BTreeMap::new();
    for earlier in forebears {
        let made = assemble(view, edge, &earlier.material, all.clone())?;
        let path = Tree::of(view, earlier.proven_size, edge).inclusion(earlier.completion)?;
        let receipt = Receipt {
            leaf: stored(view, earlier.completion)?.leaf,
            index: earlier.completion,
            path,
            checkpoint: earlier.proven.to_string(),
        };
        all.insert(earlier.what, made.with_completion(receipt.to_string()));
    }
    Ok(all)
}

pub(super) fn stored(view: View<'_>, index: u64) -> Result<Stored, LogError> {
    let found = view.record(index).map_err(LogError::unavailable)?;
    found.ok_or_else(|| LogError::Absent { what: format!("record {index}") })
}

fn assemble(
    view: View<'_>,
    edge: &EdgeTiles,
    material: &Material,
    made: BTreeMap<Governs, Files>,
) -> Result<Transcript, LogError> {
    let mut control = Vec::new();
    let mut next = 0;
    'all: loop {
        let rows = view.controls(next, PAGE).map_err(LogError::unavailable)?;
        let Some(last) = rows.last() else { break };
        next = last.index + 1;
        for row in &rows {
            if row.index > material.newest {
                break 'all;
            }
            control.push((row.index, stored(view, row.index)?.leaf));
        }
    }
    let mut details = BTreeMap::new();
    for index in std::iter::once(0).chain(material.details.iter().copied()) {
        if let Some(detail) = stored(view, index)?.detail {
            details.insert(index, detail);
        }
    }
    let possessions = material.possessions.iter().map(|index| Ok(stored(view, *index)?.leaf));
    let parts = Parts {
        control,
        details,
        possessions: possessions.collect::<Result<_, LogError>>()?,
        checkpoint: material.checkpoint.to_string(),
        made,
    };
    let tree = Tree::of(view, material.size, edge);
    Transcript::assemble(material.ceremony, parts, &tree.nodes())
        .map_err(|error| LogError::unavailable(detailed(&error)))
}
