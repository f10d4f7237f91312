//! What begins no instance.

use proto::canonical::CanonicalError;
use proto::hash::Hash;
use proto::proof::note::KeyTextError;
use proto::time::Time;

use crate::act::{ActKind, Unverified};
use crate::form::Problem;
use crate::person::PersonId;
use crate::recovery::CarriedError;
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
    #[error(
        "the statement is of kind `{0}`: a log begins with one of kind `genesis`, or `log.recover` where another one was lost"
    )]
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
         signature.<person>; of a recovery carried, files, and vetoes as well"
    )]
    Stranger(String),
    /// The roster.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// Another version of the roster.
    #[error("the roster has version {found}, the statement names version {expected}")]
    RosterVersion {
        /// What it has.
        found: u64,
        /// What the statement names.
        expected: u64,
    },
    /// What comes over from a lost log cannot be read.
    #[error("the document `carried`: {0}")]
    Carried(#[from] CarriedError),
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
    /// Before the end of the log whose place it takes.
    #[error("record 0 is of {at}, and the newest record of the old log of {sealed}: put the clock right")]
    Earlier {
        /// Time of record 0.
        at: Time,
        /// When the old log's newest record was sealed.
        sealed: Time,
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
    #[error(
        "the act of `{person}` is {kind}: officers approve and witnesses attest; a recovery may be vetoed besides"
    )]
    OtherKind {
        /// Whose.
        person: PersonId,
        /// What it is.
        kind: ActKind,
    },
    /// Made over another head.
    #[error(
        "the act of `{person}` names a log of {size} records: expected the head that the statement names, of {expected}"
    )]
    Head {
        /// Whose.
        person: PersonId,
        /// What it names.
        size: u64,
        /// What the statement names; none before genesis.
        expected: u64,
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
    /// Too few officers.
    #[error("{there} of {needed} officers have approved")]
    Approvals {
        /// How many it takes.
        needed: u16,
        /// How many there are.
        there: usize,
    },
    /// So many have said no that it ends.
    #[error("it is vetoed by {}: draft another one, or none", people(.0))]
    Vetoed(Vec<PersonId>),
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

fn people(ids: &[PersonId]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" and ")
}
