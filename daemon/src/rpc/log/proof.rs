//! Proofs as messages.

use proto::proof::leaf::leaf_hash;
use proto::proof::receipt::Receipt;
use proto::wire::{receipt as wire, v1};

use crate::log::{Extension, Proven};

fn text(checkpoint: Option<&std::sync::Arc<str>>) -> String {
    checkpoint.map(ToString::to_string).unwrap_or_default()
}

/// A full receipt. Against an older tree it has no checkpoint: only the newest one is kept.
pub fn receipt(proven: Proven) -> v1::Receipt {
    let checkpoint = text(proven.checkpoint.as_ref());
    wire::full(proven.index, &proven.leaf_hash, proven.leaf, &proven.path, &checkpoint)
}

/// The end of a log key.
pub fn end(end: &Receipt) -> v1::Receipt {
    wire::full(end.index, &leaf_hash(&end.leaf), end.leaf.clone().into(), &end.path, &end.checkpoint)
}

/// Inclusion alone.
pub fn inclusion(proven: &Proven) -> v1::GetInclusionProofResponse {
    v1::GetInclusionProofResponse {
        log_index: proven.index,
        tree_size: proven.size,
        path: wire::path(&proven.path),
        root_hash: proven.root.as_bytes().to_vec(),
        checkpoint: text(proven.checkpoint.as_ref()),
    }
}

/// That one tree extends another.
pub fn consistency(extension: &Extension) -> v1::GetConsistencyProofResponse {
    v1::GetConsistencyProofResponse {
        old_size: extension.old.0,
        new_size: extension.new.0,
        path: wire::path(&extension.path),
        old_root_hash: extension.old.1.as_bytes().to_vec(),
        new_root_hash: extension.new.1.as_bytes().to_vec(),
        checkpoint: text(extension.checkpoint.as_ref()),
    }
}
