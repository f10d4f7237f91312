//! Algorithms as PKCS#11 mechanisms, over digests that we made: modules are asked for nothing but the bare signature.

use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use proto::algorithm::{Algorithm, HashAlgorithm, KeyShape};

use super::super::message::{Class, Fault};
use super::fault::fault;

/// `DigestInfo` of RFC 8017, section 9.2, note 1, up to the digest.
const fn digest_info(hash: HashAlgorithm) -> [u8; 19] {
    let (arc, length, total) = match hash {
        HashAlgorithm::Sha256 => (1, 32, 0x31),
        HashAlgorithm::Sha384 => (2, 48, 0x41),
        HashAlgorithm::Sha512 => (3, 64, 0x51),
    };
    [
        0x30, total, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc, 0x05, 0x00,
        0x04, length,
    ]
}

/// The mechanism, and what it signs.
///
/// # Errors
/// If a digest has not the length of the algorithm's hash: modules sign a digest of any length, truncated.
pub(super) fn prepare(algorithm: Algorithm, input: Vec<u8>) -> Result<(Mechanism<'static>, Vec<u8>), Fault> {
    let Some(hash) = algorithm.hash() else {
        return Ok((Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)), input));
    };
    if input.len() != hash.length() {
        return Err(fault(
            Class::Refused,
            format!("{algorithm} signs a {hash} digest of {} bytes, not {}", hash.length(), input.len()),
        ));
    }
    Ok(match algorithm.shape() {
        KeyShape::Rsa(_) if algorithm.is_pss() => {
            let (hash_alg, mgf) = match hash {
                HashAlgorithm::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
                HashAlgorithm::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384),
                HashAlgorithm::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512),
            };
            // The salt is as long as the hash, as every profile asks that we know.
            let s_len = (hash.length() as u64).into();
            (Mechanism::RsaPkcsPss(PkcsPssParams { hash_alg, mgf, s_len }), input)
        }
        KeyShape::Rsa(_) => (Mechanism::RsaPkcs, [digest_info(hash).as_slice(), &input].concat()),
        KeyShape::P256 | KeyShape::P384 | KeyShape::P521 | KeyShape::Ed25519 => (Mechanism::Ecdsa, input),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn digests_of_another_length_are_refused_with_the_length_expected() {
        for algorithm in Algorithm::ALL.iter().filter(|algorithm| algorithm.hash().is_some()) {
            for length in [0, 20, 31, 33, 47, 63, 65, 1000] {
                let refused = prepare(*algorithm, vec![0; length]).unwrap_err();
                assert_eq!(refused.class, Class::Refused);
                assert!(refused.cause.contains("digest of"), "{}", refused.cause);
            }
        }
    }

    #[test]
    fn pkcs1_input_is_a_digest_info() {
        let (_, input) = prepare(Algorithm::RsaPkcs1_4096Sha512, vec![7; 64]).unwrap();
        assert_eq!(input.len(), 19 + 64);
        assert_eq!(usize::from(input[1]), input.len() - 2);
        assert_eq!((input[18], input[14]), (64, 3));
    }
}
