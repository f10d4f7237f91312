//! How one version of the guardrails follows another: what a `policy.change` brings, held against the guardrails in force.
//!
//! The proposal brings the next guardrails ([`document::NEXT_GUARDRAILS`]) beside the present ones, each file that the next
//! ones name, and the rules that the present ones forbid by, under names that follow from their digests ([`name`]). [`next`] is
//! the one place that reads them: the daemon before it records a proposal, its fold of the log, whoever approves, and whoever
//! verifies a transcript.
//!
//! What is promised: guardrails that come out of here keep every hard limit, and are looser than the present ones exactly
//! where the statement says so. What is looser is decided by a table and by nobody's judgement: see [`Change`]. What it
//! does not judge: who agreed to it, and how long it waits; that is the session's.
//!
//! Invariant: nothing that makes guardrails looser passes for a tightening, however many steps it takes
//! (`no_composition_of_tightenings_loosens`).

mod change;
mod quotas;

use std::collections::BTreeMap;

pub use change::{Change, between};
use proto::hash::Hash;
use proto::record::ceremony::document;

use crate::access::Policies;
use crate::access::policies::RuleProblem;
use crate::form::Problem;
use crate::guardrails::{Differs, Guardrails, Named};
use crate::roster::Roster;
use crate::statement::{Kind, Statement, Target};

/// What both proposals and the guardrails in force are made of: the document, and the text of the rules that it forbids by.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The document.
    pub guardrails: Guardrails,
    /// The `forbid` rules that it names; empty where it names none.
    pub forbid: String,
}

/// The guardrails that a `policy.change` makes.
#[derive(Clone, Debug)]
pub struct Amended {
    /// The next guardrails.
    pub next: Whole,
    /// What they have otherwise than those in force; empty where only their words are others.
    pub changes: Vec<Change>,
}

impl Amended {
    /// Whether anything becomes looser.
    pub fn loosens(&self) -> bool {
        self.changes.iter().any(|change| change.loosens)
    }
}

/// Why a statement and what came with it make no next guardrails.
#[derive(Debug, thiserror::Error)]
pub enum NoAmendment {
    /// A statement that makes no guardrails.
    #[error("a `{0}` makes no guardrails")]
    Kind(Kind),
    /// A document that is not there.
    #[error("a `policy.change` comes with the document `{name}`: give {what}")]
    Missing {
        /// Its name.
        name: String,
        /// What it is.
        what: String,
    },
    /// Another document than the one that is named.
    #[error("the document `{name}` has SHA-256 {found}, the statement names {expected}")]
    Other {
        /// Its name.
        name: &'static str,
        /// The statement's.
        expected: Hash,
        /// The document's.
        found: Hash,
    },
    /// A document that nothing names.
    #[error("a `policy.change` names no document `{0}`, and it came with it")]
    Needless(String),
    /// A file that is another one.
    #[error("the document `{name}`: {differs}")]
    File {
        /// Its name.
        name: String,
        /// How it differs.
        differs: Differs,
    },
    /// Guardrails that are none, or break a hard limit.
    #[error("the {which} guardrails: {}", listed(.problems))]
    Wrong {
        /// `present` or `next`.
        which: &'static str,
        /// Everything that is wrong.
        problems: Vec<Problem>,
    },
    /// Rules that are none.
    #[error("the rules that the {which} guardrails forbid by: {}", listed(.problems))]
    Rules {
        /// `present` or `next`.
        which: &'static str,
        /// Everything that is wrong.
        problems: Vec<RuleProblem>,
    },
    /// A file that vouches for nobody.
    #[error("{0}, which the next guardrails name as a client authority, holds no certificate in PEM")]
    NoCertificate(String),
    /// Guardrails by which nobody could change anything again.
    #[error(
        "by the next guardrails nobody could hold a `{kind}`: it takes {approvals} officers and {witnesses} witnesses of whom \
         nobody is both, and the roster has not as many"
    )]
    Stuck {
        /// The kind.
        kind: Kind,
        /// How many officers it takes.
        approvals: u16,
        /// How many witnesses.
        witnesses: u16,
    },
    /// The statement says otherwise.
    #[error("`target.loosens` is {said}, and it must be {}: {}", opposite(.said), listed(.changes))]
    Loosens {
        /// What the statement says.
        said: bool,
        /// Everything that changes.
        changes: Vec<Change>,
    },
}

const fn opposite(said: &bool) -> bool {
    !*said
}

fn listed<T: ToString>(items: &[T]) -> String {
    match items {
        [] => "nothing is looser".to_owned(),
        items => items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}

/// The name of the document that holds this file: `file.` and the first 32 digits of its SHA-256.
pub fn name(sha256: &Hash) -> String {
    format!("{}{}", document::FILE, &sha256.to_string()[..32])
}

/// The guardrails that this `policy.change` makes. `documents` are those that its proposal holds, by name: the guardrails in
/// force among them. What is neither guardrails nor a file of theirs is passed over.
///
/// # Errors
/// [`NoAmendment`], the first thing that does not hold.
pub fn next<'d>(
    statement: &Statement,
    roster: &Roster,
    documents: impl IntoIterator<Item = (&'d str, &'d str)>,
) -> Result<Amended, NoAmendment> {
    let Target::PolicyChange(change) = statement.target() else {
        return Err(NoAmendment::Kind(statement.kind()));
    };
    let documents: BTreeMap<&str, &str> = documents.into_iter().collect();
    let named = |name: &'static str, expected: Hash, what: &str| {
        let missing = || NoAmendment::Missing { name: name.to_owned(), what: what.to_owned() };
        let text = documents.get(name).copied().ok_or_else(missing)?;
        let found = Hash::of(text.as_bytes());
        if found == expected { Ok(text) } else { Err(NoAmendment::Other { name, expected, found }) }
    };
    let present = named(document::GUARDRAILS, statement.common().guardrails.sha256, "those in force")?;
    let next = named(document::NEXT_GUARDRAILS, change.guardrails.sha256, "the next guardrails file")?;
    let present = read("present", present, &documents)?;
    let next = read("next", next, &documents)?;
    for authority in &next.guardrails.client_cas {
        if !is_pem(file(authority, &documents)?) {
            return Err(NoAmendment::NoCertificate(authority.file.clone()));
        }
    }
    let own = |guardrails: &Guardrails| -> Vec<String> {
        let named = guardrails.forbid.iter().chain(&guardrails.client_cas);
        named.map(|file| name(&file.sha256)).collect()
    };
    let (known, of_present) = (own(&next.guardrails), own(&present.guardrails));
    let needless = documents.keys().find(|name| {
        let stranger = |names: &[String]| !names.iter().any(|known| known == *name);
        name.starts_with(document::FILE) && stranger(&known) && stranger(&of_present)
    });
    if let Some(name) = needless {
        return Err(NoAmendment::Needless((*name).to_owned()));
    }
    for kind in [Kind::PolicyChange, Kind::RosterChange] {
        let rule = next.guardrails.rules.of(kind);
        let (approvals, witnesses) = (rule.approvals(roster.approvals(), roster.officers()), rule.witnesses);
        if !roster.can_seat(approvals, witnesses, rule.other_unit) {
            return Err(NoAmendment::Stuck { kind, approvals, witnesses });
        }
    }
    let amended = Amended { changes: between(&present, &next), next };
    if amended.loosens() != change.loosens {
        return Err(NoAmendment::Loosens { said: change.loosens, changes: amended.changes });
    }
    Ok(amended)
}

/// Reads guardrails with the rules that they forbid by, which are among these documents. `which` is `present` or `next`.
///
/// # Errors
/// [`NoAmendment::Wrong`], [`NoAmendment::Rules`], [`NoAmendment::Missing`], [`NoAmendment::File`].
pub fn read(which: &'static str, text: &str, documents: &BTreeMap<&str, &str>) -> Result<Whole, NoAmendment> {
    let guardrails = Guardrails::parse(text).map_err(|problems| NoAmendment::Wrong { which, problems })?;
    let forbid = match &guardrails.forbid {
        Some(named) => file(named, documents)?.to_owned(),
        None => String::new(),
    };
    Policies::load(&forbid, "").map_err(|problems| NoAmendment::Rules { which, problems })?;
    Ok(Whole { guardrails, forbid })
}

/// A file that guardrails name, as it came.
fn file<'d>(named: &Named, documents: &BTreeMap<&str, &'d str>) -> Result<&'d str, NoAmendment> {
    let name = name(&named.sha256);
    let text = documents.get(name.as_str()).copied();
    let text = text.ok_or_else(|| NoAmendment::Missing { name: name.clone(), what: named.file.clone() })?;
    named.check(text.as_bytes()).map_err(|differs| NoAmendment::File { name, differs })?;
    Ok(text)
}

/// Whether a text holds at least one certificate in PEM, and nothing in PEM besides.
fn is_pem(text: &str) -> bool {
    let labels: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("-----BEGIN ")).collect();
    !labels.is_empty() && labels.iter().all(|label| label.trim_end() == "CERTIFICATE-----")
}

#[cfg(test)]
mod tests;
