//! The one SubjectPublicKeyInfo (RFC 5280, 4.1.2.7) of each public key: EC with named curve and uncompressed point
//! (RFC 5480), RSA with NULL parameters (RFC 3279, 2.3.1), Ed25519 without parameters (RFC 8410).
//!
//! These put bytes together; [`PublicKey`](crate::proof::public_key::PublicKey) says whether the result is a key.

use ::spki::der::asn1::{AnyRef, BitStringRef, Null, UintRef};
use ::spki::der::{Encode, Tag};
use ::spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::Curve;

pub(in crate::proof) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(in crate::proof) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(in crate::proof) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// Parts that are too long for any key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the parts of a public key have no more than a few thousand bytes")]
pub struct TooLong;

impl Curve {
    pub(in crate::proof) fn oid(self) -> ObjectIdentifier {
        match self {
            Curve::P256 => P256,
            Curve::P384 => P384,
            Curve::P521 => P521,
        }
    }

    pub(in crate::proof) fn of_oid(oid: ObjectIdentifier) -> Option<Curve> {
        Curve::ALL.into_iter().find(|curve| curve.oid() == oid)
    }
}

/// The DER of an EC key: `point` is `0x04 ‖ x ‖ y` (SEC 1, 2.3.3).
///
/// # Errors
/// [`TooLong`].
pub fn ec(curve: Curve, point: &[u8]) -> Result<Vec<u8>, TooLong> {
    let oid = curve.oid();
    build(EC, Some(AnyRef::from(&oid)), point)
}

/// The DER of an RSA key from modulus and public exponent, both big-endian; leading zeros are dropped.
///
/// # Errors
/// [`TooLong`].
pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, TooLong> {
    let key = rsa_key(modulus, exponent).map_err(|_only_lengths_fail| TooLong)?;
    build(RSA, Some(Null.into()), &key)
}

/// The DER of an Ed25519 key from its 32 bytes (RFC 8032).
#[must_use]
pub fn ed25519(key: &[u8; 32]) -> Vec<u8> {
    build(ED25519, None, key).expect("32 bytes are not too long")
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> ::spki::der::Result<Vec<u8>> {
    let mut body = UintRef::new(modulus)?.to_der()?;
    UintRef::new(exponent)?.encode_to_vec(&mut body)?;
    AnyRef::new(Tag::Sequence, &body)?.to_der()
}

fn build(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<Vec<u8>, TooLong> {
    let subject_public_key = BitStringRef::from_bytes(key).map_err(|_only_lengths_fail| TooLong)?;
    let algorithm = AlgorithmIdentifierRef { oid, parameters };
    let info = SubjectPublicKeyInfoRef { algorithm, subject_public_key };
    info.to_der().map_err(|_only_lengths_fail| TooLong)
}
