//! `LogService`: reading the log.
//!
//! Checkpoints and proofs are open to everybody, also without a certificate: they hold hashes. Records, searches and
//! other callers' receipts need a right, and are themselves recorded (`audit`).

mod proof;
mod range;
mod search;

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use proto::proof::note::NOTE_LIMIT;
use proto::reason::Reason;
use proto::record::{Detail, Query};
use proto::refusal::Refusal;
use proto::wire::v1::log_service_server::LogService;
use proto::wire::v1::{self, get_inclusion_proof_request, get_receipt_request};
use proto::wire::{receipt, value};
use tonic::{Request, Response, Status};

use super::services::{self, Services};
use super::status;
use crate::audit;
use crate::keyring::Snapshot;
use crate::log::{LogError, Presented};
use crate::policy::caller::Caller;
use crate::policy::facts::Action;
use crate::store::Stored;

/// The service.
pub struct Service(pub Arc<Services>);

type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A read failed.
fn unread(error: &LogError) -> Status {
    status::of(&status::unread(error))
}

/// 0 of the wire is the newest.
fn size(wire: u64) -> Option<u64> {
    (wire != 0).then_some(wire)
}

fn message(record: Stored) -> v1::Record {
    v1::Record {
        log_index: record.index,
        leaf: record.leaf.into(),
        detail: record.detail.unwrap_or_default().into(),
    }
}

impl Service {
    /// The caller, if it may read in this way; the read is recorded.
    async fn reader<T>(
        &self,
        request: &Request<T>,
        action: &Action,
        query: Query,
    ) -> Result<Arc<Caller>, Status> {
        let (caller, snapshot) = self.0.caller(request.extensions())?;
        self.may(&snapshot, &caller, action, query).await.map_err(|refusal| status::of(&refusal))?;
        Ok(caller)
    }

    async fn may(
        &self,
        snapshot: &Snapshot,
        caller: &Arc<Caller>,
        action: &Action,
        query: Query,
    ) -> Result<(), Refusal> {
        self.0.denials.permit(snapshot, caller, action, None).await?;
        self.0.reads.note(snapshot, caller, query).await;
        Ok(())
    }
}

#[tonic::async_trait]
impl LogService for Service {
    async fn get_checkpoint(
        &self,
        _request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let head = self.0.log.head();
        Ok(Response::new(v1::GetCheckpointResponse {
            checkpoint: head.checkpoint.to_string(),
            tree_size: head.size,
            root_hash: head.root.as_bytes().to_vec(),
        }))
    }

    async fn present_checkpoint(
        &self,
        request: Request<v1::PresentCheckpointRequest>,
    ) -> Result<Response<v1::PresentCheckpointResponse>, Status> {
        let (caller, _) = self.0.caller(request.extensions())?;
        let connection = services::connection(request.extensions())?;
        if let Err(wait) = connection.may_present(self.0.clock.monotonic()) {
            let message = "a connection presents one checkpoint a minute";
            return Err(status::of(&Refusal::new(Reason::RateLimited, message).after(wait)));
        }
        let shown = request.into_inner().checkpoint;
        if shown.is_empty() || shown.len() > LONGEST_CHECKPOINT {
            let expected =
                format!("expected the text of a signed checkpoint of at most {LONGEST_CHECKPOINT} bytes");
            return Err(status::of(&value::malformed("checkpoint", expected)));
        }
        match self.0.log.present(&shown).await.map_err(|error| unread(&error))? {
            Presented::Extended { head, path } => Ok(Response::new(v1::PresentCheckpointResponse {
                checkpoint: head.checkpoint.to_string(),
                path: receipt::path(&path),
            })),
            Presented::NotOurs { cause } => {
                let expected = format!("expected a checkpoint that this log's key has signed: {cause}");
                Err(status::of(&value::malformed("checkpoint", expected)))
            }
            Presented::Forked => {
                tracing::error!(caller = caller.id, "a presented checkpoint proves a rollback or a fork");
                let message = "this checkpoint was signed by this log's key and the log does not extend it: the log was \
                               rolled back or forked. Signing has stopped; keep the checkpoint";
                Err(status::of(&Refusal::new(Reason::LogUnavailable, message)))
            }
        }
    }

    async fn get_log_keys(
        &self,
        _request: Request<v1::GetLogKeysRequest>,
    ) -> Result<Response<v1::GetLogKeysResponse>, Status> {
        // Before the ends: what is in force is then never older than they are.
        let log_key = self.0.log.verifier().to_string();
        let ends = self.0.log.key_ends().await.map_err(|error| unread(&error))?;
        Ok(Response::new(v1::GetLogKeysResponse { ends: ends.iter().map(proof::end).collect(), log_key }))
    }

    type ListRecordsStream = Events<v1::ListRecordsResponse>;

    async fn list_records(
        &self,
        request: Request<v1::ListRecordsRequest>,
    ) -> Result<Response<Self::ListRecordsStream>, Status> {
        self.reader(&request, &Action::ReadLog, Query::List).await?;
        let range =
            range::Range::of(&self.0.log, &request.into_inner()).map_err(|refusal| status::of(&refusal))?;
        Ok(Response::new(Box::pin(range.stream())))
    }

    type SearchRecordsStream = Events<v1::SearchRecordsResponse>;

    async fn search_records(
        &self,
        request: Request<v1::SearchRecordsRequest>,
    ) -> Result<Response<Self::SearchRecordsStream>, Status> {
        self.reader(&request, &Action::SearchLog, Query::Search).await?;
        let search =
            search::Search::of(&self.0.log, request.into_inner()).map_err(|refusal| status::of(&refusal))?;
        Ok(Response::new(Box::pin(search.stream())))
    }

    async fn get_receipt(
        &self,
        request: Request<v1::GetReceiptRequest>,
    ) -> Result<Response<v1::GetReceiptResponse>, Status> {
        let (caller, snapshot) = self.0.caller(request.extensions())?;
        let request = request.into_inner();
        let index = match request.record {
            Some(get_receipt_request::Record::LogIndex(index)) => index,
            Some(get_receipt_request::Record::OperationId(id)) => {
                let id = value::operation("operation_id", &id).map_err(|refusal| status::of(&refusal))?;
                self.0.log.find(id).await.map_err(|error| unread(&error))?
            }
            None => {
                return Err(status::of(&value::malformed("record", "expected operation_id or log_index")));
            }
        };
        let record = self.0.log.record(index).await.map_err(|error| unread(&error))?;
        if !is_of(&record, &caller) {
            let asked = self.may(&snapshot, &caller, &Action::GetReceipt, Query::Receipt).await;
            asked.map_err(|refusal| status::of(&refusal))?;
        }
        let proven =
            self.0.log.receipt(index, size(request.tree_size)).await.map_err(|error| unread(&error))?;
        Ok(Response::new(v1::GetReceiptResponse { receipt: Some(proof::receipt(proven)) }))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::GetInclusionProofResponse>, Status> {
        let request = request.into_inner();
        let index = match request.leaf {
            Some(get_inclusion_proof_request::Leaf::LogIndex(index)) => index,
            Some(get_inclusion_proof_request::Leaf::LeafHash(hash)) => {
                let hash = value::hash("leaf_hash", &hash).map_err(|refusal| status::of(&refusal))?;
                self.0.log.find_leaf(hash).await.map_err(|error| unread(&error))?
            }
            None => {
                return Err(status::of(&value::malformed("leaf", "expected log_index or leaf_hash")));
            }
        };
        let proven =
            self.0.log.receipt(index, size(request.tree_size)).await.map_err(|error| unread(&error))?;
        Ok(Response::new(proof::inclusion(&proven)))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        let request = request.into_inner();
        let new = size(request.new_size);
        if request.old_size == 0 || new.is_some_and(|new| new < request.old_size) {
            let expected = "expected a size from 1 that is not above new_size";
            return Err(status::of(&value::malformed("old_size", expected)));
        }
        let extension =
            self.0.log.consistency(request.old_size, new).await.map_err(|error| unread(&error))?;
        Ok(Response::new(proof::consistency(&extension)))
    }

    async fn redact_detail(
        &self,
        request: Request<v1::RedactDetailRequest>,
    ) -> Result<Response<v1::RedactDetailResponse>, Status> {
        let (caller, snapshot) = self.0.caller(request.extensions())?;
        let v1::RedactDetailRequest { log_index, reason } = request.into_inner();
        let Services { log, denials, .. } = self.0.as_ref();
        let redacted = audit::redact(log, denials, &snapshot, &caller, log_index, reason).await;
        let log_index = redacted.map_err(|refusal| status::of(&refusal))?;
        Ok(Response::new(v1::RedactDetailResponse { log_index }))
    }
}

/// Longest checkpoint that is looked at, in bytes.
const LONGEST_CHECKPOINT: usize = 4096;

const _: () = assert!(LONGEST_CHECKPOINT <= NOTE_LIMIT, "what is looked at can be parsed");

/// Whether the record is of an operation of this caller. One whose detail was erased is nobody's.
fn is_of(record: &Stored, caller: &Caller) -> bool {
    let detail =
        record.detail.as_deref().and_then(|bytes| proto::canonical::from_slice::<Detail>(bytes).ok());
    detail.is_some_and(|detail| detail.caller.id == caller.id)
}
