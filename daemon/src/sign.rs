//! The pipeline of one signature, readable from top to bottom.
//!
//! ```text
//! SignRequest ─ prepare ─► Reading ─ admit ─► Permit + versions ─ intend ─► Intent (durable)
//!    ─ backend signs, verified ─► ─ seal ─► Receipt (durable, fenced) ─► Reply
//! ```
//!
//! Promises: a signature leaves only after its record is durable (L3); for keys outside the process a durable intent
//! exists before the backend is asked (L1); whatever happens after the intent runs in a task of its own, so that a
//! caller who goes away loses nothing from the log (L2).
//!
//! Does not: speak gRPC, know what a certificate is, or decide policy.

mod admit;
mod earlier;
mod operation;
mod pipeline;
pub mod possession;
pub mod prepare;
mod recorded;
mod refuse;
mod reply;

use std::sync::Arc;

use bytes::Bytes;
use proto::canonical::Map;
use proto::digest::{Digest, Digests};
use proto::name::KeyName;

use crate::clock::Clock;
use crate::denials::Denials;
use crate::keyring::Keyring;
use crate::log::Log;

pub(crate) use refuse::{failed, unlogged};
pub use reply::{FullReceipt, Receipt, Reply, Signature};

/// The pipeline with everything that it needs. Shared by all edges.
pub struct Signer {
    log: Log,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    denials: Arc<Denials>,
}

impl Signer {
    /// A pipeline over this log and these keys.
    pub fn new(log: Log, keyring: Arc<Keyring>, clock: Arc<dyn Clock>, denials: Arc<Denials>) -> Arc<Self> {
        Arc::new(Self { log, keyring, clock, denials })
    }

    /// Measures how old the versions are that sign.
    pub fn measure_ages(&self) {
        let now = self.clock.wall();
        for version in self.keyring.snapshot().signing() {
            if let Some(from) = version.valid_from {
                crate::measure::key_age(version.key.as_str(), now.since(from));
            }
        }
    }
}

/// What a caller asks for, already parsed and bounded.
#[derive(Clone, Debug)]
pub struct SignRequest {
    /// The key.
    pub key: KeyName,
    /// What is to be signed.
    pub input: Input,
    /// The same id and input from the same caller within 24 h give the same result.
    pub request_id: Option<String>,
    /// The caller's own word, kept in the detail.
    pub annotations: Map<String>,
    /// How ECDSA signatures are encoded in the reply.
    pub encoding: Encoding,
    /// How much of a receipt the reply carries.
    pub receipt: ReceiptDetail,
    /// Which versions sign.
    pub versions: VersionChoice,
    /// Decide and explain; touch nothing, record nothing.
    pub validate_only: bool,
}

/// The five inputs.
#[derive(Clone, Debug)]
pub enum Input {
    /// Blind: only for keys whose purpose is `digest`.
    Digest(Digests),
    /// Bytes, hashed by the daemon; their kind is decided by what they are.
    Message(Bytes),
    /// Signed as DSSE.
    Dsse {
        /// For instance `application/vnd.in-toto+json`.
        payload_type: String,
        /// The payload.
        payload: Bytes,
    },
    /// Signed as cosign simple signing, built by the daemon.
    Oci {
        /// `registry/repository`, without tag and digest.
        reference: String,
        /// SHA-256 of the manifest or index.
        digest: Digest,
        /// `optional` of the document.
        annotations: Map<String>,
    },
    /// The exact signing input that Notation's plug-in was handed.
    Notation(Bytes),
}

/// How ECDSA signatures are encoded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Encoding {
    /// As the input's ecosystem expects: fixed for Notation, DER for everything else.
    #[default]
    Ecosystem,
    /// ASN.1 DER (RFC 3279, 2.2.3).
    Der,
    /// `r ‖ s` (IEEE P1363).
    Fixed,
}

/// How much of a receipt a reply carries.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ReceiptDetail {
    /// Nothing.
    #[default]
    None,
    /// Index and leaf hash.
    Index,
    /// Everything that offline verification needs.
    Full,
}

/// Which versions sign.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum VersionChoice {
    /// The active version; during an overlap the retiring one too.
    #[default]
    All,
    /// The active version alone.
    Active,
    /// The retiring version alone.
    Retiring,
}

impl VersionChoice {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Active => "active",
            Self::Retiring => "retiring",
        }
    }
}
