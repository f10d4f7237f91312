//! Stops that cannot be: refused before anything is stopped, and everything goes on.

use proto::reason::Reason;
use proto::refusal::Refusal;
use proto::wire::v1::incident_service_client::IncidentServiceClient;
use proto::wire::v1::stop_target::Target;
use proto::wire::v1::{Claim, SignedAct, StopRequest, StopTarget, VersionName};

use crate::site::{BLOB, Site, message, says};

fn stop(site: &Site, reason: Reason, request: StopRequest) -> Refusal {
    let mut client = IncidentServiceClient::new(site.channel.clone());
    site.refused(reason, async move { client.stop(request).await })
}

fn of(target: Target) -> StopRequest {
    StopRequest { target: Some(StopTarget { target: Some(target) }), reason: "drill".into(), act: None }
}

#[test]
fn a_stop_by_half_an_act_and_of_issuers_and_claims_is_refused() {
    let site = Site::with(BLOB);
    let act = StopRequest { act: Some(SignedAct::default()), ..of(Target::Key(BLOB.into())) };
    says(&stop(&site, Reason::MalformedRequest, act).message, &["act", "a document and the SSHSIG over it"]);
    let claim = Claim { name: "repository_id".into(), value: "7".into() };
    for target in [Target::Issuer("https://token.example.org".into()), Target::Claim(claim)] {
        says(
            &stop(&site, Reason::Unimplemented, of(target)).message,
            &["issuers", "claims", "stop the caller"],
        );
    }
    site.serves(message(BLOB, "hello"));
}

#[test]
fn a_stop_of_what_is_not_there_is_refused_and_not_taken_for_done() {
    let site = Site::with(BLOB);
    let version = |version| Target::Version(VersionName { key: BLOB.into(), version });
    for (target, reason, words) in [
        (Target::Key("release/linus".into()), Reason::UnknownKey, "nothing was stopped"),
        (version(9), Reason::UnknownVersion, "nothing was stopped"),
        (version(0), Reason::MalformedRequest, "target.version"),
        (Target::Backend("hsm".into()), Reason::UnknownBackend, "software"),
        (Target::Caller("somebody".into()), Reason::MalformedRequest, "spiffe://"),
        (Target::All(false), Reason::MalformedRequest, "expected true"),
        (Target::Key(String::new()), Reason::MalformedRequest, "target.key"),
    ] {
        says(&stop(&site, reason, of(target)).message, &[words]);
    }
    for reason in ["", " ", &"x".repeat(4097)] {
        let request = StopRequest { reason: reason.into(), ..of(Target::All(true)) };
        says(&stop(&site, Reason::MalformedRequest, request).message, &["reason", "1 to 4096"]);
    }
    let nothing = StopRequest { target: None, ..of(Target::All(true)) };
    says(&stop(&site, Reason::MalformedRequest, nothing).message, &["target", "expected one of"]);
    site.serves(message(BLOB, "hello"));
}
