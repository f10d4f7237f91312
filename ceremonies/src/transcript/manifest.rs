//! The manifest: the one digest that stands for all files.

use proto::canonical::{self, CanonicalError};
use proto::hash::Hash;
use serde::{Deserialize, Serialize};

use super::{Files, SCHEMA, name};
use crate::statement::CeremonyId;

/// A file of a transcript.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Its path, `/` between the names.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
}

/// Digests of every file but the manifest itself and the receipt of the completion, which names the manifest.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// The files, in the order of their paths' bytes.
    pub files: Vec<Listed>,
    /// SHA-256 of the genesis statement.
    pub genesis_sha256: Hash,
    /// [`SCHEMA`].
    pub schema: String,
    /// SHA-256 of the statement.
    pub statement: Hash,
}

impl Manifest {
    /// The manifest of these files; those that no manifest lists are left out.
    pub fn of(ceremony: CeremonyId, genesis_sha256: Hash, statement: Hash, files: &Files) -> Self {
        let listed =
            |(path, bytes): (&String, &Vec<u8>)| Listed { path: path.clone(), sha256: Hash::of(bytes) };
        let files = files.iter().filter(|(path, _)| is_listed(path)).map(listed).collect();
        Self { ceremony, files, genesis_sha256, schema: SCHEMA.to_owned(), statement }
    }

    /// Its canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        canonical::to_vec(self).expect("a manifest has string keys alone")
    }

    /// Reads a manifest from its canonical bytes.
    ///
    /// # Errors
    /// [`CanonicalError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CanonicalError> {
        canonical::from_slice(bytes)
    }

    /// SHA-256 of its canonical bytes: what `ceremony.completed` names, and what is read aloud after an execution.
    pub fn digest(&self) -> Hash {
        Hash::of(&self.encode())
    }
}

/// Whether a manifest lists the file with this path.
pub(super) fn is_listed(path: &str) -> bool {
    path != name::MANIFEST && path != name::COMPLETED
}
