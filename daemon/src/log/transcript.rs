//! What a transcript is made of, read in one go: control records, details, and proofs in the tree of one checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use ceremonies::statement::CeremonyId;
use ceremonies::transcript::{Parts, Transcript};

use super::Log;
use super::error::LogError;
use super::tree::{Tree, detailed};

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
            let record = |index: u64| {
                let found = view.record(index).map_err(LogError::unavailable)?;
                found.ok_or_else(|| LogError::Absent { what: format!("record {index}") })
            };
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
                    control.push((row.index, record(row.index)?.leaf));
                }
            }
            let mut details = BTreeMap::new();
            for index in std::iter::once(0).chain(material.details) {
                if let Some(detail) = record(index)?.detail {
                    details.insert(index, detail);
                }
            }
            let possessions = material.possessions.into_iter().map(|index| Ok(record(index)?.leaf));
            let parts = Parts {
                control,
                details,
                possessions: possessions.collect::<Result<_, LogError>>()?,
                checkpoint: material.checkpoint.to_string(),
                // This version changes no roster.
                rosters: BTreeMap::new(),
            };
            let tree = Tree::of(view, material.size, &shared.edge);
            Transcript::assemble(material.ceremony, parts, &tree.nodes())
                .map_err(|error| LogError::unavailable(detailed(&error)))
        })
        .await
    }
}
