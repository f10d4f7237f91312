//! SSH signatures of files, as `ssh-keygen -Y sign` makes them (OpenSSH, PROTOCOL.sshsig), and FIDO signatures in them
//! (PROTOCOL.u2f).
//!
//! The text has one spelling: the armor's two lines, base64 in lines of 70 characters with padding, a line feed at each
//! end. Fields have their shortest form and nothing follows them. One thing is left open on purpose: of the two values of
//! `s` that an ECDSA signature may have, both are taken, because neither OpenSSH nor tokens choose; nothing here names an
//! act by its signature.
//!
//! A FIDO signature must show touch and user verification. `ssh-keygen -Y verify` does not ask for either.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::algorithm::{Algorithm, HashAlgorithm};
use proto::proof::encoding::SignatureEncoding;
use proto::proof::signature::{Over, VerifyingKey};

use super::key::{KeyError, SshKey, SshKind};
use super::wire::{self, Malformed, Reader};

/// Longest armored signature in bytes.
pub const LONGEST: usize = 4096;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "\n-----END SSH SIGNATURE-----\n";
const LINE: usize = 70;
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;

/// What a FIDO token says of the moment in which it signed; covered by its signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fido {
    /// The flags (WebAuthn, 6.1): bit 0 is touch, bit 2 is user verification.
    pub flags: u8,
    /// Signatures so far; many tokens count all keys together, some not at all. Recorded, not judged.
    pub counter: u32,
}

impl Fido {
    /// Whether somebody touched the token.
    pub const fn touched(self) -> bool {
        self.flags & 0x01 != 0
    }

    /// Whether the token knew whom it had before it: a PIN, a finger.
    pub const fn user_verified(self) -> bool {
        self.flags & 0x04 != 0
    }
}

/// Why a text is no signature, or not one that is taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SshSignatureError {
    /// Longer than any signature.
    #[error("an SSH signature has at most {LONGEST} bytes, this one has {0}")]
    Long(usize),
    /// Not armored.
    #[error(
        "expected an SSH signature as `ssh-keygen -Y sign` writes it, from `-----BEGIN SSH SIGNATURE-----` on"
    )]
    Armor,
    /// The same signature, perhaps, in another spelling.
    #[error(
        "the SSH signature is not as `ssh-keygen -Y sign` writes it: lines of 70 characters, standard base64 with padding, a line feed at each end and nothing after it"
    )]
    Spelling,
    /// Cut off, or with something after its end.
    #[error("the SSH signature is damaged: expected {0}")]
    Damaged(&'static str),
    /// Another version of the format.
    #[error("the SSH signature has format version {0}, expected 1")]
    Version(u32),
    /// The key in it is not one that is taken.
    #[error("the key in the SSH signature: {0}")]
    Key(#[from] KeyError),
    /// Something in the reserved field.
    #[error("the reserved field of the SSH signature is not empty: nobody here knows what it says")]
    Reserved,
    /// Another hash than SHA-256 and SHA-512.
    #[error("the SSH signature hashes with `{0}`: expected sha512 (what `ssh-keygen` takes) or sha256")]
    Hash(String),
    /// A signature of another kind than the key.
    #[error("a `{key}` key makes no `{signature}` signature")]
    OtherKind {
        /// Kind of the key.
        key: SshKind,
        /// What the signature says it is.
        signature: String,
    },
    /// Not 64 bytes, or not two positive integers in their shortest form.
    #[error(
        "the signature of the `{0}` key has not the form of one: 64 bytes, or two positive integers in their shortest form"
    )]
    Form(SshKind),
    /// Made for something else.
    #[error(
        "the SSH signature is for the namespace `{found}`, expected `{expected}`: sign with `-n {expected}`"
    )]
    Namespace {
        /// What it should be for.
        expected: &'static str,
        /// What it is for.
        found: String,
    },
    /// Over other bytes, or by another key.
    #[error("the SSH signature is wrong: it was not made by its key over these bytes")]
    Wrong,
    /// Nobody touched the token.
    #[error("the FIDO token was not touched for this signature: make the key without `no-touch-required`")]
    NoTouch,
    /// The token did not ask who was there.
    #[error(
        "the FIDO token did not verify its user for this signature: make the key with `-O verify-required`"
    )]
    NoUserVerification,
}

/// A signature that was read and proves nothing yet.
#[derive(Clone, Eq, PartialEq)]
pub struct SshSignature {
    key: SshKey,
    namespace: Box<str>,
    hash: HashAlgorithm,
    /// 64 bytes: of Ed25519, or `r ‖ s`.
    value: Vec<u8>,
    fido: Option<Fido>,
}

impl SshSignature {
    /// Reads the armored text.
    ///
    /// # Errors
    /// [`SshSignatureError`], all but those that [`Self::verify`] has.
    pub fn parse(text: &str) -> Result<Self, SshSignatureError> {
        if text.len() > LONGEST {
            return Err(SshSignatureError::Long(text.len()));
        }
        if !text.trim_start().starts_with(BEGIN.trim_end()) {
            return Err(SshSignatureError::Armor);
        }
        let body = text.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
        let joined = body.ok_or(SshSignatureError::Spelling)?.replace('\n', "");
        let blob = STANDARD.decode(joined).map_err(|_not_base64| SshSignatureError::Spelling)?;
        if armored(&blob) != text {
            return Err(SshSignatureError::Spelling);
        }
        Self::from_blob(&blob)
    }

    fn from_blob(blob: &[u8]) -> Result<Self, SshSignatureError> {
        let damaged = |what| move |Malformed| SshSignatureError::Damaged(what);
        let mut reader = Reader::new(blob);
        reader.magic(MAGIC).map_err(damaged("the bytes SSHSIG at its beginning"))?;
        let version = reader.number().map_err(damaged("a version"))?;
        if version != VERSION {
            return Err(SshSignatureError::Version(version));
        }
        let key = SshKey::from_blob(reader.string().map_err(damaged("a public key"))?)?;
        let namespace = reader.text().map_err(damaged("a namespace"))?;
        if !reader.string().map_err(damaged("a reserved field"))?.is_empty() {
            return Err(SshSignatureError::Reserved);
        }
        let hash = match reader.text().map_err(damaged("the name of a hash"))? {
            "sha256" => HashAlgorithm::Sha256,
            "sha512" => HashAlgorithm::Sha512,
            other => return Err(SshSignatureError::Hash(shown(other))),
        };
        let signature = reader.string().map_err(damaged("a signature"))?;
        reader.end().map_err(damaged("nothing after the signature"))?;
        let (value, fido) = signature_of(&key, signature)?;
        Ok(Self { key, namespace: namespace.into(), hash, value, fido })
    }

    /// The key that it names.
    pub const fn key(&self) -> &SshKey {
        &self.key
    }

    /// What it was made for.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The hash of the message that was signed.
    pub const fn hash(&self) -> HashAlgorithm {
        self.hash
    }

    /// What the token says; none for a key that is a file.
    pub const fn fido(&self) -> Option<Fido> {
        self.fido
    }

    /// Whether its key made it over this message, for this namespace, and where the key is on a FIDO token: whether
    /// somebody touched it and was verified. Whose key it is, is not asked here.
    ///
    /// # Errors
    /// [`SshSignatureError`] from [`SshSignatureError::Namespace`] on.
    pub fn verify(&self, namespace: &'static str, message: &[u8]) -> Result<(), SshSignatureError> {
        if *self.namespace != *namespace {
            return Err(SshSignatureError::Namespace { expected: namespace, found: shown(&self.namespace) });
        }
        let mut signed = signed(namespace, self.hash, message);
        if let (Some(fido), Some(application)) = (self.fido, self.key.application()) {
            let inner = HashAlgorithm::Sha256.hash(&signed);
            signed = HashAlgorithm::Sha256.hash(application.as_bytes());
            signed.push(fido.flags);
            signed.extend_from_slice(&fido.counter.to_be_bytes());
            signed.extend_from_slice(&inner);
        }
        VerifyingKey::new(self.key.kind().algorithm(), self.key.public_key())
            .and_then(|key| key.verify(Over::Message(&signed), &self.value, SignatureEncoding::Fixed))
            .map_err(|_one_of_a_kind| SshSignatureError::Wrong)?;
        match self.fido {
            Some(fido) if !fido.touched() => Err(SshSignatureError::NoTouch),
            Some(fido) if !fido.user_verified() => Err(SshSignatureError::NoUserVerification),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for SshSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SshSignature({:?}, {})", self.key, self.namespace)
    }
}

fn signature_of(key: &SshKey, signature: &[u8]) -> Result<(Vec<u8>, Option<Fido>), SshSignatureError> {
    let kind = key.kind();
    let form = |Malformed| SshSignatureError::Form(kind);
    let mut reader = Reader::new(signature);
    let name = reader.text().map_err(form)?;
    if name != kind.name() {
        return Err(SshSignatureError::OtherKind { key: kind, signature: shown(name) });
    }
    let value = reader.string().map_err(form)?;
    let value = match kind.algorithm() {
        Algorithm::Ed25519 if value.len() == 64 => value.to_vec(),
        Algorithm::Ed25519 => return Err(SshSignatureError::Form(kind)),
        _ => Reader::new(value).ecdsa().map_err(form)?.into_bytes(),
    };
    let fido = match kind.is_fido() {
        true => Some(Fido { flags: reader.byte().map_err(form)?, counter: reader.number().map_err(form)? }),
        false => None,
    };
    reader.end().map_err(form)?;
    Ok((value, fido))
}

/// What a signature is over (PROTOCOL.sshsig, 3).
pub(crate) fn signed(namespace: &str, hash: HashAlgorithm, message: &[u8]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for part in [namespace.as_bytes(), b"", hash.name().as_bytes(), &hash.hash(message)] {
        wire::put(&mut out, part);
    }
    out
}

/// The envelope, not armored, of a signature with its type.
pub(crate) fn envelope(key: &[u8], namespace: &str, hash: &str, signature: &[u8]) -> Vec<u8> {
    let mut out = [MAGIC, &VERSION.to_be_bytes()].concat();
    for part in [key, namespace.as_bytes(), b"", hash.as_bytes(), signature] {
        wire::put(&mut out, part);
    }
    out
}

/// The one spelling (OpenSSH, `sshsig_armor`).
pub(crate) fn armored(blob: &[u8]) -> String {
    let text = STANDARD.encode(blob);
    let lines = text.as_bytes().chunks(LINE).map(|line| std::str::from_utf8(line).expect("base64 is ASCII"));
    format!("{BEGIN}{}{END}", lines.collect::<Vec<_>>().join("\n"))
}

fn shown(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests;
