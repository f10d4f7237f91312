//! A `policy.change` from the people's side: the next guardrails as a file with those that it names, what they make looser and
//! tighter, and the target that follows.
//!
//! Promises: whether anything becomes looser is computed from both versions, never asked; every difference is shown with its reason, and
//! the next guardrails line by line; nothing is drafted, proposed or approved that this machine would not take.

use std::collections::BTreeMap;
use std::path::Path;

use ceremonies::amendment::{self, Amended, Change};
use ceremonies::guardrails::Guardrails;
use ceremonies::statement::{Kind, Statement};
use proto::hash::Hash;
use proto::record::ceremony::document;
use proto::time::Time;
use proto::wire::v1::CeremonyState;

use super::{grants, standing};
use crate::cli::args::ceremony::Amendment;
use crate::cli::complaint::Complaint;
use crate::cli::input;
use crate::cli::screen::{Screen, Tone};
use crate::people::instance::Instance;
use crate::people::open::Open;
use crate::people::text::{moment, plain};

/// Largest file of guardrails, or that they name.
const LARGEST: u64 = 192 * 1024;

/// What goes with a proposal: the next guardrails and the files that they name, under the names that they have there.
pub struct Brought {
    /// By name.
    pub documents: BTreeMap<String, Vec<u8>>,
}

/// Reads what `--guardrails` names, and the files beside it that it names; nothing where there is none.
///
/// # Errors
/// Everything that is wrong with the guardrails; where a file cannot be read, or is another one.
pub fn brought(named: &Amendment) -> Result<Option<Brought>, Complaint> {
    let Some(path) = &named.guardrails else { return Ok(None) };
    let text = input::text(path, LARGEST)?;
    let guardrails = Guardrails::parse(&text).map_err(|problems| {
        let mut complaint = Complaint::failed(format!("{} holds no guardrails", path.display()));
        complaint.why = problems.iter().map(ToString::to_string).collect();
        complaint.advise("correct it; nothing was signed or written")
    })?;
    let mut documents = BTreeMap::from([(document::NEXT_GUARDRAILS.to_owned(), text.into_bytes())]);
    let beside = path.parent().unwrap_or(Path::new("."));
    for file in guardrails.forbid.iter().chain(&guardrails.client_cas) {
        let content = input::file(&beside.join(&file.file), LARGEST)?;
        file.check(&content).map_err(|differs| {
            Complaint::failed(format!("{} names another file", path.display()))
                .because(differs.to_string())
                .advise("write the file's SHA-256 into the guardrails: they pin every byte of it")
        })?;
        documents.insert(amendment::name(&file.sha256), content);
    }
    Ok(Some(Brought { documents }))
}

/// Documents that are text, by name.
fn texts(documents: &BTreeMap<String, Vec<u8>>) -> impl Iterator<Item = (&str, &str)> {
    documents.iter().filter_map(|(name, bytes)| Some((name.as_str(), std::str::from_utf8(bytes).ok()?)))
}

/// Those of a proposal, with the guardrails in force and what they forbid by.
fn with_present<'d>(
    documents: &'d BTreeMap<String, Vec<u8>>,
    instance: &'d Instance,
) -> BTreeMap<&'d str, &'d str> {
    let present = texts(&instance.guardrail_documents);
    present.chain(texts(documents)).collect()
}

impl Brought {
    /// A template with the target that follows from both versions.
    ///
    /// # Errors
    /// Where the template has a target of its own, or the two cannot be compared.
    pub fn filled(&self, template: &Path, instance: &Instance) -> Result<String, Complaint> {
        let text = input::text(template, LARGEST)?;
        if text.lines().any(|line| line.trim_start().starts_with("[target")) {
            return Err(Complaint::usage(format!(
                "{} has a [target], and with --guardrails the target follows from the guardrails",
                template.display()
            ))
            .advise("leave the section away"));
        }
        let documents = with_present(&self.documents, instance);
        let read = |which, name| {
            let text = documents.get(name).copied().unwrap_or_default();
            amendment::read(which, text, &documents).map_err(|cause| {
                Complaint::failed("the guardrails cannot be compared with those in force")
                    .because(cause.to_string())
                    .advise("the daemon shows those in force and what they name: try again with a newer one")
            })
        };
        let (present, next) =
            (read("present", document::GUARDRAILS)?, read("next", document::NEXT_GUARDRAILS)?);
        let loosens = amendment::between(&present, &next).iter().any(|change| change.loosens);
        let sha256 = Hash::of(&self.documents[document::NEXT_GUARDRAILS]);
        let version = instance.guardrails.version.saturating_add(1);
        Ok(format!(
            "{text}\n[target]\nguardrails = {{ version = {version}, sha256 = \"{sha256}\" }}\nloosens = {loosens}\n"
        ))
    }

    /// What changes, where the daemon would take them with this statement.
    ///
    /// # Errors
    /// What is wrong.
    pub fn fits(&self, statement: &Statement, instance: &Instance) -> Result<Amended, Complaint> {
        let documents = with_present(&self.documents, instance);
        amendment::next(statement, &instance.roster, documents).map_err(|cause| {
            Complaint::failed("the guardrails and the statement do not belong together")
                .because(cause.to_string())
                .advise("draft the statement from the guardrails: countersign ceremony new TEMPLATE --guardrails FILE")
        })
    }
}

/// What an open `policy.change` changes, by the documents that the daemon shows of it; nothing for other kinds.
fn amended(open: &Open, instance: &Instance) -> Option<Result<Amended, String>> {
    (open.statement.kind() == Kind::PolicyChange).then(|| {
        let next = amendment::next(&open.statement, &instance.roster, texts(&open.wire.documents));
        next.map_err(|cause| cause.to_string())
    })
}

/// Whether what the daemon shows of an open `policy.change` makes the next guardrails, as loose as the statement says.
///
/// # Errors
/// What is wrong.
pub fn follows(open: &Open, instance: &Instance) -> Result<(), Complaint> {
    match amended(open, instance) {
        Some(Err(cause)) => Err(Complaint::failed("the next guardrails do not follow those in force")
            .because(cause)
            .advise("do not approve it: have it proposed anew")),
        _ => Ok(()),
    }
}

/// Shows the next guardrails against those in force; nothing for other kinds.
///
/// # Errors
/// As the output gives them.
pub fn show(open: &Open, instance: &Instance, now: Time, screen: &mut Screen) -> Result<(), Complaint> {
    match amended(open, instance) {
        None => Ok(()),
        Some(Err(cause)) => {
            Ok(screen.note(&format!("what the next guardrails change cannot be shown: {}", plain(&cause)))?)
        }
        Some(Ok(amended)) => {
            let when = in_force(open, now);
            changes(&amended, &when, screen)?;
            for (name, text) in texts(&open.wire.documents) {
                let is_next = name == document::NEXT_GUARDRAILS;
                let forbid = amended.next.guardrails.forbid.as_ref();
                let forbids = forbid.is_some_and(|file| amendment::name(&file.sha256) == name);
                if is_next || forbids {
                    let what = if is_next { "The next guardrails," } else { "What they forbid by," };
                    grants::lines(what, text, screen)?;
                }
            }
            Ok(())
        }
    }
}

/// What becomes looser and tighter, and when: for a statement that nobody has decided about.
///
/// # Errors
/// As the output gives them.
pub fn undecided(amended: &Amended, screen: &mut Screen) -> Result<(), Complaint> {
    let waits = amended.loosens();
    let when = if waits { "a day after the last attestation" } else { "with the last attestation" };
    changes(amended, when, screen)
}

fn changes(amended: &Amended, when: &str, screen: &mut Screen) -> Result<(), Complaint> {
    let tone = if amended.loosens() { Tone::Bad } else { Tone::Warn };
    let word = if amended.loosens() { "Looser," } else { "Tighter," };
    screen.headline(tone, word, "by the next guardrails, against those in force:")?;
    let mut facts = facts(amended);
    facts.push(("in force", when.to_owned()));
    screen.facts(&facts)?;
    Ok(screen.gap()?)
}

/// A line for each change, what is looser first.
fn facts(amended: &Amended) -> Vec<(&'static str, String)> {
    let of = |loosens: bool| amended.changes.iter().filter(move |change| change.loosens == loosens);
    let line = |label| move |change: &Change| (label, plain(&change.to_string()));
    let mut facts: Vec<_> = of(true).map(line("looser")).chain(of(false).map(line("tighter"))).collect();
    if facts.is_empty() {
        facts.push(("changes", "nothing but words: the rules are the same".to_owned()));
    }
    facts
}

/// When the guardrails of a statement come into force.
fn in_force(open: &Open, now: Time) -> String {
    let due = standing::at(open.wire.due.as_ref());
    let loosens = matches!(open.statement.target(), ceremonies::statement::Target::PolicyChange(change) if change.loosens);
    match (open.state(), due) {
        (CeremonyState::Waiting, Some(due)) => {
            format!("{}, unless an officer or a witness vetoes it until then", moment(due, now))
        }
        _ if loosens => {
            "a day after the last attestation, unless an officer or a witness vetoes it until then".to_owned()
        }
        _ => "with the last attestation, at once".to_owned(),
    }
}

/// The same for a list: what is looser and tighter, and when it is in force; nothing for other kinds.
#[must_use]
pub fn listed(open: &Open, instance: &Instance, now: Time) -> Vec<(&'static str, String)> {
    match amended(open, instance) {
        None => Vec::new(),
        Some(Err(cause)) => vec![("changes", format!("cannot be shown: {}", plain(&cause)))],
        Some(Ok(amended)) => {
            let mut facts = facts(&amended);
            facts.push(("in force", in_force(open, now)));
            facts
        }
    }
}
