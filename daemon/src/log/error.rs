//! What the log answers instead of a result, and why it could not be loaded.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proto::reason::Reason;
use proto::record::RecordError;

use crate::ahead::NoThread;
use crate::random::NoRandom;
use crate::store::StoreError;

/// Why the log did not take or give something.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be written or read now. What was being written may or may not be in it; it is never released.
    #[error("the signing log is not available: {cause}")]
    Unavailable {
        /// What happened, for people.
        cause: Arc<str>,
    },
    /// Its disk is nearly full, or full. Known not to have been written.
    #[error("the signing log takes nothing new: {cause}")]
    Full {
        /// How much is left, and what to do.
        cause: Arc<str>,
    },
    /// The queue is full. Nothing was signed.
    #[error("the signing log's queue is full; try again in {} ms", retry_after.as_millis())]
    Busy {
        /// How long the queue needs.
        retry_after: Duration,
    },
    /// The deadline passes before a commit can be done. Nothing was signed.
    #[error("the deadline is shorter than a commit of the signing log takes")]
    Late,
    /// The daemon is stopping.
    #[error("the signing log is being closed")]
    Closing,
    /// A record that cannot be written. A fault of the caller's code or an input beyond every bound.
    #[error("not a record: {cause}")]
    Malformed {
        /// What was expected.
        cause: Arc<str>,
    },
    /// Another control record came before one that must follow its predecessor at once. Nothing was written.
    #[error("another control record came first")]
    Overtaken,
    /// There is no such record, tree size or tile.
    #[error("{what} is not in the log")]
    Absent {
        /// What was asked for.
        what: String,
    },
    /// It may not be erased.
    #[error("the detail cannot be erased: {cause}")]
    Kept {
        /// Why not.
        cause: &'static str,
    },
    /// The search index has not read far enough in the time that there was.
    #[error("the search index has read {indexed_to} records, {needed} are needed; try again")]
    Behind {
        /// How far it is.
        indexed_to: u64,
        /// How far it should be.
        needed: u64,
    },
}

impl LogError {
    pub(super) fn unavailable(cause: impl std::fmt::Display) -> Self {
        Self::Unavailable { cause: cause.to_string().into() }
    }

    /// The stable reason that a caller is told.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Unavailable { .. } => Reason::LogUnavailable,
            Self::Full { .. } => Reason::LogFull,
            Self::Busy { .. } => Reason::LogBusy,
            Self::Late => Reason::DeadlineTooShort,
            Self::Closing => Reason::ShuttingDown,
            Self::Overtaken => Reason::ChangedMeanwhile,
            Self::Malformed { .. } | Self::Kept { .. } => Reason::MalformedRequest,
            Self::Absent { .. } => Reason::UnknownRecord,
            Self::Behind { .. } => Reason::IndexBehind,
        }
    }
}

impl From<RecordError> for LogError {
    fn from(error: RecordError) -> Self {
        Self::Malformed { cause: error.to_string().into() }
    }
}

/// Why the log did not load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store cannot be read or written. Worth trying again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is none to read with. Worth trying again.
    #[error(transparent)]
    Thread(#[from] NoThread),
    /// There is no number to name an owner by. Worth trying again.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// An anchor or the stop file cannot be read or written. Worth trying again.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The error.
        source: std::io::Error,
    },
    /// A configured anchor or the stop file is not there.
    #[error(
        "{what} {place} is missing: put it back (only `countersignd init` and `countersignd anchor add` make one); \
         starting without it would hide a rollback or a stop"
    )]
    Gone {
        /// Which of them.
        what: &'static str,
        /// Where it should be.
        place: String,
    },
    /// A new anchor off the host was not made.
    #[error("the anchor {place} was not made: {cause}")]
    NotMade {
        /// Where it was to be.
        place: String,
        /// What the server, or the way to it, says.
        cause: String,
    },
    /// What the store says contradicts itself, its signature or an anchor. A person must act.
    #[error("the log does not hold together: {0}")]
    Inconsistent(String),
    /// A control record that this version cannot read.
    #[error("record {index} of the log: {cause}")]
    Record {
        /// Its index.
        index: u64,
        /// What is wrong.
        cause: RecordError,
    },
}

impl LoadError {
    /// Whether trying again is of no use: the bytes are there and they are wrong.
    pub const fn needs_a_person(&self) -> bool {
        match self {
            Self::Inconsistent(_) | Self::Record { .. } | Self::Gone { .. } => true,
            Self::Store(store) => matches!(
                store,
                StoreError::Foreign { .. }
                    | StoreError::Newer { .. }
                    | StoreError::Exists { .. }
                    | StoreError::Shape(_)
            ),
            Self::Thread(_) | Self::Random(_) | Self::Io { .. } | Self::NotMade { .. } => false,
        }
    }
}

/// Why a log was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The store, an anchor or the stop file could not be made.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The first records cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The first record is not a genesis, or another one is.
    #[error("a log begins with exactly one `genesis` record")]
    Genesis,
    /// There is no place for an anchor.
    #[error("a log needs at least one anchor file outside its database")]
    NoAnchor,
    /// An anchor that is no file.
    #[error(
        "a log begins with anchors that are files; {place} can be added later, by `countersignd anchor add`"
    )]
    OffHost {
        /// Where it is.
        place: String,
    },
    /// The log key does not sign.
    #[error("the log key did not sign the first checkpoint: {0}")]
    Key(String),
}

impl From<StoreError> for CreateError {
    fn from(error: StoreError) -> Self {
        Self::Load(LoadError::Store(error))
    }
}
