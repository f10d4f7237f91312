//! The bytes of the signing log on disk: one SQLite file in WAL mode.
//!
//! **Promises.** A commit that returned `Ok` is synced (`synchronous=FULL`, `fdatasync`). `Full` is known not to have
//! happened; every other error from a commit means that nobody knows. A store is only ever *made* by [`Store::create`];
//! opening never makes one. Before each transaction device and inode of the open files are compared with their paths,
//! because a deleted SQLite file goes on accepting writes.
//!
//! **Does not** know what a record means, decide anything, own a thread, or retry. Whoever got an error that is not
//! [`StoreError::Full`] drops the handle and loads again.

mod append;
mod connect;
mod controls;
mod files;
mod index;
mod read;
mod request;
mod schema;
mod space;

use std::borrow::Cow;
use std::path::PathBuf;

pub use append::Append;
pub use connect::{Checkpointer, Store, Wal};
pub use controls::{ControlPage, ControlStored};
pub use files::StoreLock;
pub use index::{Index, IndexReader, Posting, Segment, Term};
pub use read::{Readers, View};
pub use request::{ClaimedRequest, KeptRequest, RequestRow};
pub use space::free_bytes;

/// Who opened an intent: 16 random bytes, new for each load of the store. An intent of another owner has nobody who
/// could still seal it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Owner(pub [u8; 16]);

/// One stored record. The leaf is authoritative; a redacted detail is absent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Index in the tree, from 0.
    pub index: u64,
    /// Exact bytes of the leaf.
    pub leaf: Vec<u8>,
    /// Exact bytes of the detail that the leaf names by its SHA-256.
    pub detail: Option<Vec<u8>>,
}

/// The one head row: what the newest commit made true.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeadRow {
    /// Number of leaves.
    pub size: u64,
    /// RFC 6962 root of them.
    pub root: [u8; 32],
    /// The signed note over size, root and newest control record.
    pub checkpoint: String,
    /// Roots of the perfect subtrees of the right edge, largest first, 32 bytes each.
    pub frontier: Vec<u8>,
    /// Raised by each load: the fencing token of stores that more than one process can reach.
    pub epoch: u64,
    /// Index of the newest control record.
    pub control: u64,
}

/// One open intent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IntentRow<'a> {
    /// Operation number, consecutive.
    pub number: u64,
    /// Operation id.
    pub operation: [u8; 16],
    /// Who can still seal it.
    pub owner: Owner,
    /// When it was asked, microseconds since the Unix epoch.
    pub at: i64,
    /// What is needed to close it: see `log::intent`.
    pub body: Cow<'a, [u8]>,
}

/// One row of the table of control records: an aid, checked against the chain at load.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ControlRow {
    /// Index in the tree.
    pub index: u64,
    /// Record kind.
    pub kind: String,
    /// What it is about, as text; may be empty.
    pub subject: String,
}

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Opening found nothing.
    #[error(
        "there is no log at {path}: `countersignd init` makes one, nothing else does; if there was one, put it back"
    )]
    Missing {
        /// Where it was expected.
        path: PathBuf,
    },
    /// Making found something.
    #[error("{path} exists already: a log is made once; choose an empty state directory")]
    Exists {
        /// What is in the way.
        path: PathBuf,
    },
    /// Another process has it.
    #[error("{path} is locked: another countersignd uses this state directory; stop it first")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// Not ours.
    #[error("{path} is not a Countersign log (application id {found:#010x})")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its SQLite application id.
        found: i32,
    },
    /// Written by a version that we do not know.
    #[error(
        "{path} has schema {found}, this version reads up to {known}: it was written by a newer version, run that one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i32,
        /// The newest that we read.
        known: i32,
    },
    /// A search index with other terms.
    #[error("{path} has format {found}, this version keeps format {known}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i32,
        /// The one that we keep.
        known: i32,
    },
    /// Device or inode of a path is not that of the open file any more.
    #[error("{path} was deleted or replaced while the log was open: put the file back")]
    Replaced {
        /// The path.
        path: PathBuf,
    },
    /// No space. Known not to have happened.
    #[error("no space is left for the log: nothing was written; free or add disk space")]
    Full,
    /// A row that cannot be what we wrote.
    #[error("the store holds a value out of shape: {0}")]
    Shape(&'static str),
    /// SQLite said no. From a commit: it may have happened.
    #[error("{doing}: {source}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// The file system said no.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The error.
        source: std::io::Error,
    },
}

impl StoreError {
    /// Makes the error of a failed SQLite call; a full disk or a full database is [`StoreError::Full`].
    fn of(doing: &'static str, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            _ => Self::Failed { doing, source },
        }
    }

    /// Whether the file itself is damaged or is none.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Foreign { .. } | Self::Newer { .. } | Self::Format { .. } | Self::Shape(_) => true,
            Self::Failed { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
            ),
            _ => false,
        }
    }

    fn io(doing: &'static str, path: impl Into<PathBuf>, source: impl Into<std::io::Error>) -> Self {
        Self::Io { doing, path: path.into(), source: source.into() }
    }
}

/// SQLite integers are signed; indices, sizes and numbers never reach 2^63.
fn to_sql(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn from_sql(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_negative| StoreError::Shape("a negative index or number"))
}

fn array<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N], StoreError> {
    <[u8; N]>::try_from(bytes).map_err(|_wrong_length| StoreError::Shape(what))
}
