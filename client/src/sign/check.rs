//! Whether an answer is the one that was asked for. Pure: an order and an answer in, a checked signature or a reason out.
//!
//! Invariant: nothing becomes [`Signed`] unless its signature verifies over the bytes that the order means and its record says
//! `released` for exactly it; held by `every_tampering_with_an_answer_is_noticed`.

use proto::algorithm::{Algorithm, HashAlgorithm};
use proto::digest::{Digest, Digests};
use proto::key_id::KeyId;
use proto::name::VersionName;
use proto::proof::public_key::PublicKey;
use proto::proof::receipt::{CheckError, Expected, check};
use proto::proof::signature::{Over, SignatureError, VerifyingKey};
use proto::record::Record;
use proto::wire::{v1, value};

use super::order::{Input, Order, encoding_to_wire};
use crate::image::DocumentError;
use crate::log::prove::Proven;

/// One signature that verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneSignature {
    /// By which version.
    pub version: VersionName,
    /// Id of its public key.
    pub key_id: KeyId,
    /// How.
    pub algorithm: Algorithm,
    /// In the encoding that was ordered.
    pub value: Vec<u8>,
}

/// A checked answer.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The active version's first, then the retiring one's.
    pub signatures: Vec<OneSignature>,
    /// What was signed, where the daemon built it.
    pub signed_bytes: Vec<u8>,
    /// The receipt, proven.
    pub proven: Proven,
    /// Names the operation in the log.
    pub operation: String,
    /// The request id under which it can be fetched again.
    pub request_id: String,
    /// Request ids whose outcome the log does not know; this one was signed in their place.
    pub lost: Vec<String>,
    /// The result of an earlier request with the same id.
    pub replayed: bool,
    /// Why a version is missing, during an overlap that allows it.
    pub degraded: String,
}

/// An answer that does not say what it should. Whoever sent it is wrong or lying.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// Nothing was signed, and nothing was refused.
    #[error("the answer holds no signature")]
    Empty,
    /// A receipt was asked for.
    #[error("the answer holds no receipt")]
    NoReceipt,
    /// A field that is not understood.
    #[error("the answer is not understood: {0}")]
    Malformed(String),
    /// A signature of another key or encoding than the one ordered.
    #[error("the answer holds a signature {found}, ordered was {expected}")]
    Other {
        /// What was ordered.
        expected: String,
        /// What came.
        found: String,
    },
    /// The public key's id is not the one in the answer.
    #[error("the signature is by the key with id {found}, not by the public key with id {expected}")]
    OtherKey {
        /// Id of the public key in hand.
        expected: KeyId,
        /// Id in the answer.
        found: KeyId,
    },
    /// The signature does not verify.
    #[error("the signature does not verify: {0}")]
    Signature(#[from] SignatureError),
    /// The daemon says that it signed other bytes than the order means.
    #[error("the daemon signed other bytes than were ordered")]
    Bytes,
    /// The document that the daemon built speaks for something else.
    #[error("the daemon built a document that was not ordered: {0}")]
    Document(#[from] DocumentError),
    /// The receipt's record is not of this signature.
    #[error("the receipt is not of this signature: {}", crate::refused::chain(.0))]
    Receipt(#[from] CheckError),
    /// The receipt's record is of another operation, version or kind of input.
    #[error("the receipt's record says {found}, the answer {expected}")]
    Record {
        /// What the answer says.
        expected: String,
        /// What the record says.
        found: String,
    },
}

/// Checks every signature of an answer against the public keys given, one for each.
///
/// # Errors
/// [`Wrong`] names the first thing that differs.
pub fn signatures(
    order: &Order,
    answer: &v1::SignResponse,
    keys: &[PublicKey],
) -> Result<Vec<OneSignature>, Wrong> {
    if answer.signatures.is_empty() || answer.signatures.len() != keys.len() {
        return Err(Wrong::Empty);
    }
    let meant = Meant::of(order, answer)?;
    answer.signatures.iter().zip(keys).map(|(one, key)| signature(order, one, key, &meant)).collect()
}

fn signature(
    order: &Order,
    one: &v1::Signature,
    key: &PublicKey,
    meant: &Meant,
) -> Result<OneSignature, Wrong> {
    let malformed = |refusal: proto::refusal::Refusal| Wrong::Malformed(refusal.message);
    let name = v1::VersionName { key: one.key.clone(), version: one.version };
    let version = value::version("signature", &name).map_err(malformed)?;
    let algorithm = value::algorithm("signature.algorithm", one.algorithm).map_err(malformed)?;
    let found = value::key_id("signature.key_id", &one.key_id).map_err(malformed)?;
    if version.key != order.key {
        return Err(Wrong::Other {
            expected: format!("of {}", order.key),
            found: format!("of {}", version.key),
        });
    }
    if key.key_id() != found {
        return Err(Wrong::OtherKey { expected: key.key_id(), found });
    }
    if algorithm.is_ecdsa() && one.encoding != encoding_to_wire(order.encoding) as i32 {
        return Err(Wrong::Other {
            expected: format!("as {}", order.encoding),
            found: "in another encoding".to_owned(),
        });
    }
    VerifyingKey::new(algorithm, key)?.verify(meant.over(algorithm)?, &one.value, order.encoding)?;
    Ok(OneSignature { version, key_id: found, algorithm, value: one.value.clone() })
}

/// Checks that the proven record is of exactly these signatures.
///
/// # Errors
/// [`Wrong`] names the first thing that differs.
pub fn receipt(
    order: &Order,
    answer: v1::SignResponse,
    signatures: Vec<OneSignature>,
    proven: Proven,
    lost: Vec<String>,
) -> Result<Signed, Wrong> {
    let digests = Meant::of(order, &answer)?.digests;
    for one in &signatures {
        let expected = Expected {
            signature: &one.value,
            key_id: one.key_id,
            algorithm: one.algorithm,
            digests: &digests,
            key: Some(&order.key),
        };
        let checked = check(&proven.verified, &expected)?;
        if checked.entry().version != one.version.version {
            return Err(Wrong::Record {
                expected: one.version.to_string(),
                found: format!("{}@{}", checked.record().key, checked.entry().version),
            });
        }
    }
    if let Ok(Record::Sign(record)) = Record::parse(proven.verified.leaf())
        && record.operation.to_string() != answer.operation_id
    {
        return Err(Wrong::Record {
            expected: format!("operation {}", answer.operation_id),
            found: format!("operation {}", record.operation),
        });
    }
    Ok(Signed {
        signatures,
        signed_bytes: answer.signed_bytes.to_vec(),
        proven,
        operation: answer.operation_id,
        request_id: order.request_id.clone(),
        lost,
        replayed: answer.replayed,
        degraded: answer.degraded,
    })
}

/// The bytes that an order means, or their digests where only those are known.
struct Meant {
    bytes: Option<Vec<u8>>,
    digests: Digests,
}

impl Meant {
    fn of(order: &Order, answer: &v1::SignResponse) -> Result<Self, Wrong> {
        let bytes = match &order.input {
            Input::Digests(digests) => return Ok(Self { bytes: None, digests: digests.clone() }),
            Input::Image { image, annotations } => {
                image.is_subject_with(&answer.signed_bytes, annotations)?;
                answer.signed_bytes.to_vec()
            }
            Input::Message(bytes) => bytes.clone(),
            Input::Dsse { .. } => order.signed_bytes().unwrap_or_default(),
        };
        if !answer.signed_bytes.is_empty() && answer.signed_bytes != bytes {
            return Err(Wrong::Bytes);
        }
        Ok(Self { digests: all_digests(&bytes), bytes: Some(bytes) })
    }

    fn over(&self, algorithm: Algorithm) -> Result<Over<'_>, Wrong> {
        match (&self.bytes, algorithm.hash()) {
            (Some(bytes), _) => Ok(Over::Message(bytes)),
            (None, None) => Err(SignatureError::NeedsMessage { algorithm }.into()),
            (None, Some(hash)) => match self.digests.find(hash) {
                Some(digest) => Ok(Over::Digest(hash, digest.value())),
                None => Err(Wrong::Other {
                    expected: "over one of the digests given".to_owned(),
                    found: format!("with {algorithm}, over a {hash} digest"),
                }),
            },
        }
    }
}

/// The digests of some bytes, one for each hash that a record may hold.
#[must_use]
pub fn all_digests(bytes: &[u8]) -> Digests {
    let all = HashAlgorithm::ALL.into_iter().map(|hash| Digest::of(hash, bytes)).collect();
    Digests::new(all).expect("three digests, each of another hash")
}

#[cfg(test)]
mod tests;
