//! Private keys in files, of rehearsals alone: nobody who decides over anything of worth is given one by this code.
//!
//! An Ed25519 key from its seed, which the caller has drawn: its text as OpenSSH keeps it, and what
//! `ssh-keygen -Y sign` makes with it. The two are the same key to stock tools (held by `tests/tests/genesis.rs`).

use std::fmt;

use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::algorithm::HashAlgorithm;

use super::key::{KeyError, SshKey, SshKind};
use super::signature;
use super::wire::{Malformed, Reader, put};

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
const END: &str = "\n-----END OPENSSH PRIVATE KEY-----\n";
const LINE: usize = 70;
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// Without a cipher, the private part is padded to blocks of eight bytes.
const BLOCK: usize = 8;

/// Why a seed makes no key.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The library refuses it.
    #[error("the seed makes no Ed25519 key: {0}")]
    Rejected(#[from] KeyRejected),
    /// Its point is not one that a person may have; no seed is known for which that is so.
    #[error("the seed makes a key that nobody may sign with: {0}")]
    Key(#[from] KeyError),
}

/// Why a text is no private key that can be used.
#[derive(Debug, thiserror::Error)]
pub enum NotAKey {
    /// Not an OpenSSH private key.
    #[error("expected an OpenSSH private key: `-----BEGIN OPENSSH PRIVATE KEY-----` and base64")]
    Armor,
    /// It ends too early.
    #[error("the private key is cut off or damaged")]
    Cut,
    /// It is sealed.
    #[error("the private key has a passphrase; the keys of a rehearsal's people have none")]
    Passphrase,
    /// Of another kind.
    #[error("the private key is no Ed25519 key; the keys of a rehearsal's people are")]
    Kind,
    /// Its halves are of two keys.
    #[error("the private key does not belong to its public half")]
    Halves,
    /// The seed makes none.
    #[error(transparent)]
    Seed(#[from] SeedError),
}

impl From<Malformed> for NotAKey {
    fn from(_cut: Malformed) -> Self {
        Self::Cut
    }
}

/// An Ed25519 private key.
pub struct PrivateKey {
    pair: Ed25519KeyPair,
    public: SshKey,
    seed: [u8; 32],
}

impl PrivateKey {
    /// The key of a seed of 32 bytes (RFC 8032, 5.1.5).
    ///
    /// # Errors
    /// [`SeedError`].
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, SeedError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)?;
        let public = SshKey::from_blob(&blob(pair.public_key().as_ref()))?;
        Ok(Self { pair, public, seed })
    }

    /// Reads the text of a file without passphrase, as [`Self::file`] and `ssh-keygen` write it.
    ///
    /// # Errors
    /// [`NotAKey`].
    pub fn read(text: &str) -> Result<Self, NotAKey> {
        let text = text.trim_end_matches('\n');
        let body = text
            .strip_prefix(BEGIN)
            .and_then(|rest| rest.strip_suffix(END.trim_end_matches('\n')))
            .ok_or(NotAKey::Armor)?;
        let all = STANDARD.decode(body.replace('\n', "")).map_err(|_not_base64| NotAKey::Armor)?;
        Self::from_parts(Reader::new(&all))
    }

    fn from_parts(mut reader: Reader<'_>) -> Result<Self, NotAKey> {
        reader.magic(MAGIC)?;
        for expected in [b"none".as_slice(), b"none", b""] {
            if reader.string()? != expected {
                return Err(NotAKey::Passphrase);
            }
        }
        if reader.number()? != 1 {
            return Err(NotAKey::Cut);
        }
        let public = reader.string()?;
        let mut private = Reader::new(reader.string()?);
        // Two equal numbers show a wrong passphrase; there is none.
        private.number()?;
        private.number()?;
        if private.string()? != SshKind::Ed25519.name().as_bytes() {
            return Err(NotAKey::Kind);
        }
        private.string()?;
        let seed: [u8; 32] = private.string()?.first_chunk().copied().ok_or(NotAKey::Cut)?;
        let key = Self::from_seed(seed)?;
        if key.public.blob() == public { Ok(key) } else { Err(NotAKey::Halves) }
    }

    /// Its public key.
    pub const fn public(&self) -> &SshKey {
        &self.public
    }

    /// The armored SSHSIG over a message, as `ssh-keygen -Y sign -n NAMESPACE` writes it.
    pub fn sign(&self, namespace: &str, message: &[u8]) -> String {
        let hash = HashAlgorithm::Sha512;
        let made = self.pair.sign(&signature::signed(namespace, hash, message));
        let mut typed = Vec::new();
        put(&mut typed, SshKind::Ed25519.name().as_bytes());
        put(&mut typed, made.as_ref());
        signature::armored(&signature::envelope(self.public.blob(), namespace, hash.name(), &typed))
    }

    /// The text of its file, without passphrase (OpenSSH, PROTOCOL.key).
    pub fn file(&self, comment: &str) -> String {
        let point = self.pair.public_key().as_ref();
        // The two equal numbers show a wrong passphrase; without one, any will do.
        let check = &point[..4];
        let mut private = [check, check].concat();
        put(&mut private, SshKind::Ed25519.name().as_bytes());
        put(&mut private, point);
        put(&mut private, &[&self.seed, point].concat());
        put(&mut private, comment.as_bytes());
        let missing = private.len().next_multiple_of(BLOCK) - private.len();
        private.extend((1..=u8::MAX).take(missing));
        let mut all = MAGIC.to_vec();
        for part in ["none", "none", ""] {
            put(&mut all, part.as_bytes());
        }
        all.extend(1_u32.to_be_bytes());
        put(&mut all, self.public.blob());
        put(&mut all, &private);
        let text = STANDARD.encode(all);
        let lines =
            text.as_bytes().chunks(LINE).map(|line| std::str::from_utf8(line).expect("base64 is ASCII"));
        format!("{BEGIN}{}{END}", lines.collect::<Vec<_>>().join("\n"))
    }
}

/// The public key alone.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PrivateKey").field(&self.public).finish()
    }
}

fn blob(point: &[u8]) -> Vec<u8> {
    let mut blob = Vec::new();
    put(&mut blob, SshKind::Ed25519.name().as_bytes());
    put(&mut blob, point);
    blob
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;
    use crate::ssh::signature::SshSignature;

    #[test]
    fn what_it_signs_is_its_own_and_its_text_is_this() {
        let key = PrivateKey::from_seed([7; 32]).unwrap();
        let signature = SshSignature::parse(&key.sign("here", b"message")).unwrap();
        assert_eq!(signature.key(), key.public());
        signature.verify("here", b"message").unwrap();
        signature.verify("here", b"another").unwrap_err();
        // What `ssh-keygen -y` makes of the text is held by the whole's tests; here it stays as it is.
        assert_eq!(key.file("ada"), include_str!("private/golden.txt"));
        assert!(!format!("{key:?}").contains("BwcH"));
    }
}
