//! Receipts: proof that a record is in the log, as a text that anyone can check offline (C2SP tlog-proof).
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64 of the leaf>
//! index 4711
//! <base64 hash lines: the inclusion proof>
//!
//! <checkpoint>
//! ```
//!
//! The specification leaves `extra` unauthenticated; here it is the leaf itself, so the inclusion proof
//! authenticates it. A verified receipt says that the log holds this record, and *nothing* about what the record
//! says: that is for `check`.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::hash::Hash;

use super::ProofError;
use super::checkpoint::{Checkpoint, CheckpointError, base64_hash, decimal};
use super::inclusion;
use super::keys::LogKeys;
use super::leaf::leaf_hash;
use super::note::{NOTE_LIMIT, Verifier};
use super::tile::bundle::ENTRY_LIMIT;

mod check;

pub use check::{CheckError, Checked, Expected, check};

/// The first line of every receipt.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^64 leaves is that high.
const PATH_LIMIT: usize = 64;

/// The parts of a receipt. Parsing one proves nothing: see [`Receipt::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The record's bytes, at most 65,535.
    pub leaf: Vec<u8>,
    /// The record's index in the log.
    pub index: u64,
    /// Inclusion proof, from the leaf's sibling up.
    pub path: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

/// Why a receipt cannot be read or proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The text is not one of a receipt.
    #[error("line {line} of the receipt should be {expected}")]
    Text {
        /// The line, counted from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
    },
    /// The checkpoint is not the log's.
    #[error("the receipt's checkpoint cannot be believed")]
    Checkpoint(#[from] CheckpointError),
    /// The record is not in the tree of the checkpoint.
    #[error("the receipt's record is not in the log")]
    Inclusion(#[from] ProofError),
}

const EXTRA: &str = "\"extra \" and the record in base64, at most 65535 bytes";
const INDEX: &str = "\"index \" and a decimal number without leading zeros";
const HASH: &str =
    "a hash of the inclusion proof (base64 of 32 bytes, at most 64 lines), or empty before the checkpoint";
const CHECKPOINT: &str = "the checkpoint, at most 1 MiB, after an empty line";

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Receipt, ReceiptError> {
        let wrong = |line, expected| ReceiptError::Text { line, expected };
        // What is too long for the proof part is refused before it is split.
        let (proof, checkpoint) = text.split_once("\n\n").ok_or_else(|| wrong(1, CHECKPOINT))?;
        let mut lines = (1..).zip(proof.split('\n'));
        let mut next = |expected| lines.next().ok_or_else(|| wrong(1, expected));
        let (line, header) = next(HEADER)?;
        if header != HEADER {
            return Err(wrong(line, "c2sp.org/tlog-proof@v1"));
        }
        let (line, extra) = lines.next().ok_or_else(|| wrong(2, EXTRA))?;
        let leaf = extra
            .strip_prefix("extra ")
            .filter(|base64| base64.len() <= ENTRY_LIMIT.div_ceil(3) * 4)
            .and_then(|base64| STANDARD.decode(base64).ok())
            .filter(|leaf| leaf.len() <= ENTRY_LIMIT)
            .ok_or_else(|| wrong(line, EXTRA))?;
        let (line, index) = lines.next().ok_or_else(|| wrong(3, INDEX))?;
        let index = index.strip_prefix("index ").and_then(decimal).ok_or_else(|| wrong(line, INDEX))?;
        let mut path = Vec::new();
        for (line, hash) in lines {
            let hash =
                base64_hash(hash).filter(|_| path.len() < PATH_LIMIT).ok_or_else(|| wrong(line, HASH))?;
            path.push(hash);
        }
        if checkpoint.len() > NOTE_LIMIT {
            return Err(wrong(path.len() + 5, CHECKPOINT));
        }
        Ok(Receipt { leaf, index, path, checkpoint: checkpoint.to_owned() })
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{HEADER}\nextra {}\nindex {}", STANDARD.encode(&self.leaf), self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(out, "{}", STANDARD.encode(hash.as_bytes())))?;
        write!(out, "\n{}", self.checkpoint)
    }
}

impl Receipt {
    /// Checks that the log whose key this is holds the record at this index.
    ///
    /// # Errors
    /// [`ReceiptError::Checkpoint`] when the checkpoint is not signed by this log, [`ReceiptError::Inclusion`] when
    /// the record is not in its tree.
    pub fn verify(&self, log_key: &Verifier) -> Result<VerifiedReceipt, ReceiptError> {
        self.proven(Checkpoint::verify(&self.checkpoint, log_key)?)
    }

    /// Checks the same by whichever of the log's keys are in force at the checkpoint's size.
    ///
    /// # Errors
    /// As [`Receipt::verify`].
    pub fn verify_by(&self, log_keys: &LogKeys) -> Result<VerifiedReceipt, ReceiptError> {
        self.proven(log_keys.verify(&self.checkpoint)?)
    }

    fn proven(&self, checkpoint: Checkpoint) -> Result<VerifiedReceipt, ReceiptError> {
        inclusion::verify(&leaf_hash(&self.leaf), self.index, checkpoint.size, &self.path, &checkpoint.root)?;
        Ok(VerifiedReceipt { leaf: self.leaf.clone(), index: self.index, checkpoint })
    }
}

/// A record that is proven to be in the log. Only [`Receipt::verify`] and [`Receipt::verify_by`] make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedReceipt {
    leaf: Vec<u8>,
    index: u64,
    checkpoint: Checkpoint,
}

impl VerifiedReceipt {
    /// The record's bytes.
    #[must_use]
    pub fn leaf(&self) -> &[u8] {
        &self.leaf
    }

    /// Its index in the log.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint whose tree holds it.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }
}
