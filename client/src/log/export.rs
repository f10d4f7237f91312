//! Exporting a range with everything that proving it offline needs.
//!
//! Promises: the checkpoint is held against those seen before; every record is hashed on its way, and an export whose records do
//! not lead to that checkpoint's root ends with an error, never with a file.

use proto::hash::Hash;
use proto::proof::consistency;
use proto::proof::frontier::Frontier;
use proto::proof::leaf::leaf_hash;
use proto::wire::v1;
use tonic::Response;

use super::line::{FORMAT, Header, Line};
use super::read::{Range, Records, head};
use crate::connection::{CallError, Connection, hashes};
use crate::retry::{Patience, patiently};
use crate::seen::Seen;

/// An export that has begun: the header is settled, the records are still to come.
pub struct Export {
    header: Header,
    frontier: Frontier,
    head: Seen,
}

impl Export {
    /// Settles the range against the newest checkpoint and fetches its proofs.
    ///
    /// # Errors
    /// Where the range is not within the log, or the proofs are not to be had.
    pub async fn begin(
        connection: &mut Connection,
        start: u64,
        end: Option<u64>,
        patience: Patience,
    ) -> Result<Self, CallError> {
        let head = head(connection, patience).await?;
        // Whoever verifies it may trust another key of the log than this client.
        connection.follow(patience).await?;
        let log_keys = connection.trail()?.followed().ends.iter().map(ToString::to_string).collect();
        let size = head.checkpoint.size;
        let end = end.unwrap_or(size);
        if start >= end || end > size {
            return Err(CallError::OutsideLog { start, end, size });
        }
        let frontier = frontier_at(connection, start, patience).await?;
        let consistency = connection.consistency(end, size, patience).await?;
        let header = Header {
            format: FORMAT.to_owned(),
            start,
            end,
            frontier: frontier.nodes(),
            consistency,
            checkpoint: head.text.clone(),
            log_keys,
        };
        Ok(Self { header, frontier, head })
    }

    /// The first line.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Hands each line to `write`, then proves the whole.
    ///
    /// # Errors
    /// Where records cannot be read or written, or do not lead to the checkpoint.
    pub async fn run<E>(
        mut self,
        connection: &Connection,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Seen, ExportError<E>> {
        let range = Range { start: self.header.start, end: Some(self.header.end), follow: false };
        let mut records = Records::of(connection, range);
        while let Some(record) = records.next().await? {
            self.frontier.push(leaf_hash(&record.leaf));
            self.frontier.settle();
            write(&line_of(&record)?).map_err(ExportError::Write)?;
        }
        let (checkpoint, root) = (&self.head.checkpoint, self.frontier.root());
        consistency::verify(
            self.header.end,
            &root,
            checkpoint.size,
            &checkpoint.root,
            &self.header.consistency,
        )
        .map_err(|cause| CallError::Answer(format!("the records do not lead to the checkpoint: {cause}")))?;
        Ok(self.head)
    }
}

/// Why an export ended early.
#[derive(Debug)]
pub enum ExportError<E> {
    /// The log.
    Call(CallError),
    /// The file.
    Write(E),
}

impl<E> From<CallError> for ExportError<E> {
    fn from(cause: CallError) -> Self {
        Self::Call(cause)
    }
}

/// The line of a record.
///
/// # Errors
/// Where the record is not one JSON object on one line.
pub fn line_of(record: &v1::Record) -> Result<Vec<u8>, CallError> {
    let detail = (!record.detail.is_empty()).then_some(record.detail.as_ref());
    let line = Line { index: record.log_index, leaf: &record.leaf, detail };
    line.write().map_err(|cause| CallError::Answer(format!("record {}: {cause}", record.log_index)))
}

/// The compact range of the first `size` records. The inclusion proof of record `size` in the tree of `size + 1` consists of exactly
/// these nodes, smallest first (RFC 6962, 2.1.1). A wrong one is noticed by the proof of the whole.
async fn frontier_at(connection: &Connection, size: u64, patience: Patience) -> Result<Frontier, CallError> {
    if size == 0 {
        return Ok(Frontier::new());
    }
    let client = connection.log();
    let answer = patiently(patience, |patience| {
        let mut client = client.clone();
        let request = patience.request(v1::GetInclusionProofRequest {
            leaf: Some(v1::get_inclusion_proof_request::Leaf::LogIndex(size)),
            tree_size: size + 1,
        });
        async move { client.get_inclusion_proof(request).await.map(Response::into_inner) }
    })
    .await?;
    let mut nodes: Vec<Hash> = hashes(&answer.path)?;
    nodes.reverse();
    Frontier::from_nodes(size, nodes)
        .map_err(|cause| CallError::Answer(format!("the proof of record {size}: {cause}")))
}
