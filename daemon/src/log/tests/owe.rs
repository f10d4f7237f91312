//! Records that are owed come before what is asked for after them, whatever happens to the log in between.

use std::sync::atomic::Ordering;

use proto::hash::Hash;
use proto::reason::Reason;
use proto::record::config::{Cause, InForce};
use proto::record::kind::ConfigTag;
use proto::record::{Body, ConfigRecord, Record, Times};

use super::support::*;
use crate::clock::Clock;
use crate::log::*;

/// A `config` record that does not fit where there happens to be room in a page.
fn config(site: &Site) -> (proto::operation::OperationId, Plain) {
    let detail = vec![b'x'; 20_000];
    let named = InForce { sha256: Hash::ZERO, version: 1 };
    let record = ConfigRecord {
        cause: Cause::Start,
        changed: vec![],
        client_ca: vec![],
        detail: Hash::of(&detail),
        file: Hash::ZERO,
        grants: named,
        guardrails: named,
        kind: ConfigTag::Tag,
        operation: site.operation(),
        roster: named,
        software: "0.1.0".into(),
        time: Times::asked(site.clock.wall()),
        v: 0,
    };
    (record.operation, Plain { draft: record.draft().unwrap(), detail, last: false })
}

fn owe(site: &Site, log: &Log) -> Owed {
    let (operation, plain) = config(site);
    log.owe(operation, plain).unwrap()
}

async fn kinds(log: &Log) -> Vec<String> {
    let kind = |record: &Record| match record {
        Record::Sign(_) => "sign".to_owned(),
        Record::Config(_) => "config".to_owned(),
        Record::Control(control) => control.body.kind().to_owned(),
        other => panic!("{other:?}"),
    };
    leaves(log).await.iter().map(kind).collect()
}

#[tokio::test]
async fn what_is_owed_comes_before_every_seal_that_is_asked_for_after_it() {
    let site = Site::new();
    let log = site.open().log;
    let intent = intend(&log, site.draft("a", None)).await;
    // Another thread holds the writer back, so that everything is one batch, or two.
    let held = site.hold_back().await;
    let owed = owe(&site, &log);
    let (external, software) = (site.seal(intent, "a", 0), site.software("b", None, 0));
    let grant = site.control(Body::Grant { sha256: Hash::ZERO }, vec![]);
    let all = async { tokio::join!(seal(&log, external), seal(&log, software), log.control(grant)) };
    let freeing = async {
        tokio::task::yield_now().await;
        held.let_go();
    };
    let ((first, second, grant), ()) = tokio::join!(all, freeing);
    assert!(matches!((first, second), (Sealed::Released(_), Sealed::Released(_))));
    grant.unwrap();
    let index = owed.attempt().await.unwrap().index;
    let kinds = kinds(&log).await;
    let first = kinds.iter().position(|kind| kind == "sign").unwrap();
    assert_eq!((kinds.len(), kinds[usize::try_from(index).unwrap()].as_str()), (5, "config"));
    assert!(index < first as u64, "{kinds:?}");
}

#[tokio::test]
async fn on_a_full_disk_it_waits_no_stop_waits_for_it_and_nothing_is_signed_before_it() {
    let site = Site::unhurried();
    let log = site.open().log;
    site.settings.faults.pages.store(1, Ordering::SeqCst);
    let refused = owe(&site, &log).attempt().await.unwrap_err();
    assert_eq!(refused.reason(), Reason::LogFull);
    // A stop that fits is written though what is owed does not.
    site.settings.faults.pages.store(0, Ordering::SeqCst);
    let bare = ControlDraft { detail: None, ..site.stop_of("b") };
    assert!(log.stop(bare).await.unwrap().index.is_some());
    // The keeper looks at the disk once a second of the clock that stands still.
    site.clock.advance(std::time::Duration::from_secs(2));
    until(&log, |health| *health == LogHealth::Ready).await;
    let done = released(&log, site.software("a", None, 2)).await;
    check(&site, &done);
    let kinds = kinds(&log).await;
    let at = |wanted: &str| kinds.iter().position(|kind| kind == wanted).unwrap();
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    assert!(at("config") < at("sign"), "{kinds:?}");
}

#[tokio::test]
async fn a_stop_for_which_there_is_room_is_written_while_what_is_owed_waits() {
    let site = Site::unhurried();
    let log = site.open().log;
    site.settings.faults.pages.store(1, Ordering::SeqCst);
    let _refused = owe(&site, &log).attempt().await.unwrap_err();
    // The bound is by pages: the stop alone goes where there is room in the last one, what is owed never does.
    let bare = ControlDraft { detail: None, ..site.stop_of("b") };
    let stopped = log.stop(bare).await.unwrap();
    assert!(stopped.index.is_some() || stopped.durable, "{stopped:?}");
    assert!(log.covers(&requires("b").terms).is_some());
    assert!(!kinds(&log).await.contains(&"config".to_owned()));
}

#[tokio::test]
async fn in_a_commit_of_which_nobody_knows_it_is_in_the_log_once() {
    for more in [false, true] {
        let site = Site::new();
        let log = site.open().log;
        site.settings.faults.unknown.store(true, Ordering::SeqCst);
        let failed = owe(&site, &log).attempt().await.unwrap_err();
        assert_eq!(failed.reason(), Reason::LogUnavailable);
        if more {
            // Owed while the log is loaded again: this one nobody has tried.
            let _waits = owe(&site, &log);
        }
        until(&log, |health| *health == LogHealth::Ready).await;
        released(&log, site.software("a", None, 0)).await;
        let expected = if more { vec!["config", "config", "sign"] } else { vec!["config", "sign"] };
        assert_eq!(kinds(&log).await[1..], expected);
        let operations: std::collections::BTreeSet<_> = leaves(&log)
            .await
            .iter()
            .filter_map(|record| match record {
                Record::Config(config) => Some(config.operation),
                _ => None,
            })
            .collect();
        assert_eq!(operations.len(), expected.len() - 1, "none is there twice");
    }
}

#[tokio::test]
async fn beside_a_control_record_it_is_there_exactly_if_that_one_is() {
    let site = Site::new();
    let log = site.open().log;
    site.settings.faults.pages.store(1, Ordering::SeqCst);
    let grant = || site.control(Body::Grant { sha256: Hash::ZERO }, vec![]);
    let refused = log.control_beside(grant(), config(&site).1).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::LogFull);
    site.settings.faults.pages.store(0, Ordering::SeqCst);
    site.clock.advance(std::time::Duration::from_secs(2));
    until(&log, |health| *health == LogHealth::Ready).await;
    assert_eq!(kinds(&log).await, ["genesis"]);
    let overtaken = ControlDraft { follows: Some(Hash::ZERO), ..grant() };
    let overtaken = log.control_beside(overtaken, config(&site).1).await.unwrap_err();
    assert!(matches!(overtaken, LogError::Overtaken), "{overtaken}");
    assert_eq!(kinds(&log).await, ["genesis"]);
    let appended = log.control_beside(grant(), config(&site).1).await.unwrap();
    assert_eq!(
        (appended.index, kinds(&log).await.as_slice()),
        (1, ["genesis", "grant", "config"].map(String::from).as_slice())
    );
    let stored = log.record(2).await.unwrap();
    assert_eq!(stored.detail.map(|detail| detail.len()), Some(20_000));
}

#[tokio::test]
async fn what_a_log_that_is_closed_never_took_is_lost_with_everything_that_waited_for_it() {
    let site = Site::new();
    let log = site.open().log;
    site.settings.faults.pages.store(1, Ordering::SeqCst);
    let _refused = owe(&site, &log).attempt().await.unwrap_err();
    log.close().await;
    let (operation, plain) = config(&site);
    assert!(matches!(log.owe(operation, plain), Err(LogError::Closing)));
    drop(log);
    site.settings.faults.pages.store(0, Ordering::SeqCst);
    assert_eq!(kinds(&site.open().log).await, ["genesis"]);
}
