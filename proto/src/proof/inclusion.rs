//! Inclusion proofs: this leaf is in that tree (RFC 6962, section 2.1.1; checked as RFC 9162, section 2.1.3.2).

use crate::hash::Hash;

use super::ProofError;
use super::leaf::node_hash;
use super::span::{self, BuildError, Nodes, Span};

/// Checks that the leaf with hash `leaf` is number `index` of the tree with `size` leaves and root `root`.
///
/// `path` is ordered from the leaf's sibling up to the root's child.
///
/// # Errors
/// [`ProofError`] says which part does not fit; nothing is proved then.
pub fn verify(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), ProofError> {
    let expected = length(index, size)?;
    if path.len() != expected {
        return Err(ProofError::Length { expected, found: path.len() });
    }
    let (mut place, mut last, mut computed) = (index, size - 1, *leaf);
    for sibling in path {
        if place & 1 == 1 || place == last {
            computed = node_hash(sibling, &computed);
            // A ragged edge has no sibling on some levels: climb to the next one that has.
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            computed = node_hash(&computed, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    if computed == *root { Ok(()) } else { Err(ProofError::Root { expected: *root, computed }) }
}

/// How many hashes the path of leaf `index` has in a tree of `size` leaves.
///
/// # Errors
/// [`ProofError::OutsideTree`].
pub fn length(index: u64, size: u64) -> Result<usize, ProofError> {
    if index >= size {
        return Err(ProofError::OutsideTree { index, size });
    }
    // Below the level where the leaf's way meets the right edge every level has a sibling, above it only left ones.
    let inner = u64::BITS - (index ^ (size - 1)).leading_zeros();
    let border = index.checked_shr(inner).unwrap_or(0).count_ones();
    Ok((inner + border) as usize)
}

/// The spans whose roots are the path of leaf `index`, from the leaf up.
///
/// # Errors
/// [`ProofError::OutsideTree`].
pub fn spans(index: u64, size: u64) -> Result<Vec<Span>, ProofError> {
    let mut spans = Vec::with_capacity(length(index, size)?);
    let mut rest = Span::whole(size);
    while rest.len() > 1 {
        let (left, right) = rest.split();
        let (into, beside) = if index < left.end() { (left, right) } else { (right, left) };
        spans.push(beside);
        rest = into;
    }
    spans.reverse();
    Ok(spans)
}

/// Builds the path of leaf `index` in the tree of the first `size` leaves.
///
/// Reads at most two nodes for each level of the tree.
///
/// # Errors
/// [`BuildError::Position`] when the leaf is outside the tree, [`BuildError::Source`] when a node cannot be read.
pub fn path<N: Nodes + ?Sized>(index: u64, size: u64, nodes: &N) -> Result<Vec<Hash>, BuildError<N::Error>> {
    span::resolve(&spans(index, size).map_err(BuildError::Position)?, nodes)
}
