//! `config`: with which configuration the daemon runs, at each of its starts and reloads.
//!
//! The leaf holds digests and versions, so it can be published; what belongs to the machine (its backends and their modules) is
//! in the detail. Neither holds a path, an address, a secret, or anybody's name.

use serde::{Deserialize, Serialize};

use crate::canonical::{self, Map};
use crate::hash::Hash;
use crate::operation::OperationId;
use crate::record::kind::ConfigTag;
use crate::record::{Draft, RecordError, Salt, Times};

/// With what the daemon decides from here on, until the next record of its kind or a control record that changes it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigRecord {
    /// Why there is this record.
    pub cause: Cause,
    /// Settings whose files were other ones, and were put in force with this record; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Setting>,
    /// SHA-256 of each file of certificates that vouch for callers, as the guardrails name them; sorted.
    pub client_ca: Vec<Hash>,
    /// SHA-256 of the detail ([`ConfigDetail`]).
    pub detail: Hash,
    /// SHA-256 of the configuration file, as this process read it when it began.
    pub file: Hash,
    /// The grants in force.
    pub grants: InForce,
    /// The guardrails in force.
    pub guardrails: InForce,
    /// Always `config`.
    pub kind: ConfigTag,
    /// Names the record for ever.
    pub operation: OperationId,
    /// The roster in force.
    pub roster: InForce,
    /// Version of the program, for instance `0.1.0`.
    pub software: String,
    /// When.
    pub time: Times,
    /// Version of the record.
    pub v: u8,
}

/// Why the daemon says with what it runs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// It was started.
    Start,
    /// It was told to read its files again (SIGHUP), and did.
    Reload,
}

impl Cause {
    /// As records write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reload => "reload",
        }
    }
}

/// A setting of the configuration that names a file which the log must name too.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Setting {
    /// `policy.grants`.
    #[serde(rename = "policy.grants")]
    Grants,
    /// `policy.guardrails`.
    #[serde(rename = "policy.guardrails")]
    Guardrails,
}

impl Setting {
    /// As the configuration names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grants => "policy.grants",
            Self::Guardrails => "policy.guardrails",
        }
    }
}

/// A document that the log has put in force: its digest, and how many there were before it, and one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InForce {
    /// SHA-256 of the document.
    pub sha256: Hash,
    /// From 1.
    pub version: u64,
}

/// What belongs to the machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigDetail {
    /// Where keys live, by the names in the configuration.
    pub backends: Map<BackendDetail>,
    /// Random.
    pub salt: Salt,
}

/// One backend.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BackendDetail {
    /// `software` or `pkcs11`.
    pub kind: String,
    /// SHA-256 of the module's file, where there is one and this process may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<Hash>,
}

impl ConfigDetail {
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

impl ConfigRecord {
    /// The leaf's draft.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn draft(&self) -> Result<Draft, RecordError> {
        Draft::plain(canonical::to_vec(self)?)
    }
}
