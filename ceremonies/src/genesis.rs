//! Genesis: what an instance is and who decides in it, from its first record on.
//!
//! Record 0 of the log carries the statement of kind `genesis`; the SHA-256 of its canonical bytes is a required line of
//! every configuration (`genesis_sha256`), so that nothing that verifies can be led to another instance. The record's
//! detail holds what the statement names by digest (first roster, guardrails, grants) and the acts of the people: every
//! officer approves, and as many witnesses attest as the guardrails ask for, one of them of another unit than every
//! officer. So whoever has record 0 and the sixteen words checks alone, offline, how the instance began.
//!
//! A [`Draft`] is a genesis that nobody has signed; a [`Genesis`] is one that is signed by all, and there is no other way
//! to one than [`Genesis::begin`]. Signatures are verified each time: they are a handful, and then no record that somebody
//! wrote into a store begins an instance.
//!
//! The statement never changes; what it names changes by ceremonies. When the acts were made is the word of whoever made
//! the log: they all have the time of record 0.
//!
//! A log that takes the place of a lost one begins with a statement of kind `log.recover` instead, and with the same check:
//! the quorum and one witness of the roster that was in force sign it, vetoes are kept as `act.veto_<person>`, and the document
//! [`Carried`] is among the others. Whether roster, guardrails and grants were those in force is what
//! [`crate::transcript::recovery`] shows to whoever knows the old log's beginning.

mod count;
mod draft;
mod error;

use proto::canonical::{self, Map};
use proto::hash::Hash;
use proto::origin::Origin;
use proto::record::ControlDetail;
use proto::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use draft::Draft;
pub use error::{GenesisError, Lack};

use crate::act::VerifiedAct;
use crate::recovery::Carried;
use crate::roster::{Roster, Terms};
use crate::rules::Rules;
use crate::statement::{Name, Statement, Version};
use crate::words::Words;

/// What the names of acts in the detail of record 0 begin with; the person's id follows.
pub const ACT: &str = "act.";

/// What the names of their signatures begin with; the person's id follows.
pub const SIGNATURE: &str = "signature.";

/// What stands before the person's id in the names of vetoes: whoever says no to a recovery may have approved before. No
/// person has `_` in his id.
pub const VETO: &str = "veto_";

/// Whether an instance counts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Keys come from ceremonies alone.
    Production,
    /// Nothing it signs is worth anything to anyone else.
    Rehearsal,
}

/// How the labels of all tokens begin that rehearsals use, and production never does.
pub const REHEARSAL_TOKEN: &str = "rehearsal";

impl Mode {
    /// Whether a token with this label (`CK_TOKEN_INFO.label`) is for instances of this mode. Like an origin, a token says itself
    /// whether it is one of rehearsals: its label changes only together with everything in it (PKCS#11 3.1, 5.5, `C_InitToken`).
    pub fn has_token(self, label: &str) -> bool {
        label.starts_with(REHEARSAL_TOKEN) == (self == Self::Rehearsal)
    }

    /// `production` or `rehearsal`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Rehearsal => "rehearsal",
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// How an instance began.
///
/// Invariant: all officers of the roster (of a recovery the quorum) approved the statement and enough witnesses attested it, each
/// with a key of the roster, and the roster, guardrails and grants are those that the statement names (held by
/// `what_begins_no_instance`, `a_changed_byte_begins_no_instance` and `what_recovers_no_log`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Genesis {
    draft: Draft,
    acts: Vec<VerifiedAct>,
}

impl Genesis {
    /// The instance that this statement and these documents begin, in a log whose record 0 has the time `at`. The
    /// documents are `roster`, `guardrails` and `grants`, and of each person who signed `act.<person>` and
    /// `signature.<person>`; of a recovery `carried` as well, and files that guardrails name. No others.
    ///
    /// # Errors
    /// [`GenesisError`]; of the acts, everything that is wrong or missing at once.
    pub fn begin(statement: &Value, documents: &Map<String>, at: Time) -> Result<Self, GenesisError> {
        let statement = Statement::parse(&canonical::to_vec(statement)?)?;
        Draft::new(statement, documents)?.signed(documents, at)
    }

    /// The instance that record 0 begins: its body's statement, its detail as it is stored, and its time.
    ///
    /// # Errors
    /// As [`Self::begin`]; and where the detail is not there or is none.
    pub fn of_record(statement: &Value, detail: Option<&[u8]>, at: Time) -> Result<Self, GenesisError> {
        let detail: ControlDetail = canonical::from_slice(detail.ok_or(GenesisError::NoDetail)?)?;
        Self::begin(statement, &detail.documents, at)
    }

    /// The statement.
    pub const fn statement(&self) -> &Statement {
        self.draft.statement()
    }

    /// SHA-256 of the statement's canonical bytes: the `genesis_sha256` of configurations.
    pub const fn digest(&self) -> Hash {
        self.draft.digest()
    }

    /// The sixteen words of the digest.
    pub fn words(&self) -> Words {
        Words::of(&self.digest())
    }

    /// The first roster.
    pub const fn roster(&self) -> &Roster {
        self.draft.roster()
    }

    /// The rules of the first guardrails.
    pub const fn rules(&self) -> &Rules {
        self.draft.rules()
    }

    /// What people signed, in the order of their ids.
    pub fn acts(&self) -> &[VerifiedAct] {
        &self.acts
    }

    /// What came over from a lost log; none where the log began with the instance.
    pub const fn carried(&self) -> Option<&Carried> {
        self.draft.carried()
    }

    /// Name of the instance, for instance `signing.example.org`.
    pub const fn instance(&self) -> &Name {
        &self.statement().common().instance
    }

    /// For instance `production`, `staging`, `dev`.
    pub const fn environment(&self) -> &Name {
        &self.statement().common().environment
    }

    /// Whether it counts.
    pub const fn mode(&self) -> Mode {
        self.statement().common().mode
    }

    /// Name of the log.
    pub fn origin(&self) -> &Origin {
        self.draft.begins().origin
    }

    /// The log's public key, as a signed-note verifier key (`origin+hash+base64`, c2sp.org/signed-note).
    pub fn log_key(&self) -> &str {
        self.draft.begins().log_key.as_str()
    }

    /// Whether production keys may live in the software backend.
    pub fn allow_software_backend(&self) -> bool {
        self.draft.begins().allow_software_backend
    }

    /// What is said of every roster of the instance.
    pub fn terms(&self) -> Terms {
        self.draft.begins().terms
    }

    /// The first guardrails of the log.
    pub const fn guardrails(&self) -> Version {
        self.statement().common().guardrails
    }

    /// SHA-256 of the first grants of the log.
    pub fn grants(&self) -> Hash {
        self.draft.begins().grants
    }
}

#[cfg(test)]
mod tests;
