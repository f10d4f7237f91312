//! Showing a statement in full: field by field, what is asked for first, nothing left out.
//!
//! Promises: every value of the statement is on the screen (held by `every_value_of_every_kind_is_shown`), times also as how far they
//! are from now; what cannot be seen on a terminal is spelt out, although no statement holds such characters.

use ceremonies::genesis::Mode;
use ceremonies::statement::Statement;
use ceremonies::words::Words;
use proto::hash::Hash;
use proto::time::Time;
use serde_json::Value;

use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::people::instance::mode_name;
use crate::people::text::{moment, plain, records};

/// Fields of targets, as people call them. What is not here is called as it is written.
const PLAIN: &[(&str, &str)] = &[
    ("activation", "begins"),
    ("added", "joins"),
    ("allow_software_backend", "backend"),
    ("allow_software_officer_keys", "people"),
    ("changed", "changes"),
    ("control", "instead"),
    ("copies", "copies at"),
    ("extractable", "extractable"),
    ("inventory", "use list"),
    ("key_id", "key id"),
    ("last", "last head"),
    ("held", "held head"),
    ("locator", "where"),
    ("log_key", "log key"),
    ("loosens", "loosens"),
    ("proof_of_possession", "proof"),
    ("proofs", "key proofs"),
    ("purpose", "may sign"),
    ("removed", "leaves"),
    ("replaces", "replaces"),
    ("stop", "stop"),
    ("successor_id", "its key id"),
    ("unproven", "unproven"),
];

/// Shows a statement in full; its words are apart, because they belong where the reader's eye ends.
///
/// # Errors
/// As the output gives them.
pub fn show(statement: &Statement, now: Time, screen: &mut Screen) -> Result<(), Complaint> {
    let common = statement.common();
    let tone = if common.mode == Mode::Production { Tone::Strong } else { Tone::Warn };
    let mode = mode_name(common).to_uppercase();
    screen.headline(tone, statement.kind().name(), &format!("({mode}): {}", common.purpose))?;
    for (title, facts) in groups(statement, now) {
        screen.gap()?;
        screen.line(title)?;
        let facts: Vec<(&str, String)> =
            facts.iter().map(|(label, fact)| (label.as_str(), fact.clone())).collect();
        screen.facts(&facts)?;
    }
    Ok(screen.gap()?)
}

/// The sixteen words of a statement.
///
/// # Errors
/// As the output gives them.
pub fn own_words(statement: &Statement, screen: &mut Screen) -> Result<(), Complaint> {
    words("The words of this statement, to be read aloud and compared:", &statement.digest(), screen)
}

/// The sixteen words of a digest under a sentence.
///
/// # Errors
/// As the output gives them.
pub fn words(sentence: &str, digest: &Hash, screen: &mut Screen) -> Result<(), Complaint> {
    screen.line(sentence)?;
    screen.gap()?;
    for line in Words::of(digest).lines() {
        let painted = screen.paint(Tone::Strong, &line);
        screen.line(&format!("    {painted}"))?;
    }
    Ok(screen.gap()?)
}

type Facts = Vec<(String, String)>;

/// Everything that a statement says, under headings.
fn groups(statement: &Statement, now: Time) -> Vec<(&'static str, Facts)> {
    let common = statement.common();
    let whole = statement.to_value();
    let own = |pairs: &[(&str, String)]| {
        pairs.iter().map(|(label, fact)| ((*label).to_owned(), fact.clone())).collect::<Facts>()
    };
    let version = |field: &str| value(field, &whole[field], now);
    vec![
        ("What is asked for", target(&whole["target"], now)),
        (
            "Why",
            own(&[
                ("purpose", plain(common.purpose.as_str())),
                ("reason", plain(common.justification.as_str())),
                ("ticket", plain(common.ticket.as_str())),
                ("initiator", common.initiator.to_string()),
            ]),
        ),
        (
            "When",
            own(&[("begins", moment(common.not_before, now)), ("expires", moment(common.expires, now))]),
        ),
        (
            "Where",
            own(&[
                ("instance", format!("{} ({})", common.instance, common.environment)),
                ("mode", mode_name(common).to_owned()),
                (
                    "log",
                    format!(
                        "{}, {}, root
{}",
                        common.log.origin,
                        records(common.log.size),
                        common.log.root
                    ),
                ),
            ]),
        ),
        (
            "Who decides, by which rules",
            own(&[
                ("quorum", version("quorum")),
                ("roster", version("roster")),
                ("guardrails", version("guardrails")),
            ]),
        ),
        (
            "Which document",
            own(&[
                ("ceremony", common.ceremony.to_string()),
                ("form", ceremonies::statement::SCHEMA.to_owned()),
                ("nonce", common.nonce.to_string()),
                ("sha256", statement.digest().to_string()),
            ]),
        ),
    ]
}

/// The parameters of a kind.
fn target(target: &Value, now: Time) -> Facts {
    let Some(fields) = target.as_object() else { return Vec::new() };
    let fact = |(field, found): (&String, &Value)| (label(field), value(field, found, now));
    fields.iter().map(fact).collect()
}

/// The facts of any JSON object, for documents whose fields are not known here.
#[must_use]
pub fn facts_of(document: &Value, now: Time) -> Vec<(String, String)> {
    target(document, now)
}

fn label(field: &str) -> String {
    let plain_name = PLAIN.iter().find(|(name, _)| *name == field);
    plain_name.map_or_else(|| plain(field).replace('_', " "), |(_, name)| (*name).to_owned())
}

/// A value as people read it.
#[must_use]
pub fn value(field: &str, found: &Value, now: Time) -> String {
    match (field, found) {
        ("allow_software_backend", Value::Bool(yes)) => {
            format!("production keys may live in the software backend: {}", yes_no(*yes))
        }
        ("allow_software_officer_keys", Value::Bool(yes)) => {
            format!("their keys may be files instead of tokens: {}", yes_no(*yes))
        }
        ("stop", Value::Number(index)) => format!("the one in record {index}"),
        (_, Value::Bool(yes)) => yes_no(*yes).to_owned(),
        (_, Value::String(text)) => {
            text.parse::<Time>().map_or_else(|_no_time| broken(&plain(text)), |time| moment(time, now))
        }
        (_, Value::Array(items)) if items.is_empty() => "none".to_owned(),
        (_, Value::Array(items)) => {
            items.iter().map(|item| value("", item, now)).collect::<Vec<_>>().join("\n")
        }
        (_, Value::Object(fields)) => object(fields, now),
        (_, Value::Null | Value::Number(_)) => found.to_string(),
    }
}

/// The longest word that a line beside labels holds: a digest.
const LONGEST: usize = 64;

/// A word that no line holds, at places where people break it: a URI after `;`, a digest after its hash's name, a verifier
/// key before its base64, base64 wherever it must.
fn broken(text: &str) -> String {
    if text.len() <= LONGEST || text.contains(char::is_whitespace) {
        return text.to_owned();
    }
    if text.contains(':') && text.contains(';') {
        return text.replace(';', ";\n");
    }
    if let Some((hash, hex)) =
        text.split_once(':').filter(|(_, hex)| hex.bytes().all(|b| b.is_ascii_hexdigit()))
    {
        return format!("{hash}:\n{hex}");
    }
    if let Some((name, rest)) = text.split_once('+').filter(|(name, _)| name.contains('.')) {
        return format!("{name}+\n{rest}");
    }
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    if !text.bytes().all(is_base64) {
        return text.to_owned();
    }
    let lines: Vec<_> = text.as_bytes().chunks(LONGEST).map(String::from_utf8_lossy).collect();
    lines.join("\n")
}

fn object(fields: &serde_json::Map<String, Value>, now: Time) -> String {
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    let text = |name: &str| fields.get(name).map_or_else(String::new, |found| value(name, found, now));
    match names.as_slice() {
        ["sha256", "version"] => format!("version {}\n{}", text("version"), text("sha256")),
        ["root", "size"] => format!("{} records, root\n{}", text("size"), text("root")),
        ["owner", "sha256"] => format!("kept by {}\n{}", text("owner"), text("sha256")),
        ["approvals", "officers", "witnesses"] => format!(
            "{} of {} officers approve; {} witnesses attest, before and after",
            text("approvals"),
            text("officers"),
            text("witnesses")
        ),
        [] => "none".to_owned(),
        names => {
            let line = |name: &&str| {
                let (label, text) = (label(name), text(name));
                // What was broken, or would be, stands below its name.
                let apart = text.contains('\n') || label.len() + text.len() + 2 > LONGEST;
                if apart { format!("{label}:\n{text}") } else { format!("{label}: {text}") }
            };
            names.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    }
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

#[cfg(test)]
mod tests;
