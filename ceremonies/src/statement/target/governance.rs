//! Parameters of the kinds that change who decides, and by which rules.

use proto::hash::Hash;
use serde::{Deserialize, Serialize};

use crate::person::PersonId;
use crate::statement::{Line, Quorum, Version};

/// `genesis`: what an instance is, from its first record on. Its first roster and guardrails are the statement's own, of
/// version 1; its log is empty.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Whether production keys may live in the software backend.
    pub allow_software_backend: bool,
    /// Whether people may hold their keys in software; every transcript then carries it as a deviation.
    pub allow_software_officer_keys: bool,
    /// SHA-256 of the first grants file.
    pub grants: Hash,
    /// The log's public key, as a signed-note verifier key (`origin+hash+base64`, c2sp.org/signed-note).
    pub log_key: Line,
}

/// `roster.change`: the next version of the roster.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RosterChange {
    /// Who joins; sorted.
    pub added: Vec<PersonId>,
    /// Whose role, unit or keys change; sorted.
    pub changed: Vec<PersonId>,
    /// SHA-256 of the proof of possession of each key that the present roster does not have; sorted.
    pub proofs: Vec<Hash>,
    /// How many of the new roster's people must agree, beside the present one's.
    pub quorum: Quorum,
    /// Who leaves; sorted.
    pub removed: Vec<PersonId>,
    /// The next roster; its version is the present one's and one.
    pub roster: Version,
}

/// `policy.change`: the next version of the guardrails.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyChange {
    /// The next guardrails; their version is the present ones' and one.
    pub guardrails: Version,
    /// Whether anything becomes looser; then it takes effect a day later. The daemon decides this itself and refuses a
    /// statement that says otherwise.
    pub loosens: bool,
}

/// `grant.change`: another file of grants.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GrantChange {
    /// SHA-256 of the next grants file.
    pub grants: Hash,
    /// SHA-256 of the present one.
    pub replaces: Hash,
}
