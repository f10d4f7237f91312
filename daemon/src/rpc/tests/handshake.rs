//! Who gets in, and over what.

use std::io::ErrorKind;

use proto::reason::Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::authority::{Authority, limits, start};
use super::client::{Client, config, handshake};
use crate::rpc::limit::Limits;
use crate::rpc::tls::ClientCertificate::{Optional, Required};

const CHECK: &str = "/grpc.health.v1.Health/Check";

/// In TLS 1.3 the client has finished before the server has looked at its certificate: the alert is what it reads
/// first.
async fn alert(running: &super::authority::Running, config: rustls::ClientConfig) -> String {
    match handshake(running, config).await {
        Err(why) => why.to_string(),
        Ok(mut stream) => {
            let why = stream.read_u8().await.expect_err("the server refuses");
            assert_ne!(why.kind(), ErrorKind::UnexpectedEof, "closed without an alert");
            why.to_string()
        }
    }
}

#[tokio::test]
async fn a_certificate_of_the_authority_gets_in_and_so_does_the_local_user() {
    let running = start(Required, limits()).await;
    let identity = running.authority.client(&["spiffe://example.org/ci"]);
    let request = HealthCheckRequest { service: String::new() };
    for mut client in [Client::connect(&running, Some(&identity)).await, Client::local(&running).await] {
        assert_eq!(client.call(CHECK, &request).await.message::<HealthCheckResponse>().status, 1);
    }
}

#[tokio::test]
async fn without_a_certificate_health_is_open_where_it_is_optional() {
    let running = start(Optional, limits()).await;
    let mut client = Client::connect(&running, None).await;
    let answer = client.call(CHECK, &HealthCheckRequest { service: String::new() }).await;
    assert_eq!(answer.message::<HealthCheckResponse>().status, 1);
}

#[tokio::test]
async fn no_certificate_an_expired_one_and_a_strangers_get_an_alert() {
    let running = start(Required, limits()).await;
    let none = alert(&running, config(&running.authority, None)).await;
    assert!(none.contains("CertificateRequired"), "{none}");
    let expired = running.authority.expired_client();
    let expired = alert(&running, config(&running.authority, Some(&expired))).await;
    assert!(expired.contains("CertificateExpired"), "{expired}");
    let stranger = Authority::new().client(&["spiffe://example.org/ci"]);
    let stranger = alert(&running, config(&running.authority, Some(&stranger))).await;
    assert!(stranger.contains("UnknownCA") || stranger.contains("UnknownCa"), "{stranger}");
}

#[tokio::test]
async fn a_bad_certificate_is_refused_where_none_would_do() {
    let running = start(Optional, limits()).await;
    let expired = running.authority.expired_client();
    let said = alert(&running, config(&running.authority, Some(&expired))).await;
    assert!(said.contains("CertificateExpired"), "{said}");
}

/// A TLS 1.2 ClientHello: version 3.3 without `supported_versions`, two cipher suites of TLS 1.2, no extensions.
fn hello_of_tls12() -> Vec<u8> {
    let mut hello = vec![3, 3];
    hello.extend_from_slice(&[7; 32]);
    hello.push(0);
    hello.extend_from_slice(&[0, 4, 0xc0, 0x2b, 0xc0, 0x2f]);
    hello.extend_from_slice(&[1, 0]);
    // signature_algorithms and supported_groups, which a server may demand before it looks at versions.
    hello.extend_from_slice(&[0, 16, 0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 23]);
    let mut message = vec![1, 0, 0, u8::try_from(hello.len()).unwrap()];
    message.extend_from_slice(&hello);
    let mut record = vec![22, 3, 1, 0, u8::try_from(message.len()).unwrap()];
    record.extend_from_slice(&message);
    record
}

#[tokio::test]
async fn older_tls_is_refused_with_protocol_version() {
    let running = start(Optional, limits()).await;
    let mut stream = TcpStream::connect(running.edge.address().unwrap()).await.unwrap();
    stream.write_all(&hello_of_tls12()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    // Record of type alert (21), length 2: fatal (2), protocol_version (70).
    assert_eq!((answer[0], &answer[3..7]), (21, &[0, 2, 2, 70][..]), "{answer:?}");
}

#[tokio::test]
async fn what_is_no_tls_ends_its_own_connection_only() {
    let running = start(Optional, limits()).await;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &[0xff; 5], b"\x16\x03\x01\xff\xff"] {
        let mut stream = TcpStream::connect(running.edge.address().unwrap()).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Closed, with or without an alert; a reset is as good.
        let _closed = stream.read_to_end(&mut answer).await;
    }
    let mut client = Client::connect(&running, None).await;
    client.call(CHECK, &HealthCheckRequest::default()).await.message::<HealthCheckResponse>();
}

#[tokio::test]
async fn connections_beyond_the_bound_say_so_and_room_comes_back() {
    let running = start(Optional, Limits { connections: 1, ..limits() }).await;
    let identity = running.authority.client(&["spiffe://example.org/ci"]);
    let first = Client::connect(&running, Some(&identity)).await;
    let mut second = Client::connect(&running, Some(&identity)).await;
    let refusal = second.call(CHECK, &HealthCheckRequest::default()).await.refusal();
    assert_eq!(refusal.reason, Reason::Overloaded);
    assert!(refusal.message.contains("too many connections") && refusal.retry_after.is_some(), "{refusal}");
    drop(first);
    // The place is given back when the server has seen the end of the first connection.
    loop {
        let mut next = Client::connect(&running, Some(&identity)).await;
        if next.call(CHECK, &HealthCheckRequest::default()).await.status().code() == tonic::Code::Ok {
            break;
        }
    }
}

#[tokio::test]
async fn a_slow_handshake_is_ended() {
    let slow = Limits { handshake: std::time::Duration::from_millis(20), ..limits() };
    let running = start(Optional, slow).await;
    let mut stream = TcpStream::connect(running.edge.address().unwrap()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"", "closed without having said anything");
}

#[tokio::test]
async fn an_overloaded_connection_is_told_so_with_a_delay() {
    let none = Limits { requests_of_connection: 0, ..limits() };
    let running = start(Optional, none).await;
    let refusal = Client::local(&running).await.call(CHECK, &HealthCheckRequest::default()).await.refusal();
    assert_eq!(refusal.reason, Reason::Overloaded);
    assert!(refusal.retry_after.is_some());
}
