//! `IncidentService`: stopping.

use std::sync::Arc;

use proto::reason::Reason;
use proto::record::StopTarget;
use proto::refusal::Refusal;
use proto::wire::v1::incident_service_server::IncidentService;
use proto::wire::v1::{self, stop_target};
use proto::wire::value;
use tonic::{Request, Response, Status};

use super::services::Services;
use super::status;

/// The service.
pub struct Service(pub Arc<Services>);

#[tonic::async_trait]
impl IncidentService for Service {
    async fn stop(&self, request: Request<v1::StopRequest>) -> Result<Response<v1::StopResponse>, Status> {
        let (caller, _) = self.0.caller(request.extensions())?;
        let (target, reason) = read(request.into_inner()).map_err(|refusal| status::of(&refusal))?;
        let stopped =
            self.0.responder.stop(&caller, target, reason).await.map_err(|refusal| status::of(&refusal))?;
        Ok(Response::new(v1::StopResponse {
            log_index: stopped.index,
            pending: stopped.pending,
            still_signing: stopped.still_signing,
            withheld: stopped.withheld,
            volatile: stopped.volatile,
            everything: stopped.everything,
        }))
    }
}

fn read(wire: v1::StopRequest) -> Result<(StopTarget, String), Refusal> {
    if wire.act.is_some() {
        let message = "act: this daemon has no roster yet, so it can check no signed act; stop by the right `stop`, over \
                       mTLS or the local socket, without an act";
        return Err(Refusal::new(Reason::Unimplemented, message).with("field", "act"));
    }
    let target = wire.target.and_then(|target| target.target).ok_or_else(|| {
        value::malformed("target", "expected one of key, version, caller, issuer, claim, backend, all")
    })?;
    let named = |field: &str, text: String| {
        if text.is_empty() { Err(value::malformed(field, "expected a name")) } else { Ok(text) }
    };
    let target = match target {
        stop_target::Target::Key(key) => StopTarget::Key(value::key("target.key", &key)?),
        stop_target::Target::Version(wire) => {
            let name = value::version("target.version", &wire)?;
            StopTarget::Version { key: name.key, version: name.version }
        }
        stop_target::Target::Caller(id) => StopTarget::Caller(named("target.caller", id)?),
        stop_target::Target::Issuer(issuer) => StopTarget::Issuer(named("target.issuer", issuer)?),
        stop_target::Target::Claim(claim) => {
            StopTarget::Claim { name: named("target.claim.name", claim.name)?, value: claim.value }
        }
        stop_target::Target::Backend(name) => StopTarget::Backend(named("target.backend", name)?),
        stop_target::Target::All(true) => StopTarget::All,
        stop_target::Target::All(false) => {
            return Err(value::malformed("target.all", "expected true; false would stop nothing"));
        }
    };
    Ok((target, wire.reason))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn request(target: Option<stop_target::Target>) -> v1::StopRequest {
        let target = target.map(|target| v1::StopTarget { target: Some(target) });
        v1::StopRequest { target, reason: "stolen".into(), act: None }
    }

    #[test]
    fn targets_are_read() {
        let key = read(request(Some(stop_target::Target::Key("release/linux".into())))).unwrap().0;
        assert_eq!(key, StopTarget::Key("release/linux".parse().unwrap()));
        assert_eq!(read(request(Some(stop_target::Target::All(true)))).unwrap().0, StopTarget::All);
    }

    #[test]
    fn an_act_is_unimplemented_and_what_stops_nothing_is_refused() {
        let with_act = v1::StopRequest { act: Some(v1::SignedAct::default()), ..request(None) };
        assert_eq!(read(with_act).unwrap_err().reason, Reason::Unimplemented);
        for nothing in [
            None,
            Some(stop_target::Target::All(false)),
            Some(stop_target::Target::Key(String::new())),
            Some(stop_target::Target::Caller(String::new())),
            Some(stop_target::Target::Version(v1::VersionName { key: "a".into(), version: 0 })),
        ] {
            let refusal = read(request(nothing.clone())).unwrap_err();
            assert_eq!(refusal.reason, Reason::MalformedRequest, "{nothing:?}");
            assert!(refusal.message.starts_with("target"), "{refusal}");
        }
    }
}
