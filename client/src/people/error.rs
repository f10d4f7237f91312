//! Why a person's command came to nothing.

use ceremonies::act::{ActError, ActKind, Unverified};
use ceremonies::person::{PersonId, Role};
use ceremonies::statement::StatementError;
use proto::hash::Hash;
use proto::proof::ProofError;

use super::act::NoRandom;
use super::instance::{Foreign, Unfit};
use super::me::MeError;
use super::open::Unusable;
use super::sign::SignError;
use super::transcript::TranscriptError;
use crate::connection::CallError;

/// Why a person's command came to nothing. Nothing was signed, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// No answer, or one that cannot be believed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A setting is missing.
    #[error(transparent)]
    Me(#[from] MeError),
    /// Another instance.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// The ceremony in the answer is none.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// A statement that is none.
    #[error("the statement: {0}")]
    Statement(#[from] StatementError),
    /// A statement that this instance does not take.
    #[error("the statement does not fit this instance; nothing was signed")]
    Unfit(Vec<Unfit>),
    /// The head in the statement is of another log.
    #[error("the statement names a head of {size} records that is not one of this log: {cause}")]
    OtherHead {
        /// How many records it has.
        size: u64,
        /// Why the proof does not hold.
        #[source]
        cause: ProofError,
    },
    /// Nobody of the roster.
    #[error("`{0}` is not in the roster of this instance")]
    Nobody(PersonId),
    /// Not in a role for it.
    #[error("`{person}` may not {act}: {} may", roles(.act.roles()))]
    Role {
        /// Who.
        person: PersonId,
        /// What.
        act: ActKind,
    },
    /// The key is nobody's.
    #[error("the signing key is not one of the roster's")]
    UnknownKey,
    /// The key is somebody else's.
    #[error("the signing key is `{owner}`'s, and `{person}` is set as the person")]
    OtherPerson {
        /// Whose key.
        owner: PersonId,
        /// Who is set.
        person: PersonId,
    },
    /// It does not end in an act.
    #[error("{0}")]
    Act(#[from] ActError),
    /// The signature is not taken.
    #[error("what was signed would not be taken, and was not sent: {0}")]
    Unverified(#[from] Unverified),
    /// The tool did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// No random numbers.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// What happened since is not what was read.
    #[error("since it was shown, the ceremony has changed: {0}; nothing was signed")]
    Changed(String),
    /// The transcript was not written.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// A document that the statement does not name.
    #[error("the statement does not name a document with the SHA-256 {found} (`{name}`)")]
    Document {
        /// Its name on the command line.
        name: String,
        /// Its digest.
        found: Hash,
    },
}

fn roles(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}

impl From<crate::refused::NoAnswer> for PeopleError {
    fn from(answer: crate::refused::NoAnswer) -> Self {
        Self::Call(answer.into())
    }
}
