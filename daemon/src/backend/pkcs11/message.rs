//! What the daemon and a PKCS#11 host say to each other.
//!
//! First each end says [`Hello`]; an unequal protocol or build refuses. Then the daemon sends [`Request`]s, the host
//! [`Reply`]s in any order and, unsolicited, [`Notice`]s. An *epoch* counts how often the module was initialised (across
//! hosts): handles, key numbers and sessions of one epoch mean nothing in another, so a [`Ask::Sign`] that names an old
//! one is answered [`Class::Stale`] and never tried.
//!
//! No PIN travels here: settings carry a reference and the host reads it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ceremonies::genesis::Mode;
use proto::algorithm::Algorithm;
use proto::hash::Hash;
use serde::{Deserialize, Serialize};

use super::octets::{Octets, SignatureOctets};
use super::uri::Uri;
use crate::secret::SecretReference;

/// Goes up with every change of these types.
pub const PROTOCOL: u32 = 5;

/// The first word of each end.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Which build speaks.
    pub build: String,
}

impl Hello {
    /// This build's.
    ///
    /// The build is the crate's version and the digest of the protocol's source: two ends that agree on it agree on every
    /// byte.
    pub fn ours() -> Self {
        let sources =
            [include_str!("message.rs"), include_str!("frame.rs"), include_str!("octets.rs")].concat();
        let build = format!("{} {}", env!("CARGO_PKG_VERSION"), Hash::of(sources.as_bytes()));
        Self { protocol: PROTOCOL, build }
    }
}

/// From the daemon.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum FromDaemon {
    /// First.
    Hello(Hello),
    /// Then.
    Request(Request),
}

/// From the host.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum FromHost {
    /// First.
    Hello(Hello),
    /// To a request.
    Reply(Reply),
    /// On its own.
    Notice(Notice),
}

/// One request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Request {
    /// Chosen by the daemon, never used twice on a connection.
    pub id: u64,
    /// Milliseconds after which nobody waits for the answer: a second try is not begun later than that. 0: no end.
    pub timeout: u32,
    /// What to do.
    pub body: Ask,
}

/// What to do.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Ask {
    /// Load the module, find the token, log in. The first request, and only that.
    Open(Box<Open>),
    /// Find one private key, compare its public key, and give it a number for this epoch.
    FindKey {
        /// The key.
        place: Uri,
        /// Its SubjectPublicKeyInfo.
        expected: Octets,
    },
    /// Sign.
    Sign {
        /// The epoch that the number is of.
        epoch: u64,
        /// The key's number.
        key: u32,
        /// The algorithm.
        algorithm: Algorithm,
        /// A digest, or for Ed25519 the message.
        input: Octets,
    },
    /// Make a key pair.
    Generate {
        /// The algorithm.
        algorithm: Algorithm,
        /// `CKA_LABEL`.
        label: String,
        /// `CKA_ID`.
        id: Octets,
    },
    /// Destroy the key pair with this public key, whatever is left of it.
    Destroy {
        /// The key.
        place: Uri,
        /// SHA-256 of its SubjectPublicKeyInfo.
        key: Octets,
    },
    /// List private keys with their public keys.
    List {
        /// Which.
        place: Uri,
    },
    /// Read an anchor's data object: the later one where a crash has left two.
    ReadObject {
        /// The token, and the object's label.
        place: Uri,
    },
    /// Write it: a new object, and then the one before is destroyed.
    WriteObject {
        /// The token, and the object's label.
        place: Uri,
        /// `CKA_VALUE`.
        value: Octets,
        /// It is the first: there must be none, where else there must be one.
        first: bool,
    },
    /// Ask the token how it is; bring it back if it is down.
    Probe,
    /// Log out and end.
    Quit,
}

/// How to open a token.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Open {
    /// The module.
    pub module: PathBuf,
    /// The token.
    pub token: Uri,
    /// Of which mode the instance is that it must be for; `None` where neither is asked.
    pub mode: Option<Mode>,
    /// Where the PIN is, for a token that wants one.
    pub pin: Option<PinPlace>,
    /// The backend's name.
    pub backend: String,
    /// The directory in which PINs known to be wrong are remembered.
    pub memory: PathBuf,
    /// Sessions, and threads that use them.
    pub sessions: u16,
    /// How long one call may take, in milliseconds: a host whose daemon does not end it ends itself a little later.
    pub call_limit: u32,
    /// The epoch to begin with.
    pub epoch: u64,
}

/// Where the PIN is. Never the PIN.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum PinPlace {
    /// A file.
    File(PathBuf),
    /// A systemd credential.
    Credential(String),
}

impl From<&SecretReference> for PinPlace {
    fn from(reference: &SecretReference) -> Self {
        match reference {
            SecretReference::File { path } => Self::File(path.clone()),
            SecretReference::Credential { name } => Self::Credential(name.clone()),
        }
    }
}

/// An answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Reply {
    /// The request's id.
    pub id: u64,
    /// The epoch in which it was answered.
    pub epoch: u64,
    /// The answer.
    pub body: Answer,
}

/// The answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Answer {
    /// To `Open` and `Probe`: the token is there and logged in.
    Ready(Token),
    /// To `FindKey`: the key's number in this epoch. Its public key is the expected one.
    Key(u32),
    /// To `Sign`: the module's bytes, unchanged.
    Signed(SignatureOctets),
    /// To `List`.
    Listed(Vec<Seen>),
    /// To `Generate`.
    Generated(Box<Made>),
    /// To `Destroy`.
    Destroyed,
    /// To `ReadObject`: `CKA_VALUE`, cut off behind what an anchor may have.
    Object(Octets),
    /// To `WriteObject`.
    Written,
    /// It failed.
    Failed(Fault),
}

/// A key pair that was just made.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Made {
    /// The key.
    pub key: Seen,
    /// Attributes read back from the private key.
    pub attributes: BTreeMap<String, String>,
    /// Which device it is: what the module says of it, and SHA-256 of the module's file.
    pub device: BTreeMap<String, String>,
}

/// The token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Token {
    /// Its label.
    pub label: String,
    /// Its manufacturer.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
}

/// A key pair in the token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Seen {
    /// The place, in full.
    pub place: Uri,
    /// SubjectPublicKeyInfo; empty where `remarks` says why it could not be had.
    pub public_key: Octets,
    /// What its operator should know.
    pub remarks: Vec<String>,
}

/// A failure in the host.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Fault {
    /// What to do about it.
    pub class: Class,
    /// What happened, for people.
    pub cause: String,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Class {
    /// The epoch is over: find the key again.
    Stale,
    /// Nobody waits any more; not tried.
    Late,
    /// The token is down; it is brought back by probes.
    Unavailable,
    /// The PIN is known to be wrong; nothing is tried until it is changed or unlocked.
    Pin,
    /// The token refuses this request.
    Refused,
    /// No such key or data object.
    NotFound,
    /// There is a data object where the first was to be made.
    Taken,
    /// The key may not be used.
    KeyDisabled,
    /// Not possible with this key or token.
    Unsupported,
    /// Another key, or another token.
    Mismatch,
    /// It may have been done.
    Unknown,
}

/// Something changed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Notice {
    /// The epoch now.
    pub epoch: u64,
    /// How the token is: `None` is well.
    pub down: Option<Fault>,
}
