//! What begins no instance.

use proto::canonical::CanonicalError;
use proto::hash::Hash;
use proto::proof::note::KeyTextError;
use proto::time::Time;

use crate::act::{ActKind, Unverified};
use crate::form::Problem;
use crate::person::PersonId;
use crate::roster::RosterError;
use crate::rules::Unruly;
use crate::statement::{Kind, StatementError};
use crate::tally::{Aside, Refused};

/// Why an instance cannot begin like this.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// The statement, or the detail, is no canonical JSON of its shape.
    #[error("the genesis: {0}")]
    Canonical(#[from] CanonicalError),
    /// No statement.
    #[error("the genesis statement: {0}")]
    Statement(#[from] StatementError),
    /// Of another kind.
    #[error("the statement is of kind `{0}`: an instance begins with one of kind `genesis`")]
    Kind(Kind),
    /// The log's key cannot be read.
    #[error("the genesis statement: `target.log_key`: {0}")]
    LogKey(#[from] KeyTextError),
    /// Nothing shows who decided it.
    #[error(
        "record 0 has no detail: roster, guardrails, grants and acts are in it; put the log's own store back"
    )]
    NoDetail,
    /// A document that is not there.
    #[error("the document `{0}` is missing, which the genesis statement names")]
    Missing(&'static str),
    /// Another document.
    #[error("the document `{name}` has SHA-256 {found}, the genesis statement names {expected}")]
    Differs {
        /// Which.
        name: &'static str,
        /// What the statement names.
        expected: Hash,
        /// What it has.
        found: Hash,
    },
    /// A document that nobody asked for.
    #[error(
        "`{0}` is no document of a genesis: expected roster, guardrails, grants, and for each person act.<person> and \
         signature.<person>"
    )]
    Stranger(String),
    /// The roster.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// A later roster.
    #[error("the roster has version {0}, the first one has version 1")]
    RosterVersion(u64),
    /// The guardrails.
    #[error("the guardrails: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Guardrails(Vec<Problem>),
    /// The statement's numbers are not those of roster and guardrails.
    #[error("the genesis statement: {0}")]
    Rules(#[from] Unruly),
    /// Proposed by somebody who may not.
    #[error("`{0}` cannot propose a genesis: expected an officer or operator of the roster")]
    Initiator(PersonId),
    /// People who would have to be two.
    #[error(
        "all officers approve and {witnesses} others attest, and the roster has not so many people: name witnesses who \
         are no officers"
    )]
    Seats {
        /// How many witnesses it takes.
        witnesses: u16,
    },
    /// Outside the statement's time.
    #[error("record 0 is of {at}, and the genesis statement is good from {not_before} until {expires}")]
    Time {
        /// Time of record 0.
        at: Time,
        /// The statement's beginning.
        not_before: Time,
        /// The statement's end.
        expires: Time,
    },
    /// Acts that are wrong or missing.
    #[error("the genesis is not signed by all: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Acts(Vec<Lack>),
}

/// Something that is wrong with the acts of a genesis, or missing.
#[derive(Debug, thiserror::Error)]
pub enum Lack {
    /// An act without signature, or a signature without act.
    #[error("`{found}` is there and `{missing}` is not")]
    Half {
        /// What is there.
        found: String,
        /// What belongs to it.
        missing: String,
    },
    /// An act that proves nothing.
    #[error("`{name}`: {cause}")]
    Unverified {
        /// Its name.
        name: String,
        /// Why.
        cause: Box<Unverified>,
    },
    /// An act under another's name.
    #[error("`{name}` is signed by `{person}`")]
    OtherPerson {
        /// Its name.
        name: String,
        /// Whose it is.
        person: PersonId,
    },
    /// An act that genesis has no place for.
    #[error("the act of `{person}` is {kind}: officers approve a genesis and witnesses attest it")]
    OtherKind {
        /// Whose.
        person: PersonId,
        /// What it is.
        kind: ActKind,
    },
    /// Made for a log that has begun.
    #[error("the act of `{person}` names a log of {size} records: before genesis it has none")]
    Head {
        /// Whose.
        person: PersonId,
        /// What it names.
        size: u64,
    },
    /// An act that can never count.
    #[error("the act of `{person}`: {cause}")]
    Refused {
        /// Whose.
        person: PersonId,
        /// Why.
        cause: Refused,
    },
    /// An act that does not count.
    #[error("the act of `{person}` does not count: {cause}")]
    Aside {
        /// Whose.
        person: PersonId,
        /// Why.
        cause: Aside,
    },
    /// An officer who has not approved.
    #[error("the approval of `{0}` is missing: every officer approves a genesis")]
    Approval(PersonId),
    /// Too few witnesses.
    #[error("{there} of {needed} witnesses have attested")]
    Witnesses {
        /// How many it takes.
        needed: u16,
        /// How many there are.
        there: usize,
    },
    /// Only witnesses who work with some officer.
    #[error("no witness who has attested is of another unit than every officer: at least one must be")]
    Independent,
}
