//! Records as people and programs see them.
//!
//! Promises: what a record says is shown in its own words; a kind of a newer version is shown by its name, never guessed.

use proto::action::ActionName;
use proto::name::KeyName;
use proto::record::ceremony::Effect;
use proto::record::{
    ActorKind, Body, Ceremony, ConfigRecord, ControlRecord, Detail, Record, SignRecord, SignatureEntry,
};
use proto::time::Time;
use proto::wire::v1;
use serde_json::{Value, json};

use super::complaint::Complaint;
use super::screen::{Screen, Tone};
use super::wrap::hang;
use crate::log::read::hash_of;

/// Columns of index and time, and the blanks between them.
const MARGIN: usize = 8 + 2 + 20 + 2;

/// Prints one record.
///
/// # Errors
/// Where it cannot be written.
pub fn show(record: &v1::Record, screen: &mut Screen) -> Result<(), Complaint> {
    if screen.is_json() {
        return Ok(screen.json_line(&document(record))?);
    }
    let (time, tone, words) = describe(record);
    let time = time.map_or_else(String::new, seconds);
    let lines = hang(&words, screen.width(), MARGIN);
    let first = lines.first().cloned().unwrap_or_default();
    let (kind, rest) = first.split_once(' ').unwrap_or((&first, ""));
    let kind = screen.paint(tone, kind);
    let mut text = format!("{:>8}  {time:<20}  {kind} {rest}", record.log_index).trim_end().to_owned();
    for line in &lines[1.min(lines.len())..] {
        text.push('\n');
        text.push_str(line);
    }
    text.push('\n');
    Ok(screen.raw(text.as_bytes())?)
}

/// To the second, for people.
fn seconds(time: Time) -> String {
    let text = time.to_string();
    format!("{} {}Z", &text[..10], &text[11..19])
}

/// The record for programs: what the log holds, unchanged.
#[must_use]
pub fn document(record: &v1::Record) -> Value {
    let parse = |bytes: &[u8]| {
        serde_json::from_slice::<Value>(bytes)
            .unwrap_or_else(|_unreadable| json!({ "unreadable": hex::encode(bytes) }))
    };
    let mut document = json!({
        "index": record.log_index,
        "leaf_hash": hash_of(record),
        "record": parse(&record.leaf),
    });
    if !record.detail.is_empty() {
        document["detail"] = parse(&record.detail);
    }
    document
}

/// When it was sealed, how it looks, and what it says.
fn describe(record: &v1::Record) -> (Option<Time>, Tone, String) {
    let parsed = match Record::parse(&record.leaf) {
        Ok(parsed) => parsed,
        Err(cause) => return (None, Tone::Warn, format!("unreadable: {cause}")),
    };
    let detail: Option<Detail> = proto::canonical::from_slice(&record.detail).ok();
    let by = detail.as_ref().map_or_else(String::new, |detail| format!(" by {}", detail.caller.id));
    match parsed {
        Record::Sign(sign) => {
            let good = sign.signatures.iter().all(|entry| entry.value.is_some());
            (
                Some(sign.time.sealed),
                if good { Tone::Good } else { Tone::Warn },
                signed(&sign, detail.as_ref(), &by),
            )
        }
        Record::Denied(denied) => {
            let digest = denied.digests.as_ref().and_then(|digests| digests.iter().next());
            let of = digest.map_or_else(String::new, |digest| format!(" {digest}"));
            let what = refused(denied.action, denied.key.as_ref());
            let (reason, rule) = (denied.reason, rule(detail.as_ref()));
            (Some(denied.time.sealed), Tone::Bad, format!("denied {what} {reason}{rule}{of}{by}"))
        }
        Record::DeniedSummary(summary) => {
            let what = refused(summary.action, summary.key.as_ref());
            let (count, reason, rule) = (summary.count, summary.reason, rule(detail.as_ref()));
            let since = seconds(summary.since);
            let words = format!("denied.summary {what} {reason}{rule} {count} more since {since}{by}");
            (Some(summary.time.sealed), Tone::Bad, words)
        }
        Record::Read(read) => {
            let query =
                serde_json::to_value(read.query).ok().and_then(|query| query.as_str().map(str::to_owned));
            (Some(read.time.sealed), Tone::Dim, format!("audit.read {}{by}", query.unwrap_or_default()))
        }
        Record::Config(config) => (Some(config.time.sealed), Tone::Strong, configured(&config)),
        Record::Control(control) => {
            (Some(control.time.sealed), control_tone(&control.body), changed(&control))
        }
        Record::Unknown { kind } => (None, Tone::Warn, format!("{kind} (of a newer version)")),
    }
}

/// Which call was refused, and of which key.
fn refused(action: ActionName, key: Option<&KeyName>) -> String {
    key.map_or_else(|| action.to_string(), |key| format!("{action} {key}"))
}

/// The rule that refused, where one did.
fn rule(detail: Option<&Detail>) -> String {
    let policy = detail.and_then(|detail| detail.policy.as_ref()).filter(|policy| !policy.rule.is_empty());
    policy.map_or_else(String::new, |policy| format!(" (rule {})", policy.rule))
}

fn signed(sign: &SignRecord, detail: Option<&Detail>, by: &str) -> String {
    let entry = |entry: &SignatureEntry| {
        let reason = entry.reason.map_or_else(String::new, |reason| format!(" ({reason})"));
        format!("{}@{} {}{reason}", sign.key, entry.version, entry.outcome.name())
    };
    let entries: Vec<String> = sign.signatures.iter().map(entry).collect();
    let what = detail
        .and_then(|detail| detail.repository.clone())
        .map_or_else(String::new, |repository| format!(" {repository}"));
    let digest = match sign.signed.subjects.first() {
        Some(subject) if sign.signed.subjects.len() == 1 => subject.clone(),
        Some(subject) => format!("{subject} and {} more", sign.signed.subjects.len() - 1),
        None => sign.signed.digests.iter().next().map_or_else(String::new, ToString::to_string),
    };
    format!("sign {} {}{what} {digest}{by}", entries.join(", "), sign.signed.kind)
}

fn configured(config: &ConfigRecord) -> String {
    let ConfigRecord { cause, changed, file, grants, guardrails, roster, software, .. } = config;
    let changed: Vec<&str> = changed.iter().map(|setting| setting.name()).collect();
    let changed = match changed.is_empty() {
        true => String::new(),
        false => format!(" with another {}", changed.join(" and ")),
    };
    format!(
        "config {} of {software} by the file {file}{changed}: roster {}, guardrails {}, grants {}",
        cause.name(),
        roster.version,
        guardrails.version,
        grants.version
    )
}

fn control_tone(body: &Body) -> Tone {
    match body {
        Body::Carried(_) | Body::Stopped { .. } | Body::Suspend(_) => Tone::Bad,
        _ => Tone::Strong,
    }
}

fn changed(control: &ControlRecord) -> String {
    let what = match &control.body {
        Body::Genesis { .. } => "the log begins".to_owned(),
        Body::Grant { sha256 } | Body::Policy { sha256 } => format!("file {sha256} in force"),
        Body::Stopped { .. } => {
            let terms: Vec<String> = control.stops.iter().map(ToString::to_string).collect();
            format!("stops {}", terms.join(", "))
        }
        Body::Carried(carried) => {
            format!("{} comes over from {}, stopped", carried.key.key, carried.born.origin)
        }
        Body::Ceremony(step) => ceremony(step),
        Body::Anchor { place } => format!("checkpoints are kept in {place}"),
        Body::Invited { caller, expires, .. } => format!("invites {caller} until {}", seconds(*expires)),
        Body::Enrolled { caller, not_after, .. } => {
            format!("a certificate for {caller} until {}", seconds(*not_after))
        }
        Body::Redacted { indices } => format!("details of {} records erased", indices.len()),
        Body::Clock(vouched) => format!("the clock was right at {}", vouched.clock),
        Body::Suspend(said) => format!("that {} acts no more", said.person),
    };
    let actor = match control.actor.kind {
        ActorKind::Caller => control.actor.id.clone(),
        ActorKind::Daemon => "the daemon".to_owned(),
        ActorKind::Operator => format!("operator {}", control.actor.id),
        ActorKind::Person => control.actor.id.clone(),
    };
    format!("{} {what} by {actor}", control.body.kind())
}

/// A step of a ceremony, by the beginning of its id.
fn ceremony(step: &Ceremony) -> String {
    let id = step.ceremony().to_string();
    let what = match step {
        Ceremony::Proposed(proposed) => format!("{}, statement {}", proposed.of, proposed.statement),
        Ceremony::Acted(acted) => {
            // As the record writes it.
            let decision = serde_json::to_value(acted.decision).ok();
            let decision = decision.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
            format!("{decision}, act {}", acted.act)
        }
        Ceremony::Started(_) => "the execution begins".to_owned(),
        Ceremony::Deviated(deviated) => format!("a deviation, act {}", deviated.act),
        Ceremony::Executed(executed) => format!("outputs {}", executed.outputs),
        Ceremony::Failed(failed) => match failed.reason {
            Some(reason) => format!("it has no effect ({}): {}", reason.name(), failed.cause),
            None => format!("nothing was done: {}", failed.cause),
        },
        Ceremony::Interrupted(_) => "nobody knows what was done".to_owned(),
        Ceremony::Ended(_) => "its time is over".to_owned(),
        Ceremony::Completed(completed) => match &completed.effect {
            Effect::Key(key) => {
                format!(
                    "{}@{} {} in {} for {}",
                    key.key, key.version, key.algorithm, key.backend, key.purpose
                )
            }
            Effect::Destroyed { key, key_id, version } => {
                format!("the key pair {key_id}, made for {key}@{version}, is destroyed")
            }
            Effect::Grants { sha256 } => format!("grants {sha256} in force"),
            Effect::Guardrails { version, .. } => format!("guardrails {version} in force"),
            Effect::Lifts => "stops end".to_owned(),
            Effect::LogKey { key, replaces } => {
                format!("the log is signed by {key} from now on, and by {replaces} no more")
            }
            Effect::Rebound { backend, keys, serial } => {
                format!("{} keys of {backend} are on the device {serial}", keys.len())
            }
            Effect::Resolved { ceremony, destroyed: true } => format!("what {ceremony} left is destroyed"),
            Effect::Resolved { ceremony, destroyed: false } => format!("what {ceremony} left is abandoned"),
            Effect::Roster { version, .. } => format!("roster {version} in force"),
        },
    };
    format!("{} {what}", &id[..8])
}

#[cfg(test)]
mod tests;
