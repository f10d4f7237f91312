//! A key pair in this process's memory.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _,
};
use aws_lc_rs::{digest, rand};
use bytes::Bytes;
use proto::algorithm::{Algorithm, HashAlgorithm};
use proto::proof::encoding::{Curve, EcdsaDer, pem};
use zeroize::Zeroizing;

use super::Identity;
use crate::backend::verify::Verifier;
use crate::backend::{Failure, Prepared, PublicKey, RawSignature};

const LABEL: &str = "PRIVATE KEY";

enum Private {
    Ecdsa(EcdsaKeyPair, Curve),
    Ed25519(Ed25519KeyPair),
}

/// Private and public key.
pub(super) struct Pair {
    private: Private,
    public: PublicKey,
}

fn broken(what: impl std::fmt::Display) -> Failure {
    Failure::Broken {
        cause: format!("the crypto library failed: {what}"),
        retry_after: std::time::Duration::from_secs(1),
    }
}

const fn scheme(algorithm: Algorithm) -> Option<(&'static EcdsaSigningAlgorithm, Curve)> {
    match algorithm {
        Algorithm::EcdsaP256Sha256 => Some((&ECDSA_P256_SHA256_ASN1_SIGNING, Curve::P256)),
        Algorithm::EcdsaP384Sha384 => Some((&ECDSA_P384_SHA384_ASN1_SIGNING, Curve::P384)),
        _ => None,
    }
}

impl Pair {
    /// A new pair, and its sealed file.
    pub(super) fn generate(algorithm: Algorithm, identity: &Identity) -> Result<(Self, Vec<u8>), Failure> {
        let random = SystemRandom::new();
        let document = match scheme(algorithm) {
            Some((scheme, _)) => EcdsaKeyPair::generate_pkcs8(scheme, &random),
            None => Ed25519KeyPair::generate_pkcs8(&random),
        };
        let document = document.map_err(|_opaque| broken("no key pair was made"))?;
        let der = Zeroizing::new(document.as_ref().to_vec());
        let pair = Self::from_pkcs8(algorithm, &der)?;
        pair.prove(&Verifier::new(algorithm, &pair.public)?)?;
        let text = Zeroizing::new(pem::encode(LABEL, &der).map_err(broken)?);
        let sealed = identity.seal(text.as_bytes())?;
        Ok((pair, sealed))
    }

    /// The pair of a sealed file, of this algorithm.
    pub(super) fn open(algorithm: Algorithm, sealed: &[u8], identity: &Identity) -> Result<Self, Failure> {
        Self::from_pkcs8(algorithm, &unpacked(sealed, identity)?)
    }

    /// The pair of a sealed file, of whichever algorithm it is.
    pub(super) fn open_any(sealed: &[u8], identity: &Identity) -> Result<Self, Failure> {
        let der = unpacked(sealed, identity)?;
        let all = [Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384, Algorithm::Ed25519];
        let found = all.into_iter().find_map(|algorithm| Self::from_pkcs8(algorithm, &der).ok());
        found.ok_or_else(|| Failure::Refused {
            cause: "a key file holds no key of an algorithm known here".to_owned(),
        })
    }

    fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, Failure> {
        let other = |cause: aws_lc_rs::error::KeyRejected| Failure::Refused {
            cause: format!("the key file holds no {algorithm} key: {cause}"),
        };
        let (private, public) = match scheme(algorithm) {
            Some((scheme, curve)) => {
                let pair = EcdsaKeyPair::from_pkcs8(scheme, der).map_err(other)?;
                let public = PublicKey::from_ec_point(curve, pair.public_key().as_ref());
                (Private::Ecdsa(pair, curve), public)
            }
            None => {
                let pair = Ed25519KeyPair::from_pkcs8(der).map_err(other)?;
                let raw = pair.public_key().as_ref().first_chunk().copied();
                let public =
                    PublicKey::from_ed25519(&raw.ok_or_else(|| broken("a public key of another length"))?);
                (Private::Ed25519(pair), public)
            }
        };
        Ok(Self { private, public: public.map_err(broken)? })
    }

    pub(super) const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs something nobody asks for, and verifies it.
    pub(super) fn prove(&self, verifier: &Verifier) -> Result<(), Failure> {
        let mut nonce = [0; 32];
        rand::fill(&mut nonce).map_err(|_opaque| broken("no randomness"))?;
        let message = Bytes::from([b"countersign: proof of a key pair\0".as_slice(), &nonce].concat());
        let input = match &self.private {
            Private::Ecdsa(_, Curve::P384) => Prepared::message(Algorithm::EcdsaP384Sha384, &message),
            Private::Ecdsa(..) => Prepared::message(Algorithm::EcdsaP256Sha256, &message),
            Private::Ed25519(_) => Prepared::message(Algorithm::Ed25519, &message),
        };
        verifier.verify(&input, &self.sign(&input)?)
    }

    pub(super) fn sign(&self, input: &Prepared) -> Result<RawSignature, Failure> {
        match (&self.private, input) {
            (Private::Ecdsa(pair, curve), Prepared::Digest(given)) => {
                let hash = match given.algorithm() {
                    HashAlgorithm::Sha256 => &digest::SHA256,
                    HashAlgorithm::Sha384 => &digest::SHA384,
                    HashAlgorithm::Sha512 => &digest::SHA512,
                };
                let digest = digest::Digest::import_less_safe(given.value(), hash)
                    .map_err(|_length| broken("a digest of another length"))?;
                let der = pair.sign_digest(&digest).map_err(|_opaque| broken("no signature was made"))?;
                EcdsaDer::parse(*curve, der.as_ref()).map(RawSignature::Ecdsa).map_err(broken)
            }
            (Private::Ed25519(pair), Prepared::Message(message)) => {
                let signature = pair.try_sign(message).map_err(|_opaque| broken("no signature was made"))?;
                Ok(RawSignature::Plain(signature.as_ref().to_vec().into()))
            }
            _ => Err(Failure::Unsupported {
                what: "a digest for a key that signs messages, or the reverse".to_owned(),
            }),
        }
    }
}

fn unpacked(sealed: &[u8], identity: &Identity) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let text = identity.unseal(sealed)?;
    let no_key = || Failure::Refused { cause: "a key file holds no PRIVATE KEY in PEM".to_owned() };
    let text = std::str::from_utf8(&text).map_err(|_not_text| no_key())?;
    pem::decode(LABEL, text).map(Zeroizing::new).map_err(|_not_pem| no_key())
}
