//! Parameters of the kinds that are about one key.

use proto::algorithm::Algorithm;
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::purpose::Purpose;
use proto::time::Time;
use serde::{Deserialize, Serialize};

use crate::statement::target::Target;
use crate::statement::{Head, Line, Name, Prose};

/// A value that can only be this one, written out so that whoever reads the statement reads it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Fixed<const VALUE: bool>;

impl<const VALUE: bool> Serialize for Fixed<VALUE> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(VALUE)
    }
}

impl<'de, const VALUE: bool> Deserialize<'de> for Fixed<VALUE> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if bool::deserialize(deserializer)? == VALUE {
            return Ok(Self);
        }
        Err(serde::de::Error::custom(format_args!("here this is always {VALUE}")))
    }
}

/// When a version begins to sign.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// When the ceremony is completed: there is no verifier yet, or the outage is accepted.
    AtCompletion,
    /// By a `key.rotate`.
    Planned,
}

/// `key.generate`: a new key pair.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyGenerate {
    /// When it begins to sign.
    pub activation: Activation,
    /// How it signs, for life.
    pub algorithm: Algorithm,
    /// Where the private key will live, by the backend's name in the configuration.
    pub backend: Name,
    /// Always false: the private key never leaves the backend.
    pub extractable: Fixed<false>,
    /// The key.
    pub key: KeyName,
    /// Who answers for it.
    pub owner: Line,
    /// What it may sign.
    pub purpose: Purpose,
    /// How it will be retired.
    pub retirement: Prose,
    /// Serial of the device; absent where the backend has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<Line>,
    /// Whether it is published and then waits for an emergency; such a version has no activation planned.
    pub standby: bool,
    /// Its number, from 1 without gaps.
    pub version: u32,
}

/// `key.adopt`: a key pair that exists already.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAdopt {
    /// When it begins to sign.
    pub activation: Activation,
    /// How it signs, for life.
    pub algorithm: Algorithm,
    /// Where the private key lives, by the backend's name in the configuration.
    pub backend: Name,
    /// The key.
    pub key: KeyName,
    /// SHA-256 of its DER SubjectPublicKeyInfo.
    pub key_id: KeyId,
    /// Where in the backend: a URI without secrets. It keeps its label and id.
    pub locator: Line,
    /// Who answers for it.
    pub owner: Line,
    /// What it may sign.
    pub purpose: Purpose,
    /// How it will be retired.
    pub retirement: Prose,
    /// Serial of the device; absent where the backend has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<Line>,
    /// Whether it is published and then waits for an emergency.
    pub standby: bool,
    /// What cannot be proven about its birth, at least one thing: each becomes a deviation of the transcript.
    pub unproven: Vec<Line>,
    /// Its number, from 1 without gaps.
    pub version: u32,
}

/// What is said of a key pair that comes into an instance, whether it is made or adopted.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// When it begins to sign.
    pub activation: Activation,
    /// The key pair that is adopted; none where one is made.
    pub adopts: Option<KeyId>,
    /// How it signs, for life.
    pub algorithm: Algorithm,
    /// Where the private key lives.
    pub backend: &'a Name,
    /// The key.
    pub key: &'a KeyName,
    /// Who answers for it.
    pub owner: &'a Line,
    /// What it may sign.
    pub purpose: &'a Purpose,
    /// Serial of the device, where the statement names one.
    pub serial: Option<&'a Line>,
    /// Its number.
    pub version: u32,
}

impl Target {
    /// The key pair that comes into the instance; none where none does.
    pub const fn arrival(&self) -> Option<Arrival<'_>> {
        match self {
            Self::KeyGenerate(key) => Some(Arrival {
                activation: key.activation,
                adopts: None,
                algorithm: key.algorithm,
                backend: &key.backend,
                key: &key.key,
                owner: &key.owner,
                purpose: &key.purpose,
                serial: key.serial.as_ref(),
                version: key.version,
            }),
            Self::KeyAdopt(key) => Some(Arrival {
                activation: key.activation,
                adopts: Some(key.key_id),
                algorithm: key.algorithm,
                backend: &key.backend,
                key: &key.key,
                owner: &key.owner,
                purpose: &key.purpose,
                serial: key.serial.as_ref(),
                version: key.version,
            }),
            _ => None,
        }
    }
}

/// Whether a request needs both signatures of an overlap.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// The active version's is enough; the reply says `degraded`.
    ActiveSuffices,
    /// The request fails without the second.
    Both,
}

/// `key.rotate`: the plan by which one version follows another. Its output is a `key.plan`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRotate {
    /// When the successor begins to sign, at the earliest.
    pub activate: Time,
    /// The key.
    pub key: KeyName,
    /// Which signatures a request needs during the overlap.
    pub overlap: Overlap,
    /// When the successor is published, at the earliest.
    pub publish: Time,
    /// When the version stops signing.
    pub retire: Time,
    /// The version that follows.
    pub successor: u32,
    /// The version that signs now.
    pub version: u32,
}

/// `key.rotate.emergency`: a Ready standby takes the place of a stopped version. It never generates.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRotateEmergency {
    /// The key.
    pub key: KeyName,
    /// Index of the record that stopped it; its stop is lifted for the promoted version alone.
    pub stop: u64,
    /// The standby that is promoted.
    pub successor: u32,
    /// The standby's key id.
    pub successor_id: KeyId,
    /// The version that was active when it was stopped.
    pub version: u32,
}

/// `key.compromise`: a version is compromised, for ever.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCompromise {
    /// The newest head that someone else held before `since`: what lies under it provably predates the compromise.
    /// Absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Head>,
    /// The key.
    pub key: KeyName,
    /// The version's key id.
    pub key_id: KeyId,
    /// The earliest suspected time.
    pub since: Time,
    /// The version.
    pub version: u32,
}

/// `key.resume`: a stopped key signs again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyResume {
    /// The written finding: what happened, and why the key is safe.
    pub finding: Prose,
    /// The key.
    pub key: KeyName,
    /// Index of the record that stopped it.
    pub stop: u64,
    /// The version; absent where the whole ring was stopped and resumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// A list of what is in use, with someone who answers for it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Who answers for it.
    pub owner: Line,
    /// SHA-256 of the file.
    pub sha256: Hash,
}

/// `key.remove`: a version leaves the trust bundle.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRemove {
    /// The list that shows that the version is unused; absent where fresh reports of every surface show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    /// The key.
    pub key: KeyName,
    /// The version's key id.
    pub key_id: KeyId,
    /// The version.
    pub version: u32,
}

/// `key.destroy`: a private key is destroyed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyDestroy {
    /// Where the private key lives, by the backend's name in the configuration.
    pub backend: Name,
    /// Where else copies of it are (backups, replicas), and who destroys them; empty where there are none.
    pub copies: Vec<Line>,
    /// The key.
    pub key: KeyName,
    /// The version's key id.
    pub key_id: KeyId,
    /// Where in the backend: a URI without secrets.
    pub locator: Line,
    /// Serial of the device; absent where the backend has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<Line>,
    /// The version.
    pub version: u32,
}
