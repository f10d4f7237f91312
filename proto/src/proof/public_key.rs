//! Public keys: exactly those that some algorithm of ours can use, in the one form that key ids are made of.
//!
//! A key that is not supported is refused by its name (RSA-1024, P-224, Ed448), because whoever enrolled it must know
//! what to replace.

use std::fmt;

use ::spki::der::asn1::{AnyRef, UintRef};
use ::spki::der::{Decode, Encode, Reader, SliceReader};
use ::spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};

use crate::algorithm::{Algorithm, KeyShape};
use crate::key_id::KeyId;

use super::encoding::pem::{self, PemError};
use super::encoding::{Curve, spki};

mod unsupported;

/// A public key that is valid (its point on the curve, its modulus of a size in use), with its canonical DER.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct PublicKey {
    shape: KeyShape,
    spki: Box<[u8]>,
}

/// Why bytes are no public key that can be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PublicKeyError {
    /// Not strict DER of a SubjectPublicKeyInfo.
    #[error(
        "expected a public key as strict DER of a SubjectPublicKeyInfo (RFC 5280, 4.1.2.7) and nothing after it"
    )]
    Der,
    /// Not PEM of one.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// A kind of key that no algorithm here uses.
    #[error(
        "{found} keys are not supported: use P-256, P-384, P-521, Ed25519, or RSA with 2048, 3072 or 4096 bits"
    )]
    Unsupported {
        /// Its name, or its object identifier.
        found: String,
    },
    /// A supported key in another form than the one that key ids are made of.
    #[error(
        "expected the public key with {expected}, because its id is a hash of these bytes: write it out again so"
    )]
    Form {
        /// What belongs there.
        expected: &'static str,
    },
    /// No such key exists.
    #[error("this is no valid {name} public key: its numbers contradict each other or are out of range")]
    Invalid {
        /// What it claims to be.
        name: String,
    },
}

impl PublicKey {
    /// Reads the DER of a SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`PublicKeyError`].
    pub fn from_spki(der: &[u8]) -> Result<PublicKey, PublicKeyError> {
        let info =
            SubjectPublicKeyInfoRef::from_der(der).map_err(|_described_by_ours| PublicKeyError::Der)?;
        // Reading is writing: whatever else the bytes could hide is not in what we understood.
        if info.to_der().ok().as_deref() != Some(der) {
            return Err(PublicKeyError::Der);
        }
        let key = info.subject_public_key.as_bytes().ok_or(PublicKeyError::Der)?;
        let (oid, parameters) = (info.algorithm.oid, info.algorithm.parameters);
        let shape = match oid {
            spki::EC => ec_shape(parameters, key)?,
            spki::RSA => rsa_shape(parameters, key)?,
            spki::ED25519 => ed25519_shape(parameters, key)?,
            other => return Err(unsupported(other)),
        };
        ParsedPublicKey::new(checker(shape), der)
            .map_err(|_opaque| PublicKeyError::Invalid { name: shape_name(shape) })?;
        Ok(PublicKey { shape, spki: der.into() })
    }

    /// Reads the PEM of a SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`PublicKeyError`].
    pub fn from_pem(text: &str) -> Result<PublicKey, PublicKeyError> {
        Self::from_spki(&pem::decode(pem::PUBLIC_KEY, text)?)
    }

    /// The key with this uncompressed point, `0x04 ‖ x ‖ y` (SEC 1, 2.3.3).
    ///
    /// # Errors
    /// [`PublicKeyError::Form`] for any other point form, [`PublicKeyError::Invalid`] for one off the curve.
    pub fn from_ec_point(curve: Curve, point: &[u8]) -> Result<PublicKey, PublicKeyError> {
        Self::from_spki(
            &spki::ec(curve, point).map_err(|_too_long| PublicKeyError::Form { expected: UNCOMPRESSED })?,
        )
    }

    /// The RSA key with this modulus and public exponent, both big-endian.
    ///
    /// # Errors
    /// [`PublicKeyError::Unsupported`] names other sizes, [`PublicKeyError::Invalid`] what is no key.
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<PublicKey, PublicKeyError> {
        let too_long = |_too_long| PublicKeyError::Unsupported { found: "oversized RSA".into() };
        Self::from_spki(&spki::rsa(modulus, exponent).map_err(too_long)?)
    }

    /// The Ed25519 key with these 32 bytes (RFC 8032).
    ///
    /// # Errors
    /// [`PublicKeyError::Invalid`].
    pub fn from_ed25519(key: &[u8; 32]) -> Result<PublicKey, PublicKeyError> {
        Self::from_spki(&spki::ed25519(key))
    }

    /// What it is.
    #[must_use]
    pub fn shape(&self) -> KeyShape {
        self.shape
    }

    /// Its canonical SubjectPublicKeyInfo, as DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Its id.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        KeyId::of_spki(&self.spki)
    }

    /// Its SubjectPublicKeyInfo as PEM, with a newline at the end.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode(pem::PUBLIC_KEY, &self.spki).expect("PUBLIC KEY is a label and keys are short")
    }

    /// Whether this algorithm uses such keys.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        algorithm.shape() == self.shape
    }

    /// Name of what it is, as `P-256` or `RSA-3072`.
    #[must_use]
    pub fn name(&self) -> String {
        shape_name(self.shape)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PublicKey({}, {})", self.name(), self.key_id())
    }
}

/// `P-256`, `Ed25519`, `RSA-3072`.
pub(super) fn shape_name(shape: KeyShape) -> String {
    match shape {
        KeyShape::P256 => "P-256".into(),
        KeyShape::P384 => "P-384".into(),
        KeyShape::P521 => "P-521".into(),
        KeyShape::Ed25519 => "Ed25519".into(),
        KeyShape::Rsa(bits) => format!("RSA-{bits}"),
    }
}

/// Any algorithm of this kind of key will do to have the key's numbers checked.
fn checker(shape: KeyShape) -> &'static dyn VerificationAlgorithm {
    match shape {
        KeyShape::P256 => &ECDSA_P256_SHA256_ASN1,
        KeyShape::P384 => &ECDSA_P384_SHA384_ASN1,
        KeyShape::P521 => &ECDSA_P521_SHA512_ASN1,
        KeyShape::Ed25519 => &ED25519,
        KeyShape::Rsa(_) => &RSA_PKCS1_2048_8192_SHA256,
    }
}

fn unsupported(oid: ObjectIdentifier) -> PublicKeyError {
    let oid = oid.to_string();
    PublicKeyError::Unsupported { found: unsupported::name(&oid).map_or(oid, str::to_owned) }
}

const NAMED: &str = "the curve's name as parameters";
const UNCOMPRESSED: &str = "the uncompressed point 0x04, x, y";
const NULL: &str = "NULL as parameters";
const NONE: &str = "no parameters";

fn ec_shape(parameters: Option<AnyRef<'_>>, point: &[u8]) -> Result<KeyShape, PublicKeyError> {
    let oid = parameters.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    let oid = oid.ok_or(PublicKeyError::Form { expected: NAMED })?;
    let curve = Curve::of_oid(oid).ok_or_else(|| unsupported(oid))?;
    if point.len() != 1 + 2 * curve.length() || point[0] != 0x04 {
        return Err(PublicKeyError::Form { expected: UNCOMPRESSED });
    }
    Ok(curve.shape())
}

fn rsa_shape(parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<KeyShape, PublicKeyError> {
    if !parameters.is_some_and(|any| any.is_null()) {
        return Err(PublicKeyError::Form { expected: NULL });
    }
    let modulus = rsa_modulus(key).map_err(|_described_by_ours| PublicKeyError::Der)?;
    let bits = 8 * modulus.len() - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    match bits {
        2048 => Ok(KeyShape::Rsa(2048)),
        3072 => Ok(KeyShape::Rsa(3072)),
        4096 => Ok(KeyShape::Rsa(4096)),
        other => Err(PublicKeyError::Unsupported { found: format!("RSA-{other}") }),
    }
}

fn rsa_modulus(key: &[u8]) -> ::spki::der::Result<&[u8]> {
    let mut reader = SliceReader::new(key)?;
    let (modulus, _exponent) =
        reader.sequence(|body| Ok((UintRef::decode(body)?, UintRef::decode(body)?)))?;
    reader.finish(modulus.as_bytes())
}

fn ed25519_shape(parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<KeyShape, PublicKeyError> {
    match (parameters, key.len()) {
        (Some(_), _) => Err(PublicKeyError::Form { expected: NONE }),
        (None, 32) => Ok(KeyShape::Ed25519),
        (None, _) => Err(PublicKeyError::Invalid { name: "Ed25519".into() }),
    }
}
