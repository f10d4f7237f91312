//! The second step: what people have signed, checked against the genesis of the old log; and the new log.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use ceremonies::genesis::{Genesis, GenesisError};
use ceremonies::recovery::Carried;
use ceremonies::statement::Statement;
use ceremonies::transcript::recovery::{self, Lost};
use proto::canonical::Map;
use proto::proof::note::Verifier;
use proto::record::ceremony::document;
use proto::record::{Actor, ActorKind, Body, CarriedKey, ControlRecord, StopTarget};
use proto::term::Term;
use proto::time::Time;

use super::super::init::{Files, InitError, acts, say_begun};
use super::{DOCUMENTS, STATEMENT, evidence, settings};
use crate::app::arguments::Recover;
use crate::app::{Failed, boot, log_key, reach};
use crate::clock::Clock;
use crate::config::Config;
use crate::log::{self, AnchorPlace, Brought, ControlDraft, Fresh, LogKey, Remains, Settings};
use crate::secret::SecretReference;

/// Checks everything, makes the log and the configuration, and says what was made.
///
/// # Errors
/// Who has not signed and which act is wrong, all at once. Nothing is made then, so the step can be repeated when more acts are
/// there.
pub(super) fn make(config: &Config, arguments: &Recover, clock: Arc<dyn Clock>) -> Result<(), Failed> {
    let file = |source| InitError::File { path: arguments.directory.clone(), source };
    let directory = arguments.directory.canonicalize().map_err(file)?;
    let files = Files::at(&directory);
    let shown = evidence::read(&files.path(evidence::DIRECTORY))?;
    let lost = recovery::lost(&shown, config.instance.genesis_sha256)?;
    let statement = Statement::parse(read(&files, STATEMENT)?.as_bytes()).map_err(GenesisError::from)?;
    let mut documents = documents(&files)?;
    let draft = recovery::drafted(&lost, statement, &documents)?;
    let key = log_key::read(&SecretReference::File { path: files.path("state/log.key") })?;
    let (named, found) = (draft.begins().log_key.to_string(), key.verifier().to_string());
    if named != found {
        return Err(InitError::LogKey { named, found }.into());
    }
    let at = clock.wall();
    let mut problems = acts::read(&files.path("acts"), draft.roster(), &mut documents)?;
    let genesis = match draft.signed(&documents, at) {
        Ok(genesis) if problems.is_empty() => genesis,
        Ok(_) => return Err(InitError::Unsigned(problems).into()),
        Err(GenesisError::Acts(lacks)) => {
            problems.extend(lacks.iter().map(ToString::to_string));
            return Err(InitError::Unsigned(problems).into());
        }
        Err(other) => return Err(InitError::from(other).into()),
    };
    let text = settings::text(&read_path(&arguments.config)?, config, &files, &genesis)?;
    settings::bring(config, &files)?;
    let anchor = files.path("anchor/countersign.anchor");
    files.directory("anchor")?;
    let new = Settings::new(files.path("state"), vec![AnchorPlace::File(anchor.clone())]);
    let (first, pending) = first(config, &lost, &genesis, documents, at, &anchor)?;
    log::create(&new, &key, first)?;
    // Read as any start would read it, before anything names it.
    begun(&new, &key, &clock)?;
    show(&files, &new)?;
    // The configuration comes last: a crash before leaves a log that nothing is configured to use.
    files.write("countersignd.toml", text.as_bytes())?;
    say(&genesis, &files, pending);
    Ok(())
}

fn read_path(path: &Path) -> Result<String, InitError> {
    std::fs::read_to_string(path).map_err(|source| InitError::File { path: path.to_owned(), source })
}

fn read(files: &Files, name: &str) -> Result<String, InitError> {
    read_path(&files.path(name))
}

/// What the draft has written beside the statement.
fn documents(files: &Files) -> Result<Map<String>, Failed> {
    let mut documents = Map::default();
    for (name, file) in DOCUMENTS {
        documents.insert(name.to_owned(), read(files, file)?);
    }
    let directory = files.path("");
    let failed = |source| InitError::File { path: directory.clone(), source };
    for entry in std::fs::read_dir(&directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name.starts_with(document::FILE) {
            let text = read(files, &name)?;
            documents.insert(name, text);
        }
    }
    Ok(documents)
}

/// The first records: the beginning, each key, each stop, what the stop file of the old log still holds, and the anchor. How
/// many of the last but one there are; none where the old stop file is gone.
fn first(
    config: &Config,
    lost: &Lost,
    genesis: &Genesis,
    documents: Map<String>,
    at: Time,
    anchor: &Path,
) -> Result<(Vec<ControlDraft>, Option<usize>), Failed> {
    let actor =
        || Actor { id: format!("unix:{}", rustix::process::getuid().as_raw()), kind: ActorKind::Operator };
    let fresh = || Fresh::at(at);
    let carried = genesis.carried().ok_or_else(|| Failed::new("the statement recovers nothing"))?;
    let statement = genesis.statement().to_value();
    let mut first = vec![ControlDraft::genesis(fresh()?, actor(), statement, documents)?];
    for key in lost.survey.keys() {
        let draft = ControlDraft::new(fresh()?, actor(), Body::Carried(Box::new(CarriedKey::clone(key))));
        first.push(ControlDraft { stops: vec![Term::Key(key.key.key.clone())], ..draft });
    }
    for stop in &carried.stops {
        let body = Body::Stopped { act: None, target: stop.target.clone() };
        first.push(ControlDraft { stops: stop.terms.clone(), ..ControlDraft::new(fresh()?, actor(), body) });
    }
    let pending = pending(config, lost, carried, at)?;
    let count = pending.as_ref().map(Vec::len);
    first.extend(pending.into_iter().flatten());
    let place = format!("file:{}", anchor.display());
    first.push(ControlDraft::new(fresh()?, actor(), Body::Anchor { place }));
    Ok((first, count))
}

/// Stops that were answered for and are not in what is left of the old log.
fn pending(
    config: &Config,
    lost: &Lost,
    carried: &Carried,
    at: Time,
) -> Result<Option<Vec<ControlDraft>>, Failed> {
    let operations: HashSet<_> = lost.operations.iter().copied().collect();
    let known = |target: &StopTarget| match target {
        StopTarget::Version { key, version } => {
            carried.keys.iter().any(|own| own.key == *key && own.version == *version)
        }
        _ => true,
    };
    Ok(log::pending(&reach::log_settings(config), at, &operations, known)?)
}

/// Whether the log that was made begins as it should.
fn begun(settings: &Settings, key: &LogKey, clock: &Arc<dyn Clock>) -> Result<(), Failed> {
    let verifier: &Verifier = key.verifier();
    let remains = Remains::read(settings, verifier, Brought::default(), clock)?;
    let missing = boot::fold(&remains.history)?.not_carried();
    match (missing, &remains.behind) {
        (0, None) => Ok(()),
        _ => Err(Failed::new("the new log was not made whole; make it again in another directory")),
    }
}

/// Puts record 0 of the new log beside what was left of the old one, and reads both as anybody would.
fn show(files: &Files, settings: &Settings) -> Result<(), Failed> {
    let leaf = log::first(&settings.state_directory)?;
    let record = ControlRecord::parse(&leaf)?;
    let detail = log::first_detail(&settings.state_directory)?;
    files.write(&format!("{}/{}", evidence::DIRECTORY, recovery::BEGINS), &leaf)?;
    files.write(&format!("{}/{}", evidence::DIRECTORY, recovery::BEGINS_DETAIL), &detail)?;
    let Body::Genesis { statement } = &record.body else {
        return Err(Failed::new("record 0 of the new log is no genesis"));
    };
    let statement = Statement::parse(&proto::canonical::to_vec(statement)?)?;
    let ceremonies::statement::Target::LogRecover(target) = statement.target() else {
        return Err(Failed::new("record 0 of the new log recovers nothing"));
    };
    recovery::verify(&evidence::read(&files.path(evidence::DIRECTORY))?, target.genesis)?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the task")]
fn say(genesis: &Genesis, files: &Files, pending: Option<usize>) {
    println!("The log of {} goes on as {}.\n", genesis.instance(), genesis.origin());
    say_begun(genesis, files);
    match pending {
        Some(0) => {}
        Some(count) => println!("  stopped anew    {count} stops that only the old stop file had"),
        None => {
            println!("  stop file       the old one is gone: a stop that only it had is in force nowhere")
        }
    }
    println!("{}", settings::lines(files, genesis));
    println!(
        "Nothing signs: every key is stopped, until a key.resume names the record of its key.carried in the new log.\n\
         Give everybody {} and the sixteen words: whoever pins the old genesis verifies with it, and sets\n\
         genesis_sha256 and log_key anew. Keep the old directory: it is evidence, and nothing of it was changed.\n\
         An anchor off this host: countersignd anchor add.",
        files.path(evidence::DIRECTORY).display()
    );
}
