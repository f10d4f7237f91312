//! What happens to a ceremony: one event a record.

use std::collections::BTreeSet;

use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::time::Time;

use crate::act::{self, Deed, VerifiedAct};
use crate::nonce::Nonce;
use crate::person::PersonId;
use crate::session::Seats;
use crate::statement::target::Leftover;
use crate::statement::{CeremonyId, Head, Version};

/// Where and when a record is in the log, and what the clock was worth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    /// Index of the record.
    pub index: u64,
    /// When it was sealed.
    pub time: Time,
    /// Whether the clock was trusted.
    pub trusted: bool,
}

/// A document that a person signed, after its signature was verified: whose key it was, and what it says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedAct {
    /// SHA-256 of the document: names the act.
    pub act: Hash,
    /// What was decided.
    pub decision: Decision,
    /// From here on it does not count, by its own word.
    pub expires: Time,
    /// The head of the log that the person saw.
    pub head: Head,
    /// The canonical public key that signed.
    pub key: KeyId,
    /// Counts once for its person.
    pub nonce: Nonce,
    /// When the log went beyond that head; none while it is the newest one.
    pub overtaken: Option<Time>,
    /// Whose key the roster says it is.
    pub person: PersonId,
    /// The statement that it is about, by digest.
    pub target: Hash,
}

impl SignedAct {
    /// What an act whose signature was checked decides about a ceremony; none where it decides nothing of one. `overtaken` is
    /// when the log went beyond the head that the act names.
    pub fn of(verified: &VerifiedAct, overtaken: Option<Time>) -> Option<Self> {
        let act = verified.act();
        let accepts = act.deed.decision() == act::Decision::Accept;
        let decision = match &act.deed {
            Deed::Approve { .. } if accepts => Decision::Approve,
            Deed::Attest { outcome: None, .. } if accepts => Decision::Attest,
            Deed::Attest { outcome: Some(seen), .. } if accepts => {
                Decision::AttestAfter { outputs: seen.outputs, deviations: seen.deviations }
            }
            Deed::Approve { .. } | Deed::Attest { .. } => Decision::Refuse,
            Deed::Veto { .. } => Decision::Veto,
            Deed::Abort { .. } => Decision::Abort,
            Deed::Withdraw { act, .. } => Decision::Withdraw { act: *act },
            // Opening and starting a ceremony, and what is spoken in it, are steps of their own.
            Deed::Deviation { .. } | Deed::Execute { .. } | Deed::Propose { .. } => return None,
            Deed::AcceptClock { .. } | Deed::Stop { .. } | Deed::Suspend { .. } => return None,
        };
        Some(Self {
            act: verified.digest(),
            decision,
            expires: act.expires,
            head: Head { root: act.head.root, size: act.head.size },
            key: verified.key().id(),
            nonce: act.nonce,
            overtaken,
            person: verified.person().clone(),
            target: act.deed.statement()?,
        })
    }
}

/// What a person decided about a ceremony.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// It shall be done.
    Approve,
    /// Witness, before: I have the statement before me, and read its words.
    Attest,
    /// Witness, after: I saw these outputs, and these deviations.
    AttestAfter {
        /// SHA-256 of the manifest of outputs.
        outputs: Hash,
        /// The deviations that were recorded, as [`deviations_digest`] names them.
        deviations: Hash,
    },
    /// Before: I do not agree, and what I said before counts no more. Witness, after: this is not what I saw.
    Refuse,
    /// An act of mine counts no more: a veto or a refusal that I name, else what I said for it.
    Withdraw {
        /// SHA-256 of the act that is taken back.
        act: Hash,
    },
    /// It shall not be done.
    Veto,
    /// It shall not be done any further.
    Abort,
}

/// How an attestation names the deviations of an execution: SHA-256 of the canonical JSON list of their SHA-256, in the
/// order of the log. Without any it is that of `[]`.
pub fn deviations_digest(deviations: &[Hash]) -> Hash {
    Hash::of(&proto::canonical::to_vec(&deviations).expect("a list of strings can be written"))
}

impl Decision {
    /// As messages name it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Approve => "an approval",
            Self::Attest => "an attestation before",
            Self::AttestAfter { .. } => "an attestation after",
            Self::Refuse => "a refusal",
            Self::Withdraw { .. } => "a withdrawal",
            Self::Veto => "a veto",
            Self::Abort => "an abort",
        }
    }

    /// Whether it brings the ceremony nearer to an effect: such acts need a trusted clock.
    pub(super) const fn enables(&self) -> bool {
        matches!(self, Self::Approve | Self::Attest | Self::AttestAfter { .. })
    }
}

/// What happens to a ceremony.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A person decided something.
    Act(Box<SignedAct>),
    /// Time has passed.
    Tick,
    /// The execution starts: this record is durable before anything is done.
    Start {
        /// Who runs the tool; none where the daemon does it by itself.
        operator: Option<PersonId>,
        /// How many objects are under the label and id of the key that would be made.
        found: u64,
    },
    /// Something went otherwise than the script says, and was spoken.
    Deviation {
        /// SHA-256 of what was recorded.
        deviation: Hash,
        /// Who said so.
        person: PersonId,
    },
    /// The execution is done, with these outputs.
    Output {
        /// SHA-256 of their manifest.
        outputs: Hash,
    },
    /// The execution failed, and nothing was done: the backend said so.
    NothingDone,
    /// It is not known what was done: a restart found a start without an output, or the backend did not say.
    Interrupted,
    /// A `resolve` ceremony was completed for this one.
    Resolved {
        /// That ceremony.
        by: CeremonyId,
        /// What was done with what was left.
        leftover: Leftover,
    },
    /// Another roster is in force, and who of it is suspended.
    Roster(Seats),
    /// Other guardrails are in force.
    Guardrails(Version),
    /// Of the roster in force, exactly these persons are suspended: what they said before counts no more, and nothing that they say
    /// until another one of these events leaves them out.
    Suspended(BTreeSet<PersonId>),
}

impl Event {
    /// As messages name it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Act(act) => act.decision.name(),
            Self::Tick => "time",
            Self::Start { .. } => "a start",
            Self::Deviation { .. } => "a deviation",
            Self::Output { .. } => "an output",
            Self::NothingDone => "a failure",
            Self::Interrupted => "an interruption",
            Self::Resolved { .. } => "a resolution",
            Self::Roster(_) => "a roster",
            Self::Guardrails(_) => "guardrails",
            Self::Suspended(_) => "a suspension",
        }
    }
}
