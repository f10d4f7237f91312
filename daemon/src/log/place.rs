//! A further anchor for a log that exists.

use std::sync::Arc;

use proto::record::Body;

use super::anchor::{Anchor, Kept};
use super::error::LogError;
use super::settings::AnchorPlace;
use super::tree::detailed;
use super::watch::Appended;
use super::{ControlDraft, Log};

impl Log {
    /// Makes an anchor that holds the newest checkpoint, and records it: `draft` is the `log.anchor` record. It is kept up
    /// from the next start with a configuration that names it.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where the file exists or cannot be made, or the record cannot be written; a file that was
    /// made stays, and is a valid anchor.
    pub async fn add_anchor(&self, place: AnchorPlace, draft: ControlDraft) -> Result<Appended, LogError> {
        if !matches!(draft.body, Body::Anchor { .. }) {
            return Err(LogError::Malformed { cause: "a `log.anchor` record was expected".into() });
        }
        // The number of operations may lag behind: an anchor demands at least what it holds.
        let kept = Kept { checkpoint: self.head().checkpoint.to_string(), number: 0 };
        let made = tokio::task::spawn_blocking(move || Anchor::create(place.path(), &kept));
        match made.await {
            Ok(Ok(())) => self.control(draft).await,
            Ok(Err(error)) => Err(LogError::Unavailable { cause: Arc::from(detailed(&error)) }),
            Err(panicked) => Err(LogError::unavailable(panicked)),
        }
    }
}
