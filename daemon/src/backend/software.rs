//! Keys in sealed files, signed with in this process. For trying things out.
//!
//! Each key pair is a PKCS#8 PEM, sealed with age to an X25519 identity that comes from a file or a systemd credential, in
//! `<state>/software/<key id>.age` (and, for a key that was made under a label, `<label>.label` beside it): a person opens it with `age -d -i IDENTITY`. Opened keys lie in the crypto library's
//! memory, which wipes what it frees; everything on the way is wiped too. Each pair is proved when it is loaded: it signs,
//! and the signature verifies against the recorded public key.
//!
//! A production instance refuses this backend unless its genesis allows it ([`Admission`]): whoever is root on the host has
//! the keys.

mod file;
mod identity;
mod pair;
mod settings;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ceremonies::birth::BirthNames;
use proto::algorithm::Algorithm;
use proto::key_id::KeyId;
use tokio::sync::watch;

use self::file::{KeyFile, LabelFile};
pub use self::identity::{Identity, create as create_identity};
use self::pair::Pair;
pub use self::settings::{Admission, Settings, Verify};
use super::queue::{Bounds, Gate};
use super::verify::Verifier;
use super::{
    Ability, Backend, Capabilities, Deadline, Failure, Found, GenerateSpec, Generated, Health, KeyReference,
    Locator, Prepared, PublicKey, RawSignature, SigningKey, Turn, Work,
};
use crate::clock::Clock;
use crate::measure::{self, Stage};

/// The largest message for Ed25519, as for every request.
const LARGEST: usize = 4 * 1024 * 1024;

/// The backend.
pub struct Software {
    directory: PathBuf,
    identity: Identity,
    verify: Verify,
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    capabilities: Capabilities,
    health: watch::Sender<Health>,
}

impl Software {
    /// Opens the backend over the key files in `directory` (`<state>/software`), which is made if it is not there.
    ///
    /// # Errors
    /// [`Failure::Refused`] where the instance does not admit it, [`Failure::Unavailable`] where the identity or the
    /// directory cannot be used.
    pub fn open(
        name: &str,
        settings: &Settings,
        admission: Admission,
        directory: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        if admission == Admission::Refused {
            let cause = "a production instance keeps no keys in software unless its genesis says allow_software_backend";
            return Err(Failure::Refused { cause: cause.to_owned() });
        }
        let identity = Identity::read(&settings.identity)?;
        file::make_directory(&directory)?;
        // Signing blocks the thread it runs on, so more than one call per processor cannot be under way.
        let in_flight = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let abilities = [Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384, Algorithm::Ed25519];
        let abilities = abilities.map(|algorithm| Ability::of(algorithm, LARGEST)).to_vec();
        let capabilities =
            Capabilities { kind: "software", abilities, external: false, generates: true, in_flight };
        let bounds = Bounds { total: settings.queue, per_caller: settings.queue_per_caller };
        let gate = Gate::new(name, in_flight, bounds, clock.clone());
        measure::backend_healthy(name, true);
        let (health, _) = watch::channel(Health::Ready);
        Ok(Self { directory, identity, verify: settings.verify, gate, clock, capabilities, health })
    }

    fn make(&self, algorithm: Algorithm, label: &str) -> Result<Generated, Failure> {
        self.supported(algorithm)?;
        let (pair, sealed) = Pair::generate(algorithm, &self.identity)?;
        let public_key = pair.public_key().clone();
        if !label.is_empty() {
            // Before the key, so that no crash leaves a key that is not found under its label.
            LabelFile::of(&self.directory, label)?.claim(public_key.key_id())?;
        }
        // Durable before anybody hears of it. A crash before this leaves nothing, or a file that no record names.
        KeyFile::of(&self.directory, public_key.key_id()).write(&sealed)?;
        let locator = Locator::Software(Some(public_key.key_id()));
        let device = [("kind".to_owned(), "software".to_owned())].into();
        Ok(Generated { locator, public_key, attributes: Vec::new(), device })
    }

    fn load(&self, reference: &KeyReference, expected: &PublicKey) -> Result<Key, Failure> {
        self.supported(reference.algorithm)?;
        let id = match &reference.locator {
            Locator::Software(Some(id)) => *id,
            other => return Err(foreign(other)),
        };
        let verifier = Verifier::new(reference.algorithm, expected)?;
        let sealed = KeyFile::of(&self.directory, id).read()?;
        let pair = Pair::open(reference.algorithm, &sealed, &self.identity)?;
        if pair.public_key() != expected {
            let found = pair.public_key().key_id();
            let what = format!("{} holds the key {found}, not {}", reference.locator, expected.key_id());
            return Err(Failure::Mismatch { what });
        }
        pair.prove(&verifier)?;
        Ok(Key {
            pair,
            algorithm: reference.algorithm,
            verifier: (self.verify == Verify::Every).then_some(verifier),
            gate: self.gate.clone(),
            clock: self.clock.clone(),
            capabilities: self.capabilities.clone(),
        })
    }

    fn look(&self, place: &Locator) -> Result<Vec<Found>, Failure> {
        let ids = match place {
            Locator::Software(Some(id)) => vec![*id],
            Locator::Software(None) => file::list(&self.directory)?,
            Locator::Labelled(label) => LabelFile::of(&self.directory, label)?.read()?.into_iter().collect(),
            other @ Locator::Pkcs11(_) => return Err(foreign(other)),
        };
        let mut found = Vec::new();
        for id in ids {
            let sealed = match KeyFile::of(&self.directory, id).read() {
                Err(Failure::NotFound { .. }) => continue,
                sealed => sealed?,
            };
            let public_key = Pair::open_any(&sealed, &self.identity)?.public_key().clone();
            found.push(Found { locator: Locator::Software(Some(id)), public_key, remarks: Vec::new() });
        }
        Ok(found)
    }

    fn supported(&self, algorithm: Algorithm) -> Result<(), Failure> {
        if self.capabilities.ability(algorithm).is_some() {
            return Ok(());
        }
        let all: Vec<_> =
            self.capabilities.abilities.iter().map(|ability| ability.algorithm.name()).collect();
        Err(Failure::Unsupported {
            what: format!("the software backend has {}, not {algorithm}", all.join(", ")),
        })
    }
}

fn foreign(place: &Locator) -> Failure {
    Failure::Unsupported { what: format!("expected software:<key id>, not {place}") }
}

impl Backend for Software {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    fn generate(&self, spec: GenerateSpec, _by: Deadline) -> Work<'_, Generated> {
        Box::pin(async move { self.make(spec.algorithm, &spec.label) })
    }

    fn birthplaces(&self, names: &BirthNames) -> Vec<Locator> {
        vec![Locator::Labelled(names.label.clone())]
    }

    fn find(&self, place: &Locator) -> Work<'_, Vec<Found>> {
        let place = place.clone();
        Box::pin(async move { self.look(&place) })
    }

    fn open(&self, key: &KeyReference, expected: &PublicKey, _by: Deadline) -> Work<'_, Arc<dyn SigningKey>> {
        let (key, expected) = (key.clone(), expected.clone());
        Box::pin(async move { Ok(Arc::new(self.load(&key, &expected)?) as Arc<dyn SigningKey>) })
    }

    fn destroy(&self, place: &Locator, key: KeyId, _by: Deadline) -> Work<'_, ()> {
        let place = place.clone();
        Box::pin(async move {
            match place {
                Locator::Software(Some(id)) if id == key => KeyFile::of(&self.directory, id).remove(),
                Locator::Software(Some(_)) => {
                    Err(Failure::Mismatch { what: format!("{place} is not the key {key}") })
                }
                other => Err(foreign(&other)),
            }
        })
    }
}

struct Key {
    pair: Pair,
    algorithm: Algorithm,
    verifier: Option<Verifier>,
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    capabilities: Capabilities,
}

impl SigningKey for Key {
    fn admits(&self, turn: &Turn) -> Result<(), Failure> {
        self.gate.admits(turn)
    }

    fn delay(&self, _turn: &Turn) -> Duration {
        Duration::ZERO
    }

    fn sign(&self, input: Prepared, turn: Turn) -> Work<'_, RawSignature> {
        Box::pin(async move {
            input.fits(self.algorithm, &self.capabilities)?;
            let _pass = self.gate.enter(&turn).await?;
            let begun = self.clock.monotonic();
            let signature = self.pair.sign(&input)?;
            let signed = self.clock.monotonic();
            measure::stage(Stage::Backend, signed.since(begun));
            if let Some(verifier) = &self.verifier {
                verifier.verify(&input, &signature)?;
                measure::stage(Stage::Verify, self.clock.monotonic().since(signed));
            }
            Ok(signature)
        })
    }
}
