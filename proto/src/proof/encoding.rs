//! The forms of signatures and public keys, told apart by type and never by convention.
//!
//! ECDSA signatures are [`EcdsaDer`] or [`EcdsaFixed`]; public keys are built as the one SubjectPublicKeyInfo that key
//! ids are made of ([`spki`]); [`pem`] is strict RFC 7468. DER is read strictly: minimal integers and lengths, nothing
//! after the end.

use std::fmt;
use std::str::FromStr;

use crate::algorithm::KeyShape;

mod ecdsa;
pub mod pem;
pub mod spki;

pub use ecdsa::{EcdsaDer, EcdsaError, EcdsaFixed};

/// How ECDSA signatures are encoded. Other algorithms have one encoding and ignore it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SignatureEncoding {
    /// ASN.1 DER `SEQUENCE { r INTEGER, s INTEGER }` (RFC 3279, 2.2.3).
    #[default]
    Der,
    /// `r ‖ s`, each as long as the curve's order (IEEE P1363).
    Fixed,
}

impl SignatureEncoding {
    /// `der` or `fixed`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Der => "der",
            Self::Fixed => "fixed",
        }
    }
}

impl fmt::Display for SignatureEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No such encoding.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected the signature encoding der or fixed")]
pub struct UnknownEncoding;

impl FromStr for SignatureEncoding {
    type Err = UnknownEncoding;

    fn from_str(text: &str) -> Result<Self, UnknownEncoding> {
        [Self::Der, Self::Fixed].into_iter().find(|encoding| encoding.name() == text).ok_or(UnknownEncoding)
    }
}

/// A curve that ECDSA keys may be on (SP 800-186).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl Curve {
    /// Every curve, smallest first.
    pub const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// The curve of a key pair; none for those that ECDSA does not use.
    #[must_use]
    pub const fn of(shape: KeyShape) -> Option<Curve> {
        match shape {
            KeyShape::P256 => Some(Self::P256),
            KeyShape::P384 => Some(Self::P384),
            KeyShape::P521 => Some(Self::P521),
            KeyShape::Ed25519 | KeyShape::Rsa(_) => None,
        }
    }

    /// The shape of its key pairs.
    #[must_use]
    pub const fn shape(self) -> KeyShape {
        match self {
            Self::P256 => KeyShape::P256,
            Self::P384 => KeyShape::P384,
            Self::P521 => KeyShape::P521,
        }
    }

    /// Length in bytes of a scalar and of a coordinate: 32, 48 or 66.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// `P-256`, `P-384` or `P-521`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
