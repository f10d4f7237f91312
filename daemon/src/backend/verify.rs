//! Every fresh signature of a key outside this process is verified in software before it is released.
//!
//! A faulty HSM, a recycled handle, a wrong key, a module that drops leading zeros: each costs an error and never a wrong
//! signature. The keys of backends call this themselves, so it cannot be left out.

use proto::algorithm::Algorithm;
use proto::proof::encoding::{Curve, EcdsaFixed, SignatureEncoding};
use proto::proof::signature::{Over, VerifyingKey};

use super::{Failure, Prepared, PublicKey, RawSignature};

/// A public key made ready, once per opened key.
#[derive(Debug)]
pub struct Verifier {
    algorithm: Algorithm,
    key: VerifyingKey,
}

impl Verifier {
    /// For the signatures of this key with this algorithm.
    ///
    /// # Errors
    /// [`Failure::Unsupported`] if the key is not of the algorithm's shape.
    pub fn new(algorithm: Algorithm, key: &PublicKey) -> Result<Self, Failure> {
        let key =
            VerifyingKey::new(algorithm, key).map_err(|e| Failure::Unsupported { what: e.to_string() })?;
        Ok(Self { algorithm, key })
    }

    /// Verifies a signature.
    ///
    /// # Errors
    /// [`Failure::Mismatch`]: it was made by another key, over something else, or by a faulty device.
    pub fn verify(&self, input: &Prepared, signature: &RawSignature) -> Result<(), Failure> {
        let over = match input {
            Prepared::Digest(digest) => Over::Digest(digest.algorithm(), digest.value()),
            Prepared::Message(message) => Over::Message(message),
        };
        self.key.verify(over, signature.as_bytes(), SignatureEncoding::Der).map_err(|error| {
            Failure::Mismatch {
                what: format!(
                    "the backend's signature does not verify against the recorded public key: {error}"
                ),
            }
        })
    }

    /// A PKCS#11 module's bytes as a signature: ECDSA is `r ‖ s`, exactly as long as the curve asks (PKCS#11, 2.3.1).
    ///
    /// # Errors
    /// [`Failure::Mismatch`] where the bytes are no signature of this algorithm: modules answer DER, or drop zeros.
    pub fn from_pkcs11(&self, bytes: Vec<u8>) -> Result<RawSignature, Failure> {
        let Some(curve) = Curve::of(self.algorithm.shape()) else { return Ok(RawSignature::Plain(bytes)) };
        match EcdsaFixed::parse(curve, &bytes) {
            Ok(fixed) => Ok(RawSignature::Ecdsa(fixed.to_der())),
            Err(error) => {
                Err(Failure::Mismatch { what: format!("the module's signature is malformed: {error}") })
            }
        }
    }
}

/// Verifies one signature. Whoever verifies many keeps a [`Verifier`].
///
/// # Errors
/// As [`Verifier::new`] and [`Verifier::verify`].
pub fn verify(
    algorithm: Algorithm,
    key: &PublicKey,
    input: &Prepared,
    signature: &RawSignature,
) -> Result<(), Failure> {
    Verifier::new(algorithm, key)?.verify(input, signature)
}
