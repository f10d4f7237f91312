//! A `roster.change` from the people's side: the next roster as a file, the proofs by its new keys, and the target that follows
//! from both.
//!
//! Promises: who joins, leaves and changes is computed from the two rosters, never asked; a proof is signed only with a key that the
//! next roster has of its person; nothing is drafted or proposed that this machine would not take.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ceremonies::person::PersonId;
use ceremonies::roster::{LARGEST, Person, Roster};
use ceremonies::ssh::key::SshKey;
use ceremonies::statement::{Kind, Statement};
use ceremonies::succession::{self, Changes, proof};
use proto::hash::Hash;
use proto::record::ceremony::document;
use serde_json::json;

use super::{consent, may_ask, roster};
use crate::cli::args::ceremony::{Prove, Succession};
use crate::cli::complaint::Complaint;
use crate::cli::input;
use crate::cli::screen::{Screen, Tone};
use crate::exit::Exit;
use crate::files::{self, Planned};
use crate::people::desk::Desk;
use crate::people::error::PeopleError;
use crate::people::instance::Instance;
use crate::people::sign;

/// A proof is a signature.
const LARGEST_PROOF: u64 = 8 * 1024;

/// How many witnesses a `roster.change` takes as shipped; the daemon says where guardrails set another number.
pub const WITNESSES: u16 = 2;

/// Reads a roster as people write it, TOML, or as it is stored.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(path: &Path, instance: &Instance) -> Result<Roster, Complaint> {
    let text = input::text(path, LARGEST as u64)?;
    let terms = instance.terms();
    let no = |why: Vec<String>| {
        let mut complaint = Complaint::failed(format!("{} is no roster of this instance", path.display()));
        complaint.why = why;
        complaint.advise("correct it; nothing was signed or written")
    };
    if text.starts_with('{') {
        return Roster::parse(text.as_bytes(), terms).map_err(|cause| no(vec![cause.to_string()]));
    }
    Roster::read(&text, terms).map_err(|problems| no(problems.iter().map(ToString::to_string).collect()))
}

/// What goes with a proposal: the next roster and the proofs, under the names that they have there.
pub struct Brought {
    /// The next roster.
    pub next: Roster,
    /// By name.
    pub documents: BTreeMap<String, Vec<u8>>,
}

/// Reads what `--roster` and `--proof` name; nothing where there is no `--roster`.
///
/// # Errors
/// Where a file cannot be read, or a proof is given without a roster.
pub fn brought(named: &Succession, instance: &Instance) -> Result<Option<Brought>, Complaint> {
    let Some(path) = &named.roster else {
        return match named.proof.is_empty() {
            true => Ok(None),
            false => {
                Err(Complaint::usage("--proof belongs to --roster: give the roster that it was made for"))
            }
        };
    };
    let next = read(path, instance)?;
    let mut documents = BTreeMap::from([(document::ROSTER.to_owned(), next.encode())]);
    for path in &named.proof {
        let armor = input::text(path, LARGEST_PROOF)?;
        proof::verify(&armor, instance.setting(), &next).map_err(|cause| {
            Complaint::failed(format!("{} is no proof of possession for this roster", path.display()))
                .because(cause.to_string())
                .advise("have it made again with `countersign ceremony prove`, for exactly this roster")
        })?;
        documents.insert(proof::name(&armor), armor.into_bytes());
    }
    Ok(Some(Brought { next, documents }))
}

impl Brought {
    fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.documents
            .iter()
            .filter_map(|(name, bytes)| Some((name.as_str(), std::str::from_utf8(bytes).ok()?)))
    }

    /// The section `[target]` of a template that asks for this roster.
    fn target(&self, present: &Roster, witnesses: u16) -> String {
        let quoted = |items: Vec<String>| {
            let items: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
            format!("[{}]", items.join(", "))
        };
        let people = |ids: &[PersonId]| quoted(ids.iter().map(ToString::to_string).collect());
        let Changes { added, changed, removed } = Changes::between(present, &self.next);
        let proofs = self.documents.iter().filter(|(name, _)| name.starts_with(proof::PREFIX));
        let mut proofs: Vec<String> = proofs.map(|(_, armor)| Hash::of(armor).to_string()).collect();
        proofs.sort();
        format!(
            "\n[target]\nadded = {}\nchanged = {}\nproofs = {}\nquorum = {{ approvals = {}, officers = {}, \
             witnesses = {witnesses} }}\nremoved = {}\nroster = {{ version = {}, sha256 = \"{}\" }}\n",
            people(&added),
            people(&changed),
            quoted(proofs),
            self.next.approvals(),
            self.next.officers(),
            people(&removed),
            self.next.version(),
            self.next.digest(),
        )
    }

    /// A template with the target that follows from the two rosters.
    ///
    /// # Errors
    /// Where the template has a target of its own.
    pub fn filled(
        &self,
        template: &Path,
        instance: &Instance,
        witnesses: Option<u16>,
    ) -> Result<String, Complaint> {
        let text = input::text(template, LARGEST as u64)?;
        if text.lines().any(|line| line.trim_start().starts_with("[target")) {
            return Err(Complaint::usage(format!(
                "{} has a [target], and with --roster the target follows from the roster",
                template.display()
            ))
            .advise("leave the section away"));
        }
        Ok(format!("{text}{}", self.target(&instance.roster, witnesses.unwrap_or(WITNESSES))))
    }

    /// Whether the daemon would take them with this statement.
    ///
    /// # Errors
    /// What is wrong.
    pub fn fits(&self, statement: &Statement, instance: &Instance) -> Result<(), Complaint> {
        let (setting, terms) = (instance.setting(), instance.terms());
        succession::next(statement, &instance.roster, setting, terms, self.texts()).map(drop).map_err(|cause| {
            Complaint::failed("the roster, its proofs and the statement do not belong together")
                .because(cause.to_string())
                .advise("draft the statement from the roster: countersign ceremony new TEMPLATE --roster FILE --proof FILE")
        })
    }
}

/// Whether what the daemon shows of an open `roster.change` makes the next roster.
///
/// # Errors
/// What is wrong.
pub fn follows(
    statement: &Statement,
    documents: &BTreeMap<String, Vec<u8>>,
    instance: &Instance,
) -> Result<(), Complaint> {
    if statement.kind() != Kind::RosterChange {
        return Ok(());
    }
    let texts =
        documents.iter().filter_map(|(name, bytes)| Some((name.as_str(), std::str::from_utf8(bytes).ok()?)));
    let (setting, terms) = (instance.setting(), instance.terms());
    succession::next(statement, &instance.roster, setting, terms, texts).map(drop).map_err(|cause| {
        Complaint::failed(
            "the next roster does not follow the one in force, or a new key has not signed for it",
        )
        .because(cause.to_string())
        .advise("do not approve it: have it proposed anew")
    })
}

/// The person and the key in the next roster that belong to a signing key.
fn own<'r>(next: &'r Roster, key: &Path, who: &PersonId) -> Result<(&'r Person, &'r SshKey), Complaint> {
    let public = sign::public_key(key).ok_or_else(|| {
        Complaint::failed(format!("the public key of {} cannot be read", key.display()))
            .advise("put the public key beside it, as ssh-keygen writes it, or name the .pub file")
    })?;
    let (person, enrolled) = next.owner(public.id()).ok_or_else(|| {
        Complaint::failed("the signing key is not in the next roster")
            .advise("have the line of its .pub file put into the roster, under your id")
    })?;
    if person.id != *who {
        return Err(PeopleError::OtherPerson { owner: person.id.clone(), person: who.clone() }.into());
    }
    Ok((person, enrolled))
}

/// `countersign ceremony prove`: signs for the next roster with a key that it has of whoever sits here.
///
/// # Errors
/// What is wrong with the roster, or why nothing was signed.
pub fn prove(prove: &Prove, key: &Path, desk: &Desk, screen: &mut Screen) -> Result<Exit, Complaint> {
    let instance = &desk.instance;
    let next = read(&prove.roster, instance)?;
    next.follows(&instance.roster).map_err(|cause| {
        Complaint::failed("the roster does not follow the one in force").because(cause.to_string())
    })?;
    let (person, enrolled) = own(&next, key, desk.who()?)?;
    if instance.roster.owner(enrolled.id()).is_some_and(|(_, known)| known == enrolled) {
        return Err(Complaint::failed("the roster in force has this key already: it needs no proof"));
    }
    let stem = prove.roster.file_stem().map_or("roster".into(), |stem| stem.to_string_lossy());
    let short: String = enrolled.id().to_string().chars().take(8).collect();
    let path =
        prove.out.clone().unwrap_or_else(|| PathBuf::from(format!("{stem}.{}.{short}.proof", person.id)));
    files::look_ahead(std::slice::from_ref(&path), false)?;
    may_ask(&instance.genesis, prove.yes, screen)?;
    if !screen.is_json() {
        roster::between(&instance.roster, &next, screen)?;
        let common = instance.genesis.common();
        screen.facts(&[
            (
                "instance",
                format!("{} ({}, {})", common.instance, common.environment, instance.setting().mode),
            ),
            ("you", person.id.to_string()),
            ("your key", roster::fingerprint(enrolled)),
            ("roster", next.digest().to_string()),
        ])?;
        screen.gap()?;
    }
    consent(&format!("Sign that this key is yours, as {}?", person.id), prove.yes, screen)?;
    let message = proof::message(instance.setting(), next.digest(), &person.id, enrolled);
    let armor =
        sign::sign(key, proof::namespace(instance.setting().mode), &message).map_err(PeopleError::from)?;
    proof::verify(&armor, instance.setting(), &next).map_err(|cause| {
        Complaint::failed("what was signed is no proof, and was not written").because(cause.to_string())
    })?;
    let digest = Hash::of(armor.as_bytes());
    files::write(&[Planned { path: path.clone(), content: armor.into_bytes() }], false)?;
    if screen.is_json() {
        screen.json(
            &json!({ "file": path, "proof_sha256": digest.to_string(), "person": person.id.as_str() }),
        )?;
        return Ok(Exit::Done);
    }
    screen.headline(
        Tone::Good,
        "written",
        &format!("to {}: nothing is recorded or proposed yet", path.display()),
    )?;
    screen.facts(&[(
        "next",
        "give it to whoever proposes the change; it is good for this roster alone".to_owned(),
    )])?;
    Ok(Exit::Done)
}
