//! Checkpoints that others hold: each is a witness of what this log once said.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use proto::hash::Hash;
use proto::proof::checkpoint::CheckpointError;

use super::Log;
use super::error::LogError;
use super::shared::Shared;
use super::tree::detailed;
use super::watch::{Head, LogHealth};

/// What showing a checkpoint led to.
#[derive(Clone, Debug)]
pub enum Presented {
    /// The tree extends it.
    Extended {
        /// The newest released checkpoint.
        head: Arc<Head>,
        /// Consistency path from the presented size (RFC 6962, 2.1.2).
        path: Vec<Hash>,
    },
    /// It is not validly signed by a key of this log: nothing was looked at.
    NotOurs {
        /// Why not.
        cause: String,
    },
    /// It is signed by a key of this log, and the tree does not extend it or the key has ended before it: the log was rolled
    /// back or forked. Signing has stopped,
    /// and what was presented is kept, so that a restart refuses too.
    Forked,
}

impl Log {
    /// Looks at a checkpoint that somebody holds.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where the tree cannot be read now.
    pub async fn present(&self, checkpoint: &str) -> Result<Presented, LogError> {
        let shown = match self.keys().verify(checkpoint) {
            Ok(shown) => shown,
            // A key of this log has signed what this log never signs by it: the tree cannot extend that.
            Err(error @ CheckpointError::OutOfReign { .. }) => {
                let cause = format!(
                    "a checkpoint was presented, and {}. Find out who has that key; then put the right store back and restart, \
                     or recover the log",
                    detailed(&error)
                );
                close_for_good(&self.shared, cause, checkpoint);
                return Ok(Presented::Forked);
            }
            Err(error) => return Ok(Presented::NotOurs { cause: detailed(&error) }),
        };
        // Read after the signature was checked: what was released before it was shown is at most this.
        let head = self.head();
        if shown.size == 0 {
            return Ok(Presented::Extended { head, path: Vec::new() });
        }
        if shown.size <= head.size {
            let extension = self.consistency(shown.size, Some(head.size)).await?;
            if extension.old.1 == shown.root {
                return Ok(Presented::Extended { head, path: extension.path });
            }
        }
        let cause = format!(
            "a checkpoint of {} records, validly signed by this log, was presented, and the store's {} records do not \
             extend it: the store was rolled back or the log was forked. Put the right store back and restart, or recover \
             the log",
            shown.size, head.size
        );
        close_for_good(&self.shared, cause, checkpoint);
        Ok(Presented::Forked)
    }
}

/// Closes the log because of a checkpoint of its own that the tree does not extend, and keeps that.
pub(super) fn close_for_good(shared: &Shared, cause: String, checkpoint: &str) {
    let cause: Arc<str> = cause.into();
    shared.set_health(|_| Some(LogHealth::Failed { cause: Arc::clone(&cause) }));
    if let Some(path) = shared.settings.presented_file() {
        let kept = keep(&path, checkpoint);
        if let Err(error) = kept {
            tracing::error!(%error, path = %path.display(), "the presented checkpoint was not kept");
        }
    }
    // The load path refuses what was kept, so the writer stays closed until a person acts.
    shared.queue.order(|orders| orders.reload = true);
}

/// Writes and syncs the file, and the directory that names it.
fn keep(path: &Path, checkpoint: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(checkpoint.as_bytes())?;
    file.sync_all()?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
