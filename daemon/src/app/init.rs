//! `countersignd init`: an instance from nothing.
//!
//! A rehearsal is made at once ([`rehearsal`]): its people get throw-away keys and sign in this process. Every other instance
//! is made in two steps, from files that people carry: [`draft`] writes the statement, [`complete`] checks what they have
//! signed and makes the log. Nothing is made over anything that is there, and bad input is refused before anything is made.

pub(super) mod acts;
mod certificates;
mod complete;
mod draft;
mod files;
mod rehearsal;
mod text;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use ceremonies::genesis::{Genesis, GenesisError};
use ceremonies::statement::Line;
use proto::canonical::Map;
use proto::origin::Origin;
use proto::record::{Actor, ActorKind, Body};
use proto::time::Time;
use zeroize::Zeroizing;

pub use rehearsal::make;

use super::arguments::Init;
use super::{Failed, log_key as key_file};
use crate::clock::Clock;
use crate::keyring::RulesError;
use crate::log::{self, AnchorPlace, ControlDraft, Fresh, LogKey, Settings};
pub(super) use files::{Files, secret};

/// Why an instance is not made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Nothing said.
    #[error(
        "an instance begins with a statement that its officers and witnesses sign: say --draft to write it and --complete \
         when they have signed, for production and rehearsals alike, or --rehearsal to try things out at once"
    )]
    Which,
    /// The directory is in use.
    #[error("{0} is not empty: choose a directory that is empty or not there")]
    NotEmpty(PathBuf),
    /// A word of the command line that is none.
    #[error("{of}: {why}")]
    Word {
        /// Which.
        of: &'static str,
        /// What was expected.
        why: String,
    },
    /// A file in which something is wrong: every problem on a line of its own.
    #[error("{path}:\n  {}", problems.join("\n  "))]
    Wrong {
        /// Which.
        path: PathBuf,
        /// What.
        problems: Vec<String>,
    },
    /// Guardrails or grants.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// A file that the guardrails name and that is not beside them.
    #[error(
        "the guardrails name {0}: expected a path below their own directory, so that it can be copied with them"
    )]
    Elsewhere(String),
    /// Not everybody has signed as he should: every problem on a line of its own.
    #[error("the instance cannot begin yet:\n  {}", .0.join("\n  "))]
    Unsigned(Vec<String>),
    /// Another log key than the one that people signed.
    #[error("state/log.key is the key {found}, and the statement names {named}: put the drafted key back")]
    LogKey {
        /// What people signed.
        named: String,
        /// What is there.
        found: String,
    },
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// The error.
        source: std::io::Error,
    },
    /// A genesis that begins nothing.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A certificate.
    #[error("cannot issue the certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The log.
    #[error("cannot make the log: {0}")]
    Log(String),
}

/// Makes the instance, or a draft of it, and says what was made.
pub(super) fn run(arguments: &Init, clock: &dyn Clock) -> Result<(), Failed> {
    match (arguments.rehearsal, arguments.draft, arguments.complete) {
        (true, ..) => rehearsal::say(&make(arguments, clock)?),
        (_, true, _) => draft::make(arguments, clock)?,
        (_, _, true) => complete::make(arguments, clock)?,
        _ => return Err(InitError::Which.into()),
    }
    Ok(())
}

/// A word of the command line, read.
pub(super) fn name<T>(of: &'static str, word: &str) -> Result<T, InitError>
where
    T: FromStr<Err: std::fmt::Display>,
{
    word.parse().map_err(|why: T::Err| InitError::Word { of, why: why.to_string() })
}

/// A new key of the log, as a verifier key, and as the text of its file.
pub(super) fn new_key(origin: &Origin) -> Result<(LogKey, Line, Zeroizing<String>), InitError> {
    let seed = random()?;
    let key = LogKey::from_seed(origin.as_str(), seed.as_ref()).map_err(|e| InitError::Log(e.to_string()))?;
    let line = name("the log's key", &key.verifier().to_string())?;
    let secret = key_file::encode(&key, &seed);
    Ok((key, line, secret))
}

/// Bytes that nobody guesses.
pub(super) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, InitError> {
    let mut bytes = Zeroizing::new([0; N]);
    aws_lc_rs::rand::fill(bytes.as_mut())
        .map_err(|_nothing_said| InitError::Log("no random numbers".into()))?;
    Ok(bytes)
}

/// Makes the log with the genesis as its first record, at this time, and the record of its anchor.
fn begin(
    files: &Files,
    genesis: &Genesis,
    documents: Map<String>,
    at: Time,
    key: &LogKey,
) -> Result<(), InitError> {
    let failed = |e: &dyn std::fmt::Display| InitError::Log(e.to_string());
    files.directory("anchor")?;
    let anchor = files.path("anchor/countersign.anchor");
    let actor =
        || Actor { id: format!("unix:{}", rustix::process::getuid().as_raw()), kind: ActorKind::Operator };
    let fresh = || Fresh::at(at).map_err(|e| failed(&e));
    let statement = genesis.statement().to_value();
    let first = vec![
        ControlDraft::genesis(fresh()?, actor(), statement, documents).map_err(|e| failed(&e))?,
        ControlDraft::new(fresh()?, actor(), Body::Anchor { place: format!("file:{}", anchor.display()) }),
    ];
    let settings = Settings::new(files.path("state"), vec![AnchorPlace::File(anchor)]);
    log::create(&settings, key, first).map_err(|e| failed(&e))?;
    Ok(())
}

/// Two lines of eight words, below a digest.
pub(super) fn words(genesis: &proto::hash::Hash) -> String {
    let lines = ceremonies::words::Words::of(genesis).lines();
    format!("                  {}\n                  {}", lines[0], lines[1])
}

/// What a log begins with, line by line.
#[expect(clippy::print_stdout, reason = "the answer of the task")]
pub(super) fn say_begun(genesis: &Genesis, files: &Files) {
    println!("  configuration   {}", files.path("countersignd.toml").display());
    println!("  genesis         {}", genesis.digest());
    println!("{}", words(&genesis.digest()));
    println!("  log key         {}", genesis.log_key());
    let signed: Vec<String> = genesis.acts().iter().map(|act| act.person().to_string()).collect();
    println!("  signed by       {}", signed.join(", "));
}

/// The directory, made if it is not there, as an absolute path.
pub(super) fn empty(directory: &Path) -> Result<PathBuf, InitError> {
    let file = |source| InitError::File { path: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(file)?;
    let directory = directory.canonicalize().map_err(file)?;
    match std::fs::read_dir(&directory).map_err(file)?.next() {
        None => Ok(directory),
        Some(_) => Err(InitError::NotEmpty(directory)),
    }
}
