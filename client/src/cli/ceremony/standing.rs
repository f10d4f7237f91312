//! Showing where a ceremony stands: who has decided what, what it lacks, what happens next.

use proto::time::Time;
use proto::wire::v1::CeremonyState;
use proto::wire::{time, v1};
use serde_json::{Value, json};

use super::suspended;
use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::people::instance::Instance;
use crate::people::open::{Open, Signed, has_ended, state_name};
use crate::people::text::{line, moment, plain};

/// The tone of a state.
#[must_use]
pub fn tone(state: CeremonyState) -> Tone {
    match state {
        CeremonyState::Completed => Tone::Good,
        CeremonyState::Armed | CeremonyState::Executing | CeremonyState::Executed => Tone::Strong,
        CeremonyState::Proposed | CeremonyState::Waiting | CeremonyState::Unspecified => Tone::Warn,
        CeremonyState::Indeterminate
        | CeremonyState::Aborted
        | CeremonyState::Failed
        | CeremonyState::Vetoed
        | CeremonyState::Expired
        | CeremonyState::Superseded => Tone::Bad,
    }
}

/// A moment of the wire.
#[must_use]
pub fn at(stamp: Option<&prost_types::Timestamp>) -> Option<Time> {
    stamp.and_then(|stamp| time::of_wire("time", stamp).ok())
}

/// Shows where it stands, and `more` facts below.
///
/// # Errors
/// As the output gives them.
pub fn show(
    open: &Open,
    instance: &Instance,
    now: Time,
    more: Vec<(&str, String)>,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    let state = open.state();
    let word = format!("{},", state_name(state));
    screen.headline(tone(state), &word, &format!("ceremony {}", open.statement.common().ceremony))?;
    let names = |signed: &[Signed]| {
        if signed.is_empty() {
            return "nobody".to_owned();
        }
        signed.iter().map(name).collect::<Vec<_>>().join("\n")
    };
    let after = matches!(state, CeremonyState::Executed | CeremonyState::Waiting | CeremonyState::Completed);
    let before = if after { open.have("attest") } else { open.wire.witnesses.clone() };
    let mut facts = vec![
        ("approved", names(&open.signed(&open.approvers(), "approve", instance))),
        ("attested", names(&open.signed(&before, "attest", instance))),
    ];
    if after {
        facts.push(("saw it", names(&open.signed(&open.wire.witnesses, "attest-after", instance))));
    }
    for act in &open.wire.acts {
        if matches!(act.decision.as_str(), "refuse" | "withdraw" | "veto" | "abort" | "deviation") {
            facts.push((
                "said",
                format!(
                    "{} ({}, record {}): {}",
                    line(&act.person),
                    act.decision,
                    act.log_index,
                    line(&act.reason)
                ),
            ));
        }
    }
    // After an execution they stand among its deviations.
    let parted = open.wire.parted.iter().filter(|_| !after);
    facts.extend(parted.map(|parted| ("deviation", self::parted(parted))));
    facts.extend(open.wire.lacks.iter().map(|lack| ("lacks", plain(lack))));
    facts.extend(suspended::facts(instance));
    if !open.wire.cause.is_empty() {
        facts.push(("cause", plain(&open.wire.cause)));
    }
    if let Some(due) = at(open.wire.due.as_ref()).filter(|_| !has_ended(&open.wire)) {
        facts.push(("until", moment(due, now)));
    }
    facts.extend(more);
    Ok(screen.facts(&facts)?)
}

fn name(signed: &Signed) -> String {
    let checked = if signed.checked { "signature checked" } else { "signature NOT checked" };
    format!("{} (record {}, {checked})", line(&signed.person), signed.index)
}

/// Somebody by whose consent an execution was started, and who counts no more: a deviation that the records show by themselves.
#[must_use]
pub fn parted(parted: &v1::Parted) -> String {
    let why = if parted.suspended { "is suspended" } else { "left the roster, or that role or key in it" };
    format!("{} agreed to this execution and {why}, since record {}", line(&parted.person), parted.log_index)
}

/// One line about one ceremony, as `watch` prints it.
#[must_use]
pub fn summary(ceremony: &v1::Ceremony) -> String {
    let counts =
        format!("approved by {}, attested by {}", people(&ceremony.approvers), people(&ceremony.witnesses));
    let parted = ceremony.parted.iter().map(parted);
    let counts = [counts].into_iter().chain(parted).collect::<Vec<_>>().join("; ");
    let lacks = ceremony.lacks.iter().map(|lack| line(lack)).collect::<Vec<_>>().join("; ");
    match (lacks.is_empty(), ceremony.cause.is_empty()) {
        (true, true) => counts,
        (true, false) => format!("{counts}; {}", line(&ceremony.cause)),
        (false, _) => format!("{counts}; lacks {lacks}"),
    }
}

fn people(ids: &[String]) -> String {
    if ids.is_empty() {
        "nobody".to_owned()
    } else {
        ids.iter().map(|id| line(id)).collect::<Vec<_>>().join(", ")
    }
}

/// For programs: everything but the exact bytes of acts.
#[must_use]
pub fn document(ceremony: &v1::Ceremony) -> Value {
    let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or(Value::Null);
    let acts: Vec<Value> = ceremony
        .acts
        .iter()
        .map(|act| {
            json!({
                "log_index": act.log_index,
                "sealed": at(act.sealed.as_ref()).map(|time| time.to_string()),
                "decision": act.decision,
                "person": act.person,
                "reason": act.reason,
                "act_sha256": hex::encode(&act.act_sha256),
                "counts_until": at(act.counts_until.as_ref()).map(|time| time.to_string()),
            })
        })
        .collect();
    let parted: Vec<Value> = ceremony
        .parted
        .iter()
        .map(|parted| {
            let how = if parted.suspended { "suspended" } else { "left" };
            json!({ "person": parted.person, "log_index": parted.log_index, "how": how })
        })
        .collect();
    json!({
        "ceremony": ceremony.id,
        "kind": ceremony.kind,
        "state": state_name(ceremony.state()),
        "statement": parse(&ceremony.statement),
        "statement_sha256": proto::hash::Hash::of(&ceremony.statement).to_string(),
        "proposed": ceremony.proposed,
        "acts": acts,
        "approvers": ceremony.approvers,
        "witnesses": ceremony.witnesses,
        "lacks": ceremony.lacks,
        "due": at(ceremony.due.as_ref()).map(|time| time.to_string()),
        "outputs": parse(&ceremony.outputs),
        "parted": parted,
        "cause": ceremony.cause,
        "completed": ceremony.completed,
        "manifest_sha256": hex::encode(&ceremony.manifest_sha256),
    })
}
