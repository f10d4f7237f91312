//! What goes into a key and what comes out, by type.

use bytes::Bytes;
use proto::algorithm::Algorithm;
use proto::digest::Digest;
use proto::proof::encoding::EcdsaDer;
use zeroize::Zeroizing;

use super::{Capabilities, Failure, Input};

/// What is signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Prepared {
    /// A digest; its length is that of its hash, by construction.
    Digest(Digest),
    /// The message itself, for algorithms without a hash of their own.
    Message(Bytes),
}

impl Prepared {
    /// A message as this algorithm needs it: its digest, or the message.
    pub fn message(algorithm: Algorithm, message: &Bytes) -> Self {
        match algorithm.hash() {
            Some(hash) => Self::Digest(Digest::of(hash, message)),
            None => Self::Message(message.clone()),
        }
    }

    /// Whether a key of this algorithm, in a backend that can do this, takes it. Checked before anything is touched:
    /// devices sign a digest of any length, truncated, and say that all is well.
    ///
    /// # Errors
    /// [`Failure::Unsupported`], with what was expected.
    pub fn fits(&self, algorithm: Algorithm, capabilities: &Capabilities) -> Result<(), Failure> {
        let unsupported = |what: String| Err(Failure::Unsupported { what });
        let Some(ability) = capabilities.ability(algorithm) else {
            return unsupported(format!("the {} backend does not sign with {algorithm}", capabilities.kind));
        };
        match (self, algorithm.hash(), ability.input) {
            (Self::Digest(digest), Some(hash), _) if digest.algorithm() == hash => Ok(()),
            (Self::Digest(digest), Some(hash), _) => {
                unsupported(format!("{algorithm} signs a {hash} digest, not a {} digest", digest.algorithm()))
            }
            (Self::Digest(_), None, _) => {
                unsupported(format!("{algorithm} signs the message itself, not a digest"))
            }
            (Self::Message(_), Some(hash), _) => {
                unsupported(format!("{algorithm} signs the {hash} digest of the message"))
            }
            (Self::Message(message), None, Input::Message { maximum }) if message.len() > maximum => {
                unsupported(format!(
                    "{algorithm} in the {} backend signs messages of at most {maximum} bytes, this one has {}",
                    capabilities.kind,
                    message.len()
                ))
            }
            (Self::Message(_), None, _) => Ok(()),
        }
    }

    /// The bytes that are signed.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Digest(digest) => digest.value(),
            Self::Message(message) => message,
        }
    }
}

/// A signature as it leaves a backend: ECDSA always as DER. Wiped when it is dropped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RawSignature {
    /// ECDSA.
    Ecdsa(EcdsaDer),
    /// Ed25519 and RSA, which have one encoding.
    Plain(Zeroizing<Vec<u8>>),
}

impl RawSignature {
    /// The bytes that a record holds: DER for ECDSA.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ecdsa(der) => der.as_bytes(),
            Self::Plain(bytes) => bytes,
        }
    }

    /// The bytes that a record holds, not copied.
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Ecdsa(der) => der.into_bytes().into(),
            Self::Plain(bytes) => bytes,
        }
    }
}
