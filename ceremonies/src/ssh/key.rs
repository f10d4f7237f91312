//! The public keys that people sign with.
//!
//! *The same key* is the same private key: [`SshKey::id`] is the SHA-256 of the point as a SubjectPublicKeyInfo, so it does
//! not depend on comment, text, key type or FIDO application. One private key can answer under several applications, and a
//! point that a software key shows can be written down as a FIDO key; whoever holds it is still one person with one key.
//! A signature, on the other hand, must come under exactly the enrolled form ([`SshKey::blob`]): type, point and
//! application.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::algorithm::Algorithm;
use proto::key_id::KeyId;
use proto::proof::encoding::Curve;
use proto::proof::public_key::PublicKey;

use super::wire::{Malformed, Reader};

/// What every FIDO application of an SSH key begins with; browsers' keys have an `https:` there.
pub const APPLICATION: &str = "ssh:";

/// Longest FIDO application in bytes.
pub const LONGEST_APPLICATION: usize = 128;

/// Longest line of a public key in bytes, its comment included.
pub const LONGEST_LINE: usize = 1024;

/// The kinds of key that people may sign with.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SshKind {
    /// `ecdsa-sha2-nistp256` (RFC 5656).
    EcdsaP256,
    /// `ssh-ed25519` (RFC 8709).
    Ed25519,
    /// `sk-ecdsa-sha2-nistp256@openssh.com`: on a FIDO token (OpenSSH, PROTOCOL.u2f).
    SkEcdsaP256,
    /// `sk-ssh-ed25519@openssh.com`: on a FIDO token.
    SkEd25519,
}

impl SshKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::EcdsaP256, Self::Ed25519, Self::SkEcdsaP256, Self::SkEd25519];

    /// OpenSSH's name of it, for instance `ssh-ed25519`. Signatures have the same name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::Ed25519 => "ssh-ed25519",
            Self::SkEcdsaP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
        }
    }

    /// Whether its private key is in a FIDO token, which is what the key says and what its signatures' form shows.
    pub const fn is_fido(self) -> bool {
        matches!(self, Self::SkEcdsaP256 | Self::SkEd25519)
    }

    /// The algorithm of its signatures.
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::EcdsaP256 | Self::SkEcdsaP256 => Algorithm::EcdsaP256Sha256,
            Self::Ed25519 | Self::SkEd25519 => Algorithm::Ed25519,
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for SshKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why something is no key that a person may sign with.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// Not a public key as OpenSSH writes it.
    #[error(
        "expected an SSH public key on one line, as in a `.pub` file: its type, base64, and perhaps a comment"
    )]
    Form,
    /// A private key. Its text is in no message.
    #[error(
        "this is a private key: give the public one, which is in the file whose name ends in `.pub`, and replace this key"
    )]
    Private,
    /// RSA, of whatever size.
    #[error("RSA keys are not taken: {}", MAKE)]
    Rsa,
    /// DSA.
    #[error("DSA keys are not taken: {}", MAKE)]
    Dsa,
    /// ECDSA on another curve than P-256.
    #[error("ECDSA keys on `{0}` are not taken, only those on nistp256: {make}", make = MAKE)]
    Curve(String),
    /// A certificate. Who belongs to the roster is the roster's to say.
    #[error("`{0}` is a certificate: enrol the public key itself")]
    Certificate(String),
    /// A FIDO key that a browser uses.
    #[error("`{0}` is a browser's key: enrol one made by `ssh-keygen -t ed25519-sk -O verify-required`")]
    Browser(String),
    /// A type that nobody here knows.
    #[error("`{0}` is no type of key that is taken: {make}", make = MAKE)]
    Unknown(String),
    /// The line and the key in it say different types.
    #[error("the line says `{line}` and the key in it is of type `{blob}`: one of them was edited")]
    TypesDiffer {
        /// What the line says.
        line: String,
        /// What the key says.
        blob: String,
    },
    /// Base64 in another spelling than its one.
    #[error("the key is not standard base64 with padding, or not in its one spelling")]
    Base64,
    /// The key is cut off, has something after its end, or fields of other forms.
    #[error("the key is damaged: expected the fields of `{0}` and nothing after them")]
    Damaged(SshKind),
    /// No such point, or one for which anybody can sign.
    #[error("this is no valid {0} public key: such a point cannot belong to one person")]
    Point(SshKind),
    /// A FIDO application that is not one of SSH.
    #[error(
        "the FIDO application is `{0}`: expected `ssh:` or `ssh:` and a name, at most 128 visible ASCII characters"
    )]
    Application(String),
    /// Longer than any key.
    #[error("a public key's line has at most 1024 bytes, this one has {0}")]
    Long(usize),
}

const MAKE: &str =
    "make one with `ssh-keygen -t ed25519-sk -O verify-required` (a FIDO token) or `-t ed25519`";

/// A public key that a person may sign with.
///
/// Invariant: the point is valid and belongs to one private key, and the blob is its one spelling (held by
/// `one_key_has_one_blob`).
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct SshKey {
    kind: SshKind,
    key: PublicKey,
    application: Option<Box<str>>,
    blob: Box<[u8]>,
}

impl SshKey {
    /// Reads a line as in a `.pub` file; a comment is dropped.
    ///
    /// # Errors
    /// [`KeyError`], each kind of key that is not taken by its name.
    pub fn parse(line: &str) -> Result<Self, KeyError> {
        if line.contains("PRIVATE KEY") {
            return Err(KeyError::Private);
        }
        if line.len() > LONGEST_LINE {
            return Err(KeyError::Long(line.len()));
        }
        if line.contains(['\n', '\r', '\0']) {
            return Err(KeyError::Form);
        }
        let mut words = line.split(' ');
        let (Some(name), Some(text)) = (words.next(), words.next()) else { return Err(KeyError::Form) };
        let blob = STANDARD.decode(text).map_err(|_not_base64| KeyError::Base64);
        // Which key it is matters more than how its text is spelt.
        let named = kind(name)?;
        let key = Self::from_blob(&blob?)?;
        if key.kind == named {
            Ok(key)
        } else {
            Err(KeyError::TypesDiffer { line: name.to_owned(), blob: key.kind.name().to_owned() })
        }
    }

    /// Reads a key blob (RFC 4253, 6.6).
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_blob(blob: &[u8]) -> Result<Self, KeyError> {
        let mut reader = Reader::new(blob);
        let kind = kind(reader.text().map_err(|Malformed| KeyError::Form)?)?;
        let damaged = |Malformed| KeyError::Damaged(kind);
        let invalid = || KeyError::Point(kind);
        let key = match kind.algorithm() {
            Algorithm::Ed25519 => {
                let point: &[u8; 32] = reader
                    .string()
                    .map_err(damaged)?
                    .try_into()
                    .map_err(|_length| KeyError::Damaged(kind))?;
                if !is_of_one_person(point) {
                    return Err(invalid());
                }
                PublicKey::from_ed25519(point).map_err(|_described_by_ours| invalid())?
            }
            _ => {
                if reader.text().map_err(damaged)? != "nistp256" {
                    return Err(KeyError::Damaged(kind));
                }
                let point = reader.string().map_err(damaged)?;
                PublicKey::from_ec_point(Curve::P256, point).map_err(|_described_by_ours| invalid())?
            }
        };
        let application = if kind.is_fido() {
            let text = reader.string().map_err(damaged)?;
            Some(application(text)?)
        } else {
            None
        };
        reader.end().map_err(damaged)?;
        Ok(Self { kind, key, application, blob: blob.into() })
    }

    /// Its kind.
    pub const fn kind(&self) -> SshKind {
        self.kind
    }

    /// Which key it is: the same for every form in which the same private key can be enrolled.
    pub fn id(&self) -> KeyId {
        self.key.key_id()
    }

    /// The FIDO application, for instance `ssh:`; none for keys that are files.
    pub fn application(&self) -> Option<&str> {
        self.application.as_deref()
    }

    /// The exact form in which it is enrolled: type, point, application (RFC 4253, 6.6).
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The key, to verify with.
    pub(super) const fn public_key(&self) -> &PublicKey {
        &self.key
    }
}

/// `type base64`, the form of rosters.
impl fmt::Display for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, STANDARD.encode(&self.blob))
    }
}

impl fmt::Debug for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SshKey({}, {})", self.kind, self.id())
    }
}

impl FromStr for SshKey {
    type Err = KeyError;

    fn from_str(line: &str) -> Result<Self, KeyError> {
        Self::parse(line)
    }
}

fn kind(name: &str) -> Result<SshKind, KeyError> {
    if let Some(kind) = SshKind::of_name(name) {
        return Ok(kind);
    }
    let shown: String = name.chars().take(64).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
    Err(match name {
        _ if name.contains("-cert-v0") => KeyError::Certificate(shown),
        _ if name.starts_with("webauthn-sk-") => KeyError::Browser(shown),
        "ssh-rsa" | "rsa-sha2-256" | "rsa-sha2-512" => KeyError::Rsa,
        "ssh-dss" => KeyError::Dsa,
        _ => match name.strip_prefix("ecdsa-sha2-") {
            Some(curve) => KeyError::Curve(curve.chars().take(64).collect()),
            None if name.starts_with("ssh-") || name.contains('@') => KeyError::Unknown(shown),
            None => KeyError::Form,
        },
    })
}

fn application(text: &[u8]) -> Result<Box<str>, KeyError> {
    let good = text.starts_with(APPLICATION.as_bytes())
        && text.len() <= LONGEST_APPLICATION
        && text.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(text) {
        Ok(text) if good => Ok(text.into()),
        _ => Err(KeyError::Application(String::from_utf8_lossy(text).escape_debug().take(128).collect())),
    }
}

/// y of the points of order 8 of edwards25519 (RFC 8032, 5.1), little-endian; the other small orders have y of 0, 1 and −1.
const ORDER_EIGHT: [[u8; 32]; 2] = [
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// Whether an Ed25519 point is written in its one form and has no small order. For a point of small order anybody can make
/// signatures, and verifiers differ about them.
fn is_of_one_person(point: &[u8; 32]) -> bool {
    let mut y = *point;
    y[31] &= 0x7f;
    let middle = |byte: u8| y[1..31].iter().all(|b| *b == byte);
    // p = 2^255 − 19 is `ed ff … ff 7f`; y from p − 1 on, and 0 and 1.
    let beyond = y[31] == 0x7f && middle(0xff) && y[0] >= 0xec;
    let zero_or_one = y[31] == 0 && middle(0) && y[0] <= 1;
    !beyond && !zero_or_one && !ORDER_EIGHT.contains(&y)
}

#[cfg(test)]
mod tests;
