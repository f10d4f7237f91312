//! Why an event has no effect on a ceremony.

use proto::hash::Hash;
use proto::time::Time;

use crate::person::PersonId;
use crate::rules::Unruly;
use crate::session::count::Lack;
use crate::session::state::Step;

/// Why an event has no effect on a ceremony. Each says what would have to be otherwise.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The statement is not what the rules in force ask for.
    #[error(transparent)]
    Rules(#[from] Unruly),
    /// The statement is another instance's.
    #[error("the statement's `{field}` is not this instance's: it was written for another one")]
    Instance {
        /// The field that says so.
        field: &'static str,
    },
    /// The statement names other guardrails than those in force.
    #[error(
        "the statement is written for guardrails {named}, and guardrails {in_force} are in force: propose it anew"
    )]
    Guardrails {
        /// The version that the statement names.
        named: u64,
        /// The version in force.
        in_force: u64,
    },
    /// The statement names another roster than the one in force.
    #[error(
        "the statement is written for roster {named}, and roster {in_force} is in force: propose it anew"
    )]
    Roster {
        /// The version that the statement names.
        named: u64,
        /// The version in force.
        in_force: u64,
    },
    /// The next roster is not the one that the statement names, or changes other people than it says.
    #[error(
        "the next roster is not what the statement says: its version, its quorum, and who joins, leaves or changes"
    )]
    NextRoster,
    /// Nobody of that name may propose.
    #[error("`{0}`, who proposes this, is not in the roster")]
    Initiator(PersonId),
    /// The ceremony has ended.
    #[error("this ceremony is {0}: nothing leads on from there")]
    Over(Step),
    /// The record does not come after those that had an effect.
    #[error("record {found} does not come after record {newest}, which had an effect already")]
    Order {
        /// Index of the newest record that had an effect.
        newest: u64,
        /// Index of this one.
        found: u64,
    },
    /// The clock is untrusted, or went back.
    #[error("the clock is not trusted: nothing is approved, started or completed until it is")]
    Clock,
    /// Its time is over.
    #[error("the statement expired at {at}: propose it anew")]
    Expired {
        /// Its end.
        at: Time,
    },
    /// Its time has not come.
    #[error("the statement begins at {at}: wait until then")]
    NotYet {
        /// Its beginning.
        at: Time,
    },
    /// Not in this state.
    #[error("{event} has no place while the ceremony is {step}")]
    Place {
        /// What happened.
        event: &'static str,
        /// Where the ceremony stands.
        step: Step,
    },
    /// An act on another ceremony.
    #[error(
        "the act is about statement {found}, this ceremony's is {expected}: an act counts for one statement alone"
    )]
    OtherStatement {
        /// This ceremony's.
        expected: Hash,
        /// The act's.
        found: Hash,
    },
    /// An act that was admitted already.
    #[error("this act, or another one with its nonce, is in the log already: it counts once")]
    Replayed,
    /// An act whose own time is over.
    #[error("the act expired at {at}, by its own word: sign a new one")]
    ActExpired {
        /// Its end.
        at: Time,
    },
    /// A head of before the proposal, or a witness's that is too old.
    #[error("the act names a head of the log that is too old: fetch the newest one and sign again")]
    Head,
    /// Made before the person's own withdrawal or suspension.
    #[error(
        "the act was made before its person withdrew or was suspended, in record {record}: sign a new one over a newer head"
    )]
    Withdrawn {
        /// Index of the withdrawal or the suspension.
        record: u64,
    },
    /// Made by somebody who has refused.
    #[error("`{0}` has refused: what he says for it counts again when he takes that back")]
    Refused(PersonId),
    /// Not a person's key.
    #[error("`{0}` is not in the roster with that key")]
    Unknown(PersonId),
    /// Not in a role that decides so.
    #[error("`{person}` has no role in which {decision} counts")]
    Role {
        /// The person.
        person: PersonId,
        /// What was decided.
        decision: &'static str,
    },
    /// Suspended.
    #[error("`{0}` is suspended: his acts do not count")]
    Suspended(PersonId),
    /// Two roles in one ceremony.
    #[error("`{person}` is {already} of this ceremony already, and a person holds one role in it")]
    Conflict {
        /// The person.
        person: PersonId,
        /// `officer`, `witness`, `operator` or `initiator`.
        already: &'static str,
    },
    /// Only the named officer approves.
    #[error("the statement names `{named}` as the one who approves")]
    NotNamed {
        /// The officer.
        named: PersonId,
    },
    /// A roster change that only removes its vetoer.
    #[error("nobody vetoes a change that only removes himself")]
    OwnRemoval,
    /// Whoever has vetoed has said so.
    #[error("`{0}` has vetoed already: more vetoes take more people")]
    VetoedAlready(PersonId),
    /// Not armed.
    #[error("it is not armed: {}", lacking(.0))]
    NotArmed(Vec<Lack>),
    /// It has started as often as it may.
    #[error("it has started already, and an execution is never repeated: propose it anew")]
    Started,
    /// Something is under the label or id.
    #[error(
        "{found} objects are on the token under the label or id of the key that would be made: somebody put them there, \
         nothing is made"
    )]
    Planted {
        /// How many.
        found: u64,
    },
    /// Nothing is where the key to be destroyed is said to be.
    #[error("the key that is to be destroyed is not there: nothing is done, and nothing is attested of it")]
    NothingThere,
    /// Not one of those who attested before.
    #[error("`{0}` did not attest before this execution, with that key")]
    OtherWitness(PersonId),
    /// Other outputs or deviations than those recorded.
    #[error(
        "the attestation names other outputs or deviations than those in the log: compare, and refuse or sign again"
    )]
    OtherOutputs,
}

impl Refusal {
    /// The stable name, for programs: never renamed, never re-used.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Rules(Unruly::Lives { .. }) => "lives-too-long",
            Self::Rules(Unruly::Quorum { .. }) => "other-quorum",
            Self::Instance { .. } => "other-instance",
            Self::Guardrails { .. } => "other-guardrails",
            Self::Roster { .. } => "other-roster",
            Self::NextRoster => "other-next-roster",
            Self::Initiator(_) => "unknown-initiator",
            Self::Over(_) => "over",
            Self::Order { .. } => "order",
            Self::Clock => "clock-untrusted",
            Self::Expired { .. } => "expired",
            Self::NotYet { .. } => "not-yet",
            Self::Place { .. } => "no-place",
            Self::OtherStatement { .. } => "other-statement",
            Self::Replayed => "replayed",
            Self::ActExpired { .. } => "act-expired",
            Self::Head => "head-too-old",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Refused(_) => "refused-before",
            Self::Unknown(_) => "unknown-key",
            Self::Role { .. } => "no-role",
            Self::Suspended(_) => "suspended",
            Self::Conflict { .. } => "two-roles",
            Self::NotNamed { .. } => "not-named",
            Self::OwnRemoval => "own-removal",
            Self::VetoedAlready(_) => "vetoed-already",
            Self::NotArmed(_) => "not-armed",
            Self::Started => "started-already",
            Self::Planted { .. } => "object-planted",
            Self::NothingThere => "nothing-there",
            Self::OtherWitness(_) => "other-witness",
            Self::OtherOutputs => "other-outputs",
        }
    }
}

/// What a ceremony lacks, in words.
impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Approvals(1) => f.write_str("1 more officer must approve"),
            Self::Approvals(missing) => write!(f, "{missing} more officers must approve"),
            Self::NextApprovals(missing) => {
                write!(f, "{missing} more officers of the next roster must approve")
            }
            Self::Another => f.write_str("one more person must agree"),
            Self::Witnesses(1) => f.write_str("1 more witness must attest"),
            Self::Witnesses(missing) => write!(f, "{missing} more witnesses must attest"),
            Self::OtherUnit => f.write_str("a witness of another unit than every approver must attest"),
        }
    }
}

fn lacking(lacks: &[Lack]) -> String {
    lacks.iter().map(Lack::to_string).collect::<Vec<_>>().join(", ")
}
