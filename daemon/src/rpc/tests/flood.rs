//! Floods of connections and requests, and the stops that get through.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use ceremonies::act::Deed;
use futures_util::future::{join_all, select_all};
use http::Request;
use http_body::{Body, Frame};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use proto::reason::Reason;
use proto::term::Term;
use proto::wire::v1::{self, sign_request, stop_target};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::acts::{act, stop};
use super::authority::limits;
use super::client::{Client, config, dial, framed, handshake, over};
use super::site::{Site, everything};
use crate::rpc::limit::Limits;

const CHECK: &str = "/grpc.health.v1.Health/Check";
const INSTANCE: &str = "/countersign.v1.CeremonyService/GetInstance";
const SIGN: &str = "/countersign.v1.SigningService/Sign";
const STOP: &str = "/countersign.v1.IncidentService/Stop";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const WATCH_KEYS: &str = "/countersign.v1.KeyService/WatchKeys";

/// A caller with a certificate, who may do everything, as may whoever runs the test.
const OPERATOR: &str = "spiffe://example.org/operator";

const HERE: [u8; 4] = [127, 0, 0, 1];
const ELSEWHERE: [u8; 4] = [127, 0, 0, 2];

async fn site(limits: Limits) -> Site {
    let operator = format!("@id(\"op\")\npermit (principal == Caller::\"{OPERATOR}\", action, resource);\n");
    Site::within(&format!("{}{operator}", everything()), limits).await
}

async fn operator(site: &Site, from: [u8; 4]) -> Client {
    let identity = site.running.authority.client(&[OPERATOR]);
    let stream = dial(&site.running, from).await;
    Client::over(over(stream, config(&site.running.authority, Some(&identity))).await.unwrap()).await
}

fn sign(key: &str) -> v1::SignRequest {
    v1::SignRequest {
        key: key.into(),
        input: Some(sign_request::Input::Message(Bytes::from_static(b"a file"))),
        ..v1::SignRequest::default()
    }
}

async fn stops(client: &mut Client, key: &str) {
    let request = v1::StopRequest {
        target: Some(v1::StopTarget { target: Some(stop_target::Target::Key(key.into())) }),
        reason: "a flood".into(),
        act: None,
    };
    let stopped: v1::StopResponse = client.call(STOP, &request).await.message();
    assert!(!stopped.pending, "{stopped:?}");
}

/// Stops by an act, as `countersign stop --sign` does: the instance is asked for first.
async fn stops_by_act(site: &Site, client: &mut Client, nonce: u8) {
    client.call(INSTANCE, &v1::GetInstanceRequest {}).await.message::<v1::GetInstanceResponse>();
    let deed = Deed::Stop { stops: vec![Term::Key("team/a".parse().unwrap())] };
    let key = stop_target::Target::Key("team/a".into());
    let request = stop("rita", site, &act(site, deed, nonce), key);
    client.call(STOP, &request).await.message::<v1::StopResponse>();
}

/// Opens a stream of the daemon's answers, which stays open as long as what is returned; or why not.
async fn opens(client: &mut Client, path: &str) -> Result<hyper::body::Incoming, proto::refusal::Refusal> {
    client.0.ready().await.unwrap();
    let answer = client.0.send_request(Client::request(path, framed(&[]))).await.unwrap();
    let (parts, body) = answer.into_parts();
    match tonic::Status::from_header_map(&parts.headers) {
        None => Ok(body),
        Some(status) => Err(proto::wire::refusal::of_status(&status).unwrap()),
    }
}

#[tokio::test]
async fn connections_that_say_nothing_shut_out_no_stop() {
    let site = site(Limits { connections: 2, handshakes: 4, ..limits() }).await;
    let modest = dial(&site.running, ELSEWHERE).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(dial(&site.running, HERE).await);
    }
    stops(&mut Client::local(&site.running).await, "team/a").await;
    stops(&mut operator(&site, ELSEWHERE).await, "team/a").await;
    stops(&mut operator(&site, HERE).await, "team/a").await;
    // The first of those who say nothing were closed; one of another address was not, however long he takes.
    assert_eq!(silent[0].read(&mut [0]).await.unwrap_or(0), 0);
    let late = over(modest, config(&site.running.authority, None)).await.unwrap();
    Client::over(late)
        .await
        .call(CHECK, &HealthCheckRequest::default())
        .await
        .message::<HealthCheckResponse>();
}

#[tokio::test]
async fn connections_of_nobody_shut_out_neither_callers_nor_each_other() {
    let site = site(Limits { connections: 1, anonymous_connections: 2, ..limits() }).await;
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(handshake(&site.running, config(&site.running.authority, None)).await.unwrap());
    }
    stops(&mut operator(&site, HERE).await, "team/b").await;
    let nobody = dial(&site.running, ELSEWHERE).await;
    let nobody = over(nobody, config(&site.running.authority, None)).await.unwrap();
    stops_by_act(&site, &mut Client::over(nobody).await, 1).await;
    // The oldest of whoever has most is closed: what comes over it has an end, in one way or the other.
    let _closed = held[0].read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn streams_of_nobody_shut_out_no_signed_stop() {
    let site = site(limits()).await;
    let mut held = Vec::new();
    let mut refused = Vec::new();
    for _ in 0..9 {
        let mut client = Client::connect(&site.running, None).await;
        for _ in 0..9 {
            match opens(&mut client, WATCH).await {
                Ok(stream) => held.push(stream),
                Err(refusal) => refused.push(refusal),
            }
        }
        // Calls of the same connection have places of their own.
        client.call(CHECK, &HealthCheckRequest::default()).await.message::<HealthCheckResponse>();
    }
    assert_eq!((held.len(), refused.len()), (64, 17));
    assert!(refused.iter().all(|refusal| refusal.reason == Reason::Overloaded), "{refused:?}");
    assert!(refused[0].message.contains("on this connection") && refused[16].message.contains("64 streams"));
    stops_by_act(&site, &mut Client::connect(&site.running, None).await, 1).await;
}

#[tokio::test]
async fn where_all_requests_are_in_progress_a_stop_is_taken() {
    let site = site(Limits { requests: 1, requests_of_connection: 1, ..limits() }).await;
    let mut busy = Client::local(&site.running).await;
    let _stream = opens(&mut busy, WATCH_KEYS).await.unwrap();
    let mut other = operator(&site, HERE).await;
    let refusal = other.call(SIGN, &sign("team/a")).await.refusal();
    assert!(
        refusal.reason == Reason::Overloaded && refusal.message.contains("more than 1 requests"),
        "{refusal}"
    );
    stops(&mut other, "team/a").await;
    stops(&mut busy, "team/b").await;
    stops_by_act(&site, &mut Client::connect(&site.running, None).await, 1).await;
}

#[tokio::test]
async fn beyond_the_bound_connections_are_taken_for_stops_alone() {
    let few = Limits { connections: 1, local_connections: 1, spare_connections: 2, ..limits() };
    let site = site(few).await;
    let (mut first, mut local) = (operator(&site, HERE).await, Client::local(&site.running).await);
    let mut spare = Vec::new();
    for _ in 0..5 {
        spare.push(operator(&site, HERE).await);
        spare.push(Client::local(&site.running).await);
    }
    for client in spare.iter_mut().rev().take(2) {
        let refusal = client.call(SIGN, &sign("team/b")).await.refusal();
        assert_eq!(refusal.reason, Reason::Overloaded, "{refusal}");
        stops(client, "team/a").await;
    }
    // What was there before goes on.
    for client in [&mut first, &mut local] {
        client.call(SIGN, &sign("team/b")).await.message::<v1::SignResponse>();
    }
}

#[tokio::test]
async fn many_stops_at_once_over_one_connection_are_all_taken() {
    let site = site(Limits { requests: 1, requests_of_connection: 1, ..limits() }).await;
    let client = Client::local(&site.running).await;
    let all = (0..200).map(|_| {
        let mut client = Client(client.0.clone());
        async move { stops(&mut client, "team/a").await }
    });
    join_all(all).await;
}

/// A body that never comes.
struct Never;

impl Body for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn stops_of_which_nothing_comes_shut_out_none() {
    let site = site(Limits { stops: 4, ..limits() }).await;
    let (mut answers, mut senders) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let stream = dial(&site.running, HERE).await;
        let stream = over(stream, config(&site.running.authority, None)).await.unwrap();
        let (mut sender, connection) =
            http2::handshake::<_, _, Never>(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request =
            Request::post(format!("https://localhost{STOP}")).header("content-type", "application/grpc");
        answers.push(Box::pin(sender.send_request(request.body(Never).unwrap())));
        senders.push(sender);
    }
    // Whoever had most has lost a connection, as soon as the daemon has seen five.
    let (cut, _, left) = select_all(answers).await;
    assert!(cut.is_err(), "{cut:?}");
    stops_by_act(&site, &mut Client::connect(&site.running, None).await, 1).await;
    stops(&mut Client::local(&site.running).await, "team/a").await;
    drop((left, senders));
}

#[tokio::test]
async fn a_flood_leaves_the_room_as_it_was() {
    let site = site(Limits { handshakes: 2, anonymous_connections: 2, ..limits() }).await;
    let mut all: Vec<TcpStream> = Vec::new();
    for _ in 0..10 {
        all.push(dial(&site.running, HERE).await);
    }
    // Each ends, without a word from this side.
    for stream in &mut all[..8] {
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    }
    drop(all);
    let mut client = Client::connect(&site.running, None).await;
    client.call(CHECK, &HealthCheckRequest::default()).await.message::<HealthCheckResponse>();
}
