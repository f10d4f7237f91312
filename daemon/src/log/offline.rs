//! What is done to a log by whoever has its state directory in hand: a further anchor, a copy from beside the daemon.

use std::path::Path;

use super::Log;
use super::anchor::{Anchor, Kept};
use super::backup::{self, Backup};
use super::error::LoadError;
use super::signer::LogKey;
use crate::store::Store;

impl Log {
    /// Makes a new anchor file that holds the newest checkpoint. What is safe now: the record that names it. A crash
    /// before the file is there leaves a record whose anchor nothing configures yet.
    ///
    /// # Errors
    /// [`LoadError`], where the file is there already or cannot be written.
    pub fn make_anchor(&self, path: &Path) -> Result<(), LoadError> {
        let readers = self
            .shared
            .readers
            .load_full()
            .ok_or_else(|| LoadError::Inconsistent("it is not loaded".into()))?;
        let number = readers.read(|view| view.counter())?;
        Anchor::create(path, &Kept { checkpoint: self.head().checkpoint.to_string(), number })
    }
}

/// Copies the log of a state directory into `directory`, which must be empty or new, while a daemon may be writing it:
/// `log.db`, `anchor` and `anchor.stops`. The copy is verified as it is made and loaded once.
///
/// # Errors
/// [`LoadError`]; what was copied until then is of no use.
pub fn copy(
    state_directory: &Path,
    directory: &Path,
    key: &LogKey,
    progress: impl FnMut(u64, u64),
) -> Result<Backup, LoadError> {
    backup::verified(&Store::readers_of(state_directory), directory, key, progress)
}
