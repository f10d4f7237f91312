//! What can be wrong with a roster, and where.

use std::fmt;

use proto::canonical::CanonicalError;
use proto::key_id::KeyId;

use super::{LARGEST, MOST_KEYS, MOST_PEOPLE, SCHEMA};
use crate::person::{PersonError, Role, UnknownRole};
use crate::rules::HardLimit;
use crate::ssh::key::{KeyError, SshKind};

/// Where in a roster: `approvals`, `people[2]`, `people[2].keys[0]`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The person, counted from 0 in the order of the document.
    pub person: Option<usize>,
    /// The field. Empty where all of it is meant.
    pub field: &'static str,
    /// The item of the field's list, counted from 0.
    pub item: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(person) = self.person {
            write!(f, "people[{person}]")?;
            if !self.field.is_empty() {
                f.write_str(".")?;
            }
        }
        f.write_str(self.field)?;
        self.item.map_or(Ok(()), |item| write!(f, "[{item}]"))
    }
}

/// One rule that is broken, and where.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct Flaw {
    /// Where.
    pub place: Place,
    /// Which rule.
    pub fault: Fault,
}

/// The rules of rosters, by how they are broken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Versions begin with 1.
    #[error("expected a version from 1 to 2^53 - 1, found {0}")]
    Version(u64),
    /// The roster of another instance's mode.
    #[error("the roster is for another mode than the instance: rehearsal and production are never mixed")]
    Mode,
    /// M < 2, or N < M + 1.
    #[error(transparent)]
    Quorum(#[from] HardLimit),
    /// Nobody attests.
    #[error("there is no witness: at least one person must have the role witness")]
    NoWitness,
    /// Every witness works with some officer.
    #[error(
        "every witness is of a unit of some officer: at least one must be of a unit to which no officer belongs"
    )]
    NoOtherUnit,
    /// More people than a roster holds.
    #[error("a roster has at most {MOST_PEOPLE} people, this one has {0}")]
    People(usize),
    /// An id, unit or display name of another form.
    #[error(transparent)]
    Name(#[from] PersonError),
    /// One id for two people.
    #[error("`{0}` is in the roster twice: one entry for each person")]
    PersonTwice(String),
    /// A person who may do nothing.
    #[error("the person has no role: expected at least one of officer, operator, responder, witness")]
    NoRole,
    /// A role that there is not.
    #[error(transparent)]
    Role(#[from] UnknownRole),
    /// A role given twice.
    #[error("the role {0} is given twice")]
    RoleTwice(Role),
    /// A person who cannot sign.
    #[error("the person has no key: expected at least one SSH public key")]
    NoKey,
    /// More keys than a person has.
    #[error("a person has at most {MOST_KEYS} keys, this one has {0}")]
    Keys(usize),
    /// No key that is taken.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A file where a token is demanded.
    #[error(
        "a production roster takes keys on FIDO tokens only, this is `{0}`: make one with `ssh-keygen -t ed25519-sk -O verify-required`"
    )]
    Software(SshKind),
    /// One key given twice to one person.
    #[error("the key {0} is given twice, perhaps in another form: it is one private key")]
    KeyTwice(KeyId),
    /// One key for two people.
    #[error(
        "the key {key} belongs to `{owner}` already, perhaps in another form: a private key has one person"
    )]
    KeyOfTwo {
        /// The key.
        key: KeyId,
        /// Who comes first.
        owner: String,
    },
}

/// Why bytes are no roster.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// Longer than any roster.
    #[error("a roster has at most {LARGEST} bytes, this one has {0}")]
    Large(usize),
    /// Not canonical JSON of this shape.
    #[error("the roster: {0}")]
    Canonical(CanonicalError),
    /// Of a newer version.
    #[error("the roster has schema `{0}`, this version knows `{SCHEMA}`: use a newer version")]
    Schema(String),
    /// Rules that are broken.
    #[error("the roster breaks rules: {}", shown(.0))]
    Flaws(Vec<Flaw>),
    /// Another spelling of a good roster.
    #[error(
        "the roster is not in its one form: people stand in the order of their ids, roles in that of their names, keys are `type base64` without comment"
    )]
    OneForm,
}

fn shown(flaws: &[Flaw]) -> String {
    flaws.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
