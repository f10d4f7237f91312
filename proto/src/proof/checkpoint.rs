//! Checkpoints (C2SP tlog-checkpoint): the log's signed word on its size and root.
//!
//! ```text
//! log.example.org
//! 1235
//! <base64 of the root>
//! control 1234 <64 hex digits>
//!
//! — log.example.org <base64>
//! ```
//!
//! The extension line names the newest control record (its index and leaf hash). It authenticates the log's own
//! start; cosigners do not cover it. Other extension lines are let be when reading and never written: what was
//! signed is always the text itself, not what [`Checkpoint::body`] makes of it.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::hash::Hash;

use super::leaf::empty_root;
use super::note::{self, NoteError, NoteSigner, Verifier};

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name: the first line, and the name of its key.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root of the tree of that size.
    pub root: Hash,
    /// Index and leaf hash of the newest control record, from the extension line.
    pub control: Option<(u64, Hash)>,
}

/// Why a checkpoint cannot be believed or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is no note, or not one signed by the log key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The body is not one of a checkpoint.
    #[error("line {line} of the checkpoint should be {expected}")]
    Body {
        /// The line, counted from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
    },
    /// It is another log's.
    #[error("the checkpoint is of log {found}, the log key is that of {expected}")]
    Origin {
        /// The log key's name.
        expected: String,
        /// The origin in the checkpoint.
        found: String,
    },
    /// A key of this log has signed it, and signs no tree of that size.
    #[error(
        "the checkpoint of {size} records is signed by the log key {key}, which signs trees of {from} {}: it was signed by \
         whoever has that key, and not by this log",
        until.map_or("records and more".to_owned(), |until| format!("to {until} records alone"))
    )]
    OutOfReign {
        /// The key's name and id.
        key: String,
        /// The checkpoint's size.
        size: u64,
        /// The smallest tree that the key signs.
        from: u64,
        /// The largest one.
        until: Option<u64>,
    },
}

const ORIGIN: &str = "the log's origin, a name without spaces or plus signs";
const SIZE: &str = "the tree's size, a decimal number without leading zeros";
const ROOT: &str = "the root hash, base64 of 32 bytes, that of the empty tree when the size is 0";
const CONTROL: &str = "\"control <index> <64 lower-case hex digits>\", once, with an index below the size";
const EXTENSION: &str = "an extension line, which is never empty, or the end";

impl Checkpoint {
    /// The note text: three lines and, where there is a control record, its extension line.
    #[must_use]
    pub fn body(&self) -> String {
        let mut body = format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()));
        if let Some((index, hash)) = self.control {
            // Writing to a string cannot fail.
            let _ = writeln!(body, "control {index} {hash}");
        }
        body
    }

    /// Reads a note text. It proves nothing: use [`Checkpoint::verify`] on what comes from elsewhere.
    ///
    /// # Errors
    /// [`CheckpointError::Body`] names the line and what belongs there.
    pub fn parse(body: &str) -> Result<Checkpoint, CheckpointError> {
        let wrong = |line, expected| CheckpointError::Body { line, expected };
        let lines: Vec<&str> = body.strip_suffix('\n').unwrap_or("").split('\n').collect();
        let at = |line: usize| lines.get(line - 1).copied().unwrap_or("");
        let origin = Some(at(1)).filter(|origin| note::is_name(origin)).ok_or_else(|| wrong(1, ORIGIN))?;
        let size = decimal(at(2)).ok_or_else(|| wrong(2, SIZE))?;
        let root = base64_hash(at(3)).ok_or_else(|| wrong(3, ROOT))?;
        if size == 0 && root != empty_root() {
            return Err(wrong(3, ROOT));
        }
        let mut control = None;
        for (line, text) in (4..).zip(lines.get(3..).unwrap_or_default()) {
            if text.is_empty() {
                return Err(wrong(line, EXTENSION));
            }
            if let Some(rest) = text.strip_prefix("control ") {
                let found = control_line(rest).filter(|(index, _)| *index < size && control.is_none());
                control = Some(found.ok_or_else(|| wrong(line, CONTROL))?);
            }
        }
        Ok(Checkpoint { origin: origin.to_owned(), size, root, control })
    }

    /// The signed checkpoint. The signer's name must be the origin.
    ///
    /// # Errors
    /// [`CheckpointError::Origin`] for another log's key, [`CheckpointError::Note`] when it does not sign, and
    /// [`CheckpointError::Body`] for contents that no one would read back.
    pub fn sign(&self, signer: &dyn NoteSigner) -> Result<String, CheckpointError> {
        self.sign_with(&[signer])
    }

    /// The checkpoint signed by several keys of the same log, as when one key ends and the next begins.
    ///
    /// # Errors
    /// As [`Checkpoint::sign`].
    pub fn sign_with(&self, signers: &[&dyn NoteSigner]) -> Result<String, CheckpointError> {
        for signer in signers {
            self.is_of(signer.verifier())?;
        }
        let body = self.body();
        Checkpoint::parse(&body)?;
        Ok(note::sign(&body, signers)?.to_string())
    }

    /// Reads a signed checkpoint and checks the log key's signature and that the origin is the log key's.
    ///
    /// # Errors
    /// [`CheckpointError`]; nothing in the text is to be believed then.
    pub fn verify(text: &str, log_key: &Verifier) -> Result<Checkpoint, CheckpointError> {
        let note = note::parse(text)?;
        Checkpoint::parse(note.verify(&[log_key])?)?.of(log_key.name())
    }

    fn is_of(&self, log_key: &Verifier) -> Result<(), CheckpointError> {
        self.clone().of(log_key.name()).map(|_itself| ())
    }

    /// Itself, if it is of the log with this name.
    pub(super) fn of(self, origin: &str) -> Result<Self, CheckpointError> {
        if origin == self.origin {
            return Ok(self);
        }
        Err(CheckpointError::Origin { expected: origin.to_owned(), found: self.origin })
    }
}

/// A decimal number in its only form.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    if digits && !padded { text.parse().ok() } else { None }
}

/// A hash in standard base64 with padding.
pub(super) fn base64_hash(text: &str) -> Option<Hash> {
    let bytes = STANDARD.decode(text).ok()?;
    Some(Hash::from(<[u8; 32]>::try_from(bytes).ok()?))
}

fn control_line(rest: &str) -> Option<(u64, Hash)> {
    let (index, hash) = rest.split_once(' ')?;
    Some((decimal(index)?, hash.parse().ok()?))
}
