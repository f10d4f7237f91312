//! Stopping. Sent at once: nothing is presented, proven or asked for before.

use proto::wire::v1;
use proto::wire::v1::incident_service_client::IncidentServiceClient;
use proto::wire::v1::stop_target::Target;
use tonic::Response;

use crate::connection::{CallError, Connection};
use crate::retry::{Patience, patiently};

/// The longest reason, in bytes.
pub const LONGEST_REASON: usize = 4_096;

/// Stops a target, by the right of the connection or by a person's act, trying again while the daemon cannot be reached: a stop that arrives twice stops once.
///
/// # Errors
/// Where it is refused or never answered. A stop that was never answered may be in force.
pub async fn stop(
    connection: &Connection,
    target: Target,
    reason: &str,
    act: Option<v1::SignedAct>,
    patience: Patience,
) -> Result<v1::StopResponse, CallError> {
    let client = IncidentServiceClient::new(connection.channel());
    let request = v1::StopRequest {
        target: Some(v1::StopTarget { target: Some(target) }),
        reason: reason.to_owned(),
        act,
    };
    let answer = patiently(patience, |patience| {
        let mut client = client.clone();
        let request = patience.request(request.clone());
        async move { client.stop(request).await.map(Response::into_inner) }
    })
    .await?;
    Ok(answer)
}

/// A target in words.
#[must_use]
pub fn words(target: &Target) -> String {
    match target {
        Target::Key(key) => format!("key {key}"),
        Target::Version(version) => format!("key {}@{}", version.key, version.version),
        Target::Caller(id) => format!("caller {id}"),
        Target::Issuer(issuer) => format!("issuer {issuer}"),
        Target::Claim(claim) => format!("claim {}={}", claim.name, claim.value),
        Target::Backend(name) => format!("backend {name}"),
        Target::All(_) => "everything".to_owned(),
    }
}
