//! `IncidentService`: stopping.

use std::sync::Arc;

use proto::record::StopTarget;
use proto::refusal::Refusal;
use proto::wire::v1::incident_service_server::IncidentService;
use proto::wire::v1::{self, stop_target};
use proto::wire::value;
use tonic::{Request, Response, Status};

use super::services::Services;
use super::status;
use crate::keys::signed::Signed;

/// The service.
pub struct Service(pub Arc<Services>);

#[tonic::async_trait]
impl IncidentService for Service {
    async fn stop(&self, request: Request<v1::StopRequest>) -> Result<Response<v1::StopResponse>, Status> {
        let stopped = match &request.get_ref().act {
            // A person's act needs nothing of the connection that carries it.
            Some(_) => {
                let (target, signed) =
                    by_act(request.into_inner()).map_err(|refusal| status::of(&refusal))?;
                self.0.responder.stop_by_act(&signed, target).await
            }
            None => {
                let (caller, _) = self.0.caller(request.extensions())?;
                let (target, reason) = read(request.into_inner()).map_err(|refusal| status::of(&refusal))?;
                self.0.responder.stop(&caller, target, reason).await
            }
        };
        let stopped = stopped.map_err(|refusal| status::of(&refusal))?;
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

/// A stop by an act: the reason is the act's own.
fn by_act(mut wire: v1::StopRequest) -> Result<(StopTarget, Signed), Refusal> {
    let act = wire.act.take().unwrap_or_default();
    if act.document.is_empty() || act.signature.is_empty() {
        return Err(value::malformed("act", "expected a document and the SSHSIG over it"));
    }
    let (target, _reason) = read(wire)?;
    Ok((target, Signed { document: act.document, signature: act.signature }))
}

fn read(wire: v1::StopRequest) -> Result<(StopTarget, String), Refusal> {
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
    use proto::reason::Reason;

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
    fn an_act_without_signature_and_what_stops_nothing_are_refused() {
        let all = request(Some(stop_target::Target::All(true)));
        let with_act = v1::StopRequest { act: Some(v1::SignedAct::default()), ..all };
        let refusal = by_act(with_act).unwrap_err();
        assert_eq!(refusal.reason, Reason::MalformedRequest);
        assert!(refusal.message.starts_with("act"), "{refusal}");
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
