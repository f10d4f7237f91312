//! Questions to a running instance, each asked once on a connection of its own.

use std::io::{Read, Write};
use std::net::TcpStream;

use proto::reason::Reason;
use proto::wire::v1::incident_service_client::IncidentServiceClient;
use proto::wire::v1::log_service_client::LogServiceClient;
use proto::wire::v1::{
    PresentCheckpointRequest, SignRequest, SignResponse, StopRequest, StopResponse, StopTarget, sign_result,
    stop_target,
};
use tokio::runtime::Runtime;
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use crate::load;
use crate::world::World;

/// Asks for one signature.
///
/// # Errors
/// The daemon's refusal, or that it is gone.
pub fn sign(world: &World, request: SignRequest) -> Result<SignResponse, Status> {
    Runtime::new().unwrap().block_on(async { load::sign(&world.channel(), request).await })
}

/// Asks for many signatures: one outcome each.
///
/// # Errors
/// The daemon's refusal of the whole, or that it is gone.
pub fn sign_batch(world: &World, requests: Vec<SignRequest>) -> Result<Vec<sign_result::Outcome>, Status> {
    Runtime::new().unwrap().block_on(async { load::sign_batch(&world.channel(), requests).await })
}

/// Stops something.
///
/// # Errors
/// The daemon's refusal, or that it is gone.
pub fn stop(world: &World, target: stop_target::Target) -> Result<StopResponse, Status> {
    let target = Some(StopTarget { target: Some(target) });
    let request = StopRequest { target, reason: "a drill".to_owned(), act: None };
    Runtime::new().unwrap().block_on(async {
        IncidentServiceClient::new(world.channel()).stop(request).await.map(tonic::Response::into_inner)
    })
}

/// Shows the daemon a checkpoint.
///
/// # Errors
/// The daemon's refusal, or that it is gone.
pub fn present(world: &World, checkpoint: &str) -> Result<(), Status> {
    let request = PresentCheckpointRequest { checkpoint: checkpoint.to_owned() };
    Runtime::new().unwrap().block_on(async {
        LogServiceClient::new(world.channel()).present_checkpoint(request).await.map(|_answer| ())
    })
}

/// The health of this name: nothing where it serves, else the cause.
///
/// # Panics
/// If there is no answer, or no such name.
#[must_use]
pub fn trouble(world: &World, name: &str) -> Option<String> {
    let request = HealthCheckRequest { service: name.to_owned() };
    let answer = Runtime::new()
        .unwrap()
        .block_on(async { HealthClient::new(world.channel()).check(request).await.unwrap() });
    let serves = answer.get_ref().status() == tonic_health::ServingStatus::Serving.into();
    let cause = answer.metadata().get("countersign-cause").map(|cause| cause.to_str().unwrap().to_owned());
    (!serves).then(|| cause.expect("whatever does not serve says why"))
}

/// A counter of the daemon's metrics, summed over its labels; 0 where it has not counted yet.
///
/// # Panics
/// If the metrics cannot be read.
#[must_use]
pub fn counter(world: &World, name: &str) -> u64 {
    let mut stream = TcpStream::connect(world.web()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let mine = text.lines().filter(|line| line.starts_with(name));
    mine.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// The stable reason in a refusal.
///
/// # Panics
/// If it has none: every refusal of the daemon has.
#[must_use]
pub fn reason(status: &Status) -> Reason {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    info.reason.parse().unwrap()
}

/// Checks that a refusal explains itself: a reason, a sentence, and a delay where waiting helps, or where to sign anew does.
///
/// # Panics
/// If it does not.
pub fn explained(status: &Status) {
    let reason = reason(status);
    assert!(!status.message().is_empty(), "{status:?}");
    let delay = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
    let may = reason.waiting_helps() || reason.code() == proto::reason::Code::Aborted;
    assert!(delay.is_some() || !reason.waiting_helps(), "no delay in {reason}: {status:?}");
    assert!(delay.is_none() || may, "a delay that does not help in {reason}: {status:?}");
}
