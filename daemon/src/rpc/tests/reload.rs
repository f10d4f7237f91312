//! New certificates for new connections; old connections stay, unless nobody vouches for them any more.

use proto::reason::Reason;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::authority::{Authority, limits, start};
use super::client::{Client, config, framed, handshake, shown};
use crate::rpc::tls::ClientCertificate::{Optional, Required};

const CHECK: &str = "/grpc.health.v1.Health/Check";

#[tokio::test]
async fn a_reload_gives_new_connections_the_new_certificate_and_drops_no_old_one() {
    let running = start(Required, limits()).await;
    let identity = running.authority.client(&["spiffe://example.org/ci"]);
    let stream = handshake(&running, config(&running.authority, Some(&identity))).await.unwrap();
    let before = shown(&stream);
    let mut old = Client::over(stream).await;
    let request = HealthCheckRequest::default();
    old.call(CHECK, &request).await.message::<HealthCheckResponse>();

    let written = running.authority.write_server(running.directory.path());
    running.edge.reload(std::slice::from_ref(&running.authority.certificate)).unwrap();

    old.call(CHECK, &request).await.message::<HealthCheckResponse>();
    let stream = handshake(&running, config(&running.authority, Some(&identity))).await.unwrap();
    assert_eq!(shown(&stream), written);
    assert_ne!(before, written);
    Client::over(stream).await.call(CHECK, &request).await.message::<HealthCheckResponse>();
}

#[tokio::test]
async fn a_reload_can_take_an_authority_away() {
    let running = start(Required, limits()).await;
    let identity = running.authority.client(&["spiffe://example.org/ci"]);
    let mut old = Client::connect(&running, Some(&identity)).await;
    // One more authority takes nothing away.
    let more = [running.authority.certificate.clone(), Authority::new().certificate];
    running.edge.reload(&more).unwrap();
    let request = HealthCheckRequest::default();
    old.call(CHECK, &request).await.message::<HealthCheckResponse>();
    running.edge.reload(&[Authority::new().certificate]).unwrap();
    // Refused, or told to go before it could ask.
    let ended = old.try_send(Client::request(CHECK, framed(&[]))).await;
    assert!(ended.is_none_or(|answer| answer.refusal().reason == Reason::Unauthenticated));
    let stream = handshake(&running, config(&running.authority, Some(&identity))).await;
    let refused = match stream {
        Err(_) => true,
        Ok(mut stream) => tokio::io::AsyncReadExt::read_u8(&mut stream).await.is_err(),
    };
    assert!(refused, "the old authority vouches for nobody any more");
}

#[tokio::test]
async fn what_cannot_be_loaded_leaves_the_old_in_use_and_says_what_was_expected() {
    let running = start(Optional, limits()).await;
    let authorities = [running.authority.certificate.clone()];
    let (certificate, key) =
        (running.directory.path().join("tls.pem"), running.directory.path().join("tls.key"));
    let good = (std::fs::read(&certificate).unwrap(), std::fs::read(&key).unwrap());
    let refused = |what: &str| {
        let why = running.edge.reload(&authorities).expect_err(what).to_string();
        std::fs::write(&certificate, &good.0).unwrap();
        std::fs::write(&key, &good.1).unwrap();
        why
    };
    std::fs::write(&certificate, "no PEM").unwrap();
    assert!(refused("no PEM").contains("tls.pem: expected a certificate in PEM"));
    std::fs::write(&key, "no PEM").unwrap();
    assert!(refused("no key").contains("tls.key: expected a private key in PEM"));
    std::fs::write(&key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(refused("another key").contains("does not fit the certificate"));
    std::fs::remove_file(&certificate).unwrap();
    assert!(refused("no file").contains("cannot read the certificate"));
    let request = HealthCheckRequest::default();
    Client::connect(&running, None).await.call(CHECK, &request).await.message::<HealthCheckResponse>();
}

#[tokio::test]
async fn required_certificates_need_an_authority() {
    let running = start(Required, limits()).await;
    let why = running.edge.reload(&[]).unwrap_err().to_string();
    assert!(why.contains("at least one client certificate authority"), "{why}");
}

#[tokio::test]
async fn where_an_authority_is_gone_and_the_rest_cannot_be_used_nobody_is_let_in() {
    let running = start(Required, limits()).await;
    let identity = running.authority.client(&["spiffe://example.org/ci"]);
    let mut old = Client::connect(&running, Some(&identity)).await;
    assert!(running.edge.reload(&[]).is_err(), "certificates are required, and nobody could show one");
    let ended = old.try_send(Client::request(CHECK, framed(&[]))).await;
    assert!(ended.is_none_or(|answer| answer.refusal().reason == Reason::Unauthenticated));
    assert!(handshake(&running, config(&running.authority, Some(&identity))).await.is_err());
    running.edge.reload(std::slice::from_ref(&running.authority.certificate)).unwrap();
    let request = HealthCheckRequest::default();
    let mut new = Client::connect(&running, Some(&identity)).await;
    new.call(CHECK, &request).await.message::<HealthCheckResponse>();
}
