//! `approve FILE` and `attest FILE`: a statement carried on a stick, signed where there is no connection.
//!
//! Promises: what cannot be checked without the instance is said; the act and its signature are written byte for byte as they were
//! made and signed, both or neither, and nothing is replaced.

use std::path::{Path, PathBuf};

use ceremonies::act::{ActKind, Deed, namespace};
use ceremonies::person::PersonId;
use ceremonies::ssh::signature::SshSignature;
use ceremonies::statement::target::LogRecover;
use ceremonies::statement::{Kind, Statement, Target};
use ceremonies::words::Words;
use proto::hash::Hash;
use proto::proof::note::Verifier;
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
use crate::people::text::records;
use crate::people::{me, text};
use crate::seen::Memory;
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
    if question.kind == ActKind::Attest && !question.refuse && !is_by_files(&read) {
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
    if !screen.is_json() {
        statement::show(&read, now, screen)?;
        statement::own_words(&read, screen)?;
        screen.note(unchecked(&read, &places))?;
    }
    consent(&format!("{} this as {person}?", question.verb()), question.yes, screen)?;
    write(
        question.deed(Hash::of(&bytes), None),
        question,
        &Paper { read: &read, bytes: &bytes, file },
        &key,
        screen,
    )
}

/// A statement, and where an act about it is written.
struct Paper<'a> {
    read: &'a Statement,
    bytes: &'a [u8],
    file: PathBuf,
}

/// Signs, and writes act and signature.
fn write(
    deed: Deed,
    question: &Question<'_>,
    paper: &Paper<'_>,
    key: &Path,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let Paper { read, bytes, file } = paper;
    let common = read.common();
    let signature_file = with_ending(file, ".sig");
    let signed = sign_act(key, deed, common, head_of(common), question.reason)?;
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
            "files": [file, &signature_file],
            "statement": read.to_value(),
            "statement_sha256": Hash::of(bytes).to_string(),
            "words": Words::of(&Hash::of(bytes)).lines(),
        }))?;
        return Ok(Exit::Done);
    }
    screen.headline(Tone::Good, "signed:", "nothing is sent yet")?;
    let next = match read.kind() {
        Kind::Genesis => "carry both files to whoever runs `countersignd init`".to_owned(),
        Kind::LogRecover => "carry both files to whoever runs `countersignd recover`".to_owned(),
        _ => {
            format!("carry both files to a connected machine: countersign ceremony submit {}", file.display())
        }
    };
    screen.facts(&[
        ("act", file.display().to_string()),
        ("signature", signature_file.display().to_string()),
        ("sha256", digest.to_string()),
        ("next", next),
    ])?;
    Ok(Exit::Done)
}

/// Whether it is held over files: where a log begins there is no daemon yet.
fn is_by_files(statement: &Statement) -> bool {
    statement.begins().is_some()
}

/// Says no to the recovery of a log, whose people have no daemon to say it to. Asks nothing.
///
/// # Errors
/// What is wrong, or why nothing was signed.
pub(in crate::cli) fn veto(
    path: &Path,
    why: &str,
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let places = places(flags, look)?;
    let (person, key) = (me::person(&places)?, me::signing_key(&places)?);
    let (bytes, read) = statement_file(path)?;
    if read.kind() != Kind::LogRecover {
        return Err(Complaint::usage(format!("a {} is not vetoed by files", read.kind())).advise(format!(
            "on a connected machine: countersign ceremony veto {}",
            read.common().ceremony
        )));
    }
    // Beside an approval that the same person may have signed before.
    let file = act_file(&path.with_extension("veto.json"), &person);
    files::look_ahead(&[file.clone(), with_ending(&file, ".sig")], false)?;
    let question = Question { kind: ActKind::Veto, refuse: false, reason: why, template: None, yes: true };
    let deed = Deed::Veto { statement: Hash::of(&bytes) };
    write(deed, &question, &Paper { read: &read, bytes: &bytes, file }, &key, screen)
}

/// Whether the newest head of the lost log that this machine has seen is one that its recovery knows.
fn newest_seen(recover: &LogRecover, places: &[Partial]) -> Result<(), Complaint> {
    let Some(place) = settings::partial::first(places, Setting::State) else { return Ok(()) };
    let Ok(newest) = recover.replaces.as_str().parse::<Verifier>() else { return Ok(()) };
    let memory = Memory::at(&place.path());
    // What was seen is kept by the key that is trusted here, which may be one of those before.
    let trusted = settings::log_key(places)?.filter(|key| key.name() == newest.name() && *key != newest);
    for key in trusted.into_iter().chain([newest]) {
        let Some(seen) = memory.recall(&key)? else { continue };
        let (own, last) = (&seen.checkpoint, recover.last);
        if own.size < last.size || own.size == last.size && own.root == last.root {
            continue;
        }
        return Err(Complaint::failed(format!(
            "this machine has seen {} of the lost log, and the statement names {} as the newest that anyone knows",
            records(own.size),
            records(last.size)
        ))
        .because("what came after would be left out of the gap that everybody agrees to")
        .advise(format!(
            "give {} to whoever drafts: countersignd recover --draft --checkpoint FILE",
            memory.file(&key).display()
        )));
    }
    Ok(())
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
    if let Target::LogRecover(recover) = read.target() {
        newest_seen(recover, places)?;
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
    if read.kind() == Kind::LogRecover {
        return "there is no daemon to compare with: the old log's name was compared, and the newest head of it that this machine has \
                seen. Compare the sixteen words with everybody in the room, and read carried.json and the gap: keys, stops and \
                people that are missing there were lost";
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
