//! What an anchor off the log's host keeps, as a text: the newest checkpoint and the highest operation number.
//!
//! ```text
//! countersign-anchor/v1
//! number <the highest operation number given out>
//!
//! <checkpoint>
//! ```
//!
//! The checkpoint is the signed note, byte for byte; what stands before it is not signed. Whoever keeps an anchor can
//! therefore say a false number, and then a start is refused that need not be; it cannot invent a checkpoint.

use std::fmt;
use std::str::FromStr;

use super::checkpoint::{Checkpoint, CheckpointError, decimal};
use super::note;

const HEADER: &str = "countersign-anchor/v1";
const NUMBER: &str = "\"number \" and a decimal number without leading zeros";
const EMPTY: &str = "empty, with the checkpoint behind it";

/// Bytes of an anchor's text at most. A checkpoint of one key has about 300.
pub const LONGEST: usize = 4096;

/// What an anchor keeps. Reading one proves nothing: the checkpoint's signature is the reader's to check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
    /// The highest operation number given out.
    pub number: u64,
}

/// Why a text is not that of an anchor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnchorTextError {
    /// Longer than any that was written.
    #[error("the anchor's text has {found} bytes, at most {LONGEST} are read")]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// A line before the checkpoint.
    #[error("line {line} of the anchor's text should be {expected}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
    },
    /// What follows is no checkpoint.
    #[error("the anchor's text holds no checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
}

impl Kept {
    /// How far the log was: its records, and the highest operation number. Of two that one log wrote the greater is the
    /// later.
    pub fn position(&self) -> (u64, u64) {
        let size = note::parse(&self.checkpoint).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
        (size.map_or(0, |checkpoint| checkpoint.size), self.number)
    }
}

impl FromStr for Kept {
    type Err = AnchorTextError;

    fn from_str(text: &str) -> Result<Self, AnchorTextError> {
        if text.len() > LONGEST {
            return Err(AnchorTextError::TooLong { found: text.len() });
        }
        let wrong = |line, expected| AnchorTextError::Line { line, expected };
        let mut lines = text.splitn(4, '\n');
        if lines.next() != Some(HEADER) {
            return Err(wrong(1, HEADER));
        }
        let number = lines
            .next()
            .and_then(|line| line.strip_prefix("number "))
            .and_then(decimal)
            .ok_or_else(|| wrong(2, NUMBER))?;
        let (Some(""), Some(checkpoint)) = (lines.next(), lines.next()) else {
            return Err(wrong(3, EMPTY));
        };
        let note = note::parse(checkpoint).map_err(CheckpointError::from)?;
        Checkpoint::parse(note.text())?;
        Ok(Self { checkpoint: checkpoint.to_owned(), number })
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{HEADER}\nnumber {}\n\n{}", self.number, self.checkpoint)
    }
}
