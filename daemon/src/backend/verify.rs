//! Every fresh signature of a key outside this process is verified in software before it is released.
//!
//! A faulty HSM, a recycled handle, a wrong key, a module that drops leading zeros: each costs an error and never a wrong
//! signature. The keys of backends call this themselves, so it cannot be left out.

use proto::algorithm::Algorithm;
use proto::proof::encoding::{Curve, EcdsaFixed, SignatureEncoding};
use proto::proof::signature::{Over, VerifyingKey};
use zeroize::Zeroizing;

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
    pub fn from_pkcs11(&self, bytes: Zeroizing<Vec<u8>>) -> Result<RawSignature, Failure> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    use aws_lc_rs::rand;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

    use super::*;
    use crate::backend::pkcs11::octets::SignatureOctets;
    use crate::secret::remains::Sought;

    #[test]
    fn what_a_module_gave_is_left_nowhere_in_memory_once_it_is_dropped() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let verifier =
            Verifier::new(Algorithm::EcdsaP256Sha256, &PublicKey::from_spki(spki.as_ref()).unwrap()).unwrap();
        let mut given = Zeroizing::new(vec![0; 64]);
        rand::fill(&mut given).unwrap();
        let sought = Sought::of(&given[38..62]);
        let octets = SignatureOctets::from(&given[..]);
        drop(given);
        assert_eq!(sought.places(), 1);
        let signature = verifier.from_pkcs11(octets.into_bytes()).unwrap();
        assert_eq!(sought.places(), 1, "its DER alone");
        let input = Prepared::message(Algorithm::EcdsaP256Sha256, &bytes::Bytes::from_static(b"hello"));
        assert!(verifier.verify(&input, &signature).is_err(), "it is nobody's");
        let kept = signature.into_bytes();
        assert_eq!(sought.places(), 1, "not copied");
        drop(kept);
        sought.gone();
    }
}
