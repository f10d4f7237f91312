//! Seals: what turns a finished operation into its one leaf, and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::hash::Hash;
use proto::operation::OperationId;
use proto::reason::Reason;
use proto::record::{Draft, Outcome, SignRecord};
use proto::term::Term;
use proto::time::Time;

use super::error::LogError;
use super::handover::HandOver;
use super::index::Found;
use super::intent::{Earlier, Intent, RequestKey};

/// A finished operation, to be recorded and then released.
#[derive(Debug)]
pub struct Seal {
    /// The intent that it ends; none for keys whose signatures exist nowhere else before their release.
    pub intent: Option<Intent>,
    /// The operation.
    pub operation: OperationId,
    /// Caller and request id of an operation without intent.
    pub request: Option<(Arc<str>, RequestKey)>,
    /// What each signature requires, in the order of the record's signatures.
    pub requires: Vec<Requires>,
    /// Index of the newest control record that the permit saw.
    pub saw: u64,
    /// The record as it is if everything may be released.
    pub released: Arc<SignRecord>,
    /// The detail that the record names, canonical.
    pub detail: Bytes,
    /// How long it may wait for company.
    pub patience: Duration,
}

/// What must hold for one signature at the moment of its sealing.
#[derive(Clone, Debug, Default)]
pub struct Requires {
    /// None of these is stopped, and none was touched by a control record newer than the permit.
    pub terms: Arc<[Term]>,
    /// The version's end: `sealed` must lie before it.
    pub not_after: Option<Time>,
}

/// What became of a [`Seal`].
#[derive(Debug)]
pub enum Sealed {
    /// It is in the log with at least one released signature.
    Released(Box<Released>),
    /// Nothing may be handed out. The record is in the log; it may say `released` where a stop arrived while it was
    /// being committed: that word means *may have been delivered*.
    Withheld {
        /// The record.
        index: u64,
        /// Per signature that was withheld: its position and why.
        reasons: Vec<(usize, Reason)>,
    },
    /// A control record that the permit has not seen touches what it requires: decide again on a snapshot at least as
    /// new as `control`, and seal again.
    Touched {
        /// The seal, as it came.
        seal: Box<Seal>,
        /// Index of that control record.
        control: u64,
    },
    /// The request id was used before; this operation left no record.
    Replay(Earlier),
    /// The operation has its leaf already. The bytes were wiped.
    Gone,
}

/// A record that is durable, with what proves it.
#[derive(Debug)]
pub struct Released {
    /// Index in the tree.
    pub index: u64,
    /// The leaf's exact bytes.
    pub leaf: Bytes,
    /// `SHA-256(0x00 ‖ leaf)`.
    pub leaf_hash: Hash,
    /// Tree size of the checkpoint.
    pub size: u64,
    /// Inclusion path to that checkpoint's root (RFC 6962, 2.1.1).
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: Arc<str>,
    /// Signatures that were withheld beside the released ones: their positions and why.
    pub withheld: Vec<(usize, Reason)>,
    /// Counted by the barrier of a stop; drop it when the reply has been handed to its connection.
    pub guard: HandOver,
}

/// Room that withholding may add to a leaf, per signature.
const WITHHOLDING: usize = 160;

/// A seal whose leaf was encoded in its task.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) seal: Seal,
    pub(super) draft: Option<Draft>,
    /// By what it can be searched.
    pub(super) found: Found,
}

impl Prepared {
    pub(super) fn of(seal: Seal) -> Result<Self, LogError> {
        if seal.requires.len() != seal.released.signatures.len() {
            return Err(LogError::Malformed { cause: "one requirement per signature was expected".into() });
        }
        if seal.intent.as_ref().map(Intent::number) != seal.released.number {
            return Err(LogError::Malformed { cause: "the record's number is not its intent's".into() });
        }
        let draft = seal.released.draft()?;
        let longest = proto::record::LONGEST_LEAF - WITHHOLDING * seal.requires.len();
        if draft.len() > longest {
            return Err(LogError::Malformed {
                cause: format!("a leaf of at most {longest} bytes was expected").into(),
            });
        }
        Ok(Self { seal, draft: Some(draft), found: Found::default() })
    }

    pub(super) fn bytes(&self) -> usize {
        self.draft.as_ref().map_or(0, Draft::len) + self.seal.detail.len()
    }

    /// What the fence must look at: positions whose signature would be released.
    pub(super) fn releasing(&self) -> impl Iterator<Item = (usize, &Requires)> {
        let entries = self.seal.released.signatures.iter();
        entries.zip(&self.seal.requires).enumerate().filter_map(|(position, (entry, requires))| {
            (entry.outcome == Outcome::Released).then_some((position, requires))
        })
    }
}
