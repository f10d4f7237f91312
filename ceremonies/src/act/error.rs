//! Why bytes are no act, and why an act is not taken.

use proto::canonical::CanonicalError;
use proto::key_id::KeyId;
use proto::origin::Origin;

use super::{ActKind, LARGEST, LONGEST_REASON, MOST_STOPS};
use crate::person::{PersonId, Role};
use crate::ssh::key::SshKind;
use crate::ssh::signature::SshSignatureError;

/// Why bytes are no act.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// Longer than any act.
    #[error("an act has at most {LARGEST} bytes, this one has {0}")]
    Large(usize),
    /// Not canonical JSON of this shape.
    #[error("the act: {0}")]
    Canonical(#[from] CanonicalError),
    /// Fields that do not go together.
    #[error("the act: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Faults(Vec<ActFault>),
}

/// One thing that is wrong with an act's fields.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ActFault {
    /// An instance or environment of another form.
    #[error("{0}: expected 1 to 253 lower-case letters, digits, `.` and `-`")]
    Name(&'static str),
    /// A field of the target that is not there.
    #[error("target.{field}: is missing, and {act} is about it")]
    TargetLacks {
        /// The kind.
        act: ActKind,
        /// The field.
        field: &'static str,
    },
    /// A field of the target that has no place there.
    #[error("target.{field}: {act} is not about such a thing")]
    TargetHas {
        /// The kind.
        act: ActKind,
        /// The field.
        field: &'static str,
    },
    /// A no where there is no question.
    #[error("decision: {0} asks nothing that could be refused; expected \"accept\"")]
    Refuse(ActKind),
    /// No reason where one is needed.
    #[error("reason: is missing; only what is accepted needs none, and this is {0}")]
    NoReason(ActKind),
    /// A reason that is too long.
    #[error("reason: expected at most {LONGEST_REASON} bytes, found {0}")]
    ReasonLength(usize),
    /// A reason with something that people would not see.
    #[error("reason: expected visible characters and line feeds, found U+{0:04X}")]
    ReasonCharacter(u32),
    /// A head that no empty log has.
    #[error("head.root: the root of an empty log is the SHA-256 of nothing")]
    EmptyHead,
    /// More records than a number can hold.
    #[error("head.size: expected at most 2^53 - 1, found {0}")]
    HeadSize(u64),
    /// Nothing stops, or too much at once.
    #[error("target.stops: expected 1 to {MOST_STOPS} terms, found {0}")]
    Stops(usize),
    /// Terms twice or out of order.
    #[error("target.stops: expected each term once, in their order")]
    StopsOrder,
}

/// Why an act with its signature is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Unverified {
    /// The document is none.
    #[error(transparent)]
    Act(#[from] ActError),
    /// The signature is none, or is wrong.
    #[error(transparent)]
    Signature(#[from] SshSignatureError),
    /// Signed for the other mode.
    #[error("the act was signed for {found}, and this is {expected}: the two are never mixed")]
    OtherMode {
        /// The namespace of this instance's mode.
        expected: &'static str,
        /// The namespace of the other mode.
        found: &'static str,
    },
    /// For another instance.
    #[error("the act is for the instance `{found}`, this is `{expected}`")]
    OtherInstance {
        /// This one.
        expected: String,
        /// What the act says.
        found: String,
    },
    /// For another environment.
    #[error("the act is for the environment `{found}`, this is `{expected}`")]
    OtherEnvironment {
        /// This one.
        expected: String,
        /// What the act says.
        found: String,
    },
    /// Names the head of another log.
    #[error("the act names a head of the log `{found}`, this instance's is `{expected}`")]
    OtherLog {
        /// This one.
        expected: Origin,
        /// What the act says.
        found: Origin,
    },
    /// Signed by somebody who is not in the roster.
    #[error("the key {0} belongs to nobody in the roster")]
    UnknownKey(KeyId),
    /// The key of a person, in another form.
    #[error("`{person}` is in the roster with this key as `{enrolled}`, and signed with it as `{found}`")]
    OtherForm {
        /// Whose key.
        person: PersonId,
        /// The form in the roster.
        enrolled: SshKind,
        /// The form in the signature.
        found: SshKind,
    },
    /// The key of a person, under another FIDO application.
    #[error("`{person}` is in the roster with this key for `{enrolled}`, and signed with it for `{found}`")]
    OtherApplication {
        /// Whose key.
        person: PersonId,
        /// The application in the roster.
        enrolled: String,
        /// The application in the signature.
        found: String,
    },
    /// Somebody without the role for it.
    #[error("`{person}` may not {act}: {} may", roles(.act.roles()))]
    Role {
        /// Who.
        person: PersonId,
        /// What.
        act: ActKind,
    },
}

fn roles(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}
