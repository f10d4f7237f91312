//! The log's own key: signs checkpoints, and nothing else.

use std::sync::Arc;

use proto::hash::Hash;
use proto::proof::checkpoint::{Checkpoint, CheckpointError};
use proto::proof::note::{Ed25519Signer, NoteSigner, SeedError, Verifier};

/// The key of the log, wherever it lives. Its name is the log's origin.
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

    /// Signs a checkpoint. It is shown to nobody before the commit that makes it true.
    pub(super) fn checkpoint(
        &self,
        size: u64,
        root: Hash,
        control: (u64, Hash),
    ) -> Result<String, CheckpointError> {
        Checkpoint { origin: self.origin().to_owned(), size, root, control: Some(control) }.sign(&*self.0)
    }
}
