//! A token of its own for every test, with a backend over it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ceremonies::genesis::Mode;
use daemon::backend::pkcs11::{Pkcs11, Place, Settings};
use daemon::backend::{
    Backend as _, Deadline, Failure, GenerateSpec, Health, KeyReference, Prepared, PublicKey, RawSignature,
    SigningKey, Turn,
};
use daemon::clock::{Clock, Monotonic, SystemClock};
use daemon::secret::SecretReference;
use proto::algorithm::Algorithm;
use proto::proof::encoding::SignatureEncoding;
use proto::proof::signature::{Over, verify};
use softhsm::{Token, Wire};

/// Far enough away that no machine is so slow; it bounds a test that hangs.
pub const LONG: Duration = Duration::from_secs(60);
pub const FAR: Deadline = Deadline(Monotonic::from_start(Duration::from_secs(3600)));
pub const ALGORITHM: Algorithm = Algorithm::EcdsaP256Sha256;

pub struct Rig {
    pub token: Token,
    pub wire: Wire,
    pub state: tempfile::TempDir,
    pub clock: Arc<dyn Clock>,
}

pub fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_countersignd").into()
}

impl Rig {
    pub fn new() -> Self {
        Self::of(Token::create().unwrap())
    }

    /// Over this token.
    pub fn of(token: Token) -> Self {
        let wire = Wire::build(token.directory(), token.module()).unwrap();
        Self { token, wire, state: tempfile::tempdir().unwrap(), clock: Arc::new(SystemClock::start()) }
    }

    /// The settings: by label and serial, behind the wire.
    pub fn settings(&self) -> Settings {
        let pin = SecretReference::file(self.token.pin_file());
        let mut settings = Settings::new(self.wire.module(), self.token.uri().parse().unwrap(), Some(pin));
        settings.environment = [self.token.environment()].into();
        settings.sessions = 2;
        settings
    }

    pub fn start_with(&self, settings: Settings) -> Pkcs11 {
        self.start_in(None, settings)
    }

    /// As part of an instance of this mode.
    pub fn start_in(&self, mode: Option<Mode>, settings: Settings) -> Pkcs11 {
        let place = Place { program: program(), state_directory: self.state.path().to_owned(), mode };
        Pkcs11::start("hsm-a", settings, place, self.clock.clone()).unwrap()
    }

    /// Under another name than the usual `hsm-a`.
    pub fn start_named(&self, name: &str, settings: Settings) -> Pkcs11 {
        let place = Place { program: program(), state_directory: self.state.path().to_owned(), mode: None };
        Pkcs11::start(name, settings, place, self.clock.clone()).unwrap()
    }

    pub async fn start(&self) -> Pkcs11 {
        let backend = self.start_with(self.settings());
        ready(&backend).await;
        backend
    }

    /// A backend with one opened key in it.
    pub async fn with_key(&self, settings: Settings) -> (Pkcs11, Arc<dyn SigningKey>, PublicKey) {
        let backend = self.start_with(settings);
        ready(&backend).await;
        let (key, public) = self.key(&backend).await;
        (backend, key, public)
    }

    pub async fn key(&self, backend: &Pkcs11) -> (Arc<dyn SigningKey>, PublicKey) {
        let spec = GenerateSpec { algorithm: ALGORITHM, label: "linux".to_owned(), id: vec![1, 2, 3] };
        let made = backend.generate(spec, FAR).await.unwrap();
        let reference = KeyReference { locator: made.locator, algorithm: ALGORITHM };
        (backend.open(&reference, &made.public_key, FAR).await.unwrap(), made.public_key)
    }

    /// A turn that ends in so long.
    pub fn turn(&self, caller: &str, wait: Duration) -> Turn {
        Turn { deadline: Some(Deadline::after(self.clock.monotonic(), wait)), ..Turn::of(caller) }
    }
}

pub async fn ready(backend: &Pkcs11) {
    until(backend, |health| *health == Health::Ready).await;
}

/// Waits for a health; fails the test with the last one seen if it does not come.
pub async fn until(backend: &Pkcs11, wanted: impl Fn(&Health) -> bool) -> Health {
    let mut health = backend.health();
    let waited = tokio::time::timeout(LONG, health.wait_for(|now| wanted(now))).await;
    match waited {
        Ok(found) => found.unwrap().clone(),
        Err(_) => panic!("still {:?}", backend.health().borrow()),
    }
}

pub fn message(number: usize) -> Bytes {
    Bytes::from(format!("message {number}"))
}

pub fn checked(algorithm: Algorithm, public: &PublicKey, message: &[u8], signature: &RawSignature) {
    verify(algorithm, public.spki(), Over::Message(message), signature.as_bytes(), SignatureEncoding::Der)
        .unwrap();
}

/// Signs, and checks what comes back independently of the backend.
pub async fn sign(
    key: &Arc<dyn SigningKey>,
    public: &PublicKey,
    number: usize,
    turn: Turn,
) -> Result<RawSignature, Failure> {
    let message = message(number);
    let signature = key.sign(Prepared::message(ALGORITHM, &message), turn).await?;
    checked(ALGORITHM, public, &message, &signature);
    Ok(signature)
}

/// Signs until it works; every failure on the way must say how to try again.
pub async fn sign_again(key: &Arc<dyn SigningKey>, public: &PublicKey) -> Vec<Failure> {
    let mut failures = Vec::new();
    let trying = async {
        loop {
            match sign(key, public, 0, Turn::of("again")).await {
                Ok(_) => break,
                Err(failure) => {
                    let wait =
                        failure.retry_after().unwrap_or_else(|| panic!("no way to try again: {failure}"));
                    failures.push(failure);
                    tokio::time::sleep(wait).await;
                }
            }
        }
    };
    if tokio::time::timeout(LONG, trying).await.is_err() {
        panic!("signing did not resume: {:?}", failures.last());
    }
    failures
}
