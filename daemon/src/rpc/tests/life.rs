//! How long a connection lives: as long as there is a sign of life, and no longer than its age and what is in progress then.

use std::time::Duration;

use proto::reason::Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tonic_health::pb::HealthCheckRequest;

use super::authority::{limits, start};
use super::client::{Client, framed};
use super::hold;
use crate::rpc::limit::Limits;
use crate::rpc::tls::ClientCertificate::Optional;

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const SHORT: Duration = Duration::from_millis(30);

/// The kinds of the frames in these bytes (RFC 9113, section 4.1).
fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<9>() {
        kinds.push(head[3]);
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        bytes = rest.get(length..).unwrap_or_default();
    }
    kinds
}

#[tokio::test]
async fn a_connection_without_a_sign_of_life_is_asked_for_one_and_closed() {
    let short = Limits { keep_alive: SHORT, keep_alive_answer: SHORT, ..limits() };
    let running = start(Optional, short).await;
    let mut stream = UnixStream::connect(running.directory.path().join("sign.sock")).await.unwrap();
    // The preface and empty settings; then nothing, as from a machine that is gone.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(kinds(&answer).contains(&6), "a PING: {answer:?}");
}

#[tokio::test]
async fn a_connection_that_answers_lives_on() {
    let short = Limits { keep_alive: SHORT, keep_alive_answer: Duration::from_secs(60), ..limits() };
    let running = start(Optional, short).await;
    let mut client = Client::local(&running).await;
    let mut request = Client::request(WATCH, framed(&[]));
    // Several signs of life are asked for meanwhile.
    request.headers_mut().insert("grpc-timeout", "200m".parse().unwrap());
    assert_eq!(client.send(request).await.refusal().reason, Reason::DeadlineExceeded);
    assert_eq!(client.call(CHECK, &HealthCheckRequest::default()).await.status().code(), tonic::Code::Ok);
}

/// Opens a stream over this connection and waits until it has ended with it.
async fn ends(mut client: Client) {
    let answer = client.send(Client::request(WATCH, framed(&[]))).await;
    assert_eq!(answer.refusal().reason, Reason::ShuttingDown);
    assert!(!answer.body.is_empty(), "the first state came before the end");
    // The other side has said that it takes nothing new.
    let next = client.try_send(Client::request(CHECK, framed(&[]))).await;
    assert!(next.is_none(), "{next:?}");
}

#[tokio::test]
async fn a_connection_ends_at_its_age_and_one_of_nobody_sooner() {
    let running = start(Optional, Limits { age: SHORT, ..limits() }).await;
    ends(Client::local(&running).await).await;
    let running = start(Optional, Limits { anonymous_age: SHORT, ..limits() }).await;
    ends(Client::connect(&running, None).await).await;
}

#[tokio::test]
async fn what_is_in_progress_at_the_end_has_its_time_and_no_more() {
    let running = hold::silent(Limits { age: SHORT, grace: SHORT, ..limits() }).await;
    let mut client = Client::local(&running).await;
    let message = prost::Message::encode_to_vec(&HealthCheckRequest { service: "never".into() });
    let answer = client.try_send(Client::request(CHECK, framed(&message))).await;
    assert!(answer.is_none(), "it was never answered: {answer:?}");
}
