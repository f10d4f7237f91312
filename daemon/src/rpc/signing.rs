//! `SigningService`: one call of the pipeline each, and the public keys that verify.

mod answer;
pub mod ask;

use std::sync::Arc;

use proto::proof::encoding::pem;
use proto::reason::Reason;
use proto::refusal::Refusal;
use proto::wire::v1;
use proto::wire::v1::signing_service_server::SigningService;
use tonic::{Request, Response, Status};

use super::front::{Held, RequestId};
use super::services::{self, Services};
use super::{keys, status};
use crate::policy::facts::Action;
use crate::sign::SignRequest;
use crate::trace::Call;

/// Request ids of a batch that its lines name.
const NAMED: usize = 8;

/// The service.
pub struct Service(pub Arc<Services>);

/// What the pipeline refused. A fault of ours is named by the request's id, under which the trace has it.
fn told(id: Option<RequestId>, refusal: Refusal) -> Status {
    traced(&refusal);
    match (refusal.reason, id) {
        (Reason::Internal, Some(id)) => status::told(&refusal.with("request", id)),
        _ => status::told(&refusal),
    }
}

fn traced(refusal: &Refusal) {
    let operation = refusal.operation.map(|operation| operation.to_string());
    match refusal.reason {
        Reason::Internal => tracing::error!(%refusal, operation, "a fault while signing"),
        _ => tracing::debug!(%refusal, operation, "refused"),
    }
}

/// The request ids of a batch's items, the first few of them: they are in each line of its call.
fn named(asked: &[SignRequest]) -> String {
    let mut ids = asked.iter().filter_map(|request| request.request_id.as_deref());
    let mut text = String::new();
    for id in ids.by_ref().take(NAMED) {
        text.push_str(if text.is_empty() { "" } else { "," });
        text.push_str(id);
    }
    match ids.count() {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// A reply with what it holds until it has left.
fn holding<T>(message: T, held: Option<Held>) -> Response<T> {
    let mut response = Response::new(message);
    if let Some(held) = held {
        response.extensions_mut().insert(held);
    }
    response
}

#[tonic::async_trait]
impl SigningService for Service {
    async fn sign(&self, request: Request<v1::SignRequest>) -> Result<Response<v1::SignResponse>, Status> {
        let (caller, _) = self.0.caller(request.extensions())?;
        let by = services::deadline(request.extensions());
        let id = request.extensions().get::<RequestId>().copied();
        let asked = ask::one(request.into_inner()).map_err(|refusal| status::of(&refusal))?;
        if let Some(request_id) = &asked.request_id {
            Call::note_request_id(|| request_id.clone());
        }
        let reply = self.0.signer.sign(&caller, asked, by).await.map_err(|refusal| told(id, refusal))?;
        let (response, held) = answer::one(&self.0, &caller, reply);
        Ok(holding(response, held))
    }

    async fn sign_batch(
        &self,
        request: Request<v1::SignBatchRequest>,
    ) -> Result<Response<v1::SignBatchResponse>, Status> {
        let (caller, _) = self.0.caller(request.extensions())?;
        let by = services::deadline(request.extensions());
        let items = ask::many(request.into_inner()).map_err(|refusal| status::of(&refusal))?;
        // Items that were not understood keep their places; the others are one batch.
        let mut asked = Vec::with_capacity(items.len());
        let mut answers = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Ok(request) => {
                    asked.push(request);
                    answers.push(None);
                }
                Err(refusal) => answers.push(Some(Err(refusal))),
            }
        }
        let ids = named(&asked);
        if !ids.is_empty() {
            Call::note_request_id(|| ids);
        }
        let mut signed = self.0.signer.sign_batch(&caller, asked, by).await.into_iter();
        let missing = || Err(Refusal::new(Reason::Internal, "a request without an answer"));
        let answers: Vec<_> = answers
            .into_iter()
            .map(|answer| answer.or_else(|| signed.next()).unwrap_or_else(missing))
            .inspect(|answer| {
                if let Err(refusal) = answer {
                    traced(refusal);
                }
            })
            .collect();
        let (response, held) = answer::many(&self.0, &caller, answers);
        Ok(holding(response, held))
    }

    async fn get_public_key(
        &self,
        request: Request<v1::GetPublicKeyRequest>,
    ) -> Result<Response<v1::GetPublicKeyResponse>, Status> {
        let (caller, snapshot) = self.0.caller(request.extensions())?;
        let request = request.into_inner();
        let denials = &self.0.denials;
        let ring = keys::permitted(denials, &snapshot, &caller, &request.key, &Action::GetPublicKey).await;
        let found = ring.and_then(|ring| keys::version(ring, request.version).map(keys::convert::version));
        let version = found.map_err(|refusal| status::of(&refusal))?;
        let pem = pem::encode("PUBLIC KEY", &version.public_key)
            .map_err(|why| status::of(&Refusal::new(Reason::Internal, why.to_string())))?;
        Ok(Response::new(v1::GetPublicKeyResponse { version: Some(version), pem }))
    }
}
