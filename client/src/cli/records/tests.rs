//! Records at 80 columns.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use proto::algorithm::HashAlgorithm;
use proto::digest::Digest;
use proto::purpose::Kind;
use proto::reason::Reason;
use proto::record::config::{Cause, InForce, Setting};
use proto::record::kind::{ConfigTag, DeniedSummaryTag, DeniedTag};
use proto::record::{Body, CallerDetail, ConfigDetail, DeniedRecord, DeniedSummary, PolicyDetail, Times};

use super::*;
use crate::cli::screen::Output;
use crate::cli::tests::{Paper, expect};
use crate::fixture::{CALLER, Key, Log, at};

fn sample() -> Log {
    let (mut log, key) = (Log::new(), Key::new());
    log.push_control(Body::Anchor { place: "/srv/other-disk/countersign.anchor".to_owned() }, Vec::new());
    log.sign(&key, b"an artefact");
    let (mut record, detail) = log.sign_record(&key, b"too late", b"wiped", Kind::Blob);
    record.withhold(&[(0, Reason::KeySuspended)]);
    log.push(record.draft().unwrap(), Some(detail));
    log.stop("release/linux");
    log.push_control(Body::Policy { sha256: proto::hash::Hash::of(b"policy") }, Vec::new());
    refusals(&mut log);
    configurations(&mut log);
    log
}

/// A start, and a reload that brought other rules.
fn configurations(log: &mut Log) {
    let named = |version| InForce { sha256: proto::hash::Hash::of(b"a document"), version };
    for (cause, changed, guardrails) in
        [(Cause::Start, vec![], 1), (Cause::Reload, vec![Setting::Grants, Setting::Guardrails], 2)]
    {
        let (detail, name) =
            ConfigDetail { backends: Default::default(), salt: [7; 16].into() }.encode().unwrap();
        let config = ConfigRecord {
            cause,
            changed,
            client_ca: vec![],
            detail: name,
            file: proto::hash::Hash::of(b"countersignd.toml"),
            grants: named(guardrails),
            guardrails: named(guardrails),
            kind: ConfigTag::Tag,
            operation: log.operation(),
            roster: named(1),
            software: "0.1.0".to_owned(),
            time: Times::asked(at(0)),
            v: 0,
        };
        log.push(config.draft().unwrap(), Some(detail));
    }
}

/// A signature, a stop and a search that policy refused, and many more of the last.
fn refusals(log: &mut Log) {
    let detail = |rule: &str| {
        let caller = CallerDetail { claims: Default::default(), id: CALLER.into(), kind: "spiffe".into() };
        let policy = PolicyDetail { grants: 2, guardrails: 1, rule: rule.into() };
        Detail { policy: Some(policy), ..Detail::of(caller, [7; 16].into()) }.encode().unwrap()
    };
    let key: KeyName = "release/linux".parse().unwrap();
    let digest = Digest::of(HashAlgorithm::Sha256, b"an artefact").into();
    for (action, key, digests, rule) in [
        (ActionName::Sign, Some(key.clone()), Some(digest), "not-on-fridays"),
        (ActionName::Stop, Some(key), None, ""),
        (ActionName::SearchLog, None, None, ""),
    ] {
        let (detail, name) = detail(rule);
        let denied = DeniedRecord {
            action,
            detail: name,
            digests,
            key,
            kind: DeniedTag::Tag,
            operation: log.operation(),
            reason: Reason::PolicyDenied,
            time: Times::asked(at(0)),
            v: 0,
        };
        log.push(denied.draft().unwrap(), Some(detail));
    }
    let (detail, name) = detail("");
    let summary = DeniedSummary {
        action: ActionName::SearchLog,
        count: 990,
        detail: name,
        key: None,
        kind: DeniedSummaryTag::Tag,
        operation: log.operation(),
        reason: Reason::PolicyDenied,
        since: at(-60),
        time: Times::asked(at(0)),
        v: 0,
    };
    log.push(summary.draft().unwrap(), Some(detail));
}

fn records(log: &Log) -> Vec<v1::Record> {
    let record = |(index, leaf): (usize, &Vec<u8>)| v1::Record {
        log_index: index as u64,
        leaf: leaf.clone().into(),
        detail: log.details[index].clone().unwrap_or_default().into(),
    };
    log.leaves.iter().enumerate().map(record).collect()
}

#[test]
fn records_are_wrapped_beside_their_index_and_time() {
    let paper = Paper::new(Output::Table);
    let mut screen = paper.screen();
    let mut log = records(&sample());
    log.push(v1::Record {
        log_index: 4711,
        leaf: br#"{"kind":"future.kind"}"#.as_slice().into(),
        detail: Vec::new().into(),
    });
    for record in &log {
        show(record, &mut screen).unwrap();
    }
    expect("records.txt", &paper.out());
}

#[test]
fn programs_get_the_records_as_the_log_holds_them() {
    let paper = Paper::new(Output::Json);
    let log = sample();
    let record = &records(&log)[2];
    show(record, &mut paper.screen()).unwrap();
    let line: Value = serde_json::from_str(&paper.out()).unwrap();
    assert_eq!(line["index"], 2);
    assert_eq!(proto::canonical::to_vec(&line["record"]).unwrap(), log.leaves[2]);
    assert_eq!(line["leaf_hash"], hash_of(record));
    assert_eq!(line["detail"]["caller"]["id"], CALLER);
}
