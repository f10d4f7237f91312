//! Checking a signature and its receipt offline, and saying what was proven and what was not.
//!
//! Promises: a verdict exists only if everything that was given fits together; what a verdict does not cover is in it by name, so
//! that nobody takes a valid signature for more than it is. Deliberately asks nobody and trusts no key by itself.

pub mod signature_file;

use proto::algorithm::Algorithm;
use proto::digest::Digests;
use proto::key_id::KeyId;
use proto::name::{KeyName, VersionName};
use proto::proof::checkpoint::Checkpoint;
use proto::proof::encoding::SignatureEncoding;
use proto::proof::keys::LogKeys;
use proto::proof::public_key::PublicKey;
use proto::proof::receipt::{CheckError, Expected, Receipt, ReceiptError, check};
use proto::proof::signature::{Over, SignatureError, VerifyingKey};
use proto::record::{CallerDetail, Detail, SignRecord};

use crate::log::prove::is_detail_of;

/// What was signed, as far as the verifier has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The bytes.
    Bytes(Vec<u8>),
    /// Digests of them.
    Digests(Digests),
}

impl Content {
    /// Every digest that can be had of it.
    #[must_use]
    pub fn digests(&self) -> Digests {
        match self {
            Self::Bytes(bytes) => crate::sign::check::all_digests(bytes),
            Self::Digests(digests) => digests.clone(),
        }
    }

    fn over(&self, algorithm: Algorithm) -> Result<Over<'_>, SignatureError> {
        match self {
            Self::Bytes(bytes) => Ok(Over::Message(bytes)),
            Self::Digests(digests) => {
                let hash = algorithm.hash().ok_or(SignatureError::NeedsMessage { algorithm })?;
                match digests.find(hash).or_else(|| digests.iter().next()) {
                    Some(digest) => Ok(Over::Digest(digest.algorithm(), digest.value())),
                    None => Err(SignatureError::NeedsMessage { algorithm }),
                }
            }
        }
    }
}

/// The key that must have signed, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedKey {
    /// Its name.
    pub key: KeyName,
    /// Its version, where one is insisted on.
    pub version: Option<u32>,
}

/// A receipt and what to hold it against.
#[derive(Debug, Clone)]
pub struct WithReceipt<'a> {
    /// The receipt.
    pub receipt: &'a Receipt,
    /// The log's keys, one of which must have signed its checkpoint.
    pub log_keys: &'a LogKeys,
    /// The key's name, where one is insisted on.
    pub key: Option<&'a ExpectedKey>,
    /// The record's detail, where it is at hand.
    pub detail: Option<&'a [u8]>,
    /// The caller who must have asked.
    pub caller: Option<&'a str>,
}

/// What is to be checked.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The public key that the verifier trusts.
    pub key: &'a PublicKey,
    /// The only algorithm to accept, where one is insisted on.
    pub algorithm: Option<Algorithm>,
    /// The content of the signature file.
    pub signature: &'a [u8],
    /// What was signed.
    pub content: &'a Content,
    /// The receipt, where there is one.
    pub receipt: Option<WithReceipt<'a>>,
}

/// Everything that was given fits together.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Id of the public key.
    pub key_id: KeyId,
    /// The algorithm that the signature verifies with.
    pub algorithm: Algorithm,
    /// The encoding that the signature was in.
    pub encoding: SignatureEncoding,
    /// What the receipt adds.
    pub logged: Option<Logged>,
}

/// What a receipt adds to a signature.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Index in the log.
    pub index: u64,
    /// The log's origin and its tree.
    pub checkpoint: Checkpoint,
    /// The version that signed.
    pub version: VersionName,
    /// The whole record.
    pub record: SignRecord,
    /// Who asked, where the detail is at hand.
    pub caller: Option<CallerDetail>,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    /// The signature does not verify.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The file holds no signature in any form that is known.
    #[error("the signature file holds no signature: expected the raw bytes, or base64 of them")]
    NoSignature,
    /// The receipt proves nothing.
    #[error("{}", crate::refused::chain(.0))]
    Receipt(#[from] ReceiptError),
    /// The receipt is not of this signature.
    #[error("{}", crate::refused::chain(.0))]
    Record(#[from] CheckError),
    /// The record is of another version than the one insisted on.
    #[error("the record says that {found} signed, expected was {expected}")]
    Version {
        /// Insisted on.
        expected: VersionName,
        /// In the record.
        found: VersionName,
    },
    /// The detail is not the one that the record names.
    #[error("the detail is not the one that the record names by its SHA-256")]
    Detail,
    /// The detail cannot be read.
    #[error("the detail is not understood: {0}")]
    DetailForm(String),
    /// A caller is insisted on, and nothing says who asked.
    #[error("who asked is in the record's detail, which was not given")]
    NoDetail,
    /// Somebody else asked.
    #[error("{found} asked for this signature, expected was {expected}")]
    Caller {
        /// Insisted on.
        expected: String,
        /// In the detail.
        found: String,
    },
}

/// Checks everything that was given.
///
/// # Errors
/// The first thing that does not fit.
pub fn verify(claim: &Claim<'_>) -> Result<Verdict, NotVerified> {
    let (algorithm, encoding, signature) = signature(claim)?;
    let key_id = claim.key.key_id();
    let logged = match &claim.receipt {
        Some(with) => Some(logged(claim, with, algorithm, &signature)?),
        None => None,
    };
    Ok(Verdict { key_id, algorithm, encoding, logged })
}

/// Finds the reading of the signature file and the algorithm of the key under which it verifies. What is reported, where none does,
/// is the failure of the reading that came furthest.
fn signature(claim: &Claim<'_>) -> Result<(Algorithm, SignatureEncoding, Vec<u8>), NotVerified> {
    let algorithms: Vec<Algorithm> = match claim.algorithm {
        Some(one) => vec![one],
        None => Algorithm::ALL.iter().copied().filter(|algorithm| claim.key.fits(*algorithm)).collect(),
    };
    let readings = signature_file::readings(claim.signature);
    let mut failure: Option<SignatureError> = None;
    for algorithm in algorithms {
        let verifying = VerifyingKey::new(algorithm, claim.key)?;
        let over = match claim.content.over(algorithm) {
            Ok(over) => over,
            Err(cause) => {
                failure = further(failure, cause);
                continue;
            }
        };
        for reading in &readings {
            match verifying.verify_either(over, reading) {
                Ok(encoding) => return Ok((algorithm, encoding, reading.clone())),
                Err(cause) => failure = further(failure, cause),
            }
        }
    }
    Err(failure.map_or(NotVerified::NoSignature, NotVerified::Signature))
}

/// A wrong signature says more than one of the wrong form, and a missing message more than both.
fn further(known: Option<SignatureError>, new: SignatureError) -> Option<SignatureError> {
    let rank = |error: &SignatureError| match error {
        SignatureError::Wrong { .. } => 2,
        SignatureError::NeedsMessage { .. } | SignatureError::OtherDigest { .. } => 3,
        _ => 1,
    };
    match known {
        Some(known) if rank(&known) >= rank(&new) => Some(known),
        _ => Some(new),
    }
}

fn logged(
    claim: &Claim<'_>,
    with: &WithReceipt<'_>,
    algorithm: Algorithm,
    signature: &[u8],
) -> Result<Logged, NotVerified> {
    let verified = with.receipt.verify_by(with.log_keys)?;
    let digests = claim.content.digests();
    let expected = Expected {
        signature,
        key_id: claim.key.key_id(),
        algorithm,
        digests: &digests,
        key: with.key.map(|key| &key.key),
    };
    let checked = check(&verified, &expected)?;
    let version = VersionName { key: checked.record().key.clone(), version: checked.entry().version };
    if let Some(ExpectedKey { key, version: Some(number) }) = with.key
        && *number != version.version
    {
        return Err(NotVerified::Version {
            expected: VersionName { key: key.clone(), version: *number },
            found: version,
        });
    }
    let caller = match (with.detail, with.caller) {
        (None, Some(_)) => return Err(NotVerified::NoDetail),
        (None, None) => None,
        (Some(detail), expected) => Some(caller(detail, verified.leaf(), expected)?),
    };
    Ok(Logged {
        index: verified.index(),
        checkpoint: verified.checkpoint().clone(),
        version,
        record: checked.record().clone(),
        caller,
    })
}

fn caller(detail: &[u8], leaf: &[u8], expected: Option<&str>) -> Result<CallerDetail, NotVerified> {
    if !is_detail_of(detail, leaf) {
        return Err(NotVerified::Detail);
    }
    let detail: Detail =
        proto::canonical::from_slice(detail).map_err(|cause| NotVerified::DetailForm(cause.to_string()))?;
    match expected {
        Some(expected) if expected != detail.caller.id => {
            Err(NotVerified::Caller { expected: expected.to_owned(), found: detail.caller.id })
        }
        _ => Ok(detail.caller),
    }
}

#[cfg(test)]
mod tests;
