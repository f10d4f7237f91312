//! Parameters of the kinds that are about stops, single signatures, interrupted executions, devices, the clock and the log.

use proto::digest::Digest;
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::origin::Origin;
use proto::proof::note::Verifier;
use proto::term::Term;
use proto::time::Time;
use serde::{Deserialize, Serialize};

use crate::person::PersonId;
use crate::statement::{CeremonyId, Head, Line, Name, Prose};

/// `stop.lift`: the end of a stop that names no key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StopLift {
    /// The written finding: what happened, and why it is over.
    pub finding: Prose,
    /// Index of the record that made the stop.
    pub stop: u64,
    /// The terms of it that end, at least one; none of a key.
    pub terms: Vec<Term>,
}

impl StopLift {
    /// Whether it concerns callers alone, of whom there are many: two officers are then enough.
    pub fn is_about_callers(&self) -> bool {
        self.terms.iter().all(|term| matches!(term, Term::Caller(_) | Term::Issuer(_) | Term::Claim { .. }))
    }
}

/// `sign.break-glass`: signatures over exactly the listed digests. The entry of the exception register is made before.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SignBreakGlass {
    /// What is done instead of the usual control.
    pub control: Prose,
    /// What is signed: 1 to 1,000, each `<hash>:<hex>`, sorted by their text.
    #[serde(with = "digests")]
    pub digests: Vec<Digest>,
    /// By when the exception is closed.
    pub due: Time,
    /// The key.
    pub key: KeyName,
    /// The one officer who approves.
    pub officer: PersonId,
    /// Who answers for the exception; another person than the officer.
    pub owner: PersonId,
    /// The version.
    pub version: u32,
}

/// What is done with what an interrupted execution left. There is no adopting.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Leftover {
    /// It stays where it is, for ever unused; the ceremony has failed.
    Abandon,
    /// It is destroyed, or there is none; the same approvals, if still valid, may start once more.
    Destroy,
}

/// `resolve`: what an interrupted execution left.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// The interrupted ceremony.
    pub ceremony: CeremonyId,
    /// What is done.
    pub leftover: Leftover,
    /// SHA-256 of its statement.
    pub statement: Hash,
}

/// `backend.rebind`: the same public keys on a device with another serial.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BackendRebind {
    /// The backend, by its name in the configuration.
    pub backend: Name,
    /// The keys that must be there, at least one; sorted.
    pub keys: Vec<KeyId>,
    /// Serial of the device until now.
    pub replaces: Line,
    /// Serial of the device from now on.
    pub serial: Line,
}

/// `clock.reset`: the high-water mark of time is lowered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClockReset {
    /// How it is known what time it is.
    pub evidence: Prose,
    /// The mark from now on.
    pub mark: Time,
    /// The mark until now; later than the new one.
    pub replaces: Time,
}

/// `log.rekey`: another log key; the old one ends with a checkpoint that both have signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LogRekey {
    /// The key from now on, as a signed-note verifier key.
    pub log_key: Line,
    /// The key until now.
    pub replaces: Line,
}

impl LogRekey {
    /// The key from now on and the key until now; none where they are no verifier keys.
    pub fn keys(&self) -> Option<(Verifier, Verifier)> {
        Some((self.log_key.as_str().parse().ok()?, self.replaces.as_str().parse().ok()?))
    }
}

/// `log.recover`: a new log in place of one that lies behind what somebody holds of it. It is the first record of the new log,
/// as `genesis` is of others: what it does not say of the instance stays as it was. Every key is stopped.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LogRecover {
    /// Whether production keys may live in the software backend; as genesis said.
    pub allow_software_backend: bool,
    /// Whether people may hold their keys in software; as genesis said.
    pub allow_software_officer_keys: bool,
    /// SHA-256 of the document that lists what comes over: keys, stops, suspensions.
    pub carried: Hash,
    /// What is missing, and how that is known.
    pub gap: Prose,
    /// SHA-256 of the statement that the old log begins with: its `genesis_sha256`.
    pub genesis: Hash,
    /// SHA-256 of the grants in force.
    pub grants: Hash,
    /// The newest checkpoint of the old log that anyone knows.
    pub last: Head,
    /// The new log's key, as a signed-note verifier key.
    pub log_key: Line,
    /// The new log's name.
    pub origin: Origin,
    /// The old log's key in force where what is left of it ends.
    pub replaces: Line,
}

/// Digests in JSON: `<hash>:<hex>`.
mod digests {
    use proto::digest::Digest;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(digests: &[Digest], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(digests.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Digest>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
    }
}
