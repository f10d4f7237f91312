//! Why an act is not taken for a ceremony.

use proto::hash::Hash;
use proto::time::Time;

use crate::act::{ActKind, Replayed};
use crate::person::{PersonId, Role};

/// Why an act is not taken for a ceremony; it never counts there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It is about no ceremony at all.
    #[error("{0} is about no ceremony")]
    NoCeremony(ActKind),
    /// About another statement, perhaps of equal parameters.
    #[error(
        "the act is about the statement {found}, this ceremony's is {expected}: acts are for one statement only"
    )]
    OtherStatement {
        /// This one.
        expected: Hash,
        /// What the act says.
        found: Hash,
    },
    /// Checked against another roster than the one that the statement names.
    #[error("the signature was checked against the roster {found}, the statement names {expected}")]
    OtherRoster {
        /// The one that the statement names.
        expected: Hash,
        /// The other one.
        found: Hash,
    },
    /// A nonce for the second time.
    #[error(transparent)]
    Replayed(#[from] Replayed),
    /// Past its own end.
    #[error("the act expired at {expires} and arrived at {at}: make a new one")]
    Expired {
        /// Its end.
        expires: Time,
        /// When it came.
        at: Time,
    },
    /// Past the ceremony's end.
    #[error("the ceremony ended at {expires}, and the act arrived at {at}: propose it anew")]
    Over {
        /// The ceremony's end.
        expires: Time,
        /// When the act came.
        at: Time,
    },
    /// By somebody without the role.
    #[error("`{person}` has not the role {role}, which this takes")]
    NotInRole {
        /// Who.
        person: PersonId,
        /// What it takes.
        role: Role,
    },
    /// By an officer whom the statement does not name.
    #[error("the statement names another officer than `{person}`")]
    NotNamed {
        /// Who.
        person: PersonId,
    },
    /// A second role for one person.
    #[error("`{person}` is {holds} in this ceremony and cannot be {wants} too: one role for each person")]
    TwoRoles {
        /// Who.
        person: PersonId,
        /// In which role he has spoken or works.
        holds: Role,
        /// In which role he would.
        wants: Role,
    },
    /// Whoever proposes does not attest.
    #[error("`{person}` proposed this ceremony and cannot attest it: a witness is somebody else")]
    InitiatorAttests {
        /// Who.
        person: PersonId,
    },
    /// An outcome before there is one.
    #[error("the act attests an outcome, and nothing has been executed")]
    NotExecuted,
    /// Another outcome than the one there is.
    #[error(
        "the act attests other outputs or deviations than those of this execution: compare them, and refuse if they differ"
    )]
    OtherOutcome,
    /// Somebody who had not attested before.
    #[error(
        "`{person}` had not attested when the execution began: the same witnesses attest before and after"
    )]
    NotThere {
        /// Who.
        person: PersonId,
    },
}
