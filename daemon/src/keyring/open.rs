//! Opening the keys of versions that sign.
//!
//! A backend that is down gives a key all the same, which compares the public key before it is used; what fails here is
//! refused by name (a wrong key, a missing file) and is tried again when the backend's health changes.
//!
//! Keys are opened by tasks of their own, one for each backend, and nobody has to wait for them: until its key is open a version
//! is refused as one that is being opened. So a module that hangs holds up its own keys alone
//! (`a_backend_that_says_nothing_holds_up_its_own_keys_alone`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use proto::key_id::KeyId;

use super::Keyring;
use super::snapshot::Opened;
use crate::backend::locator::LocatorError;
use crate::backend::{Backend, Deadline, Failure, KeyReference, PublicKey, SigningKey};
use crate::keys::state::KeyVersion;

/// How long the keys of one backend wait for its start. After that they are opened without it, as those of a backend that is
/// down.
const LONGEST: Duration = Duration::from_secs(30);

/// Keys of one backend that are opened at once, and put into one snapshot.
const TOGETHER: usize = 64;

impl Keyring {
    /// Starts to open every key that signs and is not open. Returns at once.
    pub(super) fn open_keys(self: &Arc<Self>) {
        let snapshot = self.snapshot();
        let unopened = snapshot.signing().filter(|version| snapshot.opened(&version.key_id).is_none());
        // Whoever asks for a key looks at it; nobody waits here.
        drop(self.begin_to_open(unopened.cloned().collect()));
    }

    /// Starts to open every key that signs. Whoever waits for the answer learns how many could not be opened at the first try;
    /// whoever does not takes nothing back.
    pub fn open_all(self: &Arc<Self>) -> impl Future<Output = usize> + Send + use<> {
        self.begin_to_open(self.snapshot().signing().cloned().collect())
    }

    fn begin_to_open(
        self: &Arc<Self>,
        versions: Vec<Arc<KeyVersion>>,
    ) -> impl Future<Output = usize> + Send + use<> {
        let mut all: BTreeMap<String, Vec<Arc<KeyVersion>>> = BTreeMap::new();
        let begun: Vec<_> =
            versions.into_iter().map(|version| Tried { version, opened: Opened::Begun }).collect();
        if !begun.is_empty() {
            self.keep(&begun);
        }
        for Tried { version, .. } in begun {
            all.entry(version.backend.clone()).or_default().push(version);
        }
        let opening = all.into_iter().map(|(backend, versions)| {
            let keys = versions.len();
            let opening = tokio::spawn(Arc::clone(self).open_those_of(backend.clone(), versions));
            async move {
                opening.await.unwrap_or_else(|ended| {
                    tracing::error!(backend, %ended, "opening keys ended before they were open");
                    keys
                })
            }
        });
        let opening = join_all(opening);
        async move { opening.await.into_iter().sum() }
    }

    /// Opens keys of one backend, once each, and says how many could not be; those are tried again.
    async fn open_those_of(self: Arc<Self>, backend: String, versions: Vec<Arc<KeyVersion>>) -> usize {
        // One moment for all of them: a backend that does not start is waited for once.
        let by = Deadline(self.clock.monotonic().after(LONGEST));
        let open = |version| {
            let keyring = Arc::clone(&self);
            async move { keyring.open(version, by).await }
        };
        let tried = stream::iter(versions).map(open).buffer_unordered(TOGETHER).ready_chunks(TOGETHER);
        let mut tried = std::pin::pin!(tried);
        let mut failed = 0;
        while let Some(tried) = tried.next().await {
            self.keep(&tried);
            for Tried { version, .. } in tried.into_iter().filter(|tried| !tried.is_open()) {
                failed += 1;
                tokio::spawn(Arc::clone(&self).keep_trying(version));
            }
        }
        tracing::debug!(backend, failed, "its keys were looked for");
        failed
    }

    /// Tries until it is open: when the backend's health changes, and every few seconds.
    async fn keep_trying(self: Arc<Self>, version: Arc<KeyVersion>) {
        let mut wait = Duration::from_millis(250);
        while self.snapshot().is_there(&version) {
            let Some(backend) = self.backend(&version.backend) else { return };
            let mut health = backend.health();
            tokio::select! {
                _changed = health.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
            let by = Deadline(self.clock.monotonic().after(LONGEST));
            let tried = self.open(Arc::clone(&version), by).await;
            self.keep(std::slice::from_ref(&tried));
            if tried.is_open() {
                return;
            }
            wait = (wait * 2).min(Duration::from_secs(10));
        }
    }

    async fn open(&self, version: Arc<KeyVersion>, by: Deadline) -> Tried {
        let opened = match self.backend(&version.backend) {
            Some(backend) => open(backend.as_ref(), &version, by).await,
            None => Err(Failure::Unavailable {
                cause: format!("no backend `{}` is configured", version.backend),
                retry_after: Duration::from_secs(10),
            }),
        };
        if let Err(failure) = &opened {
            tracing::warn!(key = %version.name(), backend = version.backend, %failure, "the key cannot be opened");
        }
        Tried { version, opened: opened.map_or_else(Opened::Failed, Opened::Key) }
    }

    /// Makes known what came of it, of versions that are still where they were.
    fn keep(&self, tried: &[Tried]) {
        self.replace(|current| {
            let there = tried.iter().filter(|tried| current.is_there(&tried.version));
            current.with_keys(there.map(|tried| (tried.version.key_id, tried.opened.clone())))
        });
    }
}

/// A version, and what came of opening its key.
struct Tried {
    version: Arc<KeyVersion>,
    opened: Opened,
}

impl Tried {
    const fn is_open(&self) -> bool {
        matches!(self.opened, Opened::Key(_))
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
