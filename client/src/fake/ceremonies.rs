//! The calls of the fake daemon that are about ceremonies.

use std::pin::Pin;
use std::time::Duration;

use proto::reason::Reason;
use proto::wire::v1;
use proto::wire::v1::ceremony_service_server::CeremonyService;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::council::{Council, refuse};
use super::{Service, State};
use crate::people::open::has_ended;

type Stories<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl State {
    fn council(&mut self, call: &str) -> Result<(&mut Council, &mut crate::fixture::Log), Status> {
        self.calls.push(call.to_owned());
        if let Some(refusal) = self.refusals.pop_front() {
            return Err(refusal);
        }
        match &mut self.council {
            Some(council) => Ok((council, &mut self.log)),
            None => Err(Status::unimplemented("this fake daemon has no people")),
        }
    }

    fn ceremony(&self, id: &str) -> Result<v1::Ceremony, Status> {
        let council = self.council.as_ref().ok_or_else(|| Status::unimplemented("no people"))?;
        let place = council.held.iter().position(|held| held.wire.id == id);
        let place = place.ok_or_else(|| refuse(Reason::MalformedRequest, "there is no such ceremony"))?;
        Ok(council.shown(place))
    }
}

#[tonic::async_trait]
impl CeremonyService for Service {
    type WatchCeremonyStream = Stories<v1::WatchCeremonyResponse>;
    type GetTranscriptStream = Stories<v1::GetTranscriptResponse>;

    async fn get_instance(
        &self,
        _: Request<v1::GetInstanceRequest>,
    ) -> Result<Response<v1::GetInstanceResponse>, Status> {
        let mut state = self.state();
        let checkpoint = state.log.checkpoint();
        let (council, _) = state.council("instance")?;
        let common = council.genesis.common();
        Ok(Response::new(v1::GetInstanceResponse {
            genesis: council.genesis.encode(),
            roster: council.roster.encode(),
            guardrails_version: common.guardrails.version,
            guardrails_sha256: common.guardrails.sha256.as_bytes().to_vec(),
            grants_sha256: proto::hash::Hash::of(b"grants").as_bytes().to_vec(),
            checkpoint,
            suspensions: council.suspended(),
            clock: council.clock,
            ..Default::default()
        }))
    }

    async fn draft_statement(
        &self,
        request: Request<v1::DraftStatementRequest>,
    ) -> Result<Response<v1::DraftStatementResponse>, Status> {
        let mut state = self.state();
        let (council, log) = state.council("draft")?;
        let statement = council.draft(&request.into_inner(), log)?.encode();
        Ok(Response::new(v1::DraftStatementResponse { statement }))
    }

    async fn propose_ceremony(
        &self,
        request: Request<v1::ProposeCeremonyRequest>,
    ) -> Result<Response<v1::ProposeCeremonyResponse>, Status> {
        let mut state = self.state();
        let (council, log) = state.council("propose")?;
        let ceremony = Some(council.propose(request.into_inner(), log)?);
        Ok(Response::new(v1::ProposeCeremonyResponse { ceremony }))
    }

    async fn get_ceremony(
        &self,
        request: Request<v1::GetCeremonyRequest>,
    ) -> Result<Response<v1::GetCeremonyResponse>, Status> {
        let mut state = self.state();
        state.calls.push("ceremony".to_owned());
        let ceremony = Some(state.ceremony(&request.into_inner().id)?);
        Ok(Response::new(v1::GetCeremonyResponse { ceremony }))
    }

    async fn list_ceremonies(
        &self,
        request: Request<v1::ListCeremoniesRequest>,
    ) -> Result<Response<v1::ListCeremoniesResponse>, Status> {
        let (mut state, request) = (self.state(), request.into_inner());
        let (council, _) = state.council("list")?;
        let shown = (0..council.held.len()).rev().map(|place| council.shown(place));
        let mut found: Vec<v1::Ceremony> =
            shown.filter(|ceremony| request.ended || !has_ended(ceremony)).collect();
        for ceremony in &mut found {
            ceremony.outputs.clear();
            ceremony.documents.clear();
            ceremony.acts.clear();
        }
        // One a page.
        let start = request.page_token.parse().unwrap_or(0);
        let next_page_token = if start + 1 < found.len() { (start + 1).to_string() } else { String::new() };
        let ceremonies = found.into_iter().skip(start).take(1).collect();
        Ok(Response::new(v1::ListCeremoniesResponse { ceremonies, next_page_token }))
    }

    async fn watch_ceremony(
        &self,
        request: Request<v1::WatchCeremonyRequest>,
    ) -> Result<Response<Self::WatchCeremonyStream>, Status> {
        let (service, id) = (self.clone(), request.into_inner().id);
        let mut last = service.state().ceremony(&id)?;
        let (give, take) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            let message =
                |ceremony: &v1::Ceremony| Ok(v1::WatchCeremonyResponse { ceremony: Some(ceremony.clone()) });
            if give.send(message(&last)).await.is_err() {
                return;
            }
            while !has_ended(&last) && !give.is_closed() {
                tokio::time::sleep(Duration::from_millis(5)).await;
                let now = service.state().ceremony(&id);
                match now {
                    Ok(now) if now != last => {
                        last = now;
                        if give.send(message(&last)).await.is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(status) => {
                        let _nobody_listens = give.send(Err(status)).await;
                        return;
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(take))))
    }

    async fn submit_act(
        &self,
        request: Request<v1::SubmitActRequest>,
    ) -> Result<Response<v1::SubmitActResponse>, Status> {
        let mut state = self.state();
        let (council, log) = state.council("submit")?;
        let (log_index, ceremony, waits) =
            council.submit(request.into_inner().act.unwrap_or_default(), log)?;
        Ok(Response::new(v1::SubmitActResponse { log_index, ceremony, waits }))
    }

    async fn execute_ceremony(
        &self,
        request: Request<v1::ExecuteCeremonyRequest>,
    ) -> Result<Response<v1::ExecuteCeremonyResponse>, Status> {
        let mut state = self.state();
        let (council, log) = state.council("execute")?;
        let ceremony = Some(council.execute(request.into_inner().act.unwrap_or_default(), log)?);
        Ok(Response::new(v1::ExecuteCeremonyResponse { ceremony }))
    }

    async fn get_transcript(
        &self,
        _: Request<v1::GetTranscriptRequest>,
    ) -> Result<Response<Self::GetTranscriptStream>, Status> {
        let mut state = self.state();
        let (council, _) = state.council("transcript")?;
        let pieces: Vec<_> = council.transcript.iter().cloned().map(Ok).collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(pieces))))
    }
}
