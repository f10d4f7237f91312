//! The copies for people and for stock tools: each follows from a source, so there is nothing in them to believe.

use std::fmt::Write;

use proto::record::ceremony::document;

use super::control::Control;
use super::course::Course;
use super::invalid::{At, hold};
use super::{Files, Invalid, README, Step, name};
use crate::act::{Setting, namespace};
use crate::genesis::VETO;
use crate::roster::{Roster, Terms};
use crate::statement::{Statement, Target};
use crate::succession::proof;

/// Most characters of a document's name.
const LONGEST_NAME: usize = 64;

/// Every file that follows from the control records and the details, those two among them. `others` holds the transcripts
/// under `rosters/`.
pub(super) fn of(control: &Control, course: &Course, others: &Files) -> Result<Files, Invalid> {
    let mut files = Files::new();
    let mut put = |path: String, bytes: &[u8]| files.insert(path, bytes.to_vec());
    put(name::README.to_owned(), README.as_bytes());
    put(name::CONTROL.to_owned(), &control.encode());
    for (index, bytes) in &course.details {
        put(format!("details/{index}.json"), bytes);
    }
    put(name::GENESIS.to_owned(), &course.genesis.statement);
    for (document, text) in course.genesis.detail.documents.iter() {
        let path = genesis_path(document)
            .at(Step::Details, format_args!("the genesis brings `{document}`, which has no place in it"))?;
        put(path, text.as_bytes());
    }
    put(name::STATEMENT.to_owned(), course.statement_text.as_bytes());
    let brought = course.proposal().detail.iter().flat_map(|detail| detail.documents.iter());
    for (document, text) in brought {
        if [document::STATEMENT, document::ACT, document::SIGNATURE].contains(&document) {
            continue;
        }
        hold(is_plain(document), Step::Details, || {
            "a document of the proposal has no plain name".to_owned()
        })?;
        put(format!("documents/{document}"), text.as_bytes());
    }
    for taken in &course.steps {
        if let (Some((decision, person)), Some(paper)) = (taken.named(), &taken.paper) {
            hold(is_plain(person), Step::Acts, || format!("record {} names nobody", taken.index))?;
            let path = format!("acts/{:012}-{decision}-{person}.json", taken.index);
            put(format!("{path}.sig"), paper.armor.as_bytes());
            put(path, paper.document.as_bytes());
        }
    }
    for word in &course.words {
        hold(is_plain(&word.by), Step::Acts, || format!("record {} names nobody", word.index))?;
        let kind = word.paper.act.deed.kind();
        let path = format!("beside/{:012}-{kind}-{}.json", word.index, word.by);
        put(format!("{path}.sig"), word.paper.armor.as_bytes());
        put(path, word.paper.document.as_bytes());
    }
    let (outputs, _) = course.outputs()?;
    put(name::OUTPUTS.to_owned(), outputs.as_bytes());
    let terms = terms(&course.genesis.statement)?;
    let first = genesis_roster(course, terms)?;
    put(format!("genesis/{}", name::ALLOWED_SIGNERS), allowed_signers(&[&first]).as_bytes());
    let version = course.statement.common().roster.version;
    // Where officers spoke of people under earlier rosters, those are needed to check it.
    let begun = first.version();
    let earliest = if course.words.is_empty() { version } else { begun };
    let mut first = Some(first);
    let mut rosters = Vec::new();
    for earlier in earliest..=version {
        match first.take() {
            Some(first) if earlier == begun => rosters.push(first),
            _ => rosters.push(made_roster(others, earlier, terms)?),
        }
    }
    let next = next_roster(course, terms)?;
    if let Some(next) = &next {
        for (path, bytes) in proven(course, next)? {
            put(path, &bytes);
        }
    }
    rosters.extend(next);
    // Those that came into force while it was held: somebody new may have run the tool.
    for later in version.saturating_add(1).. {
        if !others.contains_key(&made_path(later)) {
            break;
        }
        rosters.push(made_roster(others, later, terms)?);
    }
    let rosters: Vec<&Roster> = rosters.iter().collect();
    put(name::ALLOWED_SIGNERS.to_owned(), allowed_signers(&rosters).as_bytes());
    Ok(files)
}

/// Where the roster of a version after the first stands.
fn made_path(version: u64) -> String {
    format!("rosters/{version}/documents/{}", document::ROSTER)
}

fn made_roster(others: &Files, version: u64, terms: Terms) -> Result<Roster, Invalid> {
    let path = made_path(version);
    let bytes = others.get(&path).at(Step::Rosters, format_args!("{path} is missing"))?;
    Roster::parse(bytes, terms).at(Step::Rosters, &path)
}

/// Where a document of the genesis stands.
fn genesis_path(document: &str) -> Option<String> {
    Some(match document {
        document::ROSTER => "genesis/roster.json".to_owned(),
        document::GUARDRAILS => "genesis/guardrails.toml".to_owned(),
        document::GRANTS => "genesis/grants.cedar".to_owned(),
        document::CARRIED => "genesis/carried.json".to_owned(),
        file if file.starts_with(document::FILE) && is_plain(file) => format!("genesis/{file}"),
        _ => match document.split_once('.')? {
            // One person's veto is kept; two end it.
            (document::ACT, veto) if is_veto(veto) => format!("genesis/vetoes/{}.json", &veto[VETO.len()..]),
            (document::SIGNATURE, veto) if is_veto(veto) => {
                format!("genesis/vetoes/{}.json.sig", &veto[VETO.len()..])
            }
            (document::ACT, person) if is_plain(person) => format!("genesis/acts/{person}.json"),
            (document::SIGNATURE, person) if is_plain(person) => format!("genesis/acts/{person}.json.sig"),
            _ => return None,
        },
    })
}

fn is_veto(name: &str) -> bool {
    name.strip_prefix(VETO).is_some_and(is_plain)
}

/// Whether a name makes one plain file name.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    (1..=LONGEST_NAME).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

/// What the genesis statement says of every roster.
pub(super) fn terms(genesis: &[u8]) -> Result<Terms, Invalid> {
    let statement = Statement::parse(genesis).at(Step::Genesis, "the genesis statement")?;
    let begins = statement.begins().map(|begins| begins.terms);
    begins.at(Step::Genesis, format_args!("record 0 holds a `{}`, not a genesis", statement.kind()))
}

/// The roster that the genesis brings.
pub(super) fn genesis_roster(course: &Course, terms: Terms) -> Result<Roster, Invalid> {
    let text = course.genesis.detail.documents.find(document::ROSTER);
    let text = text.at(Step::Genesis, "the genesis brings no roster")?;
    Roster::parse(text.as_bytes(), terms).at(Step::Genesis, "the first roster")
}

/// The roster that the ceremony makes; none where it makes none.
pub(super) fn next_roster(course: &Course, terms: Terms) -> Result<Option<Roster>, Invalid> {
    if !matches!(course.statement.target(), Target::RosterChange(_)) {
        return Ok(None);
    }
    let text = course.proposal().document(document::ROSTER);
    let text = text.at(Step::Details, "the proposal of a roster change brings no roster")?;
    Roster::parse(text.as_bytes(), terms).at(Step::Details, "the next roster").map(Some)
}

/// What the new keys of the next roster have signed, for `ssh-keygen -Y verify`: the signatures are among the documents.
fn proven(course: &Course, next: &Roster) -> Result<Vec<(String, Vec<u8>)>, Invalid> {
    let genesis = Statement::parse(&course.genesis.statement).at(Step::Genesis, "the genesis statement")?;
    let common = genesis.common();
    let begins = genesis.begins().at(Step::Genesis, "the genesis statement begins no log")?;
    let setting = Setting {
        environment: common.environment.as_str(),
        instance: common.instance.as_str(),
        mode: common.mode,
        origin: begins.origin,
    };
    let brought = course.proposal().detail.iter().flat_map(|detail| detail.documents.iter());
    let proofs = brought.filter(|(name, _)| name.starts_with(proof::PREFIX));
    let said = |(name, armor): (&str, &String)| {
        let by = proof::verify(armor, setting, next);
        let (person, key) = by.at(Step::Rosters, format_args!("the proof of possession `{name}`"))?;
        let message = proof::message(setting, next.digest(), &person.id, key);
        Ok((format!("proofs/{name}.{}.json", person.id), message))
    };
    proofs.map(said).collect()
}

/// What `ssh-keygen -Y verify -f` reads: a line for each key, people in the order of their ids.
fn allowed_signers(rosters: &[&Roster]) -> String {
    let mut out = String::new();
    for (at, roster) in rosters.iter().enumerate() {
        for person in roster.people() {
            for key in &person.keys {
                let before = rosters[..at]
                    .iter()
                    .any(|earlier| earlier.person(&person.id).is_some_and(|known| known.keys.contains(key)));
                if !before {
                    // Writing to a string cannot fail.
                    let _ = writeln!(out, "{} namespaces=\"{}\" {key}", person.id, namespace(roster.mode()));
                }
            }
        }
    }
    out
}
