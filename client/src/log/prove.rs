//! Fetching the receipt of a record, or the proof of a leaf hash, and believing it only when it proves what was asked for.

use proto::hash::Hash;
use proto::operation::OperationId;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::inclusion;
use proto::proof::leaf::leaf_hash;
use proto::proof::receipt::{Receipt, VerifiedReceipt};
use proto::wire::{receipt, v1};
use tonic::Response;

use crate::connection::{CallError, Connection, hashes};
use crate::log::read::{Range, Records};
use crate::retry::{Patience, patiently};

/// Which record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// By index.
    Index(u64),
    /// By operation id.
    Operation(OperationId),
    /// By index and leaf hash, as [`included`] found them.
    Leaf {
        /// The index.
        index: u64,
        /// The leaf hash that was asked for.
        hash: Hash,
    },
}

/// A receipt and what it proves.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The receipt, for keeping.
    pub receipt: Receipt,
    /// What it proves.
    pub verified: VerifiedReceipt,
}

/// Reads a receipt from an answer and checks it against the log key and the checkpoints seen before.
///
/// # Errors
/// Where it does not prove that the log holds its record.
pub async fn believe(
    connection: &mut Connection,
    wire: v1::Receipt,
    patience: Patience,
) -> Result<Proven, CallError> {
    let parts = receipt::parts(wire).map_err(|refusal| CallError::Answer(refusal.message))?;
    if leaf_hash(&parts.leaf) != parts.leaf_hash {
        return Err(CallError::Answer("the receipt's leaf hash is not that of its record".to_owned()));
    }
    connection.agree(&parts.checkpoint, patience).await?;
    let receipt = Receipt {
        leaf: parts.leaf.to_vec(),
        index: parts.index,
        path: parts.path,
        checkpoint: parts.checkpoint,
    };
    let verified = receipt.verify_by(connection.trail()?.keys()).map_err(|cause| {
        CallError::Answer(format!("the receipt proves nothing: {}", crate::refused::chain(&cause)))
    })?;
    Ok(Proven { receipt, verified })
}

/// That the tree of a checkpoint, which the log key signed, holds a leaf.
#[derive(Debug, Clone)]
pub struct Included {
    /// The leaf's index.
    pub index: u64,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
}

/// Looks a leaf up by its hash, which needs no right.
///
/// # Errors
/// Where the log holds no such leaf, or does not prove that it does.
pub async fn included(
    connection: &mut Connection,
    leaf: Hash,
    patience: Patience,
) -> Result<Included, CallError> {
    let client = connection.log();
    let answer = patiently(patience, |patience| {
        let mut client = client.clone();
        let sought = v1::get_inclusion_proof_request::Leaf::LeafHash(leaf.as_bytes().to_vec());
        let request = patience.request(v1::GetInclusionProofRequest { leaf: Some(sought), tree_size: 0 });
        async move { client.get_inclusion_proof(request).await.map(Response::into_inner) }
    })
    .await?;
    let checkpoint = connection.agree(&answer.checkpoint, patience).await?.checkpoint;
    let (index, path) = (answer.log_index, hashes(&answer.path)?);
    inclusion::verify(&leaf, index, checkpoint.size, &path, &checkpoint.root).map_err(|cause| {
        CallError::Answer(format!("the proof proves nothing: {}", crate::refused::chain(&cause)))
    })?;
    Ok(Included { index, checkpoint })
}

/// Fetches the receipt of a record.
///
/// # Errors
/// Where there is none, or it proves something else.
pub async fn receipt_of(
    connection: &mut Connection,
    which: Which,
    patience: Patience,
) -> Result<Proven, CallError> {
    let record = match which {
        Which::Index(index) | Which::Leaf { index, .. } => v1::get_receipt_request::Record::LogIndex(index),
        Which::Operation(id) => v1::get_receipt_request::Record::OperationId(id.to_string()),
    };
    let client = connection.log();
    let answer = patiently(patience, |patience| {
        let mut client = client.clone();
        let request = patience.request(v1::GetReceiptRequest { record: Some(record.clone()), tree_size: 0 });
        async move { client.get_receipt(request).await.map(Response::into_inner) }
    })
    .await?;
    let wire = answer
        .receipt
        .ok_or_else(|| CallError::Answer("an empty answer in place of a receipt".to_owned()))?;
    let proven = believe(connection, wire, patience).await?;
    let fits = match which {
        Which::Index(index) => proven.verified.index() == index,
        Which::Operation(id) => {
            operation_of(proven.verified.leaf()).is_some_and(|found| found == id.to_string())
        }
        Which::Leaf { hash, .. } => leaf_hash(proven.verified.leaf()) == hash,
    };
    if fits { Ok(proven) } else { Err(CallError::Answer("the receipt is of another record".to_owned())) }
}

/// The operation id that a leaf carries, whatever its kind.
#[must_use]
pub fn operation_of(leaf: &[u8]) -> Option<String> {
    let record: serde_json::Value = serde_json::from_slice(leaf).ok()?;
    record.get("operation")?.as_str().map(str::to_owned)
}

/// The detail of a proven record: the bytes whose SHA-256 the leaf carries.
///
/// # Errors
/// Where it was redacted, may not be seen, or is not the leaf's.
pub async fn detail_of(connection: &Connection, proven: &VerifiedReceipt) -> Result<Vec<u8>, CallError> {
    let index = proven.index();
    let mut records = Records::of(connection, Range { start: index, end: Some(index + 1), follow: false });
    let record = records.next().await?.ok_or_else(|| CallError::Answer(format!("no record {index}")))?;
    if record.detail.is_empty() {
        return Err(CallError::Answer(format!(
            "the detail of record {index} was redacted, or may not be seen by this caller"
        )));
    }
    if !is_detail_of(&record.detail, proven.leaf()) {
        return Err(CallError::Answer(format!(
            "the detail given for record {index} is not the one that the record names"
        )));
    }
    Ok(record.detail.to_vec())
}

/// Whether these bytes are the detail that a leaf names by its SHA-256.
#[must_use]
pub fn is_detail_of(detail: &[u8], leaf: &[u8]) -> bool {
    let named = serde_json::from_slice::<serde_json::Value>(leaf).ok();
    let named = named.as_ref().and_then(|record| record.get("detail")).and_then(serde_json::Value::as_str);
    named == Some(proto::hash::Hash::of(detail).to_string().as_str())
}
