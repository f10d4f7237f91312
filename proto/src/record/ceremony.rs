//! Records of ceremonies: one a step, so that the log alone says where each ceremony stands.
//!
//! Leaves name acts and statements by SHA-256 and people by their ids in the roster; the exact bytes are in the detail
//! ([`ControlDetail::documents`](super::ControlDetail)), under the names that [`document`] lists. What a step *does* to its
//! ceremony is for the crate `ceremonies` to say.

use serde::{Deserialize, Serialize, Serializer};

use crate::algorithm::Algorithm;
use crate::canonical::base64_bytes;
use crate::ceremony_id::CeremonyId;
use crate::hash::Hash;
use crate::key_id::KeyId;
use crate::name::KeyName;
use crate::proof::note::Verifier;
use crate::purpose::Purpose;
use crate::time::Time;

/// Names of the documents in the details of control records.
pub mod document {
    /// An act, as it was signed.
    pub const ACT: &str = "act";
    /// What a log has of the one whose place it takes, canonical.
    pub const CARRIED: &str = "carried";
    /// A grants file, as it is.
    pub const GRANTS: &str = "grants";
    /// How the names of files begin that guardrails name: 32 hexadecimal digits of their SHA-256 follow.
    pub const FILE: &str = "file.";
    /// A guardrails file, as it is.
    pub const GUARDRAILS: &str = "guardrails";
    /// The guardrails file of a `policy.change`, as it is.
    pub const NEXT_GUARDRAILS: &str = "guardrails.next";
    /// The SSHSIG over the act, as it came.
    pub const SIGNATURE: &str = "signature";
    /// A statement, canonical.
    pub const STATEMENT: &str = "statement";
    /// A roster, canonical.
    pub const ROSTER: &str = "roster";
    /// What an execution came to, canonical.
    pub const OUTPUTS: &str = "outputs";
    /// The checkpoint that a transcript ends with.
    pub const CHECKPOINT: &str = "checkpoint";
}

/// A head of the log as somebody saw it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedHead {
    /// Root of the tree (RFC 6962, 2.1).
    pub root: Hash,
    /// How many records it had.
    pub size: u64,
}

/// What a person decided.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decided {
    /// It shall not be done any further.
    Abort,
    /// It shall be done.
    Approve,
    /// Witness, before.
    Attest,
    /// Witness, after: these outputs and deviations were seen.
    AttestAfter,
    /// No.
    Refuse,
    /// It shall not be done.
    Veto,
    /// An act of the same person counts no more.
    Withdraw,
}

/// `ceremony.proposed`: a statement is open. Its detail holds statement, act and signature of the proposal, and the
/// documents that it names.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Proposed {
    /// SHA-256 of the act that proposes it.
    pub act: Hash,
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// Who proposes it.
    pub initiator: String,
    /// The kind of ceremony, for instance `key.generate`. The record's own kind is `ceremony.proposed`.
    pub of: String,
    /// SHA-256 of the statement.
    pub statement: Hash,
}

/// `ceremony.act`: somebody decided something about an open ceremony. Its detail holds act and signature.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Acted {
    /// SHA-256 of the act.
    pub act: Hash,
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// What was decided.
    pub decision: Decided,
    /// Of an `attest-after`: the digest of the deviations that were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviations: Option<Hash>,
    /// From then on it does not count, by its own word.
    pub expires: Time,
    /// The head of the log that the person saw.
    pub head: RecordedHead,
    /// The key that signed, without its SSH form.
    pub key: KeyId,
    /// Counts once for its person.
    pub nonce: Hash,
    /// Of an `attest-after`: SHA-256 of the outputs that were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Hash>,
    /// When the log went beyond that head; absent while it was the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overtaken: Option<Time>,
    /// Who.
    pub person: String,
    /// SHA-256 of the statement that the act names.
    pub statement: Hash,
    /// Of a `withdraw`: the act that is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdraws: Option<Hash>,
}

/// `ceremony.started`: the execution begins. Durable before anything is done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Started {
    /// SHA-256 of the operator's act, which is in the detail; absent where the daemon does it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Hash>,
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// How many objects were under the label or id of the key that would be made; how many key pairs were where one is to
    /// be destroyed.
    pub found: u64,
    /// Who runs the tool; absent where the daemon does it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
}

/// `ceremony.deviation`: something went otherwise than the script says, and was spoken. The text is the reason of the act in
/// the detail.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Deviated {
    /// SHA-256 of the act: names the deviation.
    pub act: Hash,
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// Who said it.
    pub person: String,
}

/// `ceremony.executed`: it is done; the outputs are in the detail.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Executed {
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// SHA-256 of the outputs.
    pub outputs: Hash,
}

/// `ceremony.failed`: the execution failed, and nothing was done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// What the backend said, or what keeps it from coming into force.
    pub cause: String,
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// Of one that was done and attested: why it has no effect. Absent where nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<NoEffect>,
}

/// Why what was done and attested cannot come into force.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoEffect {
    /// Another version of what it makes came into force first.
    Overtaken,
    /// Guardrails and grants that do not go together.
    RulesClash,
    /// The keys or stops of the instance are against it.
    Taken,
}

impl NoEffect {
    /// As records write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overtaken => "overtaken",
            Self::RulesClash => "rules-clash",
            Self::Taken => "taken",
        }
    }
}

/// `ceremony.interrupted` and `ceremony.ended`: it is not known what was done; time or a change of rules ended it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Turned {
    /// The ceremony.
    pub ceremony: CeremonyId,
}

/// `ceremony.completed`: done and attested. This record alone has an effect on trust.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Completed {
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// What is in force from now on.
    pub effect: Effect,
    /// SHA-256 of the transcript's manifest.
    pub manifest: Hash,
    /// SHA-256 of the outputs.
    pub outputs: Hash,
    /// SHA-256 of the statement.
    pub statement: Hash,
}

/// A key version that comes into an instance, made or adopted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Arrived {
    /// How it signs, for life.
    pub algorithm: Algorithm,
    /// Where the private key lives, by the backend's name in the configuration.
    pub backend: String,
    /// The key.
    pub key: KeyName,
    /// SHA-256 of `public_key`.
    pub key_id: KeyId,
    /// Where in the backend: a URI without secrets.
    pub locator: String,
    /// Who answers for the key.
    pub owner: String,
    /// DER SubjectPublicKeyInfo.
    #[serde(with = "base64_bytes")]
    pub public_key: Vec<u8>,
    /// What it is for.
    pub purpose: Purpose,
    /// Serial number of the token, where the backend has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// From 1, without gaps.
    pub version: u32,
}

/// Where a key is from now on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rebound {
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_id: KeyId,
    /// Where in the backend: a URI without secrets.
    pub locator: String,
}

/// What a completed ceremony puts in force. Which one follows from its kind.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// A key pair that never came into force is gone from its backend.
    Destroyed {
        /// The key that it was made for.
        key: KeyName,
        /// SHA-256 of its SubjectPublicKeyInfo.
        key_id: KeyId,
        /// The version that it was made as.
        version: u32,
    },
    /// Another grants file, whose text is in the detail of the proposal.
    Grants {
        /// SHA-256 of its bytes.
        sha256: Hash,
    },
    /// Other guardrails, whose text is in the detail of the proposal.
    Guardrails {
        /// SHA-256 of its bytes.
        sha256: Hash,
        /// Their version.
        version: u64,
    },
    /// A key version signs.
    Key(Box<Arrived>),
    /// Stops end: the record's `lifts`.
    Lifts,
    /// Another key signs the log: the one that ends signs the tree that this record is the last of together with it, and none
    /// that is larger.
    LogKey {
        /// The key from now on.
        key: Verifier,
        /// The key until now.
        replaces: Verifier,
    },
    /// Keys are on another device of the same backend; nothing else of them changes.
    Rebound {
        /// The backend.
        backend: String,
        /// The keys, and where each is from now on; sorted.
        keys: Vec<Rebound>,
        /// Serial of the device from now on.
        serial: String,
    },
    /// What an interrupted ceremony left is gone or abandoned.
    Resolved {
        /// The interrupted ceremony.
        ceremony: CeremonyId,
        /// Whether it was destroyed, or there was nothing; else it stays where it is, unused.
        destroyed: bool,
    },
    /// Another roster, whose document is in the detail of the proposal.
    Roster {
        /// SHA-256 of the document.
        sha256: Hash,
        /// Its version.
        version: u64,
    },
}

/// A step of a ceremony.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ceremony {
    /// `ceremony.proposed`.
    Proposed(Proposed),
    /// `ceremony.act`.
    Acted(Box<Acted>),
    /// `ceremony.started`.
    Started(Started),
    /// `ceremony.deviation`.
    Deviated(Deviated),
    /// `ceremony.executed`.
    Executed(Executed),
    /// `ceremony.failed`.
    Failed(Failed),
    /// `ceremony.interrupted`.
    Interrupted(Turned),
    /// `ceremony.ended`.
    Ended(Turned),
    /// `ceremony.completed`.
    Completed(Box<Completed>),
}

impl Ceremony {
    /// The record's kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Proposed(_) => "ceremony.proposed",
            Self::Acted(_) => "ceremony.act",
            Self::Started(_) => "ceremony.started",
            Self::Deviated(_) => "ceremony.deviation",
            Self::Executed(_) => "ceremony.executed",
            Self::Failed(_) => "ceremony.failed",
            Self::Interrupted(_) => "ceremony.interrupted",
            Self::Ended(_) => "ceremony.ended",
            Self::Completed(_) => "ceremony.completed",
        }
    }

    /// Whose step it is.
    pub fn ceremony(&self) -> CeremonyId {
        match self {
            Self::Proposed(Proposed { ceremony, .. })
            | Self::Started(Started { ceremony, .. })
            | Self::Deviated(Deviated { ceremony, .. })
            | Self::Executed(Executed { ceremony, .. })
            | Self::Failed(Failed { ceremony, .. })
            | Self::Interrupted(Turned { ceremony })
            | Self::Ended(Turned { ceremony }) => *ceremony,
            Self::Acted(acted) => acted.ceremony,
            Self::Completed(completed) => completed.ceremony,
        }
    }
}

impl Serialize for Ceremony {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Proposed(body) => body.serialize(serializer),
            Self::Acted(body) => body.serialize(serializer),
            Self::Started(body) => body.serialize(serializer),
            Self::Deviated(body) => body.serialize(serializer),
            Self::Executed(body) => body.serialize(serializer),
            Self::Failed(body) => body.serialize(serializer),
            Self::Interrupted(body) | Self::Ended(body) => body.serialize(serializer),
            Self::Completed(body) => body.serialize(serializer),
        }
    }
}
