#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::leaf::leaf_hash;
use proto::proof::tile::{bundle, decode_hashes};
use tower::ServiceExt as _;

use super::*;
use crate::keyring::trial::{Trial, everything};
use crate::measure;

struct Shown {
    status: StatusCode,
    kind: String,
    bytes: Vec<u8>,
}

async fn show(router: &Router, path: &str) -> Shown {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap().to_owned());
    let bytes = response.into_body().collect().await.unwrap().to_bytes().to_vec();
    Shown { status, kind: kind.unwrap_or_default(), bytes }
}

fn pages(site: &Trial) -> (Router, metrics_exporter_prometheus::PrometheusRecorder) {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let pages =
        Pages { log: site.log.clone(), keyring: Arc::clone(&site.keyring), metrics: recorder.handle() };
    (router(pages), recorder)
}

#[tokio::test]
async fn checkpoint_tiles_and_entries_are_those_of_the_log() {
    let site = Trial::new("public", &everything()).await;
    let (router, _recorder) = pages(&site);
    let checkpoint = show(&router, "/log/checkpoint").await;
    assert_eq!((checkpoint.status, checkpoint.kind.as_str()), (StatusCode::OK, "text/plain; charset=utf-8"));
    let text = String::from_utf8(checkpoint.bytes).unwrap();
    let checkpoint = Checkpoint::verify(&text, &site.log.verifier()).unwrap();

    let width = usize::try_from(checkpoint.size).unwrap();
    let tile = show(&router, &format!("/log/tile/0/000.p/{width}")).await;
    let entries = show(&router, &format!("/log/tile/entries/000.p/{width}")).await;
    assert_eq!((tile.status, entries.status), (StatusCode::OK, StatusCode::OK));
    let hashes = decode_hashes(&tile.bytes, width).unwrap();
    let leaves = bundle::decode(&entries.bytes, width).unwrap();
    let hashed: Vec<_> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    assert_eq!(hashes, hashed);

    for absent in
        ["/log/tile/0/000", "/log/tile/0/001.p/1", "/log/tile/9/000.p/1", "/log/tile/0/0", "/log/tile/x"]
    {
        assert_eq!(show(&router, absent).await.status, StatusCode::NOT_FOUND, "{absent}");
    }
}

#[tokio::test]
async fn entries_are_shown_only_where_the_guardrails_say_so() {
    let site = Trial::new("private", &everything()).await;
    let (router, _recorder) = pages(&site);
    let refused = show(&router, "/log/tile/entries/000.p/1").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(String::from_utf8(refused.bytes).unwrap().contains("ListRecords"));
    assert_eq!(show(&router, "/log/tile/0/000.p/1").await.status, StatusCode::OK, "hashes are open");
}

#[tokio::test]
async fn connections_to_the_pages_make_room_for_each_other() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    let site = Trial::new("private", &everything()).await;
    let (router, _recorder) = pages(&site);
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listen::Bounded::new(listener, 2), router).into_future());
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut asks = TcpStream::connect(address).await.unwrap();
    asks.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    asks.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // There is room for one of those who say nothing beside the one that asked.
    for stream in &mut silent[..4] {
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    }
}

#[tokio::test]
async fn health_names_the_log_and_each_backend() {
    let site = Trial::new("private", &everything()).await;
    let (router, recorder) = pages(&site);
    let health = show(&router, "/healthz").await;
    assert_eq!(health.status, StatusCode::OK);
    assert_eq!(String::from_utf8(health.bytes).unwrap(), "log: serving\nbackend/soft: serving\n");
    metrics::with_local_recorder(&recorder, || measure::refused("POLICY_DENIED"));
    let metrics = String::from_utf8(show(&router, "/metrics").await.bytes).unwrap();
    assert!(metrics.contains("countersign_refusals_total{reason=\"POLICY_DENIED\"} 1"), "{metrics}");
    assert_eq!(show(&router, "/").await.status, StatusCode::NOT_FOUND);
}
