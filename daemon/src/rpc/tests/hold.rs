//! What a reply holds is held until the reply has been handed over, and a panic is a refusal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto::reason::Reason;
use proto::refusal::Refusal;
use tokio::sync::{mpsc, oneshot};
use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::authority::{limits, start_with};
use super::client::{Client, framed};
use crate::clock::ManualClock;
use crate::rpc::connection::{Connection, Peer};
use crate::rpc::front::{Ends, Held, Reply};
use crate::rpc::health::Board;
use crate::rpc::identity::Identity;
use crate::rpc::limit::{Class, Cut, Gate, Limits, Origin, Standing, Visitor};
use crate::rpc::tls::ClientCertificate::Optional;

/// Says that it was dropped.
struct Guard(Option<oneshot::Sender<()>>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(dropped) = self.0.take() {
            let _nobody_waits = dropped.send(());
        }
    }
}

/// A service that holds a guard, panics, or answers a stream that the test feeds.
struct Holding {
    guard: Mutex<Option<Guard>>,
    feed: Mutex<Option<mpsc::Receiver<Result<HealthCheckResponse, Status>>>>,
    stopped: Arc<AtomicBool>,
}

impl Holding {
    fn held(&self) -> Held {
        let stopped = Arc::clone(&self.stopped);
        Held::new(self.guard.lock().unwrap().take(), move || {
            stopped.load(Ordering::Relaxed).then(|| Refusal::new(Reason::KeySuspended, "stopped meanwhile"))
        })
    }
}

#[tonic::async_trait]
impl Health for Holding {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match request.into_inner().service.as_str() {
            "panic" => panic!("a panic that the test wants"),
            "never" => std::future::pending().await,
            _ => {}
        }
        let mut response = Response::new(HealthCheckResponse { status: 1 });
        response.extensions_mut().insert(self.held());
        Ok(response)
    }

    type WatchStream = tokio_stream::wrappers::ReceiverStream<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let feed = self.feed.lock().unwrap().take().unwrap();
        let mut response = Response::new(feed.into());
        response.extensions_mut().insert(self.held());
        Ok(response)
    }
}

struct Setup {
    running: super::authority::Running,
    dropped: oneshot::Receiver<()>,
    feed: mpsc::Sender<Result<HealthCheckResponse, Status>>,
}

/// A service that never answers who asks for `never`.
pub async fn silent(limits: Limits) -> super::authority::Running {
    setup_within(limits).await.running
}

async fn setup() -> Setup {
    setup_within(limits()).await
}

async fn setup_within(limits: Limits) -> Setup {
    let (sender, dropped) = oneshot::channel();
    let (feed, receiver) = mpsc::channel(4);
    let service = Holding {
        guard: Mutex::new(Some(Guard(Some(sender)))),
        feed: Mutex::new(Some(receiver)),
        stopped: Arc::default(),
    };
    let mut routes = RoutesBuilder::default();
    routes.add_service(HealthServer::from_arc(Arc::new(service)));
    let running = start_with(Optional, limits, routes.routes(), Board::new(&[])).await;
    Setup { running, dropped, feed }
}

#[tokio::test]
async fn a_guard_is_dropped_when_its_reply_has_been_handed_over() {
    let Setup { running, dropped, .. } = setup().await;
    let mut client = Client::local(&running).await;
    client
        .call("/grpc.health.v1.Health/Check", &HealthCheckRequest::default())
        .await
        .message::<HealthCheckResponse>();
    dropped.await.unwrap();
}

#[tokio::test]
async fn a_guard_lives_as_long_as_the_reply_is_not_complete() {
    let Setup { running, mut dropped, feed } = setup().await;
    let mut client = Client::local(&running).await;
    feed.send(Ok(HealthCheckResponse { status: 1 })).await.unwrap();
    let request = Client::request("/grpc.health.v1.Health/Watch", framed(&[]));
    client.0.ready().await.unwrap();
    let response = client.0.send_request(request).await.unwrap();
    let mut body = response.into_body();
    http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
    assert!(dropped.try_recv().is_err(), "the reply is not complete");
    feed.send(Err(Status::internal("made by a library"))).await.unwrap();
    let last = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap().into_trailers().unwrap();
    let status = Status::from_header_map(&last).unwrap();
    assert_eq!(
        proto::wire::refusal::of_status(&status).unwrap().reason,
        Reason::MalformedRequest,
        "the end of a stream has a reason, too"
    );
    dropped.await.unwrap();
}

#[tokio::test]
async fn a_guard_is_dropped_when_the_caller_goes_away() {
    let Setup { running, dropped, feed } = setup().await;
    let mut client = Client::local(&running).await;
    feed.send(Ok(HealthCheckResponse { status: 1 })).await.unwrap();
    let request = Client::request("/grpc.health.v1.Health/Watch", framed(&[]));
    client.0.ready().await.unwrap();
    let response = client.0.send_request(request).await.unwrap();
    drop((response, client));
    dropped.await.unwrap();
}

#[tokio::test]
async fn a_reply_that_nobody_has_taken_yet_is_withheld_by_the_last_look() {
    let (sender, mut dropped) = oneshot::channel();
    let (feed, receiver) = mpsc::channel(4);
    let stopped = Arc::new(AtomicBool::new(false));
    let service = Holding {
        guard: Mutex::new(Some(Guard(Some(sender)))),
        feed: Mutex::new(Some(receiver)),
        stopped: Arc::clone(&stopped),
    };
    feed.send(Ok(HealthCheckResponse { status: 1 })).await.unwrap();
    let mut answer = service.watch(Request::new(HealthCheckRequest::default())).await.unwrap();
    let held = answer.extensions_mut().remove::<Held>();
    // The body as the connection has it while the other end takes nothing.
    let visitor = Visitor::new(Origin::User(0), Standing::Caller, Cut::default());
    let in_progress = Gate::new(limits()).enter(&visitor, Class::Stream).unwrap();
    let body = tonic::body::Body::new(http_body_util::Full::new(bytes::Bytes::from_static(b"signature")));
    let connection = Connection::new(Identity::Anonymous, Peer::Local, visitor).ending();
    let ends = Ends { deadline: None, clock: Arc::new(ManualClock::default()), connection };
    let mut reply = Reply::new(body, held, in_progress, "/m".into(), ends);
    stopped.store(true, Ordering::Relaxed);
    let frame = http_body_util::BodyExt::frame(&mut reply).await.unwrap().unwrap();
    let status = Status::from_header_map(&frame.into_trailers().unwrap()).unwrap();
    assert_eq!(proto::wire::refusal::of_status(&status).unwrap().reason, Reason::KeySuspended);
    assert!(http_body_util::BodyExt::frame(&mut reply).await.is_none(), "nothing else leaves");
    assert!(dropped.try_recv().is_err());
    drop(reply);
    dropped.await.unwrap();
}

#[tokio::test]
async fn a_panic_is_a_refusal_and_service_goes_on() {
    let Setup { running, .. } = setup().await;
    let mut client = Client::local(&running).await;
    let panics = HealthCheckRequest { service: "panic".into() };
    let refusal = client.call("/grpc.health.v1.Health/Check", &panics).await.refusal();
    assert_eq!(refusal.reason, Reason::Internal);
    assert_eq!(refusal.metadata.get("request").map(String::len), Some(16));
    client
        .call("/grpc.health.v1.Health/Check", &HealthCheckRequest::default())
        .await
        .message::<HealthCheckResponse>();
}

#[tokio::test]
async fn a_call_that_never_answers_is_ended_at_its_deadline() {
    let Setup { running, .. } = setup().await;
    let message = prost::Message::encode_to_vec(&HealthCheckRequest { service: "never".into() });
    let mut request = Client::request("/grpc.health.v1.Health/Check", framed(&message));
    request.headers_mut().insert("grpc-timeout", "10m".parse().unwrap());
    let refusal = Client::local(&running).await.send(request).await.refusal();
    assert_eq!(refusal.reason, Reason::DeadlineExceeded);
    assert!(refusal.message.contains("request id"), "{refusal}");
}

#[tokio::test]
async fn a_drain_waits_for_the_reply_that_is_under_way_and_takes_no_new_connection() {
    let Setup { running, feed, .. } = setup().await;
    let mut client = Client::local(&running).await;
    feed.send(Ok(HealthCheckResponse { status: 1 })).await.unwrap();
    let request = Client::request("/grpc.health.v1.Health/Watch", framed(&[]));
    client.0.ready().await.unwrap();
    let response = client.0.send_request(request).await.unwrap();
    let super::authority::Running { edge, board, .. } = running;
    let mut stopping = board.watch("").unwrap();
    let drain = tokio::spawn(edge.drain(Duration::from_secs(30)));
    stopping
        .wait_for(|condition| matches!(condition, crate::rpc::health::Condition::Refusing(_)))
        .await
        .unwrap();
    feed.send(Ok(HealthCheckResponse { status: 2 })).await.unwrap();
    drop(feed);
    let whole = http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    assert_eq!(Status::from_header_map(whole.trailers().unwrap()).unwrap().code(), tonic::Code::Ok);
    assert_eq!(drain.await.unwrap(), 0);
}

#[tokio::test]
async fn a_stream_that_says_nothing_ends_with_its_connection_and_a_reason() {
    let Setup { running, feed, .. } = setup().await;
    let mut client = Client::local(&running).await;
    feed.send(Ok(HealthCheckResponse { status: 1 })).await.unwrap();
    let request = Client::request("/grpc.health.v1.Health/Watch", framed(&[]));
    client.0.ready().await.unwrap();
    let response = client.0.send_request(request).await.unwrap();
    assert_eq!(running.edge.drain(Duration::from_secs(30)).await, 0);
    let whole = http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    let status = Status::from_header_map(whole.trailers().unwrap()).unwrap();
    let refusal = proto::wire::refusal::of_status(&status).unwrap();
    assert_eq!(refusal.reason, Reason::ShuttingDown);
    assert!(refusal.retry_after.is_some());
}
