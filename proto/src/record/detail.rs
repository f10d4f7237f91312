//! Details: the part of a record that can be erased while every proof still holds.

use serde::{Deserialize, Serialize};

use crate::canonical::{self, Map, base64_bytes};
use crate::hash::Hash;
use crate::record::RecordError;

/// Most annotations of one request.
pub const ANNOTATIONS: usize = 16;

/// Longest name or value of an annotation in bytes, name and value together.
pub const LONGEST_ANNOTATION: usize = 256;

/// 16 random bytes, so that the name of a detail gives nothing away.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Salt(#[serde(with = "base64_bytes")] Vec<u8>);

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = base64_bytes::deserialize(deserializer)?;
        if bytes.len() == 16 {
            return Ok(Self(bytes));
        }
        Err(serde::de::Error::custom(format_args!("a salt has 16 bytes, this one has {}", bytes.len())))
    }
}

impl From<[u8; 16]> for Salt {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes.to_vec())
    }
}

/// The detail of `sign` and `denied` records.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    /// The caller's own word, always apart from claims.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub annotations: Map<String>,
    /// Where the private key lives, by its name in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Who asked.
    pub caller: CallerDetail,
    /// What decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyDetail>,
    /// The repository of an image, as the caller named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The caller's request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Random.
    pub salt: Salt,
    /// Subjects beyond those in the leaf.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
}

/// An identity as it was proven.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CallerDetail {
    /// The claims that policy used.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String>,
    /// Stable id, for instance `spiffe://example.org/ci/linux`.
    pub id: String,
    /// `spiffe`, `dns` or `unix`.
    pub kind: String,
}

/// What decided: the records of the policy in force, and the rule.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDetail {
    /// Index of the record that put the grants in force.
    pub grants: u64,
    /// Index of the record that put the guardrails in force.
    pub guardrails: u64,
    /// Id of the rule.
    pub rule: String,
}

impl Detail {
    /// The detail that names a caller and nothing else.
    pub fn of(caller: CallerDetail, salt: Salt) -> Self {
        Self {
            annotations: Map::default(),
            backend: None,
            caller,
            policy: None,
            repository: None,
            request: None,
            salt,
            subjects: vec![],
        }
    }

    /// Its canonical bytes and the name that the leaf gives it.
    ///
    /// # Errors
    /// [`RecordError::Canonical`].
    pub fn encode(&self) -> Result<(Vec<u8>, Hash), RecordError> {
        let bytes = canonical::to_vec(self)?;
        let name = Hash::of(&bytes);
        Ok((bytes, name))
    }
}

/// The detail of a control record: reasons and, from people, the acts themselves.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ControlDetail {
    /// Texts that were signed or that others must be able to check, as they came, by the names of
    /// [`document`](super::ceremony::document).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub documents: Map<String>,
    /// Why, in the words of whoever did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Random.
    pub salt: Salt,
}

impl ControlDetail {
    /// A detail with a reason and nothing else.
    pub fn of(reason: String, salt: Salt) -> Self {
        Self { documents: Map::default(), reason: Some(reason), salt }
    }

    /// A detail with documents and nothing else.
    pub fn with<'d>(documents: impl IntoIterator<Item = (&'d str, String)>, salt: Salt) -> Self {
        let mut map = Map::default();
        for (name, text) in documents {
            map.insert(name.to_owned(), text);
        }
        Self { documents: map, reason: None, salt }
    }

    /// Its canonical bytes and the name that the leaf gives it.
    ///
    /// # Errors
    /// [`RecordError::Canonical`].
    pub fn encode(&self) -> Result<(Vec<u8>, Hash), RecordError> {
        let bytes = canonical::to_vec(self)?;
        let name = Hash::of(&bytes);
        Ok((bytes, name))
    }
}
