//! `countersignd init`: a rehearsal instance from nothing.
//!
//! Makes log key, CA, first client certificate, policy, genesis statement, log and configuration in one directory, and
//! says what it made. Nothing is made over anything that is there. Production instances begin with a ceremony, which this
//! version does not know, and says so.

mod certificates;
mod files;
mod text;

use std::path::{Path, PathBuf};

use ceremonies::genesis::{Genesis, Mode, SCHEMA};
use proto::hash::Hash;
use proto::origin::Origin;
use proto::record::{Actor, ActorKind, Body};
use zeroize::Zeroizing;

use super::arguments::Init;
use super::{Failed, log_key as key_file};
use crate::backend::software;
use crate::clock::Clock;
use crate::log::{self, AnchorPlace, ControlDraft, Fresh, LogKey, Settings};
use files::Files;

/// Why an instance is not made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Without `--rehearsal`.
    #[error(
        "a production instance begins with a ceremony of its officers and witnesses, and its keys come from ceremonies; \
         this version makes rehearsal instances alone: say --rehearsal to try things out"
    )]
    Production,
    /// The directory is in use.
    #[error("{0} is not empty: choose a directory that is empty or not there")]
    NotEmpty(PathBuf),
    /// A name that is none.
    #[error("--name: {0}")]
    Name(String),
    /// A file.
    #[error("cannot make {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// The error.
        source: std::io::Error,
    },
    /// A certificate.
    #[error("cannot issue the certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The log.
    #[error("cannot make the log: {0}")]
    Log(String),
}

/// What was made.
#[derive(Debug)]
pub struct Made {
    /// The daemon's configuration.
    pub config: PathBuf,
    /// The first client's configuration.
    pub client: PathBuf,
    /// SHA-256 of the genesis statement.
    pub genesis_sha256: Hash,
    /// The log's public key.
    pub log_key: String,
    /// The first client's identity.
    pub first_client: String,
}

/// Makes the instance and says what was made.
pub(super) fn run(arguments: &Init, clock: &dyn Clock) -> Result<(), Failed> {
    let made = make(arguments, clock)?;
    say(&made);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the task")]
fn say(made: &Made) {
    println!("A rehearsal instance is made. Nothing that it signs is worth anything to anyone else.\n");
    println!("  configuration   {}", made.config.display());
    println!("  genesis         {}", made.genesis_sha256);
    println!("  log key         {}", made.log_key);
    println!("  first client    {}, configured in {}", made.first_client, made.client.display());
    println!(
        "\nNext: countersignd enroll-key NAME software: --algorithm ecdsa-p256-sha256 --purpose blob --config {}",
        made.config.display()
    );
}

/// Makes the instance.
///
/// # Errors
/// [`InitError`]. Files that were made before a failure stay, so that nothing of value can be deleted by mistake.
pub fn make(arguments: &Init, clock: &dyn Clock) -> Result<Made, InitError> {
    if !arguments.rehearsal {
        return Err(InitError::Production);
    }
    let origin: Origin = format!("rehearsal.{}", arguments.name)
        .parse()
        .map_err(|not: proto::origin::NotAnOrigin| InitError::Name(not.to_string()))?;
    let first_client = format!("spiffe://{}/client/first", arguments.name);
    let directory = empty(&arguments.directory)?;
    let files = Files::at(&directory);

    let mut seed = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(seed.as_mut())
        .map_err(|_nothing_said| InitError::Log("no random numbers".into()))?;
    let key = LogKey::from_seed(origin.as_str(), seed.as_ref()).map_err(|e| InitError::Log(e.to_string()))?;
    let log_key = key.verifier().to_string();

    let certificates = certificates::issue(&arguments.name, &first_client, clock.wall())?;
    for (name, issued) in
        [("ca", &certificates.ca), ("server", &certificates.server), ("client", &certificates.client)]
    {
        files.write(&format!("tls/{name}.pem"), issued.certificate.as_bytes())?;
        files.secret(&format!("tls/{name}.key"), issued.key.as_bytes())?;
    }
    let guardrails = text::guardrails(&certificates.ca.certificate);
    let grants = text::grants(&first_client, rustix::process::getuid().as_raw());
    files.write("forbid.cedar", text::FORBID.as_bytes())?;
    files.write("guardrails.toml", guardrails.as_bytes())?;
    files.write("grants.cedar", grants.as_bytes())?;
    files.write("log.pub", format!("{log_key}\n").as_bytes())?;
    files.secret("state/log.key", key_file::encode(&key, &seed).as_bytes())?;
    let identity = files.path("state/software.identity");
    software::create_identity(&identity).map_err(|source| InitError::File { path: identity, source })?;

    let genesis = Genesis {
        allow_software_backend: false,
        environment: "rehearsal".into(),
        grants: Hash::of(grants.as_bytes()),
        guardrails: Hash::of(guardrails.as_bytes()),
        instance: arguments.name.clone(),
        log_key: log_key.clone(),
        mode: Mode::Rehearsal,
        origin,
        schema: SCHEMA.into(),
    };
    let genesis_sha256 = begin(&files, &genesis, &key, clock)?;
    let names = text::Names { files: &files, arguments, genesis_sha256, log_key: &log_key };
    files.write("countersignd.toml", names.daemon().as_bytes())?;
    files.write("client.toml", names.client().as_bytes())?;
    Ok(Made {
        config: files.path("countersignd.toml"),
        client: files.path("client.toml"),
        genesis_sha256,
        log_key,
        first_client,
    })
}

/// Makes the log with the statement as its first record, and the record of its anchor.
fn begin(files: &Files, genesis: &Genesis, key: &LogKey, clock: &dyn Clock) -> Result<Hash, InitError> {
    let failed = |e: &dyn std::fmt::Display| InitError::Log(e.to_string());
    let digest = genesis.digest().map_err(|e| failed(&e))?;
    genesis.check().map_err(|e| failed(&e))?;
    let statement = genesis.to_value().map_err(|e| failed(&e))?;
    files.directory("anchor")?;
    let anchor = files.path("anchor/countersign.anchor");
    let actor =
        || Actor { id: format!("unix:{}", rustix::process::getuid().as_raw()), kind: ActorKind::Operator };
    let fresh = || Fresh::at(clock.wall()).map_err(|e| failed(&e));
    let first = vec![
        ControlDraft::new(fresh()?, actor(), Body::Genesis { statement }),
        ControlDraft::new(fresh()?, actor(), Body::Anchor { place: format!("file:{}", anchor.display()) }),
    ];
    let settings = Settings::new(files.path("state"), vec![AnchorPlace::File(anchor)]);
    log::create(&settings, key, first).map_err(|e| failed(&e))?;
    Ok(digest)
}

/// The directory, made if it is not there, as an absolute path.
fn empty(directory: &Path) -> Result<PathBuf, InitError> {
    let file = |source| InitError::File { path: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(file)?;
    let directory = directory.canonicalize().map_err(file)?;
    match std::fs::read_dir(&directory).map_err(file)?.next() {
        None => Ok(directory),
        Some(_) => Err(InitError::NotEmpty(directory)),
    }
}
