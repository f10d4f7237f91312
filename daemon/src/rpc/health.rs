//! `grpc.health.v1`: the whole, each service, each backend as `backend/<name>`, and each
//! anchor off the host as `anchor/<address>`.
//!
//! The protocol has room for a status and none for a reason. The reason is a header of the answer to `Check`
//! (`countersign-cause`), in the log, and on `/healthz`. Health is open to everybody: it names backends and causes,
//! never keys or callers.

mod board;

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use proto::reason::Reason;
use proto::refusal::Refusal;
use tokio_stream::wrappers::WatchStream;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

pub use board::{Board, Condition};

use super::status;

/// The header that says why something does not serve.
const CAUSE: &str = "countersign-cause";

/// The longest name that is looked up.
const LONGEST_NAME: usize = 200;

/// The health service over a board.
pub struct Service(Board);

impl Service {
    /// The service, ready to be routed.
    pub fn server(board: Board) -> HealthServer<Self> {
        // A request holds one name.
        HealthServer::new(Self(board)).max_decoding_message_size(1024)
    }
}

fn answer(condition: &Condition) -> HealthCheckResponse {
    let status = match condition {
        Condition::Serving => ServingStatus::Serving,
        Condition::Refusing(_) => ServingStatus::NotServing,
    };
    HealthCheckResponse { status: status as i32 }
}

#[tonic::async_trait]
impl Health for Service {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let name = request.into_inner().service;
        let Some(condition) = self.0.condition(&name) else {
            let names = self.0.names().join(", ");
            let shown: String = name.chars().take(LONGEST_NAME).collect();
            let message = format!("`{shown}` has no health; expected the empty name or one of {names}");
            return Err(status::of(&Refusal::new(Reason::UnknownBackend, message)));
        };
        let mut response = Response::new(answer(&condition));
        if let Condition::Refusing(cause) = &condition {
            // A cause is a sentence of ours; what is no ASCII in it (a path, a name) is left out, not the cause.
            let plain: String = cause.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect();
            if let Ok(value) = AsciiMetadataValue::try_from(plain) {
                response.metadata_mut().insert(CAUSE, value);
            }
        }
        Ok(response)
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let name = request.into_inner().service;
        let Some(watched) = self.0.watch(&name) else {
            // As the protocol has it: a name may come to be known later, so the stream stays open.
            let unknown = HealthCheckResponse { status: ServingStatus::ServiceUnknown as i32 };
            let stream = futures_util::stream::iter([Ok(unknown)]).chain(futures_util::stream::pending());
            return Ok(Response::new(Box::pin(stream)));
        };
        let mut last = None;
        let changes = WatchStream::new(watched).filter_map(move |condition| {
            let answer = answer(&condition);
            let news = (last.replace(answer.status) != Some(answer.status)).then_some(Ok(answer));
            std::future::ready(news)
        });
        Ok(Response::new(Box::pin(changes)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn ask(name: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest { service: name.to_owned() })
    }

    #[tokio::test]
    async fn a_check_names_the_cause_and_an_unknown_name_is_refused_with_those_that_are_known() {
        let board = Board::new(&["countersign.v1.SigningService"]);
        board.report("backend/hsm-a", Condition::Refusing("the token was removed\n".into()));
        let service = Service(board);
        let down = service.check(ask("backend/hsm-a")).await.unwrap();
        assert_eq!(down.metadata().get(CAUSE).unwrap(), "the token was removed");
        assert_eq!(down.into_inner().status, ServingStatus::NotServing as i32);
        let up = service.check(ask("")).await.unwrap();
        assert_eq!(up.into_inner().status, ServingStatus::Serving as i32);
        let unknown = service.check(ask("backend/hsm-b")).await.unwrap_err();
        assert!(unknown.message().contains("backend/hsm-a, countersign.v1.SigningService"), "{unknown}");
    }

    #[tokio::test]
    async fn a_watch_says_changes_and_no_more() {
        let board = Board::new(&[]);
        board.report("backend/a", Condition::Serving);
        let service = Service(board.clone());
        let mut watch = service.watch(ask("backend/a")).await.unwrap().into_inner();
        assert_eq!(watch.next().await.unwrap().unwrap().status, ServingStatus::Serving as i32);
        board.report("backend/a", Condition::Refusing("one".into()));
        assert_eq!(watch.next().await.unwrap().unwrap().status, ServingStatus::NotServing as i32);
        board.report("backend/a", Condition::Refusing("two".into()));
        board.report("backend/a", Condition::Serving);
        assert_eq!(watch.next().await.unwrap().unwrap().status, ServingStatus::Serving as i32);
        let mut unknown = service.watch(ask("nobody")).await.unwrap().into_inner();
        assert_eq!(unknown.next().await.unwrap().unwrap().status, ServingStatus::ServiceUnknown as i32);
    }
}
