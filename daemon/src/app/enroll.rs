//! `countersignd enroll-key`: records a key of a rehearsal instance, without ceremony. Offline: the store is locked.

use std::sync::Arc;
use std::time::Duration;

use ceremonies::genesis::Mode;
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::purpose::Purpose;
use proto::record::{Actor, ActorKind, Body, ControlRecord, Enrolled, Times};
use proto::term::Term;

use super::arguments::EnrollKey;
use super::{Failed, backends, boot, runtime};
use crate::backend::{Backend, Deadline, GenerateSpec, Locator, PublicKey, Settings};
use crate::clock::Clock;
use crate::config::Config;
use crate::keys::fold::State;
use crate::log::ControlDraft;
use crate::telemetry;

/// How long the backend may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Enrols the key and says what was recorded.
pub(super) fn run(config: &Config, arguments: &EnrollKey, clock: Arc<dyn Clock>) -> Result<(), Failed> {
    // What goes wrong is said on standard error; what goes well is the answer's business.
    let _nobody_asks = telemetry::start(&telemetry::Settings { filter: "warn".into(), ..config.telemetry.clone() })?;
    before(config, arguments, clock)
}

/// The same before the daemon starts in this process, which begins telemetry itself.
pub(super) fn before(config: &Config, arguments: &EnrollKey, clock: Arc<dyn Clock>) -> Result<(), Failed> {
    runtime()?.block_on(enroll(config, arguments, clock))
}

async fn enroll(config: &Config, arguments: &EnrollKey, clock: Arc<dyn Clock>) -> Result<(), Failed> {
    let purpose = Purpose::new(arguments.purpose.iter().cloned())?;
    let locator: Locator = arguments.uri.parse()?;
    let name = backend_name(config, &locator, arguments.backend.as_deref())?;
    let booted = boot::open(config, Arc::clone(&clock))?;
    if booted.state.instance().mode == Mode::Production {
        return Err(Failed::new("keys of a production instance come from ceremonies, never from enrolment"));
    }
    let backends = backends::start(config, &booted.state, &clock)?;
    let done = async {
        let backend = backends.all.get(&name).ok_or_else(|| Failed::new(format!("no backend `{name}`")))?;
        let by = Deadline(clock.monotonic().after(PATIENCE));
        let version = booted.state.ring(&arguments.name).map_or(1, |ring| ring.newest().version + 1);
        let draft = |locator: &Locator, public_key: &[u8]| {
            let serial = match locator {
                Locator::Pkcs11(uri) => uri.serial.clone(),
                Locator::Software(_) => None,
            };
            let enrolled = Enrolled {
                algorithm: arguments.algorithm,
                backend: name.clone(),
                key: arguments.name.clone(),
                key_id: KeyId::of_spki(public_key),
                locator: locator.to_string(),
                owner: arguments.owner.clone(),
                public_key: public_key.to_vec(),
                purpose: purpose.clone(),
                serial,
                version,
            };
            let uid = rustix::process::getuid().as_raw();
            let actor = Actor { id: format!("unix:{uid}"), kind: ActorKind::Operator };
            let mut draft = ControlDraft::new(booted.log.fresh()?, actor, Body::Enrolled(enrolled));
            draft.touches = vec![Term::Key(arguments.name.clone())];
            Ok::<_, Failed>(draft)
        };
        // What is refused whatever the key pair is, is refused before one is made.
        would_follow(&booted.state, &draft(&locator, b"not known yet")?)?;
        let (locator, public_key) = place(backend.as_ref(), &locator, arguments, by).await?;
        if !public_key.fits(arguments.algorithm) {
            let message =
                format!("the key is {}, which does not sign with {}", public_key.name(), arguments.algorithm);
            return Err(Failed::new(message));
        }
        let key_id = public_key.key_id();
        let draft = draft(&locator, public_key.spki())?;
        would_follow(&booted.state, &draft)?;
        let appended = booted.log.control(draft).await?;
        say(&format!("{}@{version} is recorded as entry {} of the log", arguments.name, appended.index));
        say(&format!("  key id   {key_id}"));
        say(&format!("  backend  {name}, {locator}"));
        Ok(())
    };
    let done = done.await;
    booted.log.close().await;
    backends.close().await;
    done
}

#[expect(clippy::print_stdout, reason = "the answer of the task")]
fn say(line: &str) {
    println!("{line}");
}

/// The place of the key and its public key: the one that is there, or a new one.
async fn place(
    backend: &dyn Backend,
    locator: &Locator,
    arguments: &EnrollKey,
    by: Deadline,
) -> Result<(Locator, PublicKey), Failed> {
    if *locator == Locator::Software(None) {
        let spec =
            GenerateSpec { algorithm: arguments.algorithm, label: arguments.name.to_string(), id: vec![1] };
        let made = backend.generate(spec, by).await?;
        return Ok((made.locator, made.public_key));
    }
    ready(backend).await?;
    let mut found = backend.find(locator).await?;
    match (found.pop(), found.len()) {
        (Some(key), 0) => {
            for remark in &key.remarks {
                tracing::warn!(remark, "about the key");
            }
            Ok((key.locator, key.public_key))
        }
        (None, _) => Err(Failed::new(format!("there is no key at {locator}"))),
        (Some(_), more) => {
            Err(Failed::new(format!("{} keys are at {locator}: name one by `id` or `object`", more + 1)))
        }
    }
}

/// Waits until the backend answers, or says why it does not.
async fn ready(backend: &dyn Backend) -> Result<(), Failed> {
    let mut health = backend.health();
    let waited = tokio::time::timeout(PATIENCE, health.wait_for(crate::backend::Health::is_ready)).await;
    match waited {
        Ok(Ok(_)) => Ok(()),
        _ => {
            let cause = backend.health().borrow().cause().unwrap_or("it did not answer").to_owned();
            Err(Failed::new(format!("the backend is not ready: {cause}")))
        }
    }
}

/// Whether the state would take the record: refused before it is written rather than by the next start.
fn would_follow(state: &State, draft: &ControlDraft) -> Result<(), Failed> {
    let mut next = state.clone();
    let head = state.head();
    let record = ControlRecord {
        actor: draft.actor.clone(),
        body: draft.body.clone(),
        detail: None,
        lifts: vec![],
        operation: draft.operation,
        previous: head.hash,
        stops: vec![],
        time: Times::asked(draft.asked),
        touches: draft.touches.clone(),
    };
    next.apply(head.index + 1, Hash::ZERO, &record)?;
    Ok(())
}

/// The one backend that the URI can mean.
fn backend_name(config: &Config, locator: &Locator, asked: Option<&str>) -> Result<String, Failed> {
    let fits = |settings: &Settings| {
        matches!(
            (settings, locator),
            (Settings::Software(_), Locator::Software(_)) | (Settings::Pkcs11(_), Locator::Pkcs11(_))
        )
    };
    let fitting: Vec<_> =
        config.backends.iter().filter(|(_, settings)| fits(settings)).map(|(name, _)| name).collect();
    match (asked, fitting.as_slice()) {
        (Some(asked), _) if fitting.iter().any(|name| *name == asked) => Ok(asked.to_owned()),
        (Some(asked), _) => Err(Failed::new(format!("no backend `{asked}` holds keys like {locator}"))),
        (None, [name]) => Ok((*name).clone()),
        (None, []) => Err(Failed::new(format!("no configured backend holds keys like {locator}"))),
        (None, _) => {
            let names: Vec<&str> = fitting.iter().map(|name| name.as_str()).collect();
            Err(Failed::new(format!("say --backend: {} hold keys like {locator}", names.join(" and "))))
        }
    }
}
