//! What people decide comes over any connection, also one without a certificate.

use std::time::Duration;

use ceremonies::act::{Act, ActKind, Deed, SeenHead};
use proto::reason::Reason;
use proto::term::Term;
use proto::wire::v1::{self, stop_target};

use super::client::Client;
use super::site::{Site, everything};
use crate::keyring::trial::Trial;

const STOP: &str = "/countersign.v1.IncidentService/Stop";

pub fn stop(person: &str, site: &Site, act: &Act, target: stop_target::Target) -> v1::StopRequest {
    let (document, signature) = Trial::cast().sign(person, act).unwrap().unwrap();
    assert!(site.log.head().size >= act.head.size);
    v1::StopRequest {
        target: Some(v1::StopTarget { target: Some(target) }),
        reason: "as the act says".into(),
        act: Some(v1::SignedAct { document: document.into_bytes(), signature }),
    }
}

pub fn act(site: &Site, deed: Deed, nonce: u8) -> Act {
    let head = site.log.head();
    Act {
        deed,
        environment: "test".into(),
        expires: crate::clock::Clock::wall(&crate::clock::SystemClock::start())
            .later(Duration::from_secs(60)),
        head: SeenHead { origin: "rehearsal.log.example".parse().unwrap(), root: head.root, size: head.size },
        instance: "signing.example.org".into(),
        nonce: [nonce; 32].into(),
        reason: "a stolen laptop".into(),
    }
}

#[tokio::test]
async fn a_responder_stops_by_a_signed_act_without_a_certificate() {
    // No grant is for anybody but a caller that is not here.
    let grants =
        "@id(\"ci\")\npermit (principal == Caller::\"spiffe://example.org/ci\", action, resource);\n";
    let site = Site::new(grants).await;
    let mut client = Client::connect(&site.running, None).await;
    let key = || stop_target::Target::Key("team/a".into());
    let stops = |term| Deed::Stop { stops: vec![term] };
    let team = || stops(Term::Key("team/a".parse().unwrap()));

    let guard = |refusal: proto::refusal::Refusal| {
        (refusal.reason, refusal.metadata.get("guard").cloned().unwrap_or_default())
    };
    // An operator may not, a target must be what was signed, and another act is none.
    let request = stop("oskar", &site, &act(&site, team(), 1), key());
    assert_eq!(client.call(STOP, &request).await.refusal().reason, Reason::ActInvalid);
    let request = stop("rita", &site, &act(&site, stops(Term::All), 2), key());
    assert_eq!(
        guard(client.call(STOP, &request).await.refusal()),
        (Reason::ActRefused, "other-target".into())
    );
    let veto = act(&site, Deed::Veto { statement: proto::hash::Hash::of(b"") }, 3);
    assert_eq!(veto.deed.kind(), ActKind::Veto);
    let request = stop("ada", &site, &veto, key());
    assert_eq!(guard(client.call(STOP, &request).await.refusal()), (Reason::ActRefused, "no-place".into()));
    let late = Act { expires: "2026-01-01T00:00:00.000000Z".parse().unwrap(), ..act(&site, team(), 4) };
    let request = stop("rita", &site, &late, key());
    assert_eq!(
        guard(client.call(STOP, &request).await.refusal()),
        (Reason::ActRefused, "act-expired".into())
    );

    let request = stop("rita", &site, &act(&site, team(), 5), key());
    let stopped: v1::StopResponse = client.call(STOP, &request).await.message();
    let record = site.log.record(stopped.log_index.unwrap()).await.unwrap();
    let (leaf, detail) =
        (String::from_utf8(record.leaf).unwrap(), String::from_utf8(record.detail.unwrap()).unwrap());
    assert!(leaf.contains("\"actor\":{\"id\":\"rita\",\"kind\":\"person\"}"), "{leaf}");
    assert!(
        detail.contains("\"reason\":\"a stolen laptop\"") && detail.contains("BEGIN SSH SIGNATURE"),
        "{detail}"
    );
    // Once: whoever saw it on its way cannot stop the key again after it was lifted.
    assert_eq!(guard(client.call(STOP, &request).await.refusal()), (Reason::ActRefused, "replayed".into()));
}

#[tokio::test]
async fn what_people_read_is_open_and_everything_else_is_not() {
    let site = Site::new(&everything()).await;
    let mut client = Client::connect(&site.running, None).await;
    let service = "/countersign.v1.CeremonyService";
    let instance: v1::GetInstanceResponse =
        client.call(&format!("{service}/GetInstance"), &v1::GetInstanceRequest {}).await.message();
    assert!(instance.checkpoint.contains("rehearsal.log.example") && !instance.roster.is_empty());
    let all = v1::ListCeremoniesRequest { ended: true, page_size: 1, ..Default::default() };
    let page: v1::ListCeremoniesResponse =
        client.call(&format!("{service}/ListCeremonies"), &all).await.message();
    let next = v1::ListCeremoniesRequest { page_token: page.next_page_token, ..all.clone() };
    let last: v1::ListCeremoniesResponse =
        client.call(&format!("{service}/ListCeremonies"), &next).await.message();
    assert_eq!((page.ceremonies.len(), last.ceremonies.len(), last.next_page_token.as_str()), (1, 1, ""));
    assert!(page.ceremonies[0].proposed > last.ceremonies[0].proposed, "newest first");
    let bad = v1::ListCeremoniesRequest { page_token: "x".into(), ..all };
    let refusal = client.call(&format!("{service}/ListCeremonies"), &bad).await.refusal();
    assert_eq!(refusal.reason, Reason::MalformedRequest);
    let one = v1::GetCeremonyRequest { id: "a7".repeat(16) };
    let refusal = client.call(&format!("{service}/GetCeremony"), &one).await.refusal();
    assert_eq!(refusal.reason, Reason::UnknownCeremony);
    let refusal =
        client.call(&format!("{service}/SubmitAct"), &v1::SubmitActRequest { act: None }).await.refusal();
    assert_eq!(refusal.reason, Reason::MalformedRequest);
    let refusal =
        client.call("/countersign.v1.KeyService/ListKeys", &v1::ListKeysRequest::default()).await.refusal();
    assert_eq!(refusal.reason, Reason::Unauthenticated);
}
