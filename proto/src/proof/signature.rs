//! Verifying signatures by SubjectPublicKeyInfo, over a message or over its digest.
//!
//! One [`Algorithm`] fixes key, hash and padding: an RSA-3072 key never verifies `rsa-pkcs1-2048-sha256`, PSS never
//! passes for PKCS#1 v1.5, and the salt of PSS is as long as the hash. Whose key it is, and whether it may be trusted,
//! is not decided here.

use std::fmt;

use aws_lc_rs::digest as aws_digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
};

use crate::algorithm::{Algorithm, HashAlgorithm, KeyShape};

use super::encoding::{Curve, EcdsaDer, EcdsaError, EcdsaFixed, SignatureEncoding};
use super::public_key::{PublicKey, PublicKeyError, shape_name};

/// What a signature is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Over<'a> {
    /// The message; hashed here where the algorithm hashes.
    Message(&'a [u8]),
    /// A digest of the message; not for Ed25519, which signs messages.
    Digest(HashAlgorithm, &'a [u8]),
}

/// Why a signature was not verified.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignatureError {
    /// The public key cannot be used.
    #[error(transparent)]
    Key(#[from] PublicKeyError),
    /// The key is of another kind or size than the algorithm needs.
    #[error("{algorithm} needs a {expected} key, this is {found}")]
    OtherKey {
        /// The algorithm.
        algorithm: Algorithm,
        /// The key it needs.
        expected: String,
        /// The key it got.
        found: String,
    },
    /// A digest where the message is needed.
    #[error("{algorithm} signs the message itself: give the message, not its digest")]
    NeedsMessage {
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// A digest of another hash or length.
    #[error("{algorithm} needs a {expected} digest of {} bytes, this is {found} with {length} bytes", expected.length())]
    OtherDigest {
        /// The algorithm.
        algorithm: Algorithm,
        /// The hash it needs.
        expected: HashAlgorithm,
        /// The hash that was given.
        found: HashAlgorithm,
        /// Length of the value given, in bytes.
        length: usize,
    },
    /// The ECDSA signature is not in the encoding that was said.
    #[error(transparent)]
    Encoding(#[from] EcdsaError),
    /// The signature has a length that no signature of this algorithm has.
    #[error("a signature of {algorithm} has {expected} bytes, not {found}")]
    Length {
        /// The algorithm.
        algorithm: Algorithm,
        /// Length of its signatures in bytes.
        expected: usize,
        /// Length of this one.
        found: usize,
    },
    /// Not a signature by this key over these bytes.
    #[error("the signature is wrong: it was not made by this key over these bytes with {algorithm}")]
    Wrong {
        /// The algorithm.
        algorithm: Algorithm,
    },
}

/// A public key made ready to verify one algorithm; parse once, verify often.
pub struct VerifyingKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

/// Verifies one signature. See [`VerifyingKey`] for more than one.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(
    algorithm: Algorithm,
    spki: &[u8],
    over: Over<'_>,
    signature: &[u8],
    encoding: SignatureEncoding,
) -> Result<(), SignatureError> {
    VerifyingKey::new(algorithm, &PublicKey::from_spki(spki)?)?.verify(over, signature, encoding)
}

impl VerifyingKey {
    /// The key, for this algorithm.
    ///
    /// # Errors
    /// [`SignatureError::OtherKey`] when curve or modulus is not the algorithm's.
    pub fn new(algorithm: Algorithm, key: &PublicKey) -> Result<VerifyingKey, SignatureError> {
        if !key.fits(algorithm) {
            let expected = shape_name(algorithm.shape());
            return Err(SignatureError::OtherKey { algorithm, expected, found: key.name() });
        }
        let parsed = ParsedPublicKey::new(verification(algorithm), key.spki())
            .map_err(|_opaque| PublicKeyError::Invalid { name: key.name() })?;
        Ok(VerifyingKey { algorithm, key: parsed })
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Verifies a signature. `encoding` matters for ECDSA alone.
    ///
    /// # Errors
    /// [`SignatureError`]; [`SignatureError::Wrong`] when everything has its form and the signature is another's.
    pub fn verify(
        &self,
        over: Over<'_>,
        signature: &[u8],
        encoding: SignatureEncoding,
    ) -> Result<(), SignatureError> {
        let algorithm = self.algorithm;
        let Some(curve) = Curve::of(algorithm.shape()) else {
            let expected = match algorithm.shape() {
                KeyShape::Rsa(bits) => usize::from(bits) / 8,
                _ => 64,
            };
            if signature.len() != expected {
                return Err(SignatureError::Length { algorithm, expected, found: signature.len() });
            }
            return self.check(over, signature);
        };
        let der = match encoding {
            SignatureEncoding::Der => EcdsaDer::parse(curve, signature)?,
            SignatureEncoding::Fixed => EcdsaFixed::parse(curve, signature)?.to_der(),
        };
        self.check(over, der.as_bytes())
    }

    /// Verifies a signature whose encoding nobody said, and says which it was. For other algorithms than ECDSA that is
    /// always [`SignatureEncoding::Der`], which they ignore.
    ///
    /// # Errors
    /// As [`VerifyingKey::verify`]; what is wrong is said of the encoding that the signature's length suggests.
    pub fn verify_either(
        &self,
        over: Over<'_>,
        signature: &[u8],
    ) -> Result<SignatureEncoding, SignatureError> {
        let fixed =
            Curve::of(self.algorithm.shape()).is_some_and(|curve| signature.len() == 2 * curve.length());
        let (likely, other) = match fixed {
            true => (SignatureEncoding::Fixed, SignatureEncoding::Der),
            false => (SignatureEncoding::Der, SignatureEncoding::Fixed),
        };
        match self.verify(over, signature, likely) {
            Ok(()) => Ok(likely),
            Err(_) if self.algorithm.is_ecdsa() && self.verify(over, signature, other).is_ok() => Ok(other),
            Err(error) => Err(error),
        }
    }

    fn check(&self, over: Over<'_>, signature: &[u8]) -> Result<(), SignatureError> {
        let algorithm = self.algorithm;
        let outcome = match over {
            Over::Message(message) => self.key.verify_sig(message, signature),
            Over::Digest(found, value) => {
                let expected = algorithm.hash().ok_or(SignatureError::NeedsMessage { algorithm })?;
                let other = SignatureError::OtherDigest { algorithm, expected, found, length: value.len() };
                if found != expected {
                    return Err(other);
                }
                let digest = aws_digest::Digest::import_less_safe(value, aws_hash(expected));
                self.key.verify_digest_sig(&digest.map_err(|_only_the_length| other)?, signature)
            }
        };
        outcome.map_err(|_opaque| SignatureError::Wrong { algorithm })
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "VerifyingKey({})", self.algorithm)
    }
}

fn verification(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Algorithm::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
        Algorithm::EcdsaP384Sha384 => &ECDSA_P384_SHA384_ASN1,
        Algorithm::EcdsaP521Sha512 => &ECDSA_P521_SHA512_ASN1,
        Algorithm::Ed25519 => &ED25519,
        Algorithm::RsaPkcs1_2048Sha256 | Algorithm::RsaPkcs1_3072Sha256 | Algorithm::RsaPkcs1_4096Sha256 => {
            &RSA_PKCS1_2048_8192_SHA256
        }
        Algorithm::RsaPkcs1_4096Sha512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::RsaPss2048Sha256 | Algorithm::RsaPss3072Sha256 | Algorithm::RsaPss4096Sha256 => {
            &RSA_PSS_2048_8192_SHA256
        }
        Algorithm::RsaPss4096Sha512 => &RSA_PSS_2048_8192_SHA512,
    }
}

fn aws_hash(hash: HashAlgorithm) -> &'static aws_digest::Algorithm {
    match hash {
        HashAlgorithm::Sha256 => &aws_digest::SHA256,
        HashAlgorithm::Sha384 => &aws_digest::SHA384,
        HashAlgorithm::Sha512 => &aws_digest::SHA512,
    }
}
