//! Keys of signed notes: who signs, and the text `name+hash+base64` by which anyone checks.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hash::Hash;

use super::is_name;

/// The signature type of plain Ed25519 note keys.
const ED25519_TYPE: u8 = 0x01;

/// Signs notes with an Ed25519 key, wherever that key lives.
pub trait NoteSigner: Send + Sync {
    /// The public half, with the name that stands in the signature line.
    fn verifier(&self) -> &Verifier;

    /// The Ed25519 signature (RFC 8032) over exactly these bytes.
    ///
    /// # Errors
    /// [`SignFailure`] with what the caller should know.
    fn sign(&self, text: &[u8]) -> Result<[u8; 64], SignFailure>;
}

/// A key did not sign; the text says why and what to do, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignFailure(pub String);

/// A note key as verifiers know it: `name+hash+base64`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verifier {
    name: String,
    key_id: [u8; 4],
    key: [u8; 32],
}

/// Why a text is not a note key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// Not three parts.
    #[error(
        "a log key is written name+hash+key: a name, 8 hex digits, and base64 of the key's type and bytes"
    )]
    Shape,
    /// The name cannot be one.
    #[error("a log key's name is not empty and has neither spaces nor plus signs")]
    Name,
    /// The key is not Ed25519.
    #[error("only Ed25519 log keys (type 1, 32 bytes) are supported")]
    Kind,
    /// The hash is not that of the name and key.
    #[error("the log key's hash is {expected}, not what is written: the text was changed or cut")]
    Hash {
        /// What it should be.
        expected: String,
    },
}

impl Verifier {
    /// The key with this name; the key id follows from both.
    ///
    /// # Errors
    /// [`KeyTextError::Name`].
    pub fn new(name: &str, key: [u8; 32]) -> Result<Verifier, KeyTextError> {
        if !is_name(name) {
            return Err(KeyTextError::Name);
        }
        let hash = Hash::of(&[name.as_bytes(), &[b'\n', ED25519_TYPE], &key].concat());
        let [a, b, c, d, ..] = *hash.as_bytes();
        Ok(Verifier { name: name.to_owned(), key_id: [a, b, c, d], key })
    }

    /// The key's name; for a log key, its origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key)[0..4]`.
    #[must_use]
    pub fn key_id(&self) -> [u8; 4] {
        self.key_id
    }

    /// The raw Ed25519 public key (RFC 8032).
    #[must_use]
    pub fn public_key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Whether this key made the signature over exactly these bytes.
    #[must_use]
    pub fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.key).verify(text, signature).is_ok()
    }

    /// Name and id, for messages.
    pub(in crate::proof) fn label(&self) -> String {
        format!("{}+{}", self.name, hex::encode(self.key_id))
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[ED25519_TYPE], self.key.as_slice()].concat();
        write!(out, "{}+{}+{}", self.name, hex::encode(self.key_id), STANDARD.encode(typed))
    }
}

impl Serialize for Verifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Verifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::canonical::parse_str(deserializer)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Verifier({self})")
    }
}

impl FromStr for Verifier {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Verifier, KeyTextError> {
        // Base64 may contain plus signs, a name may not.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyTextError::Shape);
        };
        let key = STANDARD.decode(key).map_err(|_not_base64| KeyTextError::Shape)?;
        let Some((&ED25519_TYPE, key)) = key.split_first() else { return Err(KeyTextError::Kind) };
        let key = <[u8; 32]>::try_from(key).map_err(|_other_length| KeyTextError::Kind)?;
        let verifier = Verifier::new(name, key)?;
        let expected = hex::encode(verifier.key_id);
        if hash == expected { Ok(verifier) } else { Err(KeyTextError::Hash { expected }) }
    }
}

/// A note key held in this process, for logs whose key is a file and for tests. The seed is wiped when it is dropped.
pub struct Ed25519Signer {
    verifier: Verifier,
    pair: Ed25519KeyPair,
}

/// Why a seed makes no signer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// The name cannot be a key's.
    #[error(transparent)]
    Name(#[from] KeyTextError),
    /// The seed is not one.
    #[error("an Ed25519 seed has 32 bytes")]
    Seed,
}

impl Ed25519Signer {
    /// The signer with this name and RFC 8032 seed.
    ///
    /// # Errors
    /// [`SeedError`]; never quotes the seed.
    pub fn from_seed(name: &str, seed: &[u8]) -> Result<Ed25519Signer, SeedError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_opaque| SeedError::Seed)?;
        let key =
            <[u8; 32]>::try_from(pair.public_key().as_ref()).map_err(|_other_length| SeedError::Seed)?;
        Ok(Ed25519Signer { verifier: Verifier::new(name, key)?, pair })
    }
}

impl NoteSigner for Ed25519Signer {
    fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], SignFailure> {
        let signature =
            self.pair.try_sign(text).map_err(|_opaque| SignFailure("Ed25519 signing failed".into()))?;
        <[u8; 64]>::try_from(signature.as_ref())
            .map_err(|_other_length| SignFailure("an Ed25519 signature did not have 64 bytes".into()))
    }
}

impl fmt::Debug for Ed25519Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Ed25519Signer({}, seed redacted)", self.verifier)
    }
}
