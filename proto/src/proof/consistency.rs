//! Consistency proofs: the newer tree extends the older one (RFC 6962, section 2.1.2; checked as RFC 9162,
//! section 2.1.4.2).
//!
//! Two cases that the RFCs leave open are closed here: every tree extends the empty one, whose root must then be
//! the empty root, and a tree extends itself; both have an empty proof and no other.

use crate::hash::Hash;

use super::ProofError;
use super::leaf::{empty_root, node_hash};
use super::span::{self, BuildError, Nodes, Span};

/// Checks that the tree with `new_size` leaves and root `new_root` begins with the `old_size` leaves of `old_root`.
///
/// # Errors
/// [`ProofError`] says which part does not fit. When both roots carry a valid signature of the same log, an error
/// means that the log was rewritten.
pub fn verify(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    let expected = spans(old_size, new_size)?.len();
    if path.len() != expected {
        return Err(ProofError::Length { expected, found: path.len() });
    }
    if old_size == 0 {
        same(old_root, empty_root())?;
        return if new_size == 0 { same(new_root, empty_root()) } else { Ok(()) };
    }
    // Climb from the older tree's last leaf to the largest perfect subtree that ends with it.
    let climb = (old_size - 1).trailing_ones();
    let (mut place, mut last) = ((old_size - 1) >> climb, (new_size - 1) >> climb);
    let (seed, rest) = match path.split_first() {
        // The older tree is itself that subtree, so the proof leaves its root out.
        _ if old_size.is_power_of_two() => (*old_root, path),
        Some((first, rest)) => (*first, rest),
        None => return same(new_root, *old_root),
    };
    let (mut old, mut new) = (seed, seed);
    for hash in rest {
        if place & 1 == 1 || place == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, hash);
        }
        place >>= 1;
        last >>= 1;
    }
    same(old_root, old)?;
    same(new_root, new)
}

fn same(expected: &Hash, computed: Hash) -> Result<(), ProofError> {
    if *expected == computed { Ok(()) } else { Err(ProofError::Root { expected: *expected, computed }) }
}

/// The spans whose roots are the proof that a tree of `new` leaves extends one of `old`.
///
/// # Errors
/// [`ProofError::Shrunk`].
pub fn spans(old: u64, new: u64) -> Result<Vec<Span>, ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    let mut spans = Vec::new();
    if old == 0 {
        return Ok(spans);
    }
    let mut rest = Span::whole(new);
    let mut from_start = true;
    while rest.end() != old {
        let (left, right) = rest.split();
        if old <= left.end() {
            spans.push(right);
            rest = left;
        } else {
            spans.push(left);
            rest = right;
            from_start = false;
        }
    }
    // The verifier has the older root already when the last span is the whole older tree.
    if !from_start {
        spans.push(rest);
    }
    spans.reverse();
    Ok(spans)
}

/// Builds the proof that the first `new` leaves extend the first `old`.
///
/// # Errors
/// [`BuildError::Position`] when `old` is larger, [`BuildError::Source`] when a node cannot be read.
pub fn path<N: Nodes + ?Sized>(old: u64, new: u64, nodes: &N) -> Result<Vec<Hash>, BuildError<N::Error>> {
    span::resolve(&spans(old, new).map_err(BuildError::Position)?, nodes)
}
