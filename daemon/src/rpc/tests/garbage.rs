//! Frames and bodies that are none: no panic, nothing left behind, service goes on.

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::authority::{limits, start};
use super::client::Client;
use crate::rpc::tls::ClientCertificate::Optional;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[tokio::test]
async fn random_bodies_are_refused_with_a_reason_or_answered() {
    let running = start(Optional, limits()).await;
    let mut client = Client::local(&running).await;
    let mut runner = TestRunner::deterministic();
    let body = proptest::collection::vec(proptest::num::u8::ANY, 0..64);
    for _ in 0..500 {
        let bytes = body.new_tree(&mut runner).unwrap().current();
        let answer = client.send(Client::request("/grpc.health.v1.Health/Check", bytes)).await;
        if answer.status().code() != tonic::Code::Ok {
            answer.refusal();
        }
    }
}

#[tokio::test]
async fn random_frames_end_their_connection_and_nothing_else() {
    let running = start(Optional, limits()).await;
    let mut runner = TestRunner::deterministic();
    let frame = proptest::collection::vec(proptest::num::u8::ANY, 1..200);
    for round in 0..200 {
        let bytes = frame.new_tree(&mut runner).unwrap().current();
        let mut stream = UnixStream::connect(running.directory.path().join("sign.sock")).await.unwrap();
        if round % 2 == 0 {
            stream.write_all(PREFACE).await.unwrap();
        }
        // The other side may close first; that is an answer, too.
        let _sent = stream.write_all(&bytes).await;
        let _closed = stream.shutdown().await;
        let mut answer = Vec::new();
        let _read = stream.read_to_end(&mut answer).await;
    }
    let mut client = Client::local(&running).await;
    client
        .call("/grpc.health.v1.Health/Check", &HealthCheckRequest::default())
        .await
        .message::<HealthCheckResponse>();
    drop(client);
    assert_eq!(running.edge.drain(std::time::Duration::from_secs(30)).await, 0, "every connection has ended");
}
