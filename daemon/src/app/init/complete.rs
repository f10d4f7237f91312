//! The second step: what people have signed, checked; and the log.

use ceremonies::genesis::{Draft, Genesis, GenesisError, Mode};
use ceremonies::statement::Statement;
use proto::canonical::Map;
use proto::record::ceremony::document;

use super::{Files, Init, InitError, acts, begin, key_file, say_begun, text};
use crate::backend::software;
use crate::clock::Clock;
use crate::keyring;
use crate::secret::SecretReference;

/// Checks everything, makes the log and the configuration, and says what was made.
///
/// # Errors
/// [`InitError`]; who has not signed and which act is wrong, all at once. Nothing is made then, so the step can be
/// repeated when more acts are there.
pub(super) fn make(arguments: &Init, clock: &dyn Clock) -> Result<(), InitError> {
    let file = |source| InitError::File { path: arguments.directory.clone(), source };
    let directory = arguments.directory.canonicalize().map_err(file)?;
    let files = Files::at(&directory);
    let read = |name: &str| {
        let path = files.path(name);
        std::fs::read_to_string(&path).map_err(|source| InitError::File { path, source })
    };
    let statement = Statement::parse(read("genesis.json")?.as_bytes()).map_err(GenesisError::from)?;
    let mut documents = Map::default();
    for (name, file) in [
        (document::ROSTER, "roster.json"),
        (document::GUARDRAILS, "guardrails.toml"),
        (document::GRANTS, "grants.cedar"),
    ] {
        documents.insert(name.to_owned(), read(file)?);
    }
    let draft = Draft::new(statement, &documents)?;
    // The files that the guardrails name, too.
    let _good = keyring::load(&files.path("guardrails.toml"), &files.path("grants.cedar"))?;
    let key = key_file::read(&SecretReference::File { path: files.path("state/log.key") })
        .map_err(|failed| InitError::Log(failed.0))?;
    let (named, found) = (draft.begins().log_key.to_string(), key.verifier().to_string());
    if named != found {
        return Err(InitError::LogKey { named, found });
    }
    let at = clock.wall();
    let mut problems = acts::read(&files.path("acts"), draft.roster(), &mut documents)?;
    let genesis = match draft.signed(&documents, at) {
        Ok(genesis) if problems.is_empty() => genesis,
        Ok(_) => return Err(InitError::Unsigned(problems)),
        Err(GenesisError::Acts(lacks)) => {
            problems.extend(lacks.iter().map(ToString::to_string));
            return Err(InitError::Unsigned(problems));
        }
        Err(other) => return Err(other.into()),
    };
    if genesis.mode() == Mode::Rehearsal || genesis.allow_software_backend() {
        let identity = files.path("state/software.identity");
        software::create_identity(&identity).map_err(|source| InitError::File { path: identity, source })?;
    }
    let names = text::Names { files: &files, arguments, genesis: &genesis };
    files.write("countersignd.toml", names.daemon().as_bytes())?;
    // The log comes last: a crash before leaves files that are named and not overwritten, never a log without
    // configuration.
    begin(&files, &genesis, documents, at, &key)?;
    say(&genesis, &files);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the task")]
fn say(genesis: &Genesis, files: &Files) {
    println!("The {} instance {} has begun.\n", genesis.mode(), genesis.instance());
    say_begun(genesis, files);
    println!(
        "\nNext: say in the configuration where callers from elsewhere come in, and where keys are; keep log.pub and the\n\
         sixteen words where whoever verifies finds them. An anchor off this host: countersignd anchor add."
    );
}
