//! `CeremonyService`: ceremonies, and what people decide in them.
//!
//! No call asks who the connection belongs to: every decision is a document that a person signed, and what is read here is
//! what the people in the room read.

mod convert;

use std::sync::Arc;
use std::time::Duration;

use proto::refusal::Refusal;
use proto::wire::time::of_wire;
use proto::wire::v1::ceremony_service_server::CeremonyService;
use proto::wire::v1::{self};
use proto::wire::value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::services::Services;
use super::status;
use crate::council::{Council, Draft};
use crate::keys::signed::Signed;

/// Ceremonies on a page, where the caller does not say.
const PAGE: usize = 50;
/// Most ceremonies on a page.
const LARGEST_PAGE: usize = 200;
/// Bytes of a transcript's file in one message.
const CHUNK: usize = 256 * 1024;
/// How often a watched ceremony is looked at although nothing was recorded: time alone changes it too.
const LOOK: Duration = Duration::from_secs(15);

/// The service.
pub struct Service(pub Arc<Services>);

impl Service {
    fn council(&self) -> &Arc<Council> {
        &self.0.council
    }

    async fn whole(&self, id: ceremonies::statement::CeremonyId) -> Result<Option<v1::Ceremony>, Status> {
        let view = self.council().ceremony(id).await.map_err(|refusal| status::of(&refusal))?;
        Ok(Some(convert::whole(&view)))
    }
}

fn id(text: &str) -> Result<ceremonies::statement::CeremonyId, Status> {
    text.parse().map_err(|error: ceremonies::statement::NotACeremonyId| {
        status::of(&value::malformed("id", error.to_string()))
    })
}

fn signed(act: Option<v1::SignedAct>) -> Result<Signed, Status> {
    match act {
        Some(act) if !act.document.is_empty() && !act.signature.is_empty() => {
            Ok(Signed { document: act.document, signature: act.signature })
        }
        _ => Err(status::of(&value::malformed("act", "expected a document and the SSHSIG over it"))),
    }
}

fn refused(refusal: Refusal) -> Status {
    status::of(&refusal)
}

#[tonic::async_trait]
impl CeremonyService for Service {
    async fn get_instance(
        &self,
        _request: Request<v1::GetInstanceRequest>,
    ) -> Result<Response<v1::GetInstanceResponse>, Status> {
        let snapshot = self.0.keyring.snapshot();
        let state = snapshot.state();
        let guardrails = state.guardrails_version();
        let loaded = snapshot.in_force().map(|force| &force.loaded);
        let files = loaded.into_iter().flat_map(|loaded| loaded.files());
        Ok(Response::new(v1::GetInstanceResponse {
            genesis: state.instance().statement().encode(),
            roster: state.roster().encode(),
            guardrails_version: guardrails.version,
            guardrails_sha256: guardrails.sha256.as_bytes().to_vec(),
            grants_sha256: state.grants().sha256.as_bytes().to_vec(),
            checkpoint: self.0.log.head().checkpoint.to_string(),
            clock: Some(convert::clock(self.council().time())),
            suspensions: self.council().suspended().iter().map(convert::suspension).collect(),
            guardrails: loaded.map(|loaded| loaded.text.clone().into_bytes()).unwrap_or_default(),
            guardrail_files: files.map(|(sha256, bytes)| (sha256.to_string(), bytes.to_vec())).collect(),
        }))
    }

    async fn draft_statement(
        &self,
        request: Request<v1::DraftStatementRequest>,
    ) -> Result<Response<v1::DraftStatementResponse>, Status> {
        let request = request.into_inner();
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let not_before = request.not_before.as_ref().map(|time| of_wire("not_before", time)).transpose();
        let draft = Draft {
            template: request.template,
            initiator: request.initiator,
            justification: given(request.justification),
            ticket: given(request.ticket),
            not_before: not_before.map_err(refused)?,
        };
        let statement = self.council().statement(&draft).map_err(refused)?;
        Ok(Response::new(v1::DraftStatementResponse { statement: statement.encode() }))
    }

    async fn propose_ceremony(
        &self,
        request: Request<v1::ProposeCeremonyRequest>,
    ) -> Result<Response<v1::ProposeCeremonyResponse>, Status> {
        let request = request.into_inner();
        let signed = signed(request.act)?;
        let documents = request.documents.into_iter().collect();
        let id = self.council().propose(&request.statement, &signed, &documents).await.map_err(refused)?;
        Ok(Response::new(v1::ProposeCeremonyResponse { ceremony: self.whole(id).await? }))
    }

    async fn get_ceremony(
        &self,
        request: Request<v1::GetCeremonyRequest>,
    ) -> Result<Response<v1::GetCeremonyResponse>, Status> {
        let id = id(&request.into_inner().id)?;
        Ok(Response::new(v1::GetCeremonyResponse { ceremony: self.whole(id).await? }))
    }

    async fn list_ceremonies(
        &self,
        request: Request<v1::ListCeremoniesRequest>,
    ) -> Result<Response<v1::ListCeremoniesResponse>, Status> {
        let request = request.into_inner();
        let limit = match request.page_size as usize {
            0 => PAGE,
            size => size.min(LARGEST_PAGE),
        };
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(token.parse::<u64>().map_err(|_not_a_number| {
                refused(value::malformed("page_token", "expected the token of the page before"))
            })?),
        };
        let (views, next) = self.council().ceremonies(request.ended, after, limit);
        Ok(Response::new(v1::ListCeremoniesResponse {
            ceremonies: views.iter().map(convert::summary).collect(),
            next_page_token: next.map(|next| next.to_string()).unwrap_or_default(),
        }))
    }

    type WatchCeremonyStream = ReceiverStream<Result<v1::WatchCeremonyResponse, Status>>;

    async fn watch_ceremony(
        &self,
        request: Request<v1::WatchCeremonyRequest>,
    ) -> Result<Response<Self::WatchCeremonyStream>, Status> {
        let id = id(&request.into_inner().id)?;
        let mut newest = self.0.keyring.watch();
        let mut last = self.whole(id).await?;
        let (sender, stream) = mpsc::channel(4);
        let council = Arc::clone(self.council());
        tokio::spawn(async move {
            loop {
                let ended = last.as_ref().is_none_or(convert::has_ended);
                let told = sender.send(Ok(v1::WatchCeremonyResponse { ceremony: last.clone() })).await;
                if told.is_err() || ended {
                    return;
                }
                loop {
                    tokio::select! {
                        changed = newest.changed() => if changed.is_err() { return },
                        () = tokio::time::sleep(LOOK) => {}
                        () = sender.closed() => return,
                    }
                    match council.ceremony(id).await {
                        Ok(view) => {
                            let now = Some(convert::whole(&view));
                            if now != last {
                                last = now;
                                break;
                            }
                        }
                        Err(refusal) => {
                            // Whoever watches hears why it ends; nobody else is concerned.
                            let _gone = sender.send(Err(status::of(&refusal))).await;
                            return;
                        }
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn submit_act(
        &self,
        request: Request<v1::SubmitActRequest>,
    ) -> Result<Response<v1::SubmitActResponse>, Status> {
        let signed = signed(request.into_inner().act)?;
        let done = self.council().submit(&signed).await.map_err(refused)?;
        let ceremony = match done.ceremony {
            Some(id) => self.whole(id).await?,
            None => None,
        };
        Ok(Response::new(v1::SubmitActResponse { log_index: done.index, ceremony, waits: done.waits }))
    }

    async fn execute_ceremony(
        &self,
        request: Request<v1::ExecuteCeremonyRequest>,
    ) -> Result<Response<v1::ExecuteCeremonyResponse>, Status> {
        let signed = signed(request.into_inner().act)?;
        let id = self.council().execute(&signed).await.map_err(refused)?;
        Ok(Response::new(v1::ExecuteCeremonyResponse { ceremony: self.whole(id).await? }))
    }

    type GetTranscriptStream = ReceiverStream<Result<v1::GetTranscriptResponse, Status>>;

    async fn get_transcript(
        &self,
        request: Request<v1::GetTranscriptRequest>,
    ) -> Result<Response<Self::GetTranscriptStream>, Status> {
        let id = id(&request.into_inner().id)?;
        let files = self.council().transcript(id).await.map_err(refused)?;
        let (sender, stream) = mpsc::channel(4);
        tokio::spawn(async move {
            for (path, bytes) in files {
                let mut chunks = bytes.chunks(CHUNK).peekable();
                // An empty file is one message too.
                let mut next = Some(chunks.next().unwrap_or_default());
                while let Some(chunk) = next {
                    next = chunks.next();
                    let content = chunk.to_vec();
                    let part =
                        v1::GetTranscriptResponse { path: path.clone(), content, last: next.is_none() };
                    if sender.send(Ok(part)).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}
