//! Runs of leaves that form one subtree, and where their hashes come from.
//!
//! Every hash in a proof is the root of a [`Span`]: either a perfect subtree, which is one stored node, or the
//! ragged right edge, which is folded from a few. Proof building is therefore "name the spans, fetch their nodes",
//! and the naming part needs no storage at all.

use crate::hash::Hash;

use super::leaf::{empty_root, node_hash};

/// A perfect subtree: the node at `level` (0 is the leaves) and `index`, over the leaves
/// `index * 2^level .. (index + 1) * 2^level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Height above the leaves, 0 to 63.
    pub level: u32,
    /// Position among the nodes of this level, from 0.
    pub index: u64,
}

/// Where the hashes of perfect subtrees come from: tiles, a database, memory.
///
/// Only nodes whose subtree is complete are ever asked for. Closures of the same shape are sources too.
pub trait Nodes {
    /// What may go wrong when reading.
    type Error;

    /// The hash of the perfect subtree at `level` and `index`.
    ///
    /// # Errors
    /// Whatever the source reports.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

impl<F, E> Nodes for F
where
    F: Fn(u32, u64) -> Result<Hash, E>,
{
    type Error = E;

    fn node(&self, level: u32, index: u64) -> Result<Hash, E> {
        self(level, index)
    }
}

/// Why a proof could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError<E> {
    /// The positions asked for make no sense.
    #[error(transparent)]
    Position(super::ProofError),
    /// The source of nodes failed.
    #[error("a node of the tree could not be read")]
    Source(#[source] E),
}

/// The leaves `start .. end`, where `start` is a multiple of a power of two not below `end - start`.
///
/// Invariant: only [`super::inclusion`] and [`super::consistency`] make spans, by halving a tree as RFC 6962 does,
/// so the alignment always holds; the test `proofs_agree_with_independent_implementations` depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: u64,
    end: u64,
}

impl Span {
    /// All leaves of a tree.
    #[must_use]
    pub fn whole(size: u64) -> Span {
        Span { start: 0, end: size }
    }

    /// Number of leaves.
    pub(super) fn len(self) -> u64 {
        self.end - self.start
    }

    /// Index after the last leaf.
    pub(super) fn end(self) -> u64 {
        self.end
    }

    /// Splits a span of two leaves or more where RFC 6962 splits it: the left part has the largest power of two
    /// of leaves that is smaller than the whole.
    pub(super) fn split(self) -> (Span, Span) {
        let left = 1u64 << (self.len() - 1).ilog2();
        let middle = self.start + left;
        (Span { start: self.start, end: middle }, Span { start: middle, end: self.end })
    }

    /// The perfect subtrees that make up this span, from left to right.
    pub fn nodes(self) -> impl DoubleEndedIterator<Item = Node> {
        let (start, len) = (self.start, self.len());
        (0..u64::BITS).rev().filter(move |level| len >> level & 1 == 1).map(move |level| {
            let before = len & !(u64::MAX >> (u64::BITS - 1 - level));
            Node { level, index: (start + before) >> level }
        })
    }

    /// The root of this span (RFC 6962, section 2.1, `MTH`); of an empty one, the root of the empty tree.
    ///
    /// # Errors
    /// Whatever the source reports.
    pub fn root<N: Nodes + ?Sized>(self, nodes: &N) -> Result<Hash, N::Error> {
        let mut root: Option<Hash> = None;
        for node in self.nodes().rev() {
            let left = nodes.node(node.level, node.index)?;
            root = Some(match root {
                Some(right) => node_hash(&left, &right),
                None => left,
            });
        }
        Ok(root.unwrap_or_else(empty_root))
    }
}

/// The root of the first `size` leaves.
///
/// # Errors
/// Whatever the source reports.
pub fn root<N: Nodes + ?Sized>(size: u64, nodes: &N) -> Result<Hash, N::Error> {
    Span::whole(size).root(nodes)
}

/// The roots of several spans, in order.
pub(super) fn resolve<N: Nodes + ?Sized>(
    spans: &[Span],
    nodes: &N,
) -> Result<Vec<Hash>, BuildError<N::Error>> {
    spans.iter().map(|span| span.root(nodes).map_err(BuildError::Source)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_its_binary_digits() {
        let nodes: Vec<_> = Span { start: 16, end: 16 + 13 }.nodes().collect();
        assert_eq!(
            nodes,
            [Node { level: 3, index: 2 }, Node { level: 2, index: 6 }, Node { level: 0, index: 28 }]
        );
        assert_eq!(Span::whole(0).nodes().count(), 0);
        assert_eq!(Span::whole(u64::MAX).nodes().count(), 64);
    }
}
