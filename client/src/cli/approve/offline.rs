//! `approve FILE` and `attest FILE`: a statement carried on a stick, signed where there is no connection.
//!
//! Promises: what cannot be checked without the instance is said; the act and its signature are written byte for byte as they were
//! made and signed, both or neither, and nothing is replaced.

use std::path::{Path, PathBuf};

use ceremonies::act::{ActKind, namespace};
use ceremonies::person::PersonId;
use ceremonies::ssh::signature::SshSignature;
use ceremonies::statement::{Kind, Statement};
use ceremonies::words::Words;
use proto::hash::Hash;
use serde_json::json;

use super::Question;
use crate::cli::args::connection::Connection as Flags;
use crate::cli::ceremony::differences::{held_against, template};
use crate::cli::ceremony::{consent, may_ask, statement, statement_file};
use crate::cli::complaint::Complaint;
use crate::cli::online::places;
use crate::cli::screen::{Screen, Tone};
use crate::exit::Exit;
use crate::files::{self, Planned, with_ending};
use crate::people::act::head_of;
use crate::people::desk::sign_act;
use crate::people::error::PeopleError;
use crate::people::instance::{Foreign, Unfit};
use crate::people::{me, text};
use crate::settings::{self, Partial, Setting};

/// Shows, asks, signs, and writes act and signature beside the statement.
///
/// # Errors
/// What is wrong, or why nothing was signed.
pub(super) fn run(
    question: &Question<'_>,
    path: &Path,
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let places = places(flags, look)?;
    let (person, key) = (me::person(&places)?, me::signing_key(&places)?);
    let template = question.template.map(template).transpose()?;
    let (bytes, read) = statement_file(path)?;
    may_ask(&read, question.yes, screen)?;
    if question.kind == ActKind::Attest && !question.refuse && read.kind() != Kind::Genesis {
        return Err(Complaint::usage(
            "a witness attests over a recent head of the log, and a file has none that is",
        )
        .because(
            "an attestation counts only over a head that holds the proposal and is at most 15 minutes behind",
        )
        .advise(format!("on a connected machine: countersign attest {}", read.common().ceremony)));
    }
    let file = act_file(path, &person);
    let signature_file = with_ending(&file, ".sig");
    files::look_ahead(&[file.clone(), signature_file.clone()], false)?;
    let now = text::now();
    if !question.refuse {
        check(&read, Hash::of(&bytes), &places, now)?;
        if let Some((_, template)) = &template {
            held_against(template, &read, now)?;
        }
    }
    let common = read.common();
    if !screen.is_json() {
        statement::show(&read, now, screen)?;
        statement::own_words(&read, screen)?;
        screen.note(unchecked(&read, &places))?;
    }
    consent(&format!("{} this as {person}?", question.verb()), question.yes, screen)?;
    let deed = question.deed(Hash::of(&bytes), None);
    let signed = sign_act(&key, deed, common, head_of(common), question.reason)?;
    let ours = SshSignature::parse(&signed.signature)
        .and_then(|s| s.verify(namespace(common.mode), &signed.document));
    ours.map_err(|cause| PeopleError::Unverified(cause.into()))?;
    let digest = signed.digest();
    files::write(
        &[
            Planned { path: file.clone(), content: signed.document },
            Planned { path: signature_file.clone(), content: signed.signature.into_bytes() },
        ],
        false,
    )?;
    if screen.is_json() {
        screen.json(&json!({
            "ceremony": common.ceremony.to_string(),
            "act": question.kind.name(),
            "decision": if question.refuse { "refuse" } else { "accept" },
            "act_sha256": digest.to_string(),
            "files": [file, signature_file],
            "statement": read.to_value(),
            "statement_sha256": Hash::of(&bytes).to_string(),
            "words": Words::of(&Hash::of(&bytes)).lines(),
        }))?;
        return Ok(Exit::Done);
    }
    screen.headline(Tone::Good, "signed:", "nothing is sent yet")?;
    let next = if read.kind() == Kind::Genesis {
        "carry both files to whoever runs `countersignd init`".to_owned()
    } else {
        format!("carry both files to a connected machine: countersign ceremony submit {}", file.display())
    };
    screen.facts(&[
        ("act", file.display().to_string()),
        ("signature", signature_file.display().to_string()),
        ("sha256", digest.to_string()),
        ("next", next),
    ])?;
    Ok(Exit::Done)
}

/// `genesis.json` and `ada` is `genesis.ada.act.json`.
fn act_file(statement: &Path, person: &PersonId) -> PathBuf {
    let base = if statement.extension().is_some_and(|ending| ending == "json") {
        statement.with_extension("")
    } else {
        statement.to_owned()
    };
    with_ending(&base, &format!(".{person}.act.json"))
}

/// What the settings say about statements without asking anybody.
fn check(
    read: &Statement,
    digest: Hash,
    places: &[Partial],
    now: proto::time::Time,
) -> Result<(), Complaint> {
    let common = read.common();
    if read.kind() == Kind::Genesis && settings::partial::first(places, Setting::Genesis).is_some() {
        let pinned = me::genesis(places)?;
        if pinned != digest {
            return Err(Foreign::Genesis { pinned, found: digest }.into());
        }
    }
    if let Some(key) = settings::log_key(places)?
        && key.name() != common.log.origin.as_str()
    {
        let (found, here) = (common.log.origin.to_string(), key.name().to_owned());
        return Err(PeopleError::Unfit(vec![Unfit::Place { field: "log origin", found, here }]).into());
    }
    if common.expires <= now {
        return Err(PeopleError::Unfit(vec![Unfit::Expired(common.expires)]).into());
    }
    Ok(())
}

/// What the person must compare himself.
fn unchecked(read: &Statement, places: &[Partial]) -> &'static str {
    if read.kind() == Kind::Genesis {
        return "there is no instance yet to compare with: compare the sixteen words with everybody in the room, and roster, \
                guardrails and grants with `sha256sum` of the files that you were given";
    }
    if settings::partial::first(places, Setting::LogKey).is_some() {
        "only the log's name was compared: roster, guardrails, head of the log and genesis are checked where the act is brought in. \
         Compare the sixteen words with somebody who reads the same statement elsewhere"
    } else {
        "nothing was compared with the instance: genesis, log, roster and guardrails are checked where the act is brought in. \
         Compare the sixteen words with somebody who reads the same statement elsewhere"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    #[test]
    fn the_files_are_named_after_statement_and_person() {
        let named = |path: &str| act_file(Path::new(path), &"ada".parse().unwrap());
        assert_eq!(named("stick/genesis.json"), PathBuf::from("stick/genesis.ada.act.json"));
        assert_eq!(named("statement"), PathBuf::from("statement.ada.act.json"));
        assert_eq!(named("a.b.json"), PathBuf::from("a.b.ada.act.json"));
    }
}
