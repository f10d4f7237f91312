//! Where private keys live: one trait, its failures, and a fair queue in front of every place.
//!
//! A backend finds, opens, generates and destroys key pairs; an opened key signs. [`Software`](software::Software) keeps
//! keys in sealed files, [`Pkcs11`](pkcs11::Pkcs11) in an HSM whose module runs in a process of its own. What a backend
//! can do is data ([`Capabilities`]), not methods that answer "not supported"; what went wrong is named by what to do
//! about it ([`Failure`]).
//!
//! Promises: a signature that leaves a key outside this process was verified in software against the public key that the
//! key was opened with, inside [`SigningKey::sign`], so that nobody can leave it out; digest lengths are checked before any
//! device is touched (devices truncate); ECDSA leaves as DER, by type. Nothing here decides *whether* to sign, and nothing
//! here knows the log.
//!
//! Invariant: no backend releases a signature that does not verify; held by `tests/backends.rs`
//! (`a_flipped_bit_is_an_error_and_never_a_signature`).

pub mod capability;
pub mod failure;
pub mod locator;
pub mod pkcs11;
pub mod prepared;
pub mod queue;
pub mod settings;
pub mod software;
pub mod verify;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use capability::{Ability, Capabilities, Health, Input};
use ceremonies::birth::BirthNames;
pub use failure::{Failure, Lost};
pub use locator::Locator;
pub use prepared::{Prepared, RawSignature};
use proto::algorithm::Algorithm;
use proto::key_id::KeyId;
pub use proto::proof::public_key::PublicKey;
pub use queue::{Deadline, Priority, Turn};
pub use settings::Settings;
use tokio::sync::watch;

/// What a backend answers with: a boxed future, because backends are chosen at run time.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// A place where private keys live.
pub trait Backend: Send + Sync {
    /// What it can do. Data: it never changes and asks no device.
    fn capabilities(&self) -> &Capabilities;

    /// Whether it works now, and if not, why. Changes are seen without asking.
    fn health(&self) -> watch::Receiver<Health>;

    /// Makes a key pair. [`Failure::Unknown`] means that there may be one now: [`find`](Self::find) before trying again.
    fn generate(&self, spec: GenerateSpec, by: Deadline) -> Work<'_, Generated>;

    /// Where a key that is made under these names would be: looked at before and after it is made, by each name alone.
    fn birthplaces(&self, names: &BirthNames) -> Vec<Locator>;

    /// The key pairs at this place, with their public keys. None is an answer, not a failure.
    fn find(&self, place: &Locator) -> Work<'_, Vec<Found>>;

    /// Opens a key for signing. Compares public keys and signs nothing.
    ///
    /// A backend that is down for a while gives a key all the same: it answers [`Failure::Unavailable`] until the backend
    /// is back, and compares the public key before it is used. Another key in that place is [`Failure::Mismatch`], at once
    /// or then.
    fn open(&self, key: &KeyReference, expected: &PublicKey, by: Deadline) -> Work<'_, Arc<dyn SigningKey>>;

    /// Destroys the key pair with this id at this place: both halves, whatever is left of it. Afterwards nothing of it is
    /// there. [`Failure::NotFound`] where nothing of it was; after [`Failure::Unknown`] it may be destroyed again.
    fn destroy(&self, place: &Locator, key: KeyId, by: Deadline) -> Work<'_, ()>;
}

/// An opened key.
pub trait SigningKey: Send + Sync {
    /// Whether a signature would be tried now: asked before anything is recorded. What it lets through may still be
    /// refused, and what it refuses touched nothing.
    ///
    /// # Errors
    /// As [`Self::sign`] would answer at once.
    fn admits(&self, turn: &Turn) -> Result<(), Failure>;

    /// About how long another signature with such a turn would wait for the device; nothing, where that is less than one takes,
    /// and for a key in this process.
    fn delay(&self, turn: &Turn) -> Duration;

    /// Signs. The deadline of `turn` counts until the device is asked; from then on the answer is waited for, because the
    /// device may have signed.
    fn sign(&self, input: Prepared, turn: Turn) -> Work<'_, RawSignature>;
}

/// A key and how it signs: what a version's control record says of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyReference {
    /// Where it is.
    pub locator: Locator,
    /// The one algorithm it signs with, for life.
    pub algorithm: Algorithm,
}

/// What to generate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GenerateSpec {
    /// The algorithm, which says the shape of the key.
    pub algorithm: Algorithm,
    /// The label, at most 64 bytes of ASCII. In the software backend it may be empty; one that is not is used once.
    pub label: String,
    /// The id (`CKA_ID`), 1 to 32 bytes. The software backend has no ids of this kind and ignores it.
    pub id: Vec<u8>,
}

/// A key pair that exists.
#[derive(Clone, Debug)]
pub struct Found {
    /// The place, in full: whoever opens this finds that key and no other.
    pub locator: Locator,
    /// The public key.
    pub public_key: PublicKey,
    /// What its operator should know, for instance that it can be extracted.
    pub remarks: Vec<String>,
}

/// A key pair that was just made.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The place, in full.
    pub locator: Locator,
    /// The public key.
    pub public_key: PublicKey,
    /// What the device says of the private key, read back: attribute and value.
    pub attributes: Vec<(String, String)>,
    /// Which device it is: what it says of itself, by stable names (`manufacturer`, `model`, `serial`, …).
    pub device: BTreeMap<String, String>,
}
