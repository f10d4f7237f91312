//! ECDSA signatures as DER and as `r ‖ s`, and the way between them.
//!
//! Both types are wiped when they are dropped, as nobody may be meant to get the signature. Both hold two non-zero scalars
//! no longer than the curve's order, so converting cannot fail and loses nothing. Whether the scalars are below the order is the verification's to say.

use ::spki::der::asn1::{AnyRef, UintRef};
use ::spki::der::{Decode, Encode, Reader, SliceReader, Tag};

use zeroize::Zeroizing;

use super::Curve;

/// An ECDSA signature as strict DER `SEQUENCE { r INTEGER, s INTEGER }` (RFC 3279, 2.2.3; X.690).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EcdsaDer {
    curve: Curve,
    bytes: Zeroizing<Vec<u8>>,
}

/// An ECDSA signature as `r ‖ s`, each as long as the curve's order, big-endian (IEEE P1363).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EcdsaFixed {
    curve: Curve,
    bytes: Zeroizing<Vec<u8>>,
}

/// Why bytes are not an ECDSA signature in the form that was said.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EcdsaError {
    /// Not strict DER.
    #[error(
        "expected an ECDSA signature as DER: a sequence of two positive integers in their shortest form and nothing else"
    )]
    Der,
    /// Of another length than two scalars.
    #[error(
        "an ECDSA signature on {curve} as r and s side by side has {expected} bytes, not {found}",
        expected = 2 * curve.length()
    )]
    Length {
        /// The key's curve.
        curve: Curve,
        /// Length of the signature in bytes.
        found: usize,
    },
    /// A scalar that no signature on this curve has.
    #[error("r and s of an ECDSA signature on {curve} are not zero and have at most {expected} bytes", expected = curve.length())]
    Scalar {
        /// The key's curve.
        curve: Curve,
    },
}

impl EcdsaDer {
    /// Reads DER.
    ///
    /// # Errors
    /// [`EcdsaError::Der`] for anything but its one form, [`EcdsaError::Scalar`] for scalars of another curve.
    pub fn parse(curve: Curve, bytes: &[u8]) -> Result<EcdsaDer, EcdsaError> {
        let (r, s) = scalars(bytes).map_err(|_described_by_ours| EcdsaError::Der)?;
        check(curve, r)?;
        check(curve, s)?;
        Ok(EcdsaDer { curve, bytes: bytes.to_vec().into() })
    }

    /// The same signature as `r ‖ s`.
    #[must_use]
    pub fn to_fixed(&self) -> EcdsaFixed {
        let length = self.curve.length();
        let mut bytes = Zeroizing::new(vec![0; 2 * length]);
        let (r, s) = scalars(&self.bytes).expect("parse has read these bytes");
        bytes[length - r.len()..length].copy_from_slice(r);
        bytes[2 * length - s.len()..].copy_from_slice(s);
        EcdsaFixed { curve: self.curve, bytes }
    }

    /// The curve.
    #[must_use]
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The DER.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The DER.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl EcdsaFixed {
    /// Reads `r ‖ s`.
    ///
    /// # Errors
    /// [`EcdsaError::Length`], [`EcdsaError::Scalar`].
    pub fn parse(curve: Curve, bytes: &[u8]) -> Result<EcdsaFixed, EcdsaError> {
        if bytes.len() != 2 * curve.length() {
            return Err(EcdsaError::Length { curve, found: bytes.len() });
        }
        let (r, s) = bytes.split_at(curve.length());
        check(curve, r)?;
        check(curve, s)?;
        Ok(EcdsaFixed { curve, bytes: bytes.to_vec().into() })
    }

    /// The same signature as DER.
    #[must_use]
    pub fn to_der(&self) -> EcdsaDer {
        let (r, s) = self.bytes.split_at(self.curve.length());
        let bytes = encode(r, s).expect("two scalars of at most 66 bytes fit every DER length");
        EcdsaDer { curve: self.curve, bytes }
    }

    /// The curve.
    #[must_use]
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// `r ‖ s`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `r ‖ s`.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

fn check(curve: Curve, scalar: &[u8]) -> Result<(), EcdsaError> {
    let zero = scalar.iter().all(|byte| *byte == 0);
    if zero || scalar.len() > curve.length() { Err(EcdsaError::Scalar { curve }) } else { Ok(()) }
}

/// The two integers, without leading zeros.
fn scalars(der: &[u8]) -> ::spki::der::Result<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(der)?;
    let (r, s) = reader.sequence(|body| Ok((UintRef::decode(body)?, UintRef::decode(body)?)))?;
    reader.finish((r.as_bytes(), s.as_bytes()))
}

fn encode(r: &[u8], s: &[u8]) -> ::spki::der::Result<Zeroizing<Vec<u8>>> {
    let mut body = Zeroizing::new(Vec::with_capacity(r.len() + s.len() + 8));
    UintRef::new(r)?.encode_to_vec(&mut body)?;
    UintRef::new(s)?.encode_to_vec(&mut body)?;
    Ok(AnyRef::new(Tag::Sequence, &body)?.to_der()?.into())
}
