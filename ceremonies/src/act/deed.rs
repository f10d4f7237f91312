//! What people can do by an act, and about what.

use std::fmt;

use proto::hash::Hash;
use proto::term::Term;
use proto::time::Time;
use serde::{Deserialize, Serialize};

use crate::person::{PersonId, Role};

/// The kinds of act.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActKind {
    /// Ends an execution that has begun.
    Abort,
    /// Says that the clock is right although it seems not to be.
    AcceptClock,
    /// An officer's consent to a statement.
    Approve,
    /// A witness's word: to a statement before, to its outputs after.
    Attest,
    /// Something went otherwise than the script says.
    Deviation,
    /// Starts what a quorum has decided.
    Execute,
    /// Opens a ceremony.
    Propose,
    /// These sign no more.
    Stop,
    /// A person's acts count no more.
    Suspend,
    /// Ends an open ceremony.
    Veto,
    /// Takes back an act of one's own.
    Withdraw,
}

impl ActKind {
    /// Every kind, in the order of its names.
    pub const ALL: [Self; 11] = [
        Self::Abort,
        Self::AcceptClock,
        Self::Approve,
        Self::Attest,
        Self::Deviation,
        Self::Execute,
        Self::Propose,
        Self::Stop,
        Self::Suspend,
        Self::Veto,
        Self::Withdraw,
    ];

    /// `abort`, `accept-clock`, `approve`, `attest`, `deviation`, `execute`, `propose`, `stop`, `suspend`, `veto` or
    /// `withdraw`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::AcceptClock => "accept-clock",
            Self::Approve => "approve",
            Self::Attest => "attest",
            Self::Deviation => "deviation",
            Self::Execute => "execute",
            Self::Propose => "propose",
            Self::Stop => "stop",
            Self::Suspend => "suspend",
            Self::Veto => "veto",
            Self::Withdraw => "withdraw",
        }
    }

    /// Who may do it at all: a person needs one of these roles. In most ceremonies officers alone approve, but the second
    /// person of a `key.compromise` may have any role.
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::AcceptClock | Self::Suspend => &[Role::Officer],
            Self::Attest => &[Role::Witness],
            Self::Abort | Self::Veto => &[Role::Officer, Role::Witness],
            Self::Deviation => &[Role::Officer, Role::Operator, Role::Witness],
            Self::Execute => &[Role::Operator],
            Self::Propose => &[Role::Officer, Role::Operator],
            Self::Stop => &[Role::Officer, Role::Responder, Role::Witness],
            Self::Approve | Self::Withdraw => &Role::ALL,
        }
    }
}

impl fmt::Display for ActKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Yes or no, where there is a question.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Yes; and the one word for acts that ask nothing.
    Accept,
    /// No, for good: this person's consent no longer counts here unless the refusal is withdrawn.
    Refuse,
}

/// What a witness saw after an execution, by the SHA-256 of each document.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Outcome {
    /// The deviations that were spoken.
    pub deviations: Hash,
    /// What came out.
    pub outputs: Hash,
}

/// What is done, about what. Statements are named by the SHA-256 of their canonical bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Deed {
    /// [`ActKind::Abort`].
    Abort {
        /// The ceremony's statement.
        statement: Hash,
    },
    /// [`ActKind::AcceptClock`].
    AcceptClock {
        /// The time that the clock shows, and that is right.
        clock: Time,
    },
    /// [`ActKind::Approve`].
    Approve {
        /// Whether.
        decision: Decision,
        /// What.
        statement: Hash,
    },
    /// [`ActKind::Attest`].
    Attest {
        /// Whether.
        decision: Decision,
        /// What was seen; absent before the execution.
        outcome: Option<Outcome>,
        /// What.
        statement: Hash,
    },
    /// [`ActKind::Deviation`]; the act's reason says what.
    Deviation {
        /// The ceremony's statement.
        statement: Hash,
    },
    /// [`ActKind::Execute`].
    Execute {
        /// The ceremony's statement.
        statement: Hash,
    },
    /// [`ActKind::Propose`].
    Propose {
        /// What is proposed.
        statement: Hash,
    },
    /// [`ActKind::Stop`].
    Stop {
        /// What stops, sorted.
        stops: Vec<Term>,
    },
    /// [`ActKind::Suspend`].
    Suspend {
        /// Whose acts stop counting.
        person: PersonId,
    },
    /// [`ActKind::Veto`].
    Veto {
        /// The ceremony's statement.
        statement: Hash,
    },
    /// [`ActKind::Withdraw`].
    Withdraw {
        /// SHA-256 of the act that is taken back, which was the same person's. By digest, so that it makes no difference
        /// which of the two arrives first.
        act: Hash,
        /// The statement that it was about.
        statement: Hash,
    },
}

impl Deed {
    /// Which kind it is.
    pub const fn kind(&self) -> ActKind {
        match self {
            Self::Abort { .. } => ActKind::Abort,
            Self::AcceptClock { .. } => ActKind::AcceptClock,
            Self::Approve { .. } => ActKind::Approve,
            Self::Attest { .. } => ActKind::Attest,
            Self::Deviation { .. } => ActKind::Deviation,
            Self::Execute { .. } => ActKind::Execute,
            Self::Propose { .. } => ActKind::Propose,
            Self::Stop { .. } => ActKind::Stop,
            Self::Suspend { .. } => ActKind::Suspend,
            Self::Veto { .. } => ActKind::Veto,
            Self::Withdraw { .. } => ActKind::Withdraw,
        }
    }

    /// Yes or no; yes for acts that ask nothing.
    pub const fn decision(&self) -> Decision {
        match self {
            Self::Approve { decision, .. } | Self::Attest { decision, .. } => *decision,
            _ => Decision::Accept,
        }
    }

    /// The statement of the ceremony that it is about; none for acts that need no ceremony.
    pub const fn statement(&self) -> Option<Hash> {
        match self {
            Self::Abort { statement }
            | Self::Approve { statement, .. }
            | Self::Attest { statement, .. }
            | Self::Deviation { statement }
            | Self::Execute { statement }
            | Self::Propose { statement }
            | Self::Veto { statement }
            | Self::Withdraw { statement, .. } => Some(*statement),
            Self::AcceptClock { .. } | Self::Stop { .. } | Self::Suspend { .. } => None,
        }
    }
}
