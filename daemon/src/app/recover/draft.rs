//! The first step: what is left of the old log, the new log's key, and the statement that people sign.

use std::path::Path;
use std::sync::Arc;

use ceremonies::amendment;
use ceremonies::genesis::Draft;
use ceremonies::guardrails::Guardrails;
use ceremonies::person::{PersonId, Role};
use ceremonies::recovery::Carried;
use ceremonies::statement::{Common, Kind, Line, Log, Quorum, Statement, Target, target};
use ceremonies::transcript::recovery::{self, Lost};
use proto::canonical::Map;
use proto::hash::Hash;
use proto::origin::Origin;
use proto::proof::keys::read_ends;
use proto::proof::note::Verifier;
use proto::proof::receipt::Receipt;
use proto::record::ceremony::document;
use proto::record::{Body, ControlRecord};

use super::super::init::{Files, empty, name, new_key, random, words};
use super::{DOCUMENTS, STATEMENT, evidence};
use crate::app::arguments::Recover;
use crate::app::{Failed, boot, reach};
use crate::clock::Clock;
use crate::config::Config;
use crate::keyring::{self, Loaded};
use crate::keys::fold::State;
use crate::log::{self, Brought, Known, Remains};

/// Most bytes of the documents that record 0 holds, so that the acts of all have room beside them.
const MOST: usize = 160 * 1024;

/// Writes the draft and says what is to be done with it.
///
/// # Errors
/// What is wrong, before anything is made; files that were made before a failure of the disk stay.
pub(super) fn make(config: &Config, arguments: &Recover, clock: Arc<dyn Clock>) -> Result<(), Failed> {
    let first = first_key(&config.instance.state_directory)?;
    let origin: Origin = name("--origin", said(arguments.origin.as_deref())?)?;
    let remains = Remains::read(&reach::log_settings(config), &first, brought(arguments)?, &clock)?;
    let state = boot::fold(&remains.history)?;
    boot::same_keys(&state, &remains.keys)?;
    let known = known(&remains, arguments.log_key_lost)?;
    let evidence = evidence::of(&remains, &state, &known)?;
    // Everything that is drafted is held against this, as it will be when it is completed.
    let lost = recovery::lost(&evidence, config.instance.genesis_sha256)?;
    let carried = lost.carried(state.sessions().seen(), remains.sealed);
    let (new, new_key_line, secret) = new_key(&origin)?;
    let rules = rules(config, &state, &remains)?;
    let documents = documents(&lost, &carried, &rules)?;
    let target = target::LogRecover {
        allow_software_backend: lost.allow_software_backend,
        allow_software_officer_keys: lost.terms.allow_software_officer_keys,
        carried: carried.digest(),
        gap: name("--gap", &gap(&remains, &known, said(arguments.gap.as_deref())?))?,
        genesis: lost.genesis,
        grants: lost.survey.grants,
        last: ceremonies::statement::Head { root: known.root, size: known.size },
        log_key: new_key_line,
        origin,
        replaces: name("the old log's key in force", &lost.log_key)?,
    };
    let statement = statement(arguments, &lost, target, &rules, clock.as_ref())?;
    let draft = recovery::drafted(&lost, statement, &documents)?;

    let files = Files::at(&empty(&arguments.directory)?);
    files.write(STATEMENT, &draft.statement().encode())?;
    for (document, text) in documents.iter() {
        let file = DOCUMENTS.iter().find(|(known, _)| *known == document).map_or(document, |(_, file)| *file);
        files.write(file, text.as_bytes())?;
    }
    evidence::write(&files, &evidence)?;
    files.write("log.pub", format!("{}\n", new.verifier()).as_bytes())?;
    files.secret("state/log.key", secret.as_bytes())?;
    files.directory("acts")?;
    say(&draft, &carried, &remains, &files);
    Ok(())
}

/// Something that the command line has to say; it refuses a draft without, before this does.
fn said(word: Option<&str>) -> Result<&str, Failed> {
    word.ok_or_else(|| Failed::new("a draft says --origin, --gap, --initiator, --justification and --ticket"))
}

/// The old log's first key, as its own record 0 names it: the private one may be lost. That record is held against the pinned
/// genesis later; its other keys follow from its control records.
fn first_key(state_directory: &Path) -> Result<Verifier, Failed> {
    let record = ControlRecord::parse(&log::first(state_directory)?)?;
    let Body::Genesis { statement } = &record.body else {
        return Err(Failed::new("record 0 is no genesis: this is not the log of an instance"));
    };
    let statement = Statement::parse(&proto::canonical::to_vec(statement)?)?;
    let begins = statement.begins().ok_or_else(|| Failed::new("record 0 begins no log"))?;
    Ok(begins.log_key.as_str().parse()?)
}

/// What people have brought: checkpoints, and the ends of log keys. Of the latter those that several files have are taken once.
fn brought(arguments: &Recover) -> Result<Brought, Failed> {
    let read = |path: &std::path::PathBuf| {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| Failed::new(format!("{name}: {error}")))?;
        Ok::<_, Failed>((name, text))
    };
    let mut ends: Vec<Receipt> = Vec::new();
    for path in &arguments.log_keys {
        let (name, text) = read(path)?;
        let more = read_ends(&text).map_err(|error| Failed::new(format!("{name}: {error}")))?;
        for end in more {
            if !ends.iter().any(|own| own.index == end.index && own.leaf == end.leaf) {
                ends.push(end);
            }
        }
    }
    ends.sort_by_key(|end| end.index);
    let checkpoints = arguments.checkpoint.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Brought { checkpoints, ends })
}

/// The newest checkpoint that anyone knows. Where the tree extends all of them there is nothing to recover, but for the log's
/// key.
fn known(remains: &Remains, log_key_lost: bool) -> Result<Known, Failed> {
    match (&remains.behind, log_key_lost || remains.unknown > 0) {
        (Some(known), _) => Ok(known.clone()),
        (None, true) => Ok(Known {
            text: remains.checkpoint.clone(),
            size: remains.size,
            root: remains.root,
            held_by: "its own store".to_owned(),
            ends: Vec::new(),
        }),
        (None, false) => {
            let silent: Vec<String> =
                remains.silent.iter().map(|(place, why)| format!("\n  {place}: {why}")).collect();
            let silent = match silent.is_empty() {
                true => String::new(),
                false => format!("\nThese could not be asked:{}", silent.concat()),
            };
            Err(Failed::new(format!(
                "nothing is to be recovered: the log of {} records extends every checkpoint that was found; start the daemon. Give \
                 --checkpoint FILE where somebody holds a newer one, or --log-key-lost where the log's key is lost or \
                 exposed{silent}",
                remains.size
            )))
        }
    }
}

/// The gap in numbers, and in somebody's words.
fn gap(remains: &Remains, known: &Known, words: &str) -> String {
    let (left, newest, held_by) = (remains.size, known.size, &known.held_by);
    let numbers = if newest > left {
        format!("{left} records are left, and {held_by} has seen {newest}: {} are missing.", newest - left)
    } else if remains.behind.is_some() {
        format!(
            "{left} records are left, and {held_by} holds another tree of {newest}: the log was rewritten."
        )
    } else if remains.unknown > 0 {
        format!(
            "No record of {left} is missing, and {} operations had begun that it does not know.",
            remains.unknown
        )
    } else {
        format!("No record of {left} is missing: the log's key is lost or exposed.")
    };
    format!("{numbers} {words}")
}

/// Guardrails and grants in force, by the log where ceremonies made them, by the configured files where not.
fn rules(config: &Config, state: &State, remains: &Remains) -> Result<Loaded, Failed> {
    let configured = keyring::load(&config.policy.guardrails, &config.policy.grants);
    let loaded = keyring::from_details(state, configured, &config.policy.grants, |index| {
        remains.record(index).map(|stored| stored.detail).map_err(|error| error.to_string())
    })?;
    for (what, found, in_force) in [
        ("guardrails", loaded.guardrails, state.guardrails().sha256),
        ("grants", loaded.grants, state.grants().sha256),
    ] {
        if found != in_force {
            return Err(Failed::new(format!(
                "the configured {what} have SHA-256 {found}, and in force where the log breaks off are {in_force}: put that file \
                 back"
            )));
        }
    }
    Ok(loaded)
}

/// What the statement names, for the detail of record 0.
fn documents(lost: &Lost, carried: &Carried, rules: &Loaded) -> Result<Map<String>, Failed> {
    let mut documents = Map::default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for (name, text) in [
        (document::ROSTER, text(&lost.roster.encode())),
        (document::GUARDRAILS, rules.text.clone()),
        (document::GRANTS, rules.grants_text().to_owned()),
        (document::CARRIED, text(&carried.encode())),
    ] {
        documents.insert(name.to_owned(), text);
    }
    if carried.guardrails_made {
        for (digest, bytes) in rules.files() {
            documents.insert(amendment::name(&digest), text(bytes));
        }
    }
    let bytes: usize = documents.iter().map(|(_, text)| text.len()).sum();
    if bytes > MOST {
        return Err(Failed::new(format!(
            "roster, guardrails, grants and what comes over have {bytes} bytes, and record 0 holds {MOST} of them"
        )));
    }
    Ok(documents)
}

fn statement(
    arguments: &Recover,
    lost: &Lost,
    target: target::LogRecover,
    rules: &Loaded,
    clock: &dyn Clock,
) -> Result<Statement, Failed> {
    let problems = |problems: Vec<_>| {
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect::<Vec<String>>();
        Failed::new(format!("the guardrails: {}", said.join("; ")))
    };
    let rule = Guardrails::parse(&rules.text).map_err(problems)?.rules.of(Kind::LogRecover);
    let (approvals, officers) = (lost.roster.approvals(), lost.roster.officers());
    let initiator: PersonId = name("--initiator", said(arguments.initiator.as_deref())?)?;
    let at = clock.wall();
    let purpose = format!("the log {} goes on as {}", lost.log.origin, target.origin);
    let common = Common {
        ceremony: (*random::<16>()?).into(),
        environment: lost.environment.clone(),
        expires: at.later(rule.expires),
        guardrails: lost.survey.guardrails,
        initiator,
        instance: lost.instance.clone(),
        justification: name("--justification", said(arguments.justification.as_deref())?)?,
        log: Log { origin: lost.log.origin.clone(), ..lost.log.clone() },
        mode: lost.terms.mode,
        nonce: (*random::<32>()?).into(),
        not_before: at,
        purpose: name::<Line>("the purpose", &purpose)?,
        quorum: Quorum {
            approvals: rule.approvals(approvals, officers),
            officers,
            witnesses: rule.witnesses,
        },
        roster: ceremonies::statement::Version {
            sha256: lost.roster.digest(),
            version: lost.roster.version(),
        },
        ticket: name("--ticket", said(arguments.ticket.as_deref())?)?,
    };
    Ok(Statement::new(common, Target::LogRecover(target))?)
}

#[expect(clippy::print_stdout, reason = "the answer of the task")]
fn say(draft: &Draft, carried: &Carried, remains: &Remains, files: &Files) {
    let people = |role: Role| {
        let ids: Vec<String> = draft.roster().with(role).map(|person| person.id.to_string()).collect();
        ids.join(", ")
    };
    let (common, digest): (_, Hash) = (draft.statement().common(), draft.digest());
    let Target::LogRecover(target) = draft.statement().target() else { return };
    println!("The recovery of the log {} is drafted. Nothing has begun.\n", common.log.origin);
    println!("  statement       {}", files.path(STATEMENT).display());
    println!("  new genesis     {digest}");
    println!("{}", words(&digest));
    println!("  gap             {}", target.gap);
    println!("  new log         {}", target.origin);
    println!("  new log key     {}", target.log_key);
    println!("  comes over      {} keys, all stopped; {} stops", carried.keys.len(), carried.stops.len());
    if remains.open > 0 {
        println!("  open            {} operations had begun: what they signed is in no log", remains.open);
    }
    for (place, why) in &remains.silent {
        println!("  not asked       {place}: {why}");
    }
    println!("  good until      {}", common.expires);
    println!("  approve         {} of {}", common.quorum.approvals, people(Role::Officer));
    println!("  attest          {} of {}", common.quorum.witnesses, people(Role::Witness));
    println!(
        "\nEach reads the statement, carried.json and the sixteen words, and signs on a machine of their own: officers with\n\
         `countersign approve {STATEMENT}`, witnesses with `countersign attest {STATEMENT}`; whoever says no with\n\
         `countersign ceremony veto {STATEMENT} --reason TEXT`. Put what that writes, *.act.json and *.act.json.sig, into\n{}.\n\n\
         Then: countersignd recover --complete --config FILE --directory {}",
        files.path("acts").display(),
        files.path("").display(),
    );
}
