//! Proofs that records and older heads are in the checkpoint's tree.

use std::collections::{BTreeMap, BTreeSet};

use proto::canonical;
use proto::hash::Hash;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::span::{BuildError, Nodes};
use proto::proof::{consistency, inclusion, note};
use serde::{Deserialize, Serialize};

use super::invalid::{At, hold};
use super::{Invalid, Step};
use crate::statement::Head;

/// The one schema of proofs that this version knows.
const SCHEMA: &str = "countersign.transcript-proofs.v0";

/// That the tree of the checkpoint extends the tree of this size.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Extends {
    path: Vec<Hash>,
    size: u64,
}

/// That the record with this index is in the tree of the checkpoint.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Includes {
    index: u64,
    path: Vec<Hash>,
}

/// `proofs.json`: both lists sorted, each entry once, none that nobody needs.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Proofs {
    consistency: Vec<Extends>,
    inclusion: Vec<Includes>,
    schema: String,
}

/// Sizes of the heads that need a proof: every tree extends the empty one.
fn sizes(heads: &[Head]) -> BTreeSet<u64> {
    heads.iter().map(|head| head.size).filter(|size| *size > 0).collect()
}

impl Proofs {
    pub(super) fn build<N: Nodes + ?Sized>(
        heads: &[Head],
        indices: &BTreeSet<u64>,
        tree: u64,
        nodes: &N,
    ) -> Result<Self, BuildError<N::Error>> {
        let extends = |size| Ok(Extends { path: consistency::path(size, tree, nodes)?, size });
        let includes =
            |index: &u64| Ok(Includes { index: *index, path: inclusion::path(*index, tree, nodes)? });
        Ok(Self {
            consistency: sizes(heads).into_iter().map(extends).collect::<Result<_, _>>()?,
            inclusion: indices.iter().map(includes).collect::<Result<_, _>>()?,
            schema: SCHEMA.to_owned(),
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        canonical::to_vec(self).expect("proofs have string keys alone")
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        let proofs: Self = canonical::from_slice(bytes).at(Step::Proofs, "proofs.json")?;
        hold(proofs.schema == SCHEMA, Step::Proofs, || {
            format!("proofs.json has another schema than `{SCHEMA}`: use a newer version")
        })?;
        Ok(proofs)
    }

    /// Checks that these heads and leaves, and no others, are proven to be in the checkpoint's tree.
    pub(super) fn check(
        &self,
        heads: &[Head],
        leaves: &BTreeMap<u64, Hash>,
        checkpoint: &Checkpoint,
    ) -> Result<(), Invalid> {
        let (root, tree) = (&checkpoint.root, checkpoint.size);
        let there: Vec<u64> = self.consistency.iter().map(|proof| proof.size).collect();
        hold(there.iter().copied().eq(sizes(heads)), Step::Proofs, || {
            "there is not exactly one consistency proof for each head that the statement or an act names"
                .to_owned()
        })?;
        for head in heads {
            let path = self.consistency.iter().find(|proof| proof.size == head.size);
            let path = path.map_or(&[][..], |proof| proof.path.as_slice());
            consistency::verify(head.size, &head.root, tree, root, path)
                .at(Step::Proofs, format_args!("the head of {} records", head.size))?;
        }
        let there: Vec<u64> = self.inclusion.iter().map(|proof| proof.index).collect();
        hold(there.iter().eq(leaves.keys()), Step::Proofs, || {
            "there is not exactly one inclusion proof for each record of the ceremony".to_owned()
        })?;
        for (proof, leaf) in self.inclusion.iter().zip(leaves.values()) {
            inclusion::verify(leaf, proof.index, tree, &proof.path, root)
                .at(Step::Proofs, format_args!("record {}", proof.index))?;
        }
        Ok(())
    }
}

/// The size of the tree of a checkpoint that is not verified yet.
pub(super) fn checkpoint_size(text: &str) -> Result<u64, Invalid> {
    let note = note::parse(text).at(Step::Checkpoint, "checkpoint.txt")?;
    Ok(Checkpoint::parse(note.text()).at(Step::Checkpoint, "checkpoint.txt")?.size)
}
