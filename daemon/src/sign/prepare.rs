//! What the bytes are: from a request's input to what is signed, and what policy may know about it.
//!
//! The kind is decided by the bytes, whatever the caller calls them: a `message` that is a DSSE pre-authentication
//! encoding *is* DSSE. Payloads of other people are interpreted only if they have one reading; anything else is refused,
//! because two verifiers that read it differently would each be right.
//!
//! Promises: pure, no IO; every refusal says what was expected; never panics on any bytes.

mod dsse;
mod json;
mod notation;
mod oci;
mod sniff;

use bytes::Bytes;
use proto::algorithm::{Algorithm, HashAlgorithm};
use proto::canonical::Map;
use proto::digest::{Digest, Digests};
use proto::hash::Hash;
use proto::purpose::Kind;
use proto::reason::Reason;
use proto::record::sign::SUBJECTS;
use proto::refusal::Refusal;

use super::{Input, SignRequest};

/// Longest message, DSSE payload or Notation payload in bytes: 4 MiB.
pub const LONGEST_MESSAGE: usize = 4 * 1024 * 1024;

/// An input that has been read: what to sign and what it speaks about.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What the bytes are.
    pub kind: Kind,
    /// What is signed.
    pub body: Body,
    /// `registry/repository` of an image, the caller's word.
    pub repository: Option<String>,
    /// Predicate type of an in-toto statement.
    pub predicate_type: Option<String>,
    /// Digests that the payload speaks about, `sha256:<hex>`; at most 1,024.
    pub subjects: Vec<String>,
    /// Bytes that the daemon built and the caller does not have: empty for all but `oci` and `dsse`.
    pub built: Bytes,
}

/// What is signed.
#[derive(Clone, Debug)]
pub enum Body {
    /// Bytes that the daemon hashes.
    Message(Bytes),
    /// Digests of bytes that the daemon never sees.
    Digests(Digests),
}

impl Body {
    /// What is known of it before a version is chosen: the digests that were given, or SHA-256 of the message.
    pub fn digests(&self) -> Digests {
        match self {
            Self::Message(message) => Digest::of(HashAlgorithm::Sha256, message).into(),
            Self::Digests(digests) => digests.clone(),
        }
    }

    /// The digest that a version with this algorithm signs, or is recorded with where it signs the message itself.
    ///
    /// # Errors
    /// [`Reason::InvalidDigest`] where only digests of other hashes were given, or the algorithm needs the message.
    pub fn digest(&self, algorithm: Algorithm) -> Result<Digest, Refusal> {
        match (self, algorithm.hash()) {
            (Self::Message(message), hash) => Ok(Digest::of(hash.unwrap_or(HashAlgorithm::Sha256), message)),
            (Self::Digests(digests), Some(hash)) => digests.find(hash).cloned().ok_or_else(|| {
                Refusal::new(
                    Reason::InvalidDigest,
                    format!(
                        "{algorithm} signs a {hash} digest of {} bytes, which was not given",
                        hash.length()
                    ),
                )
                .with("expected", hash)
            }),
            (Self::Digests(_), None) => Err(Refusal::new(
                Reason::InvalidDigest,
                format!("{algorithm} signs messages, never digests: send the message itself"),
            )),
        }
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(Reason::InvalidInput, message)
}

/// Reads an input.
///
/// # Errors
/// [`Reason::InvalidInput`], [`Reason::InputTooLarge`] and [`Reason::MalformedRequest`], each with what was expected.
pub fn read(input: &Input) -> Result<Reading, Refusal> {
    let reading = match input {
        Input::Digest(digests) => Reading {
            kind: Kind::Digest,
            body: Body::Digests(digests.clone()),
            repository: None,
            predicate_type: None,
            subjects: vec![],
            built: Bytes::new(),
        },
        Input::Message(message) => {
            short_enough("message", message)?;
            sniff::read(message)?
        }
        Input::Dsse { payload_type, payload } => {
            short_enough("dsse payload", payload)?;
            let encoding = Bytes::from(dsse::encode(payload_type, payload)?);
            Reading { built: encoding.clone(), ..dsse::read(payload_type, payload, encoding)? }
        }
        Input::Oci { reference, digest, annotations } => oci::build(reference, digest, annotations)?,
        Input::Notation(payload) => {
            short_enough("notation payload", payload)?;
            notation::read(payload)?.ok_or_else(|| {
                invalid(
                    "expected Notation's signing input: a JWS `header.payload` or a COSE Sig_structure whose content \
                     type is application/vnd.cncf.notary.payload.v1+json",
                )
            })?
        }
    };
    if reading.subjects.len() > SUBJECTS {
        return Err(invalid(format!(
            "at most {SUBJECTS} subjects in one statement, this one has {}",
            reading.subjects.len()
        )));
    }
    Ok(reading)
}

fn short_enough(what: &str, bytes: &Bytes) -> Result<(), Refusal> {
    if bytes.len() > LONGEST_MESSAGE {
        let message =
            format!("a {what} has at most {LONGEST_MESSAGE} bytes (4 MiB), this one has {}", bytes.len());
        return Err(Refusal::new(Reason::InputTooLarge, message).with("limit", LONGEST_MESSAGE));
    }
    Ok(())
}

/// The hash that tells whether two requests with one id ask for the same: over key, kind of input, its bytes, the
/// choice of versions and the annotations; not over receipt or encoding.
pub fn input_hash(request: &SignRequest) -> Hash {
    let mut parts = Parts(Vec::with_capacity(256));
    parts.add(request.key.as_str());
    parts.add(request.versions.name());
    match &request.input {
        Input::Digest(digests) => {
            parts.add("digest");
            digests.iter().for_each(|digest| parts.add(digest.to_string()));
        }
        Input::Message(message) => {
            parts.add("message");
            parts.add(Hash::of(message).as_bytes());
        }
        Input::Dsse { payload_type, payload } => {
            parts.add("dsse");
            parts.add(payload_type);
            parts.add(Hash::of(payload).as_bytes());
        }
        Input::Oci { reference, digest, annotations } => {
            parts.add("oci");
            parts.add(reference);
            parts.add(digest.to_string());
            parts.pairs(annotations);
        }
        Input::Notation(payload) => {
            parts.add("notation");
            parts.add(Hash::of(payload).as_bytes());
        }
    }
    parts.add("annotations");
    parts.pairs(&request.annotations);
    Hash::of(&parts.0)
}

/// Parts, each with its length before it, so that no two lists of parts have the same bytes.
struct Parts(Vec<u8>);

impl Parts {
    fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.extend_from_slice(&(part.len() as u64).to_be_bytes());
        self.0.extend_from_slice(part);
    }

    fn pairs(&mut self, pairs: &Map<String>) {
        for (name, value) in pairs.iter() {
            self.add(name);
            self.add(value);
        }
    }
}

#[cfg(test)]
mod tests;
