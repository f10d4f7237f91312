//! What is done to a log by whoever has its state directory in hand: a further anchor, a copy from beside the daemon.

use std::path::Path;
use std::sync::Arc;

use super::Log;
use super::anchor::{Anchor, AnchorFailure, AnchorPlace, Client, Kept};
use super::backup::{self, Backup};
use super::error::LoadError;
use super::settings::Settings;
use super::signer::Signers;
use crate::clock::Clock;
use crate::store::Store;

impl Log {
    /// Makes a new anchor that holds the newest checkpoint, and is to be named by a record then: an anchor that is a record
    /// behind contradicts nothing. A crash before that record leaves an anchor that nothing configures.
    ///
    /// # Errors
    /// [`LoadError`], where something is there already or it cannot be written.
    pub async fn make_anchor(&self, place: &AnchorPlace) -> Result<(), LoadError> {
        let readers = self
            .shared
            .readers
            .load_full()
            .ok_or_else(|| LoadError::Inconsistent("it is not loaded".into()))?;
        let number = readers.read(|view| view.counter())?;
        let kept = Kept { checkpoint: self.head().checkpoint.to_string(), number };
        let Some(mut client) = Client::of(place, &self.shared.settings, &self.shared.clock) else {
            return place.file().map_or(Ok(()), |path| Anchor::create(path, &kept));
        };
        let made = client.create(&kept).await;
        client.close().await;
        made.map_err(|failure| not_made(place, &failure))
    }
}

/// Whether there is nothing yet where an anchor is to be made; the settings say how it is reached.
///
/// # Errors
/// [`LoadError::NotMade`] where something is there, or it cannot be known.
pub async fn vacant(
    settings: &Settings,
    place: &AnchorPlace,
    clock: Arc<dyn Clock>,
) -> Result<(), LoadError> {
    let found = match Client::of(place, settings, &clock) {
        None if place.file().is_some_and(Path::exists) => Err(AnchorFailure::Taken),
        None => Ok(()),
        Some(mut client) => {
            let found = client.vacant().await;
            client.close().await;
            found
        }
    };
    found.map_err(|failure| not_made(place, &failure))
}

fn not_made(place: &AnchorPlace, failure: &AnchorFailure) -> LoadError {
    LoadError::NotMade { place: place.to_string(), cause: failure.to_string() }
}

/// Copies the log of a state directory into `directory`, which must be empty or new, while a daemon may be writing it:
/// `log.db`, `anchor` and `anchor.stops`. The copy is verified as it is made and loaded once.
///
/// # Errors
/// [`LoadError`]; what was copied until then is of no use.
pub fn copy(
    state_directory: &Path,
    directory: &Path,
    signers: &Signers,
    progress: impl FnMut(u64, u64),
) -> Result<Backup, LoadError> {
    backup::verified(&Store::readers_of(state_directory), directory, signers, progress)
}
