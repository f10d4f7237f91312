//! Keys in an HSM behind a PKCS#11 module, which runs in a process of its own.
//!
//! The daemon starts a [`host`] for each configured module (its own binary in another mode, over an inherited socket), or
//! connects to one that runs as a unit of its own; it never maps vendor code. Requests are pipelined, one per session in flight
//! and one more for every two; the rest waits in the fair queue here. A host that crashes costs the calls in flight an error that
//! says how to try again; a call past the *module's* limit gets its host ended and started again, at most three times in
//! ten minutes; a caller's deadline never does. After every start and every re-found handle the public key is compared,
//! and every signature is verified here before anybody sees it.
//!
//! Invariant: whatever host, module or wire do, a caller gets a signature that verifies, or an error; held by
//! `a_flipped_bit_is_an_error_and_never_a_signature` and
//! `a_host_killed_under_load_costs_errors_that_say_how_to_try_again`.

mod client;
pub mod frame;
pub mod host;
pub mod latch;
pub mod message;
mod object;
pub mod octets;
mod settings;
pub mod uri;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ceremonies::birth::BirthNames;
use ceremonies::genesis::Mode;
use proto::algorithm::{Algorithm, KeyShape};
use proto::key_id::KeyId;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::client::{Key, Shared};
use self::message::{Answer, Ask, Made, Seen};
pub use self::object::{DataObject, ObjectError};
use self::octets::Octets;
pub use self::settings::Settings;
use self::uri::Uri;
use super::{
    Ability, Backend, Capabilities, Deadline, Failure, Found, GenerateSpec, Generated, Health, KeyReference,
    Locator, Prepared, Priority, PublicKey, SigningKey, Turn, Work,
};
use crate::clock::Clock;

/// The largest message for Ed25519, which must fit into a frame of the host protocol.
pub const LARGEST_MESSAGE: usize = 64 * 1024;

/// The argument that makes the daemon's binary a host.
pub const HOST_ARGUMENT: &str = "pkcs11-host";

/// What the daemon knows and settings do not say.
#[derive(Clone, Debug)]
pub struct Place {
    /// The program to start as a host with [`HOST_ARGUMENT`]: the daemon's own.
    pub program: PathBuf,
    /// The daemon's state directory: wrong PINs are remembered under it.
    pub state_directory: PathBuf,
    /// Of which mode the instance is: tokens of the other one are not used ([`Mode::has_token`]). `None` asks nothing.
    pub mode: Option<Mode>,
}

/// Where a backend's wrong PINs are remembered; `countersignd backends unlock` forgets them there.
pub fn latch(state_directory: &Path, backend: &str) -> latch::Latch {
    latch::Latch::of(state_directory.join("backends"), backend)
}

/// The backend. Dropping it ends its host.
pub struct Pkcs11 {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

impl Pkcs11 {
    /// Starts the backend: from now on it keeps a host running by itself, and [`health`](Backend::health) says how it
    /// fares. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start(
        name: &str,
        settings: Settings,
        place: Place,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        // Enough that a session which becomes free finds the next call there. Whatever waits there waits ahead of everybody
        // whose turn it is here, so no more than that.
        let sessions = usize::from(settings.sessions.max(1));
        let in_flight = sessions + sessions.div_ceil(2);
        let abilities =
            Algorithm::ALL.iter().map(|algorithm| Ability::of(*algorithm, LARGEST_MESSAGE)).collect();
        let capabilities =
            Capabilities { kind: "pkcs11", abilities, external: true, generates: true, in_flight };
        let spawner = client::Spawner::start(name)?;
        let shared = Arc::new(Shared::new(name, settings, place, capabilities, clock));
        let keeper = tokio::spawn(client::keep(shared.clone(), spawner));
        Ok(Self { shared, keeper })
    }

    /// Logs out and ends the host; nothing is started again. What is in flight is lost.
    pub async fn close(&self) {
        self.shared.quit().await;
        self.keeper.abort();
    }

    /// The process id of the host that runs now, if the daemon started one.
    pub fn host_process(&self) -> Option<u32> {
        self.shared.process()
    }

    /// How often a host was started.
    pub fn starts(&self) -> u64 {
        self.shared.starts()
    }

    async fn look(&self, place: &Locator) -> Result<Vec<Seen>, Failure> {
        let place = key_place(place)?;
        let turn = Turn { caller: "countersign".into(), deadline: None, priority: Priority::Urgent };
        match self.shared.ask(Ask::List { place: place.clone() }, &turn).await? {
            Answer::Listed(seen) => Ok(seen),
            other => Err(client::nonsense(&other)),
        }
    }

    fn key(&self, key: &KeyReference, expected: &PublicKey) -> Result<Key, Failure> {
        let place = key_place(&key.locator)?;
        if !place.names_a_key() {
            let what = format!("{} names no key: add object=LABEL or id=%XX…", key.locator);
            return Err(Failure::Unsupported { what });
        }
        Key::new(self.shared.clone(), place.clone(), key.algorithm, expected.clone())
    }

    async fn make(&self, spec: GenerateSpec, by: Deadline) -> Result<Generated, Failure> {
        if spec.label.is_empty() || spec.label.len() > 64 || !spec.label.is_ascii() {
            return Err(Failure::Unsupported { what: "a label has 1 to 64 ASCII characters".to_owned() });
        }
        if spec.id.is_empty() || spec.id.len() > 32 {
            return Err(Failure::Unsupported { what: "an id has 1 to 32 bytes".to_owned() });
        }
        let turn = Turn { caller: "countersign".into(), deadline: Some(by), priority: Priority::Urgent };
        let ask = Ask::Generate { algorithm: spec.algorithm, label: spec.label, id: Octets(spec.id) };
        let Made { key, attributes, device } = match self.shared.ask(ask, &turn).await? {
            Answer::Generated(made) => *made,
            other => return Err(client::nonsense(&other)),
        };
        let found = found(key)?;
        // Half-made keys have the right label and every attribute and cannot sign: only a signature is believed.
        let reference = KeyReference { locator: found.locator.clone(), algorithm: spec.algorithm };
        let message =
            bytes::Bytes::from_static(b"countersign: first signature of a new key, over nothing else");
        let key = self.key(&reference, &found.public_key)?;
        key.sign(Prepared::message(spec.algorithm, &message), turn).await?;
        let attributes = attributes.into_iter().collect();
        Ok(Generated { locator: found.locator, public_key: found.public_key, attributes, device })
    }
}

impl Drop for Pkcs11 {
    fn drop(&mut self) {
        self.keeper.abort();
        self.shared.abandon();
    }
}

fn key_place(place: &Locator) -> Result<&Uri, Failure> {
    match place {
        Locator::Pkcs11(uri) => Ok(uri),
        Locator::Software(_) | Locator::Labelled(_) => {
            Err(Failure::Unsupported { what: format!("expected a pkcs11: URI, not {place}") })
        }
    }
}

fn found(seen: Seen) -> Result<Found, Failure> {
    if seen.public_key.0.is_empty() {
        let why = seen.remarks.join("; ");
        return Err(Failure::Unsupported { what: format!("{} cannot be used: {why}", seen.place) });
    }
    let public_key = PublicKey::from_spki(&seen.public_key.0)
        .map_err(|e| Failure::Unsupported { what: format!("{} cannot be used: {e}", seen.place) })?;
    Ok(Found { locator: Locator::Pkcs11(seen.place), public_key, remarks: seen.remarks })
}

impl Backend for Pkcs11 {
    fn capabilities(&self) -> &Capabilities {
        &self.shared.capabilities
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.shared.health()
    }

    fn generate(&self, spec: GenerateSpec, by: Deadline) -> Work<'_, Generated> {
        Box::pin(self.make(spec, by))
    }

    fn birthplaces(&self, names: &BirthNames) -> Vec<Locator> {
        let object = Uri { object: Some(names.label.clone()), ..Uri::default() };
        let id = Uri { id: Some(names.id.to_vec()), ..Uri::default() };
        vec![Locator::Pkcs11(object), Locator::Pkcs11(id)]
    }

    fn find(&self, place: &Locator) -> Work<'_, Vec<Found>> {
        let place = place.clone();
        Box::pin(async move {
            let (good, bad): (Vec<_>, Vec<_>) =
                self.look(&place).await?.into_iter().map(found).partition(Result::is_ok);
            let good: Vec<Found> = good.into_iter().flatten().collect();
            match bad.into_iter().next() {
                // Nothing but keys that nobody supports: their names help more than "no such key".
                Some(Err(why)) if good.is_empty() => Err(why),
                _ => Ok(good),
            }
        })
    }

    fn open(&self, key: &KeyReference, expected: &PublicKey, by: Deadline) -> Work<'_, Arc<dyn SigningKey>> {
        let key = self.key(key, expected);
        Box::pin(async move {
            let key = key?;
            self.shared.started(by).await;
            match key.bind_now().await {
                Ok(())
                | Err(
                    Failure::Unavailable { .. }
                    | Failure::Broken { .. }
                    | Failure::Busy { .. }
                    | Failure::Unknown { .. }
                    | Failure::Late { .. },
                ) => Ok(Arc::new(key) as Arc<dyn SigningKey>),
                Err(refused) => Err(refused),
            }
        })
    }

    fn destroy(&self, place: &Locator, key: KeyId, by: Deadline) -> Work<'_, ()> {
        let place = key_place(place).cloned();
        Box::pin(async move {
            let turn = Turn { caller: "countersign".into(), deadline: Some(by), priority: Priority::Urgent };
            let ask = Ask::Destroy { place: place?, key: Octets::from(key.as_bytes().as_slice()) };
            match self.shared.ask(ask, &turn).await? {
                Answer::Destroyed => Ok(()),
                other => Err(client::nonsense(&other)),
            }
        })
    }
}

/// How long a request may take in the module, as a multiple of its limit: making an RSA key takes a while.
const fn patience(ask: &Ask, limit: Duration) -> Duration {
    match ask {
        Ask::Generate { algorithm, .. } if matches!(algorithm.shape(), KeyShape::Rsa(_)) => {
            limit.saturating_mul(6)
        }
        _ => limit,
    }
}
