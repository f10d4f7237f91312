//! What policy refuses is in the log, whichever call it was.

use std::time::Duration;

use proto::action::ActionName;
use proto::reason::Reason;
use proto::record::{DeniedRecord, Detail, Record};
use proto::wire::v1::{self, get_receipt_request, sign_request, stop_target};

use super::client::Client;
use super::site::Site;
use crate::log::{Query, Sought};

const CALLER: &str = "spiffe://example.org/ci";

/// `ci` may sign with `team/b`, and may erase; whoever runs the test may do anything.
fn grants() -> String {
    let uid = rustix::process::getuid().as_raw();
    format!(
        "@id(\"ci\")\npermit (principal == Caller::\"{CALLER}\", action == Action::\"sign\", resource == Key::\"team/b\");\n\
         @id(\"ci-redact\")\npermit (principal == Caller::\"{CALLER}\", action == Action::\"redact\", resource);\n\
         @id(\"operator\")\npermit (principal == Caller::\"unix:{uid}\", action, resource);\n"
    )
}

struct Place {
    site: Site,
    ci: Client,
}

impl Place {
    async fn new() -> Self {
        let site = Site::new(&grants()).await;
        let identity = site.running.authority.client(&[CALLER]);
        let ci = Client::connect(&site.running, Some(&identity)).await;
        Self { site, ci }
    }

    /// The record that one refused call left, the only one.
    async fn refused(&mut self, call: &str, message: &impl prost::Message) -> DeniedRecord {
        let before = self.site.log.head().size;
        let refusal = self.ci.call(&format!("/countersign.v1.{call}"), message).await.refusal();
        assert_eq!(refusal.reason, Reason::PolicyDenied, "{call}: {refusal}");
        // A refused stop does not wait long for its record.
        let mut head = self.site.log.watch_head();
        let grown = head.wait_for(|head| head.size > before);
        let size =
            tokio::time::timeout(Duration::from_secs(30), grown).await.expect("a record").unwrap().size;
        assert_eq!(size, before + 1, "{call}");
        let stored = self.site.log.record(before).await.unwrap();
        let Record::Denied(record) = Record::parse(&stored.leaf).unwrap() else {
            panic!("{call}: {stored:?}")
        };
        if record.action != ActionName::Stop {
            assert_eq!(refusal.operation, Some(record.operation), "{call}");
        }
        assert_eq!(refusal.metadata["action"], record.action.name());
        assert_eq!(record.reason, Reason::PolicyDenied);
        let detail: Detail = proto::canonical::from_slice(&stored.detail.unwrap()).unwrap();
        assert_eq!(detail.caller.id, CALLER);
        assert_eq!((detail.annotations.len(), detail.request, detail.subjects.len()), (0, None, 0));
        record
    }
}

fn sign(key: &str) -> v1::SignRequest {
    v1::SignRequest {
        key: key.into(),
        input: Some(sign_request::Input::Message("hello".into())),
        request_id: "build-1".into(),
        ..v1::SignRequest::default()
    }
}

fn stop(target: stop_target::Target) -> v1::StopRequest {
    let target = Some(v1::StopTarget { target: Some(target) });
    v1::StopRequest { target, reason: "words of the caller".into(), act: None }
}

#[tokio::test]
async fn every_call_that_policy_refuses_leaves_a_record_of_what_it_was() {
    let mut place = Place::new().await;
    let named = |record: &DeniedRecord| (record.action, record.key.as_ref().map(|key| key.to_string()));
    let of_a = Some("team/a".to_owned());

    let record = place.refused("SigningService/Sign", &sign("team/a")).await;
    assert_eq!(named(&record), (ActionName::Sign, of_a.clone()));
    assert!(record.digests.is_some());
    let mut others = Vec::new();
    let message = v1::GetPublicKeyRequest { key: "team/a".into(), version: 0 };
    others.push(place.refused("SigningService/GetPublicKey", &message).await);
    let message = v1::GetKeyRequest { key: "team/a".into() };
    others.push(place.refused("KeyService/GetKey", &message).await);
    let list = v1::ListRecordsRequest::default();
    others.push(place.refused("LogService/ListRecords", &list).await);
    let search = v1::SearchRecordsRequest { key: "team/a".into(), ..Default::default() };
    others.push(place.refused("LogService/SearchRecords", &search).await);
    let record = Some(get_receipt_request::Record::LogIndex(0));
    let receipt = v1::GetReceiptRequest { record, tree_size: 0 };
    others.push(place.refused("LogService/GetReceipt", &receipt).await);
    // Its grant does not reach beyond the daemon's own machine.
    let redact = v1::RedactDetailRequest { log_index: 1, reason: "words of the caller".into() };
    others.push(place.refused("LogService/RedactDetail", &redact).await);
    for target in [
        stop_target::Target::Key("team/a".into()),
        stop_target::Target::Version(v1::VersionName { key: "team/a".into(), version: 1 }),
        stop_target::Target::Caller("unix:7".into()),
        stop_target::Target::All(true),
    ] {
        others.push(place.refused("IncidentService/Stop", &stop(target)).await);
    }
    let found: Vec<_> = others.iter().map(named).collect();
    let expected = [
        (ActionName::GetPublicKey, of_a.clone()),
        (ActionName::GetKey, of_a.clone()),
        (ActionName::ReadLog, None),
        (ActionName::SearchLog, None),
        (ActionName::GetReceipt, None),
        (ActionName::Redact, None),
        (ActionName::Stop, of_a.clone()),
        (ActionName::Stop, of_a),
        (ActionName::Stop, None),
        (ActionName::Stop, None),
    ];
    assert_eq!(found, expected);
    assert!(others.iter().all(|record| record.digests.is_none()));

    let log = &place.site.log;
    log.indexed(log.head().size, Duration::from_secs(30)).await.unwrap();
    for (sought, count) in [(Sought::Caller(CALLER.into()), 11), (Sought::Key("team/a".into()), 5)] {
        let query = Query { terms: vec![sought], kinds: vec!["denied".into()], ..Query::default() };
        assert_eq!(log.search(query).await.unwrap().indices.len(), count);
    }
}

#[tokio::test]
async fn what_is_hidden_or_open_or_only_tried_leaves_no_record() {
    let mut place = Place::new().await;
    let before = place.site.log.head().size;
    let answer = place.ci.call("/countersign.v1.KeyService/ListKeys", &v1::ListKeysRequest::default()).await;
    assert!(answer.message::<v1::ListKeysResponse>().keys.is_empty());
    let checkpoint = place.site.log.head().checkpoint.to_string();
    let shown = v1::PresentCheckpointRequest { checkpoint };
    let answer = place.ci.call("/countersign.v1.LogService/PresentCheckpoint", &shown).await;
    answer.message::<v1::PresentCheckpointResponse>();
    let tried = v1::SignRequest { validate_only: true, ..sign("team/a") };
    let refusal = place.ci.call("/countersign.v1.SigningService/Sign", &tried).await.refusal();
    assert_eq!((refusal.reason, refusal.operation), (Reason::PolicyDenied, None));
    let unknown = v1::GetKeyRequest { key: "team/none".into() };
    let refusal = place.ci.call("/countersign.v1.KeyService/GetKey", &unknown).await.refusal();
    assert_eq!(refusal.reason, Reason::UnknownKey);
    assert_eq!(place.site.log.head().size, before);
}

#[tokio::test]
async fn a_flood_of_refused_calls_is_ten_records_and_a_sum() {
    let mut place = Place::new().await;
    let before = place.site.log.head().size;
    for number in 0..25 {
        let key = v1::GetKeyRequest { key: "team/a".into() };
        let refusal = place.ci.call("/countersign.v1.KeyService/GetKey", &key).await.refusal();
        assert_eq!(refusal.reason, Reason::PolicyDenied);
        assert_eq!(refusal.operation.is_some(), number < 10, "{number}");
    }
    assert_eq!(place.site.log.head().size, before + 10);
    // Another call is told apart from the flood.
    let record = place.refused("IncidentService/Stop", &stop(stop_target::Target::All(true))).await;
    assert_eq!(record.action, ActionName::Stop);
    assert_eq!(place.site.denials.summarise().await.unwrap(), 0, "the minute is not over");
    place.site.minutes.advance(Duration::from_secs(60));
    assert_eq!(place.site.denials.summarise().await.unwrap(), 1);
    let stored = place.site.log.record(before + 11).await.unwrap();
    let Record::DeniedSummary(summary) = Record::parse(&stored.leaf).unwrap() else { panic!("{stored:?}") };
    assert_eq!((summary.action, summary.count), (ActionName::GetKey, 15));
    assert_eq!(summary.key.map(|key| key.to_string()).as_deref(), Some("team/a"));
    let detail: Detail = proto::canonical::from_slice(&stored.detail.unwrap()).unwrap();
    assert_eq!(detail.caller.id, CALLER);
}
