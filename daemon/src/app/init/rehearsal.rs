//! A rehearsal instance, at once: people with throw-away keys who sign the genesis, a small CA, a first client.

use std::path::PathBuf;

use ceremonies::cast::{Beginning, Begun, Cast};
use ceremonies::genesis::{Genesis, Mode};
use ceremonies::statement::Name;
use proto::origin::Origin;

use super::{Files, Init, InitError, begin, certificates, empty, name, new_key, random, text, words};
use crate::backend::software;
use crate::clock::Clock;

/// The environment of instances that `--rehearsal` makes.
const ENVIRONMENT: &str = "rehearsal";

/// The name of those that are given none.
const NAME: &str = "countersign.example.org";

/// What was made.
#[derive(Debug)]
pub struct Made {
    /// The daemon's configuration.
    pub config: PathBuf,
    /// The first client's configuration.
    pub client: PathBuf,
    /// How it began.
    pub genesis: Genesis,
    /// The directory of the people's keys.
    pub people: PathBuf,
    /// The first client's identity.
    pub first_client: String,
}

#[expect(clippy::print_stdout, reason = "the answer of the task")]
pub(super) fn say(made: &Made) {
    println!("A rehearsal instance is made. Nothing that it signs is worth anything to anyone else.\n");
    println!("  configuration   {}", made.config.display());
    println!("  genesis         {}", made.genesis.digest());
    println!("{}", words(&made.genesis.digest()));
    println!("  log key         {}", made.genesis.log_key());
    println!("  first client    {}, configured in {}", made.first_client, made.client.display());
    println!("  people          {}: you play all parts", made.people.display());
    println!(
        "\nNext: countersignd rehearse-key NAME --purpose blob --backend software --config {}",
        made.config.display()
    );
}

/// Makes the instance.
///
/// # Errors
/// [`InitError`]. Files that were made before a failure stay, so that nothing of value can be deleted by mistake.
pub fn make(arguments: &Init, clock: &dyn Clock) -> Result<Made, InitError> {
    let called = arguments.name.as_deref().unwrap_or(NAME);
    let origin: Origin = name("--name", &format!("rehearsal.{called}"))?;
    let instance: Name = name("--name", called)?;
    let first_client = format!("spiffe://{called}/client/first");
    let directory = empty(&arguments.directory)?;
    let files = Files::at(&directory);

    let (key, log_key, secret) = new_key(&origin)?;
    let certificates = certificates::issue(called, &first_client, clock.wall())?;
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
    files.secret("state/log.key", secret.as_bytes())?;
    let identity = files.path("state/software.identity");
    software::create_identity(&identity).map_err(|source| InitError::File { path: identity, source })?;

    let cast = Cast::new(*random()?, Mode::Rehearsal);
    for (person, key) in cast.keys() {
        files.secret(&format!("people/{person}"), key.file(person.as_str()).as_bytes())?;
        files.write(&format!("people/{person}.pub"), format!("{} {person}\n", key.public()).as_bytes())?;
    }
    files.write("roster.toml", cast.roster_text().as_bytes())?;
    files.write("roster.json", &cast.roster().encode())?;
    let at = clock.wall();
    let Begun { genesis, documents } = cast.begin(Beginning {
        allow_software_backend: false,
        at,
        environment: &name("the environment", ENVIRONMENT)?,
        grants: &grants,
        guardrails: &guardrails,
        instance: &instance,
        log_key: &log_key,
        origin: &origin,
    })?;
    files.write("genesis.json", &genesis.statement().encode())?;
    begin(&files, &genesis, documents, at, &key)?;
    let names = text::Names { files: &files, arguments, genesis: &genesis };
    files.write("countersignd.toml", names.daemon().as_bytes())?;
    files.write("client.toml", names.client().as_bytes())?;
    Ok(Made {
        config: files.path("countersignd.toml"),
        client: files.path("client.toml"),
        people: files.path("people"),
        genesis,
        first_client,
    })
}
