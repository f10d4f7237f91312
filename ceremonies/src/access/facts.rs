//! What a request is about: the payload's facts, and the key.

use proto::canonical::Map;
use proto::digest::Digests;
use proto::name::KeyName;
use proto::purpose::{Kind, Purpose};

/// What the daemon read out of the bytes to be signed, and what the caller said beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// What the bytes are, decided by the bytes.
    pub kind: Kind,
    /// Repository of an image, without tag and digest.
    pub repository: Option<String>,
    /// Digests of what is signed.
    pub digests: Digests,
    /// In-toto predicate type.
    pub predicate_type: Option<String>,
    /// Digests of what a structured payload speaks about, `sha256:<hex>`.
    pub subjects: Vec<String>,
    /// The caller's own word.
    pub annotations: Map<String>,
}

impl Facts {
    /// Facts of a payload of which nothing is known but its kind and digests.
    pub fn new(kind: Kind, digests: Digests) -> Self {
        let (repository, predicate_type) = (None, None);
        Self { kind, repository, digests, predicate_type, subjects: Vec::new(), annotations: Map::default() }
    }
}

/// A key as policy sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resource {
    /// Its name.
    pub key: KeyName,
    /// What it is for.
    pub purpose: Purpose,
    /// Who answers for it.
    pub owner: String,
}

impl Resource {
    /// The `Keys::"…"` that hold it: everything above its name, and the name itself.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let name = self.key.as_str();
        name.match_indices('/').map(|(at, _)| &name[..at]).chain([name])
    }
}
