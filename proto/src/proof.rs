//! What anyone can check without asking the daemon: pure functions over bytes.
//!
//! The signing log is an RFC 6962 Merkle tree. [`leaf`] hashes its leaves and nodes, [`inclusion`] and
//! [`consistency`] build and check its proofs from any source of [`span::Nodes`], [`frontier`] is the right edge
//! that a writer holds in memory. [`note`], [`checkpoint`], [`tile`] and [`receipt`] are the C2SP formats in which
//! the tree leaves the house; [`keys`] are those of a log, one after the other; [`anchor`] is the text that a place off
//! the host keeps of it. [`signature`], [`public_key`] and [`encoding`] check what was signed.
//!
//! Promises: no input, however malformed, makes anything here panic; every parser accepts exactly one form of
//! each value, so what it read can be written again byte for byte. Daemon, client and transcripts share this code.
//!
//! Deliberately absent: input and output, clocks, trust (which log key, which version is right is the caller's to
//! say), and private keys, except the one in-process [`note::Ed25519Signer`] for log keys kept in a file.

pub mod anchor;
pub mod checkpoint;
pub mod consistency;
pub mod encoding;
pub mod frontier;
pub mod inclusion;
pub mod keys;
pub mod leaf;
pub mod note;
pub mod public_key;
pub mod receipt;
pub mod signature;
pub mod span;
pub mod tile;

use crate::hash::Hash;

/// Why a Merkle proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf lies outside the tree.
    #[error("leaf {index} is not in a tree of {size} leaves: ask for a proof against a newer checkpoint")]
    OutsideTree {
        /// The leaf asked for, counted from 0.
        index: u64,
        /// The number of leaves in the tree.
        size: u64,
    },
    /// The newer tree is said to be smaller than the older one.
    #[error("a tree of {old} leaves cannot have become one of {new}: a log only grows")]
    Shrunk {
        /// Leaves in the older tree.
        old: u64,
        /// Leaves in the newer tree.
        new: u64,
    },
    /// The proof has too many or too few hashes for these positions.
    #[error("the proof has {found} hashes where these positions need {expected}")]
    Length {
        /// Hashes that the positions need.
        expected: usize,
        /// Hashes that the proof has.
        found: usize,
    },
    /// The proof leads to another root than the one given.
    #[error("the proof leads to root {computed}, not to {expected}: it belongs to another leaf or tree")]
    Root {
        /// The root that was to be proved.
        expected: Hash,
        /// The root that the proof leads to.
        computed: Hash,
    },
}
