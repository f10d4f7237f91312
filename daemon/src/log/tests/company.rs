//! Commits that wait for company, and what ends their waiting. But for the one test of time itself, everybody is patient for an hour:
//! a wait that is not ended by what the test does would not end at all.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::support::*;
use crate::log::*;

const HOUR: Duration = Duration::from_secs(3600);

/// A log, and so many open intents that a few patient ones are not the greater part of what is open.
async fn log_with_open(count: usize) -> (Arc<Site>, Log, Vec<Intent>) {
    let mut site = Site::unhurried();
    site.settings.limits.company = HOUR;
    let log = site.open().log;
    let mut open = Vec::new();
    for _ in 0..count {
        open.push(intend(&log, site.draft("a", None)).await);
    }
    (Arc::new(site), log, open)
}

/// A patient intent that is in the queue.
async fn waiting(site: &Site, log: &Log, patience: Duration) -> JoinHandle<Intent> {
    let (log, draft) = (log.clone(), IntentDraft { patience, ..site.draft("a", None) });
    let task = tokio::spawn(async move { intend(&log, draft).await });
    // Tasks run on this thread alone, and this one waits for nothing before it is in the queue.
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
    task
}

#[tokio::test]
async fn patient_ones_share_the_commit_of_the_first_that_is_in_a_hurry() {
    let (site, log, mut open) = log_with_open(9).await;
    let begun = site.commits();
    let patient = [waiting(&site, &log, HOUR).await, waiting(&site, &log, HOUR).await];
    released(&log, site.seal(open.pop().unwrap(), "a", 0)).await;
    let _given = futures_util::future::join_all(patient).await;
    assert_eq!(site.commits(), begun + 1);
}

#[tokio::test]
async fn a_patient_seal_waits_as_an_intent_does() {
    let (site, log, mut open) = log_with_open(9).await;
    let begun = site.commits();
    let what = Seal { patience: HOUR, ..site.seal(open.pop().unwrap(), "a", 0) };
    let sealing = tokio::spawn({
        let log = log.clone();
        async move { released(&log, what).await.index }
    });
    let patient = waiting(&site, &log, HOUR).await;
    let _hurried = intend(&log, site.draft("a", None)).await;
    let _given = patient.await.unwrap();
    assert_eq!(sealing.await.unwrap() + 1, log.head().size);
    assert_eq!(site.commits(), begun + 1);
}

#[tokio::test]
async fn half_of_what_is_open_is_company_enough() {
    let (site, log, _open) = log_with_open(4).await;
    let begun = site.commits();
    let patient = [waiting(&site, &log, HOUR).await, waiting(&site, &log, HOUR).await];
    let _given = futures_util::future::join_all(patient).await;
    assert_eq!(site.commits(), begun + 1);
}

#[tokio::test]
async fn one_that_nobody_joins_waits_no_longer_than_it_may() {
    let (site, log, _open) = log_with_open(9).await;
    let begun = site.commits();
    let _given = waiting(&site, &log, Duration::from_millis(1)).await.await.unwrap();
    assert_eq!(site.commits(), begun + 1);
}

#[tokio::test]
async fn a_stop_waits_for_no_company() {
    let (site, log, _open) = log_with_open(9).await;
    let patient = waiting(&site, &log, HOUR).await;
    assert!(log.stop(site.stop_of("b")).await.unwrap().index.is_some());
    let _given = patient.await.unwrap();
}

#[tokio::test]
async fn a_log_that_is_closed_waits_for_no_company() {
    let (site, log, open) = log_with_open(9).await;
    let patient = waiting(&site, &log, HOUR).await;
    let closing = tokio::spawn({
        let log = log.clone();
        async move { log.close().await }
    });
    drop((patient.await.unwrap(), open));
    closing.await.unwrap();
}
