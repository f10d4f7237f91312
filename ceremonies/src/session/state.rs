//! Where a ceremony stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::time::Time;

use crate::person::PersonId;
use crate::rules::DELAY;
use crate::session::Stamp;

/// Where a ceremony stands.
///
/// ```text
/// Proposed ⇄ Armed ─► Executing ─► Executed ─► (Waiting ─►) Completed
/// ```
///
/// The whole diagram is at the head of [`crate::session`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// Approvals and attestations are collected.
    Proposed,
    /// The quorum has approved and the witnesses have attested.
    Armed,
    /// It is being done.
    Executing(Executing),
    /// It is done; the witnesses have not all attested what they saw.
    Executed(Executed),
    /// Done and attested, and it makes the guardrails looser: it has its effect after a delay, unless somebody vetoes it.
    Waiting(Waiting),
    /// Done and attested: it has its effect.
    Completed {
        /// SHA-256 of the manifest of outputs.
        outputs: Hash,
        /// The witnesses who attested before and after.
        witnesses: BTreeSet<PersonId>,
        /// The deviations that they saw.
        deviations: Vec<Hash>,
    },
    /// It is not known what was done: only a `resolve` leads out.
    Indeterminate(Executing),
    /// Stopped while it was being done.
    Aborted,
    /// Not done, or not believed: its output is quarantined.
    Failed(Cause),
    /// People stopped it.
    Vetoed,
    /// Its time is over.
    Expired,
    /// The roster or the guardrails changed under it.
    Superseded,
}

/// An execution that has started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Executing {
    /// The record of the start.
    pub at: Stamp,
    /// Who approved.
    pub approvers: BTreeSet<PersonId>,
    /// Who attested before, each with the key of that act.
    pub witnesses: BTreeMap<PersonId, KeyId>,
    /// Those of them who are of another unit than every approver of a quorum that there was.
    pub independent: BTreeSet<PersonId>,
    /// Who runs the tool.
    pub operator: Option<PersonId>,
    /// What went otherwise than the script says, in the order of the log.
    pub deviations: Vec<Hash>,
}

/// An execution that is done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Executed {
    /// The record of the output.
    pub at: Stamp,
    /// SHA-256 of the manifest of outputs.
    pub outputs: Hash,
    /// Those who attested these outputs and every deviation so far.
    pub attested: BTreeSet<PersonId>,
    /// How it was done.
    pub execution: Executing,
}

/// What was done and attested, and waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Waiting {
    /// The record by which enough had attested.
    pub since: Stamp,
    /// SHA-256 of the outputs.
    pub outputs: Hash,
    /// The witnesses who attested before and after.
    pub witnesses: BTreeSet<PersonId>,
    /// The deviations that they saw.
    pub deviations: Vec<Hash>,
}

impl Waiting {
    /// From when on it may have its effect.
    pub fn until(&self) -> Time {
        self.since.time.later(DELAY)
    }
}

/// Why a ceremony failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The backend did nothing.
    NothingDone,
    /// A witness saw something else.
    Refused,
    /// The witnesses did not attest in time.
    Silence,
    /// What an interruption left was abandoned.
    Abandoned,
    /// It was done and attested, and cannot come into force.
    NoEffect,
}

/// The name of a state.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Step {
    /// [`State::Proposed`].
    Proposed,
    /// [`State::Armed`].
    Armed,
    /// [`State::Executing`].
    Executing,
    /// [`State::Executed`].
    Executed,
    /// [`State::Completed`].
    Completed,
    /// [`State::Indeterminate`].
    Indeterminate,
    /// [`State::Aborted`].
    Aborted,
    /// [`State::Failed`].
    Failed,
    /// [`State::Vetoed`].
    Vetoed,
    /// [`State::Expired`].
    Expired,
    /// [`State::Superseded`].
    Superseded,
    /// [`State::Waiting`].
    Waiting,
}

impl Step {
    /// Whether nothing leads out of it.
    pub const fn is_end(self) -> bool {
        !matches!(
            self,
            Self::Proposed
                | Self::Armed
                | Self::Executing
                | Self::Executed
                | Self::Waiting
                | Self::Indeterminate
        )
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Proposed => "proposed",
            Self::Armed => "armed",
            Self::Executing => "executing",
            Self::Executed => "executed",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Indeterminate => "indeterminate",
            Self::Aborted => "aborted",
            Self::Failed => "failed",
            Self::Vetoed => "vetoed",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
        })
    }
}

impl State {
    /// Its name.
    pub const fn step(&self) -> Step {
        match self {
            Self::Proposed => Step::Proposed,
            Self::Armed => Step::Armed,
            Self::Executing(_) => Step::Executing,
            Self::Executed(_) => Step::Executed,
            Self::Waiting(_) => Step::Waiting,
            Self::Completed { .. } => Step::Completed,
            Self::Indeterminate(_) => Step::Indeterminate,
            Self::Aborted => Step::Aborted,
            Self::Failed(_) => Step::Failed,
            Self::Vetoed => Step::Vetoed,
            Self::Expired => Step::Expired,
            Self::Superseded => Step::Superseded,
        }
    }
}
