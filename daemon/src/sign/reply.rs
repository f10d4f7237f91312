//! Answers: fresh ones from what the log released, and those of earlier requests with the same id.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::algorithm::Algorithm;
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::operation::OperationId;
use proto::proof::encoding::{Curve, EcdsaDer};
use proto::reason::Reason;
use proto::record::{Outcome, Record, SignRecord};
use proto::refusal::Refusal;

use super::operation::Operation;
use super::{ReceiptDetail, Signer, refuse};
use crate::log::{Earlier, HandOver, Released};

/// What a caller gets.
#[derive(Debug)]
pub struct Reply {
    /// Active version first.
    pub signatures: Vec<Signature>,
    /// What was signed, where the daemon built it.
    pub signed_bytes: Bytes,
    /// What proves that it is recorded, as much as was asked for.
    pub receipt: Option<Receipt>,
    /// Names the operation for ever; absent for dry runs.
    pub operation: Option<OperationId>,
    /// The result of an earlier request with the same id.
    pub replayed: bool,
    /// The rule that permitted it.
    pub rule: Arc<str>,
    /// Counted by the barrier of a stop; drop it when the reply has been handed to its connection.
    pub guard: Option<HandOver>,
}

/// One signature.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The key.
    pub key: KeyName,
    /// Its version.
    pub version: u32,
    /// The version's key id.
    pub key_id: KeyId,
    /// How it was made.
    pub algorithm: Algorithm,
    /// Whether `value` is `r ‖ s`, where there are two encodings.
    pub fixed: bool,
    /// The signature.
    pub value: Vec<u8>,
}

/// What proves that a record is in the log.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Index of the leaf.
    pub index: u64,
    /// Its hash.
    pub leaf_hash: Hash,
    /// Leaf, path and checkpoint, if everything was asked for.
    pub full: Option<FullReceipt>,
}

/// What offline verification needs.
#[derive(Clone, Debug)]
pub struct FullReceipt {
    /// The leaf's exact bytes.
    pub leaf: Bytes,
    /// Inclusion path (RFC 6962, 2.1.1).
    pub path: Vec<Hash>,
    /// The signed checkpoint that the path leads to.
    pub checkpoint: Arc<str>,
}

impl Operation {
    /// The reply of a release, after one last look at the stopped set.
    pub(crate) fn reply(&self, signer: &Signer, released: Released) -> Result<Reply, Refusal> {
        if let Some(stop) = self.chosen.iter().find_map(|chosen| signer.log.covers(&chosen.terms)) {
            return Err(refuse::stopped(&stop).recorded(self.id).with("log_index", released.index));
        }
        let withheld: Vec<usize> = released.withheld.iter().map(|(position, _)| *position).collect();
        let receipt = receipt(self.request.receipt, released.index, released.leaf_hash, || FullReceipt {
            leaf: released.leaf,
            path: released.path,
            checkpoint: released.checkpoint,
        });
        Ok(Reply {
            signatures: self.signatures(&self.record, &withheld)?,
            signed_bytes: self.reading.built.clone(),
            receipt,
            operation: Some(self.id),
            replayed: false,
            rule: Arc::clone(self.permit.rule()),
            guard: Some(released.guard),
        })
    }

    fn signatures(&self, record: &SignRecord, withheld: &[usize]) -> Result<Vec<Signature>, Refusal> {
        let entries = record.signatures.iter().enumerate();
        let released =
            entries.filter(|(at, entry)| entry.outcome == Outcome::Released && !withheld.contains(at));
        released
            .map(|(_, entry)| {
                let value = entry.value.as_ref().map_or(&[][..], |value| value.as_slice());
                let curve = Curve::of(entry.algorithm.shape()).filter(|_| self.is_fixed());
                let value = match curve {
                    Some(curve) => EcdsaDer::parse(curve, value)
                        .map_err(|e| Refusal::new(Reason::Internal, e.to_string()).recorded(self.id))?
                        .to_fixed()
                        .into_bytes(),
                    None => value.to_vec(),
                };
                Ok(Signature {
                    key: record.key.clone(),
                    version: entry.version,
                    key_id: entry.key_id,
                    algorithm: entry.algorithm,
                    fixed: curve.is_some(),
                    value,
                })
            })
            .collect()
    }

    /// The result of an earlier request with the same id, decided again: this operation was admitted just now, and the
    /// versions that signed then must be among those that may sign now. Nothing is signed, so no total is used up.
    pub(crate) async fn replay(&mut self, signer: &Signer, earlier: Earlier) -> Result<Reply, Refusal> {
        std::mem::take(&mut self.spent).give_back();
        let known = |reason: Reason, message: &str| {
            let refusal = Refusal::new(reason, message).recorded(earlier.operation);
            match earlier.index {
                Some(index) => refusal.with("log_index", index),
                None => refusal,
            }
        };
        if !earlier.same_input {
            return Err(known(
                Reason::RequestIdReused,
                "this request id was used for another input within 24 h",
            ));
        }
        if earlier.index.is_none() {
            let message = "an earlier request with this id is still in progress: ask again with the same id";
            return Err(known(Reason::DeadlineExceeded, message).after(Duration::from_millis(200)));
        }
        let (Some(index), Some(Outcome::Released)) = (earlier.index, earlier.outcome) else {
            return Err(known(
                Reason::OutcomeUnknown,
                "an earlier request with this id ended without anybody knowing whether the backend signed",
            ));
        };
        // The guard is taken before the last look at the stopped set: a stop that comes after the look waits for it.
        let guard = signer.log.guard();
        let receipt_of = signer.log.receipt(index, None).await.map_err(|e| refuse::unlogged(&e))?;
        let record = match Record::parse(&receipt_of.leaf) {
            Ok(Record::Sign(record)) => record,
            _ => {
                return Err(known(
                    Reason::Internal,
                    "the record of the earlier request is no signing operation",
                ));
            }
        };
        for entry in record.signatures.iter().filter(|entry| entry.outcome == Outcome::Released) {
            let now = self.chosen.iter().find(|chosen| chosen.version.key_id == entry.key_id);
            let now = now.ok_or_else(|| {
                known(Reason::KeyNotActive, "the version that signed the earlier request does not sign now")
            })?;
            if let Some(stop) = signer.log.covers(&now.terms) {
                return Err(refuse::stopped(&stop).recorded(earlier.operation).with("log_index", index));
            }
        }
        let leaf_hash = receipt_of.leaf_hash;
        let checkpoint_of = receipt_of
            .checkpoint
            .ok_or_else(|| known(Reason::Internal, "the newest tree has a checkpoint"))?;
        let receipt = receipt(self.request.receipt, index, leaf_hash, || FullReceipt {
            leaf: receipt_of.leaf,
            path: receipt_of.path,
            checkpoint: checkpoint_of,
        });
        Ok(Reply {
            signatures: self.signatures(&record, &[])?,
            signed_bytes: self.reading.built.clone(),
            receipt,
            operation: Some(earlier.operation),
            replayed: true,
            rule: Arc::clone(self.permit.rule()),
            guard: Some(guard),
        })
    }
}

fn receipt(
    detail: ReceiptDetail,
    index: u64,
    leaf_hash: Hash,
    full: impl FnOnce() -> FullReceipt,
) -> Option<Receipt> {
    match detail {
        ReceiptDetail::None => None,
        ReceiptDetail::Index => Some(Receipt { index, leaf_hash, full: None }),
        ReceiptDetail::Full => Some(Receipt { index, leaf_hash, full: Some(full()) }),
    }
}
