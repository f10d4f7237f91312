//! Where the log lives and what bounds it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{AnchorPlace, Reach};

/// Settings of the log.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Holds `log.db`, `index.db` and the lock.
    pub state_directory: PathBuf,
    /// At least one file. The stop file lies beside the first of them, named `<anchor>.stops`.
    pub anchors: Vec<AnchorPlace>,
    /// Who reaches those that are an [`AnchorPlace::Object`].
    pub reach: Option<Arc<dyn Reach>>,
    /// Bounds.
    pub limits: Limits,
    /// What goes wrong: in tests alone.
    #[cfg(test)]
    pub(super) faults: Arc<Faults>,
}

/// Faults that tests switch on.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// The disk has room for so many pages of 4 KiB; 0: as many as there are.
    pub(super) pages: std::sync::atomic::AtomicU32,
    /// The next commit happens and says that it failed.
    pub(super) unknown: std::sync::atomic::AtomicBool,
    /// Commits that were begun.
    pub(super) commits: std::sync::atomic::AtomicU64,
    /// Commits wait for this lock.
    pub(super) slow: std::sync::Mutex<()>,
}

/// Bounds of the log.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most operations that wait for a commit.
    pub queued: usize,
    /// Most bytes that wait for a commit.
    pub queued_bytes: usize,
    /// Most intents without a seal.
    pub open_intents: usize,
    /// Longest that a commit waits for company, however patient everybody in it is.
    pub company: Duration,
    /// A commit takes no further job once it has so many records and intents.
    pub batch: usize,
    /// … or so many bytes.
    pub batch_bytes: usize,
    /// Free bytes of the log's disk below which nothing new is taken; seals, closures and control records may use them.
    pub reserve: u64,
    /// How long a stop may wait for the log before it is written to the stop file.
    pub stop_patience: Duration,
    /// How long the answer to a stop waits for earlier signatures to be handed to their connections.
    pub hand_over: Duration,
    /// How far wall clock and monotonic clock may advance apart.
    pub skew: Duration,
    /// How long a request id finds its first answer.
    pub remembered: Duration,
    /// Age of an intent at which it is an alarm: longer than queues and call limits together.
    pub intent_alarm: Duration,
    /// Bytes in the WAL after which the writer itself moves it into the database, because the background does not keep up.
    pub longest_wal: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queued: 8192,
            queued_bytes: 64 << 20,
            open_intents: 8192,
            company: Duration::from_millis(1),
            batch: 1024,
            batch_bytes: 4 << 20,
            reserve: 1 << 30,
            stop_patience: Duration::from_millis(250),
            hand_over: Duration::from_secs(1),
            skew: Duration::from_secs(2),
            remembered: Duration::from_secs(24 * 3600),
            intent_alarm: Duration::from_secs(120),
            longest_wal: 64 << 20,
        }
    }
}

impl Settings {
    /// Settings with the usual bounds.
    pub fn new(state_directory: impl Into<PathBuf>, anchors: Vec<AnchorPlace>) -> Self {
        Self {
            state_directory: state_directory.into(),
            anchors,
            reach: None,
            limits: Limits::default(),
            #[cfg(test)]
            faults: Arc::default(),
        }
    }

    /// The anchors that are files, in order.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.anchors.iter().filter_map(AnchorPlace::file)
    }

    /// The stop file: beside the first anchor.
    pub(super) fn stop_file(&self) -> Option<PathBuf> {
        self.files().next().map(|anchor| beside(anchor, ".stops"))
    }

    /// Where a checkpoint that somebody presented and that the tree does not extend is kept.
    pub(super) fn presented_file(&self) -> Option<PathBuf> {
        self.files().next().map(|anchor| beside(anchor, ".presented"))
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
