//! What the log tells everyone: its head, its health, and each control record in order.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use proto::hash::Hash;
use proto::record::ControlRecord;
use tokio::sync::watch;

/// The newest released checkpoint and what it covers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Head {
    /// Number of leaves.
    pub size: u64,
    /// RFC 6962 root of them.
    pub root: Hash,
    /// The signed note, exact text.
    pub checkpoint: Arc<str>,
    /// Index and leaf hash of the newest control record.
    pub control: (u64, Hash),
}

/// Whether the log takes records.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LogHealth {
    /// It does.
    Ready,
    /// Nothing new: its disk is nearly full. Seals, closures and control records are still taken.
    Refusing {
        /// What is wrong and what to do.
        cause: Arc<str>,
    },
    /// Nothing: it cannot be written, or does not hold together. Stops are still taken.
    Failed {
        /// What is wrong and what to do.
        cause: Arc<str>,
    },
}

/// A record that is durable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Appended {
    /// Index in the tree.
    pub index: u64,
    /// Its leaf hash.
    pub hash: Hash,
}

/// A control record in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// Index in the tree.
    pub index: u64,
    /// Its leaf hash.
    pub hash: Hash,
    /// What it says.
    pub record: ControlRecord,
    /// Its detail, as it is stored, where something follows from it ([`proto::record::Body::needs_detail`]).
    pub detail: Option<Bytes>,
}

/// The control records since the log was opened. They are few; all are kept.
#[derive(Debug)]
pub(super) struct Feed {
    since_open: Mutex<Vec<Arc<Control>>>,
    count: watch::Sender<usize>,
}

impl Default for Feed {
    fn default() -> Self {
        Self { since_open: Mutex::default(), count: watch::channel(0).0 }
    }
}

impl Feed {
    pub(super) fn push(&self, control: Control) {
        let mut all = self.since_open.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Arc::new(control));
        self.count.send_replace(all.len());
    }
}

/// Control records in order, each once, starting after the history that opening the log returned.
#[derive(Debug)]
pub struct Controls {
    feed: Arc<Feed>,
    count: watch::Receiver<usize>,
    next: usize,
}

impl Controls {
    pub(super) fn of(feed: &Arc<Feed>) -> Self {
        Self { feed: Arc::clone(feed), count: feed.count.subscribe(), next: 0 }
    }

    /// The next control record; waits for it. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Arc<Control> {
        loop {
            if let Some(control) = self.try_next() {
                return control;
            }
            // The feed holds the sender, and this holds the feed: it cannot be closed.
            let _changed = self.count.changed().await;
        }
    }

    /// The next control record, if it is there.
    pub fn try_next(&mut self) -> Option<Arc<Control>> {
        let all = self.feed.since_open.lock().unwrap_or_else(PoisonError::into_inner);
        let control = all.get(self.next).cloned()?;
        self.next += 1;
        Some(control)
    }
}
