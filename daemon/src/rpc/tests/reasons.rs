//! Every refusal says its reason, whoever made it.

use proto::reason::Reason;
use proto::wire;
use tonic_health::pb::HealthCheckRequest;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use super::authority::{limits, start};
use super::client::{Client, framed};
use crate::rpc::limit::Limits;
use crate::rpc::tls::ClientCertificate::Optional;

const CHECK: &str = "/grpc.health.v1.Health/Check";

#[tokio::test]
async fn every_refusal_of_the_transport_says_its_reason() {
    let running = start(Optional, limits()).await;
    let mut client = Client::local(&running).await;
    let mut ask = async |path: &str, body: Vec<u8>, extra: &[(&'static str, &str)]| {
        let mut request = Client::request(path, body);
        for (name, value) in extra {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        client.send(request).await.refusal()
    };

    let large = framed(&HealthCheckRequest { service: "x".repeat(5000) }.to_bytes());
    let refusal = ask(CHECK, large, &[]).await;
    assert_eq!(refusal.reason, Reason::InputTooLarge, "{refusal}");

    for (what, body) in [
        ("no message", Vec::new()),
        ("half a prefix", vec![0, 0]),
        ("half a message", vec![0, 0, 0, 0, 9, 1]),
        ("no protobuf", framed(&[0xff, 0xff, 0xff])),
        ("a compressed message without compression", vec![1, 0, 0, 0, 0]),
        ("a flag that is none", vec![7, 0, 0, 0, 0]),
    ] {
        let refusal = ask(CHECK, body, &[]).await;
        assert_eq!(refusal.reason, Reason::MalformedRequest, "{what}: {refusal}");
    }

    for path in ["/countersign.v1.SigningService/Sing", "/grpc.health.v1.Health/Cheque", "/", "/x"] {
        let refusal = ask(path, framed(&[]), &[]).await;
        assert_eq!(refusal.reason, Reason::Unimplemented, "{path}: {refusal}");
        assert!(refusal.message.contains(path), "{refusal}");
    }

    let refusal = ask(CHECK, framed(&[]), &[("grpc-encoding", "gzip")]).await;
    assert_eq!(refusal.reason, Reason::Unimplemented, "{refusal}");
    let refusal = ask(CHECK, framed(&[]), &[("grpc-timeout", "soon")]).await;
    assert_eq!(refusal.reason, Reason::MalformedRequest, "{refusal}");
    for kind in ["application/json", "application/grpc-web", "application/grpc+json"] {
        let refusal = ask(CHECK, framed(&[]), &[("content-type", kind)]).await;
        assert!(refusal.message.contains("application/grpc"), "{kind}: {refusal}");
    }
    let refusal = ask(CHECK, framed(&HealthCheckRequest { service: "nobody".into() }.to_bytes()), &[]).await;
    assert!(refusal.message.contains("countersign.v1.SigningService"), "{refusal}");
}

#[tokio::test]
async fn a_get_is_told_to_post() {
    let running = start(Optional, limits()).await;
    let mut request = Client::request(CHECK, framed(&[]));
    *request.method_mut() = http::Method::GET;
    let refusal = Client::local(&running).await.send(request).await.refusal();
    assert!(refusal.message.contains("POST"), "{refusal}");
}

#[tokio::test]
async fn a_request_without_a_caller_is_short() {
    let running = start(Optional, Limits { anonymous_bytes: 100, ..limits() }).await;
    let mut client = Client::connect(&running, None).await;
    let refusal = client.call(CHECK, &HealthCheckRequest { service: "x".repeat(200) }).await.refusal();
    assert_eq!(refusal.reason, Reason::InputTooLarge);
    assert!(refusal.message.contains("at most 100 bytes"), "{refusal}");
}

#[tokio::test]
async fn a_path_of_any_length_is_cut_in_messages() {
    let running = start(Optional, limits()).await;
    let path = format!("/{}", "x".repeat(4000));
    let refusal = Client::local(&running).await.send(Client::request(&path, framed(&[]))).await.refusal();
    assert_eq!(refusal.reason, Reason::Unimplemented);
    assert!(refusal.message.len() < 300, "{refusal}");
}

#[tokio::test]
async fn a_stream_ends_at_the_callers_deadline_with_a_reason() {
    let running = start(Optional, limits()).await;
    let mut request = Client::request("/grpc.health.v1.Health/Watch", framed(&[]));
    request.headers_mut().insert("grpc-timeout", "50m".parse().unwrap());
    let answer = Client::local(&running).await.send(request).await;
    assert_eq!(answer.refusal().reason, Reason::DeadlineExceeded);
    assert!(!answer.body.is_empty(), "the first state came before the end");
}

#[tokio::test]
async fn reflection_lists_the_services() {
    let running = start(Optional, limits()).await;
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = Client::local(&running).await;
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let answer = client.call(path, &request).await.message::<ServerReflectionResponse>();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("not a list: {answer:?}")
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    for service in ["SigningService", "KeyService", "LogService", "IncidentService"] {
        assert!(names.contains(&format!("countersign.v1.{service}")), "{names:?}");
    }
    assert!(names.contains(&"grpc.health.v1.Health".to_owned()), "{names:?}");
    assert!(!wire::DESCRIPTOR.is_empty());
}

trait ToBytes {
    fn to_bytes(&self) -> Vec<u8>;
}

impl<M: prost::Message> ToBytes for M {
    fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}
