//! What a receipt says of a signature, held against what the verifier has in hand.
//!
//! Inclusion alone says nothing about the record: it may be a withheld signature, another key's, or another message's.
//! Together with [`signature::verify`](crate::proof::signature::verify), which this does not repeat, a receipt that
//! passes proves that the log's daemon released exactly this signature.

use crate::algorithm::Algorithm;
use crate::digest::{Digest, Digests};
use crate::key_id::KeyId;
use crate::name::KeyName;
use crate::proof::encoding::{Curve, EcdsaDer};
use crate::reason::Reason;
use crate::record::{Outcome, Record, RecordError, SignRecord, SignatureEntry};

use super::VerifiedReceipt;

/// What the verifier has in hand.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The signature; ECDSA in either encoding.
    pub signature: &'a [u8],
    /// The id of the public key that verifies it.
    pub key_id: KeyId,
    /// The algorithm that verifies it.
    pub algorithm: Algorithm,
    /// Digests of the signed bytes: at least the one of the algorithm's hash; for Ed25519 any that the record has.
    pub digests: &'a Digests,
    /// The key's name, where the verifier insists on one.
    pub key: Option<&'a KeyName>,
}

/// Why a receipt is not one for what is in hand.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The record cannot be read.
    #[error("the receipt's record cannot be read")]
    Record(#[from] RecordError),
    /// The record is of no signature.
    #[error("the receipt is not of a signature: its record is of another kind")]
    Kind,
    /// The record is of another key.
    #[error("the receipt is of key {found}, not of {expected}")]
    Name {
        /// The name insisted on.
        expected: KeyName,
        /// The name in the record.
        found: KeyName,
    },
    /// No signature of this key pair and algorithm.
    #[error("the receipt has no signature with {algorithm} by the key with id {key_id}")]
    Key {
        /// The key's id.
        key_id: KeyId,
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The signature was not released.
    #[error("the log says that this key's signature was not released: do not trust it")]
    NotReleased {
        /// What became of it.
        outcome: Outcome,
        /// Why.
        reason: Option<Reason>,
    },
    /// The record's signature is another.
    #[error("the receipt is of another signature by this key")]
    Signature,
    /// The record is of other bytes.
    #[error("the receipt is of bytes with the digest {found}, not {expected}")]
    Digest {
        /// The digest in hand.
        expected: Digest,
        /// The digest in the record.
        found: Digest,
    },
    /// No digest to compare.
    #[error("the receipt has no digest that could be compared: give the message, or its {needed} digest")]
    NoDigest {
        /// A hash that the record has.
        needed: String,
    },
}

/// A signing record that speaks of exactly the signature in hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    record: SignRecord,
    position: usize,
}

impl Checked {
    /// The whole record.
    #[must_use]
    pub fn record(&self) -> &SignRecord {
        &self.record
    }

    /// The signature's entry in it.
    #[must_use]
    pub fn entry(&self) -> &SignatureEntry {
        &self.record.signatures[self.position]
    }
}

/// Checks that the record was released for exactly this signature, key, algorithm and digest. That the origin is the
/// log key's was part of [`Receipt::verify`](super::Receipt::verify).
///
/// # Errors
/// [`CheckError`] names the first thing that differs.
pub fn check(receipt: &VerifiedReceipt, expected: &Expected<'_>) -> Result<Checked, CheckError> {
    let Record::Sign(record) = Record::parse(receipt.leaf())? else { return Err(CheckError::Kind) };
    if let Some(name) = expected.key.filter(|name| **name != record.key) {
        return Err(CheckError::Name { expected: name.clone(), found: record.key });
    }
    let (key_id, algorithm) = (expected.key_id, expected.algorithm);
    let own = |entry: &SignatureEntry| entry.key_id == key_id && entry.algorithm == algorithm;
    let position = record.signatures.iter().position(own).ok_or(CheckError::Key { key_id, algorithm })?;
    let entry = &record.signatures[position];
    if entry.outcome != Outcome::Released {
        return Err(CheckError::NotReleased { outcome: entry.outcome, reason: entry.reason });
    }
    if !entry.value.as_deref().is_some_and(|value| same_signature(algorithm, value, expected.signature)) {
        return Err(CheckError::Signature);
    }
    same_digests(algorithm, &record.signed.digests, expected.digests)?;
    Ok(Checked { record, position })
}

/// Records hold ECDSA as DER, whatever encoding was asked for.
fn same_signature(algorithm: Algorithm, recorded: &[u8], given: &[u8]) -> bool {
    let fixed = || {
        let curve = Curve::of(algorithm.shape())?;
        Some(EcdsaDer::parse(curve, recorded).ok()?.to_fixed().into_bytes())
    };
    recorded == given || fixed().is_some_and(|fixed| fixed == given)
}

fn same_digests(algorithm: Algorithm, recorded: &Digests, given: &Digests) -> Result<(), CheckError> {
    let mut compared = false;
    for found in recorded.iter() {
        match given.find(found.algorithm()) {
            Some(expected) if expected != found => {
                return Err(CheckError::Digest { expected: expected.clone(), found: found.clone() });
            }
            Some(_) => compared |= algorithm.hash().is_none_or(|hash| hash == found.algorithm()),
            None => {}
        }
    }
    if compared {
        return Ok(());
    }
    let hashes = || recorded.iter().map(|digest| digest.algorithm().name()).collect::<Vec<_>>().join(" or ");
    Err(CheckError::NoDigest { needed: algorithm.hash().map_or_else(hashes, |hash| hash.name().to_owned()) })
}
