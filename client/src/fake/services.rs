//! The calls of the fake daemon.

use proto::key_id::KeyId;
use proto::proof::leaf::leaf_hash;
use proto::purpose::Kind;
use proto::reason::Reason;
use proto::refusal::Refusal;
use proto::wire::v1::incident_service_server::IncidentService;
use proto::wire::v1::key_service_server::KeyService;
use proto::wire::v1::log_service_server::LogService;
use proto::wire::v1::signing_service_server::SigningService;
use proto::wire::{receipt, v1};
use tokio_stream::Iter;
use tonic::{Request, Response, Status};

use super::{Service, State};

type Answers<T> = Iter<std::vec::IntoIter<Result<T, Status>>>;

fn stream<T>(answers: Vec<T>) -> Response<Answers<T>> {
    Response::new(tokio_stream::iter(answers.into_iter().map(Ok).collect::<Vec<_>>()))
}

impl State {
    fn sign(&mut self, request: v1::SignRequest) -> Result<v1::SignResponse, Status> {
        self.calls.push(format!("sign {}", request.request_id));
        if let Some(refusal) = self.refusals.pop_front() {
            return Err(refusal);
        }
        let Some(v1::sign_request::Input::Message(message)) = request.input else {
            return Err(Status::unimplemented("the fake daemon signs messages"));
        };
        if message.starts_with(b"forbidden") {
            return Err(proto::wire::refusal::status(&Refusal::new(Reason::PolicyDenied, "not these bytes")));
        }
        let mut signature = v1::Signature {
            key: request.key,
            version: 3,
            key_id: self.key.public.key_id().as_bytes().to_vec(),
            algorithm: v1::Algorithm::EcdsaP256Sha256 as i32,
            encoding: v1::SignatureEncoding::Der as i32,
            value: Vec::new(),
        };
        if request.validate_only {
            return Ok(v1::SignResponse { signatures: vec![signature], ..Default::default() });
        }
        signature.value = self.key.sign(&message);
        let (record, detail) = self.log.sign_record(&self.key, &message, &signature.value, Kind::Blob);
        let index = self.log.push(record.draft().expect("a fixture's record"), Some(detail));
        if self.lies {
            signature.value[20] ^= 1;
        }
        Ok(v1::SignResponse {
            signatures: vec![signature],
            receipt: Some(self.receipt(index)),
            operation_id: record.operation.to_string(),
            ..Default::default()
        })
    }

    fn receipt(&self, index: u64) -> v1::Receipt {
        let made = self.log.receipt(index);
        receipt::full(index, &leaf_hash(&made.leaf), made.leaf.into(), &made.path, &made.checkpoint)
    }

    /// The proof of a leaf in the newest tree.
    fn included(&self, hash: &[u8]) -> Result<v1::GetInclusionProofResponse, Status> {
        let place = self.log.leaves.iter().position(|leaf| leaf_hash(leaf).as_bytes() == hash);
        let index = place.map(|place| place as u64).ok_or_else(|| {
            proto::wire::refusal::status(&Refusal::new(Reason::UnknownRecord, "there is no such leaf"))
        })?;
        // A lie names another place for it.
        Ok(v1::GetInclusionProofResponse {
            log_index: index + u64::from(self.lies),
            tree_size: self.log.size(),
            path: receipt::path(&self.log.path(index)),
            root_hash: self.log.root(self.log.size()).as_bytes().to_vec(),
            checkpoint: self.log.checkpoint(),
        })
    }

    fn record(&self, index: u64) -> v1::Record {
        let place = usize::try_from(index).expect("a small log");
        v1::Record {
            log_index: index,
            leaf: self.log.leaves[place].clone().into(),
            detail: self.log.details[place].clone().unwrap_or_default().into(),
        }
    }

    fn within(&self, size: u64) -> Result<(), Status> {
        if size <= self.log.size() {
            return Ok(());
        }
        Err(proto::wire::refusal::status(&Refusal::new(
            Reason::OutOfRange,
            format!("the log has {} records", self.log.size()),
        )))
    }
}

#[tonic::async_trait]
impl SigningService for Service {
    async fn sign(&self, request: Request<v1::SignRequest>) -> Result<Response<v1::SignResponse>, Status> {
        self.state().sign(request.into_inner()).map(Response::new)
    }

    async fn sign_batch(
        &self,
        request: Request<v1::SignBatchRequest>,
    ) -> Result<Response<v1::SignBatchResponse>, Status> {
        let mut state = self.state();
        state.calls.push("batch".to_owned());
        let result = |request| match state.sign(request) {
            Ok(answer) => v1::sign_result::Outcome::Response(answer),
            Err(status) => {
                let refusal =
                    proto::wire::refusal::of_status(&status).expect("the fake refuses as the daemon does");
                v1::sign_result::Outcome::Refusal((&refusal).into())
            }
        };
        let outcomes: Vec<_> = request.into_inner().requests.into_iter().map(result).collect();
        let results = outcomes.into_iter().map(|outcome| v1::SignResult { outcome: Some(outcome) }).collect();
        Ok(Response::new(v1::SignBatchResponse { results }))
    }

    async fn get_public_key(
        &self,
        request: Request<v1::GetPublicKeyRequest>,
    ) -> Result<Response<v1::GetPublicKeyResponse>, Status> {
        let (state, request) = (self.state(), request.into_inner());
        let public = state.key.public.spki().to_vec();
        let version = v1::KeyVersion {
            key: request.key,
            version: 3,
            key_id: KeyId::of_spki(&public).as_bytes().to_vec(),
            algorithm: v1::Algorithm::EcdsaP256Sha256 as i32,
            public_key: public,
            state: v1::VersionState::Active as i32,
            ..Default::default()
        };
        Ok(Response::new(v1::GetPublicKeyResponse { version: Some(version), pem: state.key.public.to_pem() }))
    }
}

#[tonic::async_trait]
impl LogService for Service {
    type ListRecordsStream = Answers<v1::ListRecordsResponse>;
    type SearchRecordsStream = Answers<v1::SearchRecordsResponse>;

    async fn get_checkpoint(
        &self,
        _: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let state = self.state();
        let answer = v1::GetCheckpointResponse {
            checkpoint: state.log.checkpoint(),
            tree_size: state.log.size(),
            root_hash: Vec::new(),
        };
        Ok(Response::new(answer))
    }

    async fn present_checkpoint(
        &self,
        request: Request<v1::PresentCheckpointRequest>,
    ) -> Result<Response<v1::PresentCheckpointResponse>, Status> {
        let mut state = self.state();
        state.calls.push("present".to_owned());
        let shown = request.into_inner().checkpoint;
        let shown = state.log.keys().verify(&shown);
        // Of a key that had ended before it: no tree of this log.
        let extended = shown
            .as_ref()
            .is_ok_and(|shown| shown.size <= state.log.size() && state.log.root(shown.size) == shown.root);
        let size = shown.map_or(0, |shown| shown.size);
        if !extended {
            let refusal = Refusal::new(Reason::LogUnavailable, "rolled back or forked");
            return Err(proto::wire::refusal::status(&refusal));
        }
        let path = receipt::path(&state.log.consistency(size, state.log.size()));
        Ok(Response::new(v1::PresentCheckpointResponse { checkpoint: state.log.checkpoint(), path }))
    }

    async fn get_log_keys(
        &self,
        _: Request<v1::GetLogKeysRequest>,
    ) -> Result<Response<v1::GetLogKeysResponse>, Status> {
        let mut state = self.state();
        state.calls.push("log keys".to_owned());
        let end = |end: &proto::proof::receipt::Receipt| {
            receipt::full(
                end.index,
                &leaf_hash(&end.leaf),
                end.leaf.clone().into(),
                &end.path,
                &end.checkpoint,
            )
        };
        let (ends, log_key) = (state.log.ends.iter().map(end).collect(), state.log.key().to_string());
        Ok(Response::new(v1::GetLogKeysResponse { ends, log_key }))
    }

    async fn list_records(
        &self,
        request: Request<v1::ListRecordsRequest>,
    ) -> Result<Response<Self::ListRecordsStream>, Status> {
        let (state, request) = (self.state(), request.into_inner());
        let end = if request.end == 0 { state.log.size() } else { request.end };
        state.within(end)?;
        // Two a message, so that ranges span several.
        let records: Vec<_> = (request.start..end).map(|index| state.record(index)).collect();
        Ok(stream(
            records.chunks(2).map(|records| v1::ListRecordsResponse { records: records.to_vec() }).collect(),
        ))
    }

    async fn search_records(
        &self,
        _: Request<v1::SearchRecordsRequest>,
    ) -> Result<Response<Self::SearchRecordsStream>, Status> {
        let state = self.state();
        let tree_size = state.log.size();
        let indexed_to = tree_size - state.unsearched;
        let answer = |record| v1::SearchRecordsResponse { record, receipt: None, indexed_to, tree_size };
        let mut found: Vec<_> =
            (1..indexed_to).rev().map(|index| answer(Some(state.record(index)))).collect();
        if found.is_empty() {
            found.push(answer(None));
        }
        Ok(stream(found))
    }

    async fn get_receipt(
        &self,
        request: Request<v1::GetReceiptRequest>,
    ) -> Result<Response<v1::GetReceiptResponse>, Status> {
        let state = self.state();
        let index = match request.into_inner().record {
            Some(v1::get_receipt_request::Record::LogIndex(index)) => index,
            Some(v1::get_receipt_request::Record::OperationId(id)) => {
                let holds = |leaf: &Vec<u8>| String::from_utf8_lossy(leaf).contains(&id);
                state.log.leaves.iter().position(holds).map_or(u64::MAX - 1, |place| place as u64)
            }
            None => return Err(Status::invalid_argument("no record")),
        };
        state.within(index + 1)?;
        Ok(Response::new(v1::GetReceiptResponse { receipt: Some(state.receipt(index)) }))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::GetInclusionProofResponse>, Status> {
        let (state, request) = (self.state(), request.into_inner());
        let index = match request.leaf {
            Some(v1::get_inclusion_proof_request::Leaf::LogIndex(index)) => index,
            Some(v1::get_inclusion_proof_request::Leaf::LeafHash(hash)) => {
                return state.included(&hash).map(Response::new);
            }
            None => return Err(Status::invalid_argument("no leaf")),
        };
        state.within(request.tree_size)?;
        let mut path = state.log.header(request.tree_size - 1, request.tree_size).frontier;
        path.reverse();
        Ok(Response::new(v1::GetInclusionProofResponse {
            log_index: index,
            tree_size: request.tree_size,
            path: receipt::path(&path),
            ..Default::default()
        }))
    }

    async fn redact_detail(
        &self,
        request: Request<v1::RedactDetailRequest>,
    ) -> Result<Response<v1::RedactDetailResponse>, Status> {
        let mut state = self.state();
        let index = request.into_inner().log_index;
        state.within(index + 1)?;
        state.calls.push(format!("redact {index}"));
        Ok(Response::new(v1::RedactDetailResponse { log_index: state.log.size() }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        let (mut state, request) = (self.state(), request.into_inner());
        state.calls.push("consistency".to_owned());
        state.within(request.new_size)?;
        let path = receipt::path(&state.log.consistency(request.old_size, request.new_size));
        Ok(Response::new(v1::GetConsistencyProofResponse {
            old_size: request.old_size,
            new_size: request.new_size,
            path,
            ..Default::default()
        }))
    }
}

#[tonic::async_trait]
impl KeyService for Service {
    type WatchKeysStream = Answers<v1::WatchKeysResponse>;

    async fn list_keys(
        &self,
        request: Request<v1::ListKeysRequest>,
    ) -> Result<Response<v1::ListKeysResponse>, Status> {
        let key = |name: &str| v1::Key {
            name: name.to_owned(),
            state: v1::RingState::Steady as i32,
            ..Default::default()
        };
        // Two pages.
        Ok(Response::new(match request.into_inner().page_token.as_str() {
            "" => v1::ListKeysResponse { keys: vec![key("release/linux")], next_page_token: "2".to_owned() },
            _ => v1::ListKeysResponse { keys: vec![key("release/mac")], next_page_token: String::new() },
        }))
    }

    async fn get_key(&self, _: Request<v1::GetKeyRequest>) -> Result<Response<v1::GetKeyResponse>, Status> {
        Err(proto::wire::refusal::status(&Refusal::new(Reason::UnknownKey, "there is no such key")))
    }

    async fn watch_keys(
        &self,
        _: Request<v1::WatchKeysRequest>,
    ) -> Result<Response<Self::WatchKeysStream>, Status> {
        Err(Status::unimplemented("the fake daemon's keys never change"))
    }
}

#[tonic::async_trait]
impl IncidentService for Service {
    async fn stop(&self, request: Request<v1::StopRequest>) -> Result<Response<v1::StopResponse>, Status> {
        let mut state = self.state();
        state.calls.push("stop".to_owned());
        if let Some(refusal) = state.refusals.pop_front() {
            return Err(refusal);
        }
        let request = request.into_inner();
        let target = request.target.and_then(|target| target.target);
        if let Some(act) = &request.act {
            let council = state.council.as_mut().ok_or_else(|| Status::unimplemented("no people"))?;
            council.stop(act, target.as_ref())?;
        }
        if std::mem::take(&mut state.loses_stops) {
            return Err(proto::wire::refusal::status(&Refusal::new(Reason::LogUnavailable, "lost")));
        }
        let index = match target {
            Some(v1::stop_target::Target::Key(key)) => state.log.stop(&key),
            Some(_) if request.act.is_some() => state.log.stop("filler/record"),
            _ => return Err(Status::unimplemented("the fake daemon stops keys")),
        };
        Ok(Response::new(v1::StopResponse { log_index: Some(index), ..Default::default() }))
    }
}
