//! A stop as a person's own act: one question for the instance, one signature, one call.
//!
//! Promises: nothing is signed for an instance of another genesis than the pinned one. Deliberately proves no head and reads no
//! roster: a stop must work while the log does not, and whether its person may stop is the daemon's to say.

use std::path::Path;

use ceremonies::act::Deed;
use ceremonies::statement::Statement;
use proto::hash::Hash;
use proto::name::KeyName;
use proto::term::Term;
use proto::wire::v1::stop_target::Target;
use proto::wire::value;

use super::act::before_all;
use super::calls;
use super::desk::{SignedAct, sign_act};
use super::error::PeopleError;
use super::instance::Foreign;
use crate::connection::{CallError, Connection};
use crate::keys;
use crate::refused::NoAnswer;

/// Why no term says what is to be stopped.
#[derive(Debug, thiserror::Error)]
pub enum NoTerm {
    /// Not a name.
    #[error("`{0}` is not the name of a key")]
    Name(String),
    /// An act names a version by its key id, and this connection may not look that up.
    #[error("an act stops a version by its key id, which this connection may not look up: {0}")]
    Denied(NoAnswer),
    /// The key has no such version.
    #[error("`{key}` has no version {version}")]
    Version {
        /// The key.
        key: String,
        /// The version.
        version: u32,
    },
    /// No answer, or one that is none.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// What an act stops that stops this target.
///
/// # Errors
/// [`NoTerm`]; only a version is looked up.
pub async fn term(connection: &Connection, target: &Target) -> Result<Term, NoTerm> {
    Ok(match target {
        Target::Key(key) => Term::Key(key.parse::<KeyName>().map_err(|_cause| NoTerm::Name(key.clone()))?),
        Target::Version(name) => {
            let key = match keys::show(connection, &name.key, connection.patience()).await {
                Err(CallError::NoAnswer(refused @ NoAnswer::Refused(_))) => {
                    return Err(NoTerm::Denied(refused));
                }
                found => found?,
            };
            let mut versions = key.versions.iter();
            let found = versions.find(|found| found.key == name.key && found.version == name.version);
            let none = || NoTerm::Version { key: name.key.clone(), version: name.version };
            let id = value::key_id("key_id", &found.ok_or_else(none)?.key_id);
            Term::KeyId(id.map_err(|refusal| CallError::Answer(refusal.message))?)
        }
        Target::Caller(id) => Term::Caller(id.clone()),
        Target::Issuer(issuer) => Term::Issuer(issuer.clone()),
        Target::Claim(claim) => Term::Claim { name: claim.name.clone(), value: claim.value.clone() },
        Target::Backend(name) => Term::Backend(name.clone()),
        Target::All(_) => Term::All,
    })
}

/// Signs the stop of a term. The act names the head before the first record, which is there whatever became of the log.
///
/// # Errors
/// Another instance than the pinned one, no answer, or no signature.
pub async fn sign(
    connection: &Connection,
    pinned: Hash,
    key: &Path,
    term: Term,
    reason: &str,
) -> Result<SignedAct, PeopleError> {
    let answer = calls::instance(connection, connection.patience()).await?;
    Foreign::is_pinned(&answer.genesis, pinned)?;
    let genesis = Statement::parse(&answer.genesis)?;
    let begins = genesis.begins().ok_or(Foreign::OtherKind(genesis.kind()))?;
    sign_act(key, Deed::Stop { stops: vec![term] }, genesis.common(), before_all(begins.origin), reason)
}

/// Whether a refusal says that this very act has stopped already: its first answer was lost on the way.
#[must_use]
pub fn is_taken(error: &CallError) -> bool {
    let CallError::NoAnswer(NoAnswer::Refused(refused)) = error else { return false };
    refused.metadata.get("guard").is_some_and(|guard| guard == "replayed")
}
