//! The log's own keys: they sign checkpoints, and nothing else.
//!
//! Which key signs a checkpoint of which size is said by the control records ([`LogKeys`]); which of them this process can sign
//! with, by the configuration: the key in force, and, while a `log.rekey` is held, the next one too.

use std::sync::Arc;

use proto::hash::Hash;
use proto::proof::checkpoint::{Checkpoint, CheckpointError};
use proto::proof::keys::LogKeys;
use proto::proof::note::{Ed25519Signer, NoteError, NoteSigner, SeedError, SignFailure, Verifier};

/// A key of the log, wherever it lives. Its name is the log's origin.
#[derive(Clone)]
pub struct LogKey(Arc<dyn NoteSigner>);

impl std::fmt::Debug for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LogKey").field(self.verifier()).finish()
    }
}

impl LogKey {
    /// A key from its signer.
    pub fn new(signer: Arc<dyn NoteSigner>) -> Self {
        Self(signer)
    }

    /// An Ed25519 key (RFC 8032) in this process, from its 32-byte seed.
    ///
    /// # Errors
    /// [`SeedError`] where the seed has another length or the origin is no name.
    pub fn from_seed(origin: &str, seed: &[u8]) -> Result<Self, SeedError> {
        Ok(Self(Arc::new(Ed25519Signer::from_seed(origin, seed)?)))
    }

    /// What checks this key's signatures.
    pub fn verifier(&self) -> &Verifier {
        self.0.verifier()
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        self.verifier().name()
    }

    /// Signs a checkpoint by itself. It is shown to nobody before the commit that makes it true.
    pub(super) fn checkpoint(
        &self,
        size: u64,
        root: Hash,
        control: (u64, Hash),
    ) -> Result<String, CheckpointError> {
        Checkpoint { origin: self.origin().to_owned(), size, root, control: Some(control) }.sign(&*self.0)
    }
}

/// The keys that this process can sign with: the one in force, and perhaps the next one.
#[derive(Clone, Debug)]
pub struct Signers {
    first: LogKey,
    other: Option<LogKey>,
}

impl From<LogKey> for Signers {
    fn from(key: LogKey) -> Self {
        Self { first: key, other: None }
    }
}

/// Two keys that cannot be those of one log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UnfitKeys {
    /// One key twice.
    #[error("the log key and the next one are the same key: make the next one by `countersignd log-key`")]
    Same,
    /// Of two logs.
    #[error("the log key is of `{key}`, and the next one of `{next}`: a log keeps its name")]
    Origins {
        /// Name of the key.
        key: String,
        /// Name of the next one.
        next: String,
    },
}

impl Signers {
    /// The configured key, and the one that is configured as the next. After a `log.rekey` it is the other way round, and
    /// both orders are good.
    ///
    /// # Errors
    /// [`UnfitKeys`].
    pub fn new(key: LogKey, next: Option<LogKey>) -> Result<Self, UnfitKeys> {
        if let Some(next) = &next {
            if next.verifier() == key.verifier() {
                return Err(UnfitKeys::Same);
            }
            if next.origin() != key.origin() {
                let (key, next) = (key.origin().to_owned(), next.origin().to_owned());
                return Err(UnfitKeys::Origins { key, next });
            }
        }
        Ok(Self { first: key, other: next })
    }

    /// The log's origin.
    pub(super) fn origin(&self) -> &str {
        self.first.origin()
    }

    /// The key that is configured first.
    pub(super) fn first(&self) -> &Verifier {
        self.first.verifier()
    }

    /// The key with this public half; none where this process cannot sign with it.
    pub(super) fn find(&self, key: &Verifier) -> Option<&LogKey> {
        std::iter::once(&self.first).chain(&self.other).find(|held| held.verifier() == key)
    }

    /// What is configured, for messages.
    pub(super) fn names(&self) -> String {
        let all = std::iter::once(&self.first).chain(&self.other);
        all.map(|held| held.verifier().to_string()).collect::<Vec<_>>().join(" and ")
    }

    /// Signs a checkpoint by the keys in force at its size. It is shown to nobody before the commit that makes it true.
    pub(super) fn checkpoint(
        &self,
        keys: &LogKeys,
        size: u64,
        root: Hash,
        control: (u64, Hash),
    ) -> Result<String, CheckpointError> {
        self.sign(keys.at(size), size, root, control)
    }

    /// Signs a checkpoint by each of these keys.
    pub(super) fn sign<'k>(
        &self,
        by: impl Iterator<Item = &'k Verifier>,
        size: u64,
        root: Hash,
        control: (u64, Hash),
    ) -> Result<String, CheckpointError> {
        let missing = |key: &Verifier| NoteError::Sign {
            name: key.name().to_owned(),
            cause: SignFailure(format!("the private key of {key} is not configured")),
        };
        let held: Vec<&dyn NoteSigner> = by
            .map(|key| self.find(key).map(|held| &*held.0).ok_or_else(|| missing(key)))
            .collect::<Result<_, _>>()?;
        Checkpoint { origin: self.origin().to_owned(), size, root, control: Some(control) }.sign_with(&held)
    }
}
