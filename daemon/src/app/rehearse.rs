//! `countersignd rehearse-key`: one machine plays all parts of a ceremony, with the throw-away keys of a rehearsal's people.
//! Offline: the store is locked.
//!
//! Nothing here is a shortcut: the statement is proposed, approved, attested, executed and attested again by signed acts,
//! and the key is in force because its ceremony is completed. Only the people are played. A production instance has no such
//! keys, and is refused by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ceremonies::act::{Act, namespace};
use ceremonies::genesis::Mode;
use ceremonies::person::PersonId;
use ceremonies::ssh::private::PrivateKey;
use proto::reason::Reason;
use proto::refusal::Refusal;

use super::arguments::RehearseKey;
use super::boot::{self, Booted};
use super::{Failed, account, backends, runtime};
use crate::backend::{Backend, Health, Locator};
use crate::clock::Clock;
use crate::config::Config;
use crate::council::Council;
use crate::denials::Denials;
use crate::keyring::{self, Keyring};
use crate::keys::fold::State;
use crate::keys::signed::Signed;
use crate::sign::Signer;
use crate::telemetry;

/// How long the backend may take to answer first.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long one that has said what is wrong may take to mend it by itself.
const MENDING: Duration = Duration::from_secs(2);

/// Plays the ceremony and says what came of it.
pub(super) fn run(config: &Config, arguments: &RehearseKey, clock: Arc<dyn Clock>) -> Result<(), Failed> {
    // What goes wrong is said on standard error; what goes well is the answer's business.
    telemetry::trace(&telemetry::Settings { filter: "warn".into(), ..config.telemetry.clone() })?;
    runtime()?.block_on(async { play(open(config, &clock)?, config, arguments, clock).await })
}

/// The same where there is no key of this name yet, before the daemon starts in this process, which begins telemetry itself.
pub(super) fn if_missing(
    config: &Config,
    arguments: &RehearseKey,
    clock: Arc<dyn Clock>,
) -> Result<(), Failed> {
    runtime()?.block_on(async {
        let booted = open(config, &clock)?;
        if booted.state.ring(&arguments.name).is_some() {
            booted.log.close().await;
            return Ok(());
        }
        play(booted, config, arguments, clock).await
    })
}

/// The instance, which must be a rehearsal.
fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Booted, Failed> {
    let booted = boot::open(config, Arc::clone(clock))?;
    if booted.state.instance().mode() == Mode::Production {
        return Err(Failed::new(
            "this is a production instance: its people hold their own keys, and nobody plays their parts",
        ));
    }
    Ok(booted)
}

async fn play(
    booted: Booted,
    config: &Config,
    arguments: &RehearseKey,
    clock: Arc<dyn Clock>,
) -> Result<(), Failed> {
    let players = Players::read(&arguments.people(config))?;
    let backends = backends::start(config, &booted.state, &clock)?;
    let keyring = Keyring::new(booted.state, backends.all.clone(), Arc::clone(&clock));
    let following = tokio::spawn(keyring::follow(Arc::clone(&keyring), booted.controls));
    let done = async {
        let read = keyring::load(&config.policy.guardrails, &config.policy.grants);
        let snapshot = keyring.snapshot();
        let loaded = keyring::approved(&booted.log, snapshot.state(), read, &config.policy.grants).await?;
        keyring.adopt(&booted.log, loaded, None).await?;
        let denials = Denials::new(booted.log.clone(), Arc::clone(&keyring), Arc::clone(&clock));
        let signer = Signer::new(booted.log.clone(), Arc::clone(&keyring), Arc::clone(&clock), denials);
        let council = Council::new(booted.log.clone(), Arc::clone(&keyring), signer, Arc::clone(&clock));
        let name = match &arguments.backend {
            Some(name) => name.clone(),
            None => only_backend(&keyring)?,
        };
        let Some(backend) = keyring.backend(&name) else {
            return Err(Failed::new(format!(
                "there is no backend `{name}` here, only {}",
                backends_of(&keyring).join(", ")
            )));
        };
        ready(backend.as_ref()).await?;
        let template = template(arguments, keyring.snapshot().state(), &name, backend.as_ref()).await?;
        let mode = keyring.snapshot().state().instance().mode();
        // What is refused before anybody signs leaves no record; from then on this process says with what it runs.
        let (said, account) = (OnceLock::new(), account::at_start(config));
        let hand = |person: &PersonId, act: &Act| {
            let signed = players.sign(person, mode, act)?;
            if signed.is_some() && said.set(()).is_ok() {
                let unlogged =
                    |why: keyring::RulesError| Refusal::new(Reason::LogUnavailable, why.to_string());
                let _written_first = keyring.account(&booted.log, account.clone()).map_err(unlogged)?;
            }
            Ok(signed)
        };
        let id = council.play(template, &hand).await?;
        let snapshot = keyring.snapshot();
        let version = snapshot.active(&arguments.name).ok_or_else(|| Failed::new("the key is not active"))?;
        let came = if arguments.adopt.is_some() { "adopted" } else { "born" };
        say(&format!("{} was {came} in ceremony {id}", version.name()));
        say(&format!("  key id   {}", version.key_id));
        say(&format!("  backend  {name}, {}", version.locator));
        Ok(())
    };
    let done = done.await;
    booted.log.close().await;
    backends.close().await;
    following.abort();
    done
}

#[expect(clippy::print_stdout, reason = "the answer of the task")]
fn say(line: &str) {
    println!("{line}");
}

fn backends_of(keyring: &Keyring) -> Vec<&str> {
    keyring.backends().map(|(name, _)| name).collect()
}

fn only_backend(keyring: &Keyring) -> Result<String, Failed> {
    match backends_of(keyring).as_slice() {
        [name] => Ok((*name).to_owned()),
        names => Err(Failed::new(format!("say --backend: there are {}", names.join(" and ")))),
    }
}

/// Waits until the backend answers, or says why it does not.
async fn ready(backend: &dyn Backend) -> Result<(), Failed> {
    let mut health = backend.health();
    // Whether it answers in time is read from its health below.
    let _in_time =
        tokio::time::timeout(PATIENCE, health.wait_for(|now| *now != Health::Starting)).await.is_ok();
    match tokio::time::timeout(MENDING, health.wait_for(Health::is_ready)).await {
        Ok(Ok(_)) => Ok(()),
        _ => {
            let cause = backend.health().borrow().cause().unwrap_or("it did not answer").to_owned();
            Err(Failed::new(format!("the backend is not ready: {cause}")))
        }
    }
}

/// The statement's template: a new key, or one that is there.
async fn template(
    arguments: &RehearseKey,
    state: &State,
    backend_name: &str,
    backend: &dyn Backend,
) -> Result<String, Failed> {
    let text = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let purpose: Vec<String> = arguments.purpose.iter().map(|kind| text(&kind.to_string())).collect();
    let (kind, own) = match &arguments.adopt {
        None => ("key.generate", "extractable = false\n".to_owned()),
        Some(uri) => {
            let place: Locator = uri.parse()?;
            let mut found = backend.find(&place).await?;
            let key = match (found.pop(), found.len()) {
                (Some(key), 0) => key,
                (None, _) => return Err(Failed::new(format!("there is no key at {place}"))),
                (Some(_), more) => {
                    let message = format!("{} keys are at {place}: name one by `id` or `object`", more + 1);
                    return Err(Failed::new(message));
                }
            };
            // Its ceremony would find out too, and leave the records of a failure.
            let (kind, algorithm) = (key.public_key.name(), arguments.algorithm);
            if !key.public_key.fits(algorithm) {
                return Err(Failed::new(format!("the key is {kind}, which does not sign with {algorithm}")));
            }
            if let Some(known) = state.version(&key.public_key.key_id()) {
                let message =
                    format!("the key at {place} is {} already: a key pair has one name", known.name());
                return Err(Failed::new(message));
            }
            for remark in &key.remarks {
                tracing::warn!(remark, "about the key");
            }
            let own = format!(
                "key_id = {}\nlocator = {}\nunproven = [\"nobody here saw its birth\"]\n",
                text(&key.public_key.key_id().to_string()),
                text(&key.locator.to_string())
            );
            ("key.adopt", own)
        }
    };
    Ok(format!(
        "kind = {kind}\nmode = \"rehearsal\"\nenvironment = {environment}\nlives = \"1h\"\npurpose = \"a key to try things out\"\n\
         justification = \"a rehearsal, played by one machine\"\nticket = \"none\"\n\n[target]\n\
         activation = \"at-completion\"\nalgorithm = {algorithm}\nbackend = {backend}\nkey = {key}\nowner = {owner}\n\
         purpose = [{purpose}]\nretirement = \"with this rehearsal\"\nstandby = false\nversion = 1\n{own}",
        kind = text(kind),
        environment = text(state.instance().environment().as_str()),
        algorithm = text(arguments.algorithm.name()),
        backend = text(backend_name),
        key = text(arguments.name.as_str()),
        owner = text(&arguments.owner),
        purpose = purpose.join(", "),
    ))
}

/// The people of a rehearsal, by the keys in a directory: a file per person, named by the id.
struct Players(BTreeMap<PersonId, PrivateKey>);

impl Players {
    fn read(directory: &Path) -> Result<Self, Failed> {
        let cannot = |path: &Path, error: &dyn std::fmt::Display| {
            Failed::new(format!("cannot read the people's keys: {}: {error}", path.display()))
        };
        let mut keys = BTreeMap::new();
        let entries = std::fs::read_dir(directory).map_err(|error| cannot(directory, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| cannot(directory, &error))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.ends_with(".pub") {
                continue;
            }
            let person: PersonId = name.parse().map_err(|error| cannot(&path, &error))?;
            let text = std::fs::read_to_string(&path).map_err(|error| cannot(&path, &error))?;
            let key = PrivateKey::read(&text).map_err(|error| cannot(&path, &error))?;
            keys.insert(person, key);
        }
        Ok(Self(keys))
    }
}

impl Players {
    fn sign(&self, person: &PersonId, mode: Mode, act: &Act) -> Result<Option<Signed>, Refusal> {
        let Some(key) = self.0.get(person) else { return Ok(None) };
        let document =
            act.encode().map_err(|error| Refusal::new(Reason::MalformedRequest, error.to_string()))?;
        let signature = key.sign(namespace(mode), &document);
        Ok(Some(Signed { document, signature }))
    }
}
