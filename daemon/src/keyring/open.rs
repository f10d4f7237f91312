//! Opening the keys of versions that sign.
//!
//! A backend that is down gives a key all the same, which compares the public key before it is used; what fails here is
//! refused by name (a wrong key, a missing file) and is tried again when the backend's health changes.

use std::sync::Arc;
use std::time::Duration;

use proto::key_id::KeyId;

use super::Keyring;
use super::snapshot::Opened;
use crate::backend::locator::LocatorError;
use crate::backend::{Backend, Deadline, Failure, KeyReference, PublicKey, SigningKey};
use crate::keys::state::KeyVersion;

/// How long opening one key may take.
const LONGEST: Duration = Duration::from_secs(30);

impl Keyring {
    /// Starts to open every key that signs and is not open. Returns at once.
    pub(super) fn open_keys(self: &Arc<Self>) {
        let snapshot = self.snapshot();
        for version in snapshot.signing().filter(|version| snapshot.opened(&version.key_id).is_none()) {
            let pending = Opened::Failed(Failure::Unavailable {
                cause: "the key is being opened".into(),
                retry_after: Duration::from_millis(200),
            });
            self.replace(|current| current.with_key(version.key_id, pending.clone()));
            tokio::spawn(Arc::clone(self).keep_open(Arc::clone(version)));
        }
    }

    /// Opens every key that signs, once, and says how many could not be.
    pub async fn open_all(self: &Arc<Self>) -> usize {
        let snapshot = self.snapshot();
        let mut failed = 0;
        for version in snapshot.signing() {
            if !self.open_once(version).await {
                failed += 1;
                tokio::spawn(Arc::clone(self).keep_open(Arc::clone(version)));
            }
        }
        failed
    }

    /// Tries until it is open: when the backend's health changes, and every few seconds.
    async fn keep_open(self: Arc<Self>, version: Arc<KeyVersion>) {
        let mut wait = Duration::from_millis(250);
        while !self.open_once(&version).await {
            if !self.snapshot().is_there(&version) {
                return;
            }
            let Some(backend) = self.backend(&version.backend) else { return };
            let mut health = backend.health();
            tokio::select! {
                _changed = health.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(Duration::from_secs(10));
        }
    }

    async fn open_once(&self, version: &KeyVersion) -> bool {
        let opened = match self.backend(&version.backend) {
            Some(backend) => {
                open(backend.as_ref(), version, Deadline(self.clock.monotonic().after(LONGEST))).await
            }
            None => Err(Failure::Unavailable {
                cause: format!("no backend `{}` is configured", version.backend),
                retry_after: Duration::from_secs(10),
            }),
        };
        let open = opened.is_ok();
        if let Err(failure) = &opened {
            tracing::warn!(key = %version.name(), backend = version.backend, %failure, "the key cannot be opened");
        }
        let opened = opened.map_or_else(Opened::Failed, Opened::Key);
        self.replace(|current| match current.is_there(version) {
            true => current.with_key(version.key_id, opened.clone()),
            false => current.clone(),
        });
        open
    }
}

async fn open(
    backend: &dyn Backend,
    version: &KeyVersion,
    by: Deadline,
) -> Result<Arc<dyn SigningKey>, Failure> {
    let locator =
        version.locator.parse().map_err(|e: LocatorError| Failure::Unsupported { what: e.to_string() })?;
    let expected = PublicKey::from_spki(&version.public_key)
        .map_err(|e| Failure::Unsupported { what: e.to_string() })?;
    debug_assert_eq!(KeyId::of_spki(&version.public_key), version.key_id);
    let reference = KeyReference { locator, algorithm: version.algorithm };
    backend.open(&reference, &expected, by).await
}
