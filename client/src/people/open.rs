//! A ceremony as the daemon shows it, after everything that can be checked here was checked.
//!
//! Promises: the statement is one, and of the ceremony that was asked for; documents have the digests by which the statement and the
//! acts are named; what an attestation after names is computed here, from the bytes that are shown. Which acts count is the daemon's
//! word; whose they are is not, see [`Open::signed`].

use ceremonies::act::{Outcome, VerifiedAct};
use ceremonies::outputs::{Outputs, OutputsError};
use ceremonies::roster::{Roster, RosterError};
use ceremonies::session::deviations_digest;
use ceremonies::statement::{CeremonyId, Kind, Statement, StatementError, Target};
use proto::hash::Hash;
use proto::record::ceremony::document;
use proto::wire::v1;
use proto::wire::v1::CeremonyState;

use super::instance::Instance;

/// Why what the daemon shows is not the ceremony.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Nothing, in place of a ceremony.
    #[error("the answer has no ceremony in it")]
    Empty,
    /// Another one.
    #[error("the answer is the ceremony {found}, and {asked} was asked for")]
    Other {
        /// What was asked for.
        asked: CeremonyId,
        /// What came.
        found: String,
    },
    /// The statement is none.
    #[error("the statement in the answer is none: {0}")]
    Statement(#[from] StatementError),
    /// A kind that is not the statement's.
    #[error("the answer calls it `{said}`, and its statement is of kind {found}")]
    Kind {
        /// What the daemon says.
        said: String,
        /// What the statement says.
        found: String,
    },
    /// A document with another digest than the one that names it.
    #[error("{what} has not the SHA-256 by which it is named")]
    Digest {
        /// For instance `the act in record 12`.
        what: String,
    },
    /// The next roster is none.
    #[error("the next roster cannot be read: {0}")]
    Roster(#[from] RosterError),
    /// What came of it is not what its statement asks for.
    #[error("what came of it is not what the statement asks for: {0}")]
    Outputs(#[from] OutputsError),
    /// The deviations are others than those that the daemon names.
    #[error("the deviations that are shown are not those that the daemon names: one is missing or too many")]
    Deviations,
}

/// A ceremony that was checked as far as it can be here.
#[derive(Clone, Debug)]
pub struct Open {
    /// As it came.
    pub wire: v1::Ceremony,
    /// What it asks for.
    pub statement: Statement,
    /// SHA-256 of its bytes.
    pub digest: Hash,
    /// The roster that a `roster.change` makes.
    pub next: Option<Roster>,
    /// The text of the grants that a `grant.change` puts in force.
    pub grants: Option<String>,
}

/// Somebody who signed something, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signed {
    /// Who.
    pub person: String,
    /// The record.
    pub index: u64,
    /// Whether the signature was checked here, with the roster.
    pub checked: bool,
}

impl Open {
    /// Checks a ceremony that was asked for by its id.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn read(
        wire: Option<v1::Ceremony>,
        asked: CeremonyId,
        instance: &Instance,
    ) -> Result<Self, Unusable> {
        let wire = wire.ok_or(Unusable::Empty)?;
        let statement = Statement::parse(&wire.statement)?;
        if statement.common().ceremony != asked || wire.id != asked.to_string() {
            return Err(Unusable::Other { asked, found: statement.common().ceremony.to_string() });
        }
        if wire.kind != statement.kind().name() {
            return Err(Unusable::Kind { said: wire.kind, found: statement.kind().to_string() });
        }
        for act in &wire.acts {
            let differs = act
                .act
                .as_ref()
                .is_some_and(|signed| Hash::of(&signed.document).as_bytes() != act.act_sha256.as_slice());
            if differs {
                return Err(Unusable::Digest { what: format!("the act in record {}", act.log_index) });
            }
        }
        let mut next = None;
        if let Target::RosterChange(change) = statement.target()
            && let Some(bytes) = wire.documents.get(document::ROSTER)
        {
            let roster = Roster::parse(bytes, instance.terms())?;
            if roster.digest() != change.roster.sha256 {
                return Err(Unusable::Digest { what: "the next roster".to_owned() });
            }
            next = Some(roster);
        }
        let mut grants = None;
        if let Target::GrantChange(change) = statement.target()
            && let Some(bytes) = wire.documents.get(document::GRANTS)
        {
            let text = std::str::from_utf8(bytes).ok().filter(|_| Hash::of(bytes) == change.grants);
            let text = text.ok_or_else(|| Unusable::Digest { what: "the next grants file".to_owned() })?;
            grants = Some(text.to_owned());
        }
        Ok(Self { digest: Hash::of(&wire.statement), wire, statement, next, grants })
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> CeremonyState {
        self.wire.state()
    }

    /// What an attestation after names: outputs and deviations, computed from what is shown. None before an execution.
    ///
    /// # Errors
    /// [`Unusable::Deviations`] where the daemon names others; [`Unusable::Outputs`] where two log keys should have signed and
    /// have not.
    pub fn outcome(&self) -> Result<Option<Outcome>, Unusable> {
        if self.wire.outputs.is_empty() {
            return Ok(None);
        }
        if self.statement.kind() == Kind::LogRekey {
            // Whether both log keys have signed is nothing that a person could see.
            Outputs::parse(&self.wire.outputs, &self.statement)?;
        }
        let mut digests = Vec::new();
        for act in self.deviations() {
            let digest = Hash::try_from(act.act_sha256.as_slice());
            digests.push(digest.map_err(|_length| Unusable::Deviations)?);
        }
        let deviations = deviations_digest(&digests);
        // Where nobody attests any more the daemon need not name them.
        let named = matches!(self.state(), CeremonyState::Executed | CeremonyState::Completed)
            || !self.wire.deviations_sha256.is_empty();
        if named && deviations.as_bytes() != self.wire.deviations_sha256.as_slice() {
            return Err(Unusable::Deviations);
        }
        Ok(Some(Outcome { deviations, outputs: Hash::of(&self.wire.outputs) }))
    }

    /// Whose approvals count; of a ceremony that has ended, everybody who has approved.
    #[must_use]
    pub fn approvers(&self) -> Vec<String> {
        if !self.wire.approvers.is_empty()
            || matches!(self.state(), CeremonyState::Proposed | CeremonyState::Armed)
        {
            return self.wire.approvers.clone();
        }
        self.have("approve")
    }

    /// Everybody of whom there is an act of this decision, whether it counts or not.
    #[must_use]
    pub fn have(&self, decision: &str) -> Vec<String> {
        let acts = self.wire.acts.iter().filter(|act| act.decision == decision);
        let people: std::collections::BTreeSet<&String> = acts.map(|act| &act.person).collect();
        people.into_iter().cloned().collect()
    }

    /// What went otherwise than the script says, in the order of the log.
    pub fn deviations(&self) -> impl Iterator<Item = &v1::RecordedAct> {
        self.wire.acts.iter().filter(|act| act.decision == "deviation")
    }

    /// Those whose acts of this decision count, each with the newest such act, and whether its signature holds.
    #[must_use]
    pub fn signed(&self, counting: &[String], decision: &str, instance: &Instance) -> Vec<Signed> {
        let signed = |person: &String| {
            let mut acts = self.wire.acts.iter().rev();
            let act = acts.find(|act| act.person == *person && act.decision == decision);
            Signed {
                person: person.clone(),
                index: act.map_or(0, |act| act.log_index),
                checked: act.is_some_and(|act| self.is_signed(act, instance)),
            }
        };
        counting.iter().map(signed).collect()
    }

    /// Whether the person whom the daemon names has signed this act about this statement.
    fn is_signed(&self, act: &v1::RecordedAct, instance: &Instance) -> bool {
        let Some(signed) = &act.act else { return false };
        let by = |roster: &Roster| {
            VerifiedAct::verify(&signed.document, &signed.signature, instance.setting(), roster).is_ok_and(
                |verified| {
                    verified.person().as_str() == act.person
                        && verified.act().deed.statement() == Some(self.digest)
                        && verified.kind().name() == act.decision.trim_end_matches("-after")
                },
            )
        };
        by(&instance.roster) || self.next.as_ref().is_some_and(by)
    }
}

/// The state in a word, as the log has it.
#[must_use]
pub fn state_name(state: CeremonyState) -> String {
    let name = state.as_str_name();
    name.strip_prefix("CEREMONY_STATE_").unwrap_or(name).to_lowercase()
}

/// Whether nothing leads on from there. A completion that is not recorded yet is still to come.
#[must_use]
pub fn has_ended(ceremony: &v1::Ceremony) -> bool {
    match ceremony.state() {
        CeremonyState::Completed => ceremony.completed.is_some(),
        CeremonyState::Aborted
        | CeremonyState::Failed
        | CeremonyState::Vetoed
        | CeremonyState::Expired
        | CeremonyState::Superseded => true,
        CeremonyState::Unspecified
        | CeremonyState::Proposed
        | CeremonyState::Armed
        | CeremonyState::Executing
        | CeremonyState::Executed
        | CeremonyState::Waiting
        | CeremonyState::Indeterminate => false,
    }
}
