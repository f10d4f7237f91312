//! A software authenticator, for tests: signs as `ssh-keygen -Y sign` does with a key file, and as a FIDO token does, with
//! whatever flags, application and counter a test wants. It is not a token: nothing here says what real ones do.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Signer as _;
use proto::algorithm::{Algorithm, HashAlgorithm};

use super::key::{SshKey, SshKind};
use super::signature;
pub(crate) use super::signature::{armored, envelope};
use super::wire::put;

/// A private key, and how it signs.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) kind: SshKind,
    pub(crate) seed: [u8; 32],
    pub(crate) application: String,
    pub(crate) flags: u8,
    pub(crate) counter: u32,
    pub(crate) hash: HashAlgorithm,
}

impl Signer {
    /// The key with this number: the same numbers are the same private key, whatever the kind within an algorithm.
    pub(crate) fn new(kind: SshKind, number: u8) -> Self {
        let seed = [number.max(1); 32];
        Self { kind, seed, application: "ssh:".into(), flags: 0x05, counter: 7, hash: HashAlgorithm::Sha512 }
    }

    fn is_ecdsa(&self) -> bool {
        self.kind.algorithm() == Algorithm::EcdsaP256Sha256
    }

    fn p256(&self) -> p256::ecdsa::SigningKey {
        p256::ecdsa::SigningKey::from_bytes(&self.seed.into()).unwrap()
    }

    fn ed25519(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&self.seed).unwrap()
    }

    pub(crate) fn blob(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, self.kind.name().as_bytes());
        if self.is_ecdsa() {
            put(&mut out, b"nistp256");
            put(&mut out, self.p256().verifying_key().to_encoded_point(false).as_bytes());
        } else {
            put(&mut out, self.ed25519().public_key().as_ref());
        }
        if self.kind.is_fido() {
            put(&mut out, self.application.as_bytes());
        }
        out
    }

    /// As in a `.pub` file.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.kind, STANDARD.encode(self.blob()))
    }

    pub(crate) fn public(&self) -> SshKey {
        self.line().parse().unwrap()
    }

    /// `r` and `s` as SSH integers, or the 64 bytes of Ed25519.
    pub(crate) fn raw(&self, message: &[u8]) -> Vec<u8> {
        if !self.is_ecdsa() {
            return self.ed25519().sign(message).as_ref().to_vec();
        }
        let signature: p256::ecdsa::Signature = self.p256().sign(message);
        let mut out = Vec::new();
        for scalar in [signature.r().to_bytes(), signature.s().to_bytes()] {
            put(&mut out, &integer(&scalar));
        }
        out
    }

    /// The signature with its type, over what an SSHSIG signature is over.
    pub(crate) fn signature(&self, signed: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, self.kind.name().as_bytes());
        if self.kind.is_fido() {
            let sha256 = |bytes: &[u8]| HashAlgorithm::Sha256.hash(bytes);
            let mut shown = sha256(self.application.as_bytes());
            shown.push(self.flags);
            shown.extend(self.counter.to_be_bytes());
            shown.extend(sha256(signed));
            put(&mut out, &self.raw(&shown));
            out.push(self.flags);
            out.extend(self.counter.to_be_bytes());
        } else {
            put(&mut out, &self.raw(signed));
        }
        out
    }

    /// The whole envelope, not armored.
    pub(crate) fn envelope(&self, namespace: &str, message: &[u8]) -> Vec<u8> {
        envelope(&self.blob(), namespace, self.hash.name(), &self.signature(&self.signed(namespace, message)))
    }

    /// What the signature is over (PROTOCOL.sshsig, 3).
    pub(crate) fn signed(&self, namespace: &str, message: &[u8]) -> Vec<u8> {
        signature::signed(namespace, self.hash, message)
    }

    /// As `ssh-keygen -Y sign` writes it.
    pub(crate) fn sign(&self, namespace: &str, message: &[u8]) -> String {
        armored(&self.envelope(namespace, message))
    }
}

/// A positive integer in its shortest form.
pub(crate) fn integer(bytes: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if digits.first().is_some_and(|first| *first >= 0x80) { [vec![0], digits].concat() } else { digits }
}
