//! Ceremonies as messages.

use ceremonies::act::Act;
use ceremonies::person::PersonId;
use ceremonies::session::{Parted, Parting, Step};
use proto::wire::time::to_wire;
use proto::wire::v1;

use crate::clock::Verdict;
use crate::council::{ActView, CeremonyView, SuspensionView};

/// What the clock is worth.
pub(super) fn clock(verdict: Verdict) -> v1::ClockState {
    let wall = match verdict {
        Verdict::Trusted(time) => time,
        Verdict::Untrusted { wall, .. } => wall,
    };
    v1::ClockState {
        trusted: verdict.is_trusted(),
        wall: Some(to_wire(wall)),
        used: Some(to_wire(verdict.time())),
    }
}

/// Somebody whose acts count no more, or shall not.
pub(super) fn suspension(view: &SuspensionView) -> v1::Suspension {
    v1::Suspension { person: view.person.clone(), by: view.by.clone(), log_index: view.since }
}

/// With every act and document.
pub(super) fn whole(view: &CeremonyView) -> v1::Ceremony {
    v1::Ceremony {
        acts: view.acts.iter().map(act).collect(),
        outputs: view.outputs.clone().unwrap_or_default(),
        documents: view
            .documents
            .iter()
            .map(|(name, text)| (name.clone(), text.clone().into_bytes()))
            .collect(),
        ..summary(view)
    }
}

/// Without the exact bytes of acts, documents and outputs.
pub(super) fn summary(view: &CeremonyView) -> v1::Ceremony {
    let digest =
        |hash: Option<proto::hash::Hash>| hash.map(|hash| hash.as_bytes().to_vec()).unwrap_or_default();
    v1::Ceremony {
        id: view.id.to_string(),
        kind: view.kind.to_owned(),
        statement: view.statement.clone(),
        state: state(view.step).into(),
        proposed: view.proposed,
        acts: vec![],
        approvers: view.approvers.clone(),
        witnesses: view.witnesses.clone(),
        lacks: view.lacks.clone(),
        due: view.due.map(to_wire),
        outputs: Default::default(),
        deviations_sha256: digest(view.deviations),
        parted: view.parted.iter().map(parted).collect(),
        cause: view.cause.clone().unwrap_or_default(),
        completed: view.completion.map(|completion| completion.index),
        manifest_sha256: digest(view.completion.map(|completion| completion.manifest)),
        documents: Default::default(),
    }
}

/// Whether nothing more will happen to it: a completion that is not recorded yet is still to come.
pub(super) fn has_ended(ceremony: &v1::Ceremony) -> bool {
    match ceremony.state() {
        v1::CeremonyState::Proposed
        | v1::CeremonyState::Armed
        | v1::CeremonyState::Executing
        | v1::CeremonyState::Executed
        | v1::CeremonyState::Waiting
        | v1::CeremonyState::Indeterminate
        | v1::CeremonyState::Unspecified => false,
        v1::CeremonyState::Completed => ceremony.completed.is_some(),
        _ => true,
    }
}

fn parted((person, parted): (&PersonId, &Parted)) -> v1::Parted {
    let suspended = parted.how == Parting::Suspended;
    v1::Parted { person: person.to_string(), log_index: parted.record, suspended }
}

fn act(view: &ActView) -> v1::RecordedAct {
    // The act was verified before it was recorded; a reason is for showing.
    let reason = Act::parse(&view.signed.document).map(|act| act.reason).unwrap_or_default();
    v1::RecordedAct {
        log_index: view.index,
        sealed: Some(to_wire(view.sealed)),
        decision: view.decision.to_owned(),
        person: view.person.clone(),
        reason,
        act_sha256: view.digest.as_bytes().to_vec(),
        act: Some(v1::SignedAct {
            document: view.signed.document.clone(),
            signature: view.signed.signature.clone(),
        }),
        counts_until: view.counts_until.map(to_wire),
    }
}

const fn state(step: Step) -> v1::CeremonyState {
    match step {
        Step::Proposed => v1::CeremonyState::Proposed,
        Step::Armed => v1::CeremonyState::Armed,
        Step::Executing => v1::CeremonyState::Executing,
        Step::Executed => v1::CeremonyState::Executed,
        Step::Waiting => v1::CeremonyState::Waiting,
        Step::Completed => v1::CeremonyState::Completed,
        Step::Indeterminate => v1::CeremonyState::Indeterminate,
        Step::Aborted => v1::CeremonyState::Aborted,
        Step::Failed => v1::CeremonyState::Failed,
        Step::Vetoed => v1::CeremonyState::Vetoed,
        Step::Expired => v1::CeremonyState::Expired,
        Step::Superseded => v1::CeremonyState::Superseded,
    }
}
