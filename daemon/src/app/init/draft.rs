//! The first step: the log's key, and the statement that people sign.

use std::path::{Component, Path};

use ceremonies::genesis::{Draft, GenesisError, Mode};
use ceremonies::guardrails::Guardrails;
use ceremonies::person::{PersonId, Role};
use ceremonies::roster::{Roster, Terms};
use ceremonies::statement::{Common, Kind, Line, Log, Name, Quorum, Statement, Target, Version, target};
use proto::canonical::Map;
use proto::hash::Hash;
use proto::origin::Origin;
use proto::record::ceremony::document;

use super::{Files, Init, InitError, empty, name, new_key, random, words};
use crate::clock::Clock;
use crate::keyring;

/// What a draft begins with, read and good.
struct Texts {
    roster: Roster,
    guardrails: String,
    grants: String,
}

/// Writes the draft and says what is to be done with it.
///
/// # Errors
/// [`InitError`], before anything is made; files that were made before a failure of the disk stay.
pub(super) fn make(arguments: &Init, clock: &dyn Clock) -> Result<(), InitError> {
    let mode = match arguments.plan.mode.as_deref() {
        Some("rehearsal") => Mode::Rehearsal,
        _ => Mode::Production,
    };
    let called = said("--name", arguments.name.as_deref())?;
    let origin: Origin = match mode {
        Mode::Production => name("--name", called)?,
        Mode::Rehearsal => name("--name", &format!("rehearsal.{called}"))?,
    };
    let texts = texts(arguments, mode)?;
    let (key, log_key, secret) = new_key(&origin)?;
    let statement = statement(arguments, mode, origin, log_key, &texts, clock)?;
    let mut documents = Map::default();
    let roster = texts.roster.encode();
    for (name, text) in [
        (document::ROSTER, String::from_utf8_lossy(&roster).into_owned()),
        (document::GUARDRAILS, texts.guardrails.clone()),
        (document::GRANTS, texts.grants.clone()),
    ] {
        documents.insert(name.to_owned(), text);
    }
    let draft = Draft::new(statement, &documents)?;

    let source = said("--guardrails", arguments.plan.guardrails.as_deref())?;
    let beside = named(source, &texts.guardrails)?;
    let files = Files::at(&empty(&arguments.directory)?);
    files.write("genesis.json", &draft.statement().encode())?;
    files.write("roster.json", &roster)?;
    files.write("guardrails.toml", texts.guardrails.as_bytes())?;
    files.write("grants.cedar", texts.grants.as_bytes())?;
    for (name, bytes) in beside {
        files.write(&name, &bytes)?;
    }
    files.write("log.pub", format!("{}\n", key.verifier()).as_bytes())?;
    files.secret("state/log.key", secret.as_bytes())?;
    files.directory("acts")?;
    say(&draft, &files);
    Ok(())
}

/// Something that the command line has to say; it refuses a draft without, before this does.
fn said<'a, T: ?Sized>(of: &'static str, word: Option<&'a T>) -> Result<&'a T, InitError> {
    word.ok_or_else(|| InitError::Word { of, why: "is missing".into() })
}

fn texts(arguments: &Init, mode: Mode) -> Result<Texts, InitError> {
    let plan = &arguments.plan;
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|source| InitError::File { path: path.to_owned(), source })
    };
    let path = said("--roster", plan.roster.as_deref())?;
    let terms = Terms { allow_software_officer_keys: plan.allow_software_officer_keys, mode };
    let roster = Roster::read(&read(path)?, terms).map_err(|problems| InitError::Wrong {
        path: path.to_owned(),
        problems: problems.iter().map(ToString::to_string).collect(),
    })?;
    let guardrails = said("--guardrails", plan.guardrails.as_deref())?;
    let grants = said("--grants", plan.grants.as_deref())?;
    // Everything that the daemon would refuse at its start.
    let _good = keyring::load(guardrails, grants)?;
    Ok(Texts { roster, guardrails: read(guardrails)?, grants: read(grants)? })
}

fn statement(
    arguments: &Init,
    mode: Mode,
    origin: Origin,
    log_key: Line,
    texts: &Texts,
    clock: &dyn Clock,
) -> Result<Statement, InitError> {
    let plan = &arguments.plan;
    let called: &str = said("--name", arguments.name.as_deref())?;
    let rules = Guardrails::parse(&texts.guardrails).map_err(GenesisError::Guardrails)?.rules;
    let rule = rules.of(Kind::Genesis);
    let officers = texts.roster.officers();
    let at = clock.wall();
    let initiator: PersonId = name("--initiator", said("--initiator", plan.initiator.as_deref())?)?;
    let environment: Name =
        name("--environment", plan.environment.as_deref().unwrap_or_else(|| mode.name()))?;
    let target = Target::Genesis(target::Genesis {
        allow_software_backend: plan.allow_software_backend,
        allow_software_officer_keys: plan.allow_software_officer_keys,
        grants: Hash::of(texts.grants.as_bytes()),
        log_key,
    });
    let common = Common {
        ceremony: (*random::<16>()?).into(),
        environment,
        expires: at.later(rule.expires),
        guardrails: Version { sha256: Hash::of(texts.guardrails.as_bytes()), version: 1 },
        initiator,
        instance: name("--name", called)?,
        justification: name("--justification", said("--justification", plan.justification.as_deref())?)?,
        log: Log { origin, root: Hash::of(b""), size: 0 },
        mode,
        nonce: (*random::<32>()?).into(),
        not_before: at,
        purpose: name("--name", &format!("the {mode} instance {called} begins"))?,
        quorum: Quorum {
            approvals: rule.approvals(texts.roster.approvals(), officers),
            officers,
            witnesses: rule.witnesses,
        },
        roster: Version { sha256: texts.roster.digest(), version: texts.roster.version() },
        ticket: name("--ticket", said("--ticket", plan.ticket.as_deref())?)?,
    };
    Ok(Statement::new(common, target).map_err(GenesisError::from)?)
}

/// The files that the guardrails name, with their bytes.
fn named(guardrails: &Path, text: &str) -> Result<Vec<(String, Vec<u8>)>, InitError> {
    let beside = guardrails.parent().unwrap_or(Path::new("."));
    let document = Guardrails::parse(text).map_err(GenesisError::Guardrails)?;
    let mut found = Vec::new();
    for named in document.forbid.iter().chain(&document.client_cas) {
        let below = |part| matches!(part, Component::Normal(_));
        if !Path::new(&named.file).components().all(below) {
            return Err(InitError::Elsewhere(named.file.clone()));
        }
        let path = beside.join(&named.file);
        let bytes = std::fs::read(&path).map_err(|source| InitError::File { path, source })?;
        if !found.iter().any(|(name, _)| *name == named.file) {
            found.push((named.file.clone(), bytes));
        }
    }
    Ok(found)
}

#[expect(clippy::print_stdout, reason = "the answer of the task")]
fn say(draft: &Draft, files: &Files) {
    let people = |role: Role| {
        let ids: Vec<String> = draft.roster().with(role).map(|person| person.id.to_string()).collect();
        ids.join(", ")
    };
    let common = draft.statement().common();
    println!("The genesis of a {} instance is drafted. Nothing has begun.\n", common.mode);
    println!("  statement       {}", files.path("genesis.json").display());
    println!("  genesis         {}", draft.digest());
    println!("{}", words(&draft.digest()));
    println!("  log key         {}", draft.begins().log_key);
    println!("  good until      {}", common.expires);
    println!("  approve         all of {}", people(Role::Officer));
    println!("  attest          {} of {}", draft.rule().witnesses, people(Role::Witness));
    println!(
        "\nEach reads the statement and the sixteen words, and signs on a machine of their own: officers with\n\
         `countersign approve genesis.json`, witnesses with `countersign attest genesis.json`. Put what that writes,\n\
         *.act.json and *.act.json.sig, into {}.\n\nThen: countersignd init --complete --directory {}",
        files.path("acts").display(),
        files.path("").display(),
    );
}
