//! Crashes, and commits of which nobody knows.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use proto::reason::Reason;
use proto::record::{Outcome, Record};

use super::support::*;
use crate::clock::Clock;
use crate::log::*;

#[tokio::test]
async fn intents_of_a_dead_process_become_unknown_and_numbers_go_on() {
    let site = Site::new();
    let log = site.open().log;
    let _first = intend(&log, site.draft("a", Some("one"))).await;
    let second = intend(&log, site.draft("a", None)).await;
    released(&log, site.seal(second, "a", 0)).await;
    let copy = site.killed();
    let log = copy.open().log;
    let all = leaves(&log).await;
    let Record::Sign(sign) = &all[2] else { panic!("{all:?}") };
    assert_eq!((sign.number, sign.signatures[0].outcome), (Some(1), Outcome::Unknown));
    assert_eq!(sign.signatures[0].reason, Some(Reason::Crash));
    assert_eq!(intend(&log, copy.draft("a", None)).await.number(), 3);
    match log.intend(vec![copy.draft("a", Some("one"))], None).await.pop().unwrap().unwrap() {
        Intended::Replay(earlier) => {
            assert_eq!((earlier.index, earlier.outcome), (Some(2), Some(Outcome::Unknown)))
        }
        Intended::Intent(_) => panic!(),
    }
}

#[tokio::test]
async fn a_commit_that_said_it_failed_releases_nothing_and_leaves_one_leaf() {
    let site = Site::new();
    let log = site.open().log;
    let intent = intend(&log, site.draft("a", None)).await;
    site.settings.faults.unknown.store(true, Ordering::SeqCst);
    let failed = log.seal(vec![site.seal(intent, "a", 0)]).await.pop().unwrap().unwrap_err();
    assert_eq!(failed.reason(), Reason::LogUnavailable);
    until(&log, |health| *health == LogHealth::Ready).await;
    // It had happened: the leaf is there, and the closure of its intent found nothing to close.
    released(&log, site.software("a", None, 0)).await;
    let numbers: Vec<_> = leaves(&log)
        .await
        .into_iter()
        .filter_map(|record| match record {
            Record::Sign(sign) => Some(sign.number),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [Some(1), None]);
}

#[tokio::test]
async fn an_intent_that_nobody_was_given_is_closed_as_not_executed() {
    let site = Site::new();
    let log = site.open().log;
    site.settings.faults.unknown.store(true, Ordering::SeqCst);
    let failed = log.intend(vec![site.draft("a", Some("one"))], None).await.pop().unwrap().unwrap_err();
    assert_eq!(failed.reason(), Reason::LogUnavailable);
    let mut head = log.watch_head();
    head.wait_for(|head| head.size == 2).await.unwrap();
    let Record::Sign(sign) = &leaves(&log).await[1] else { panic!() };
    assert_eq!((sign.number, sign.signatures[0].outcome), (Some(1), Outcome::NotExecuted));
    until(&log, |health| *health == LogHealth::Ready).await;
    // It came to nothing, so the same id is tried anew.
    let again = intend(&log, site.draft("a", Some("one"))).await;
    assert_eq!(again.number(), 2);
    released(&log, site.seal(again, "a", 0)).await;
}

#[tokio::test]
async fn a_stop_in_a_commit_of_which_nobody_knows_is_in_the_log_once() {
    let site = Site::new();
    let log = site.open().log;
    site.settings.faults.unknown.store(true, Ordering::SeqCst);
    let stopped = log.stop(site.stop_of("a")).await.unwrap();
    assert!(stopped.durable);
    let mut head = log.watch_head();
    head.wait_for(|head| head.control.0 == 1).await.unwrap();
    until(&log, |health| *health == LogHealth::Ready).await;
    released(&log, site.software("b", None, 1)).await;
    assert_eq!((log.head().control.0, log.head().size), (1, 3));
    let mut controls = log.controls();
    assert_eq!(controls.next().await.index, 1);
    assert!(controls.try_next().is_none());
}

#[tokio::test]
async fn a_clock_that_cannot_be_trusted_marks_the_record_and_time_goes_on() {
    let site = Site::new();
    let log = site.open().log;
    let start = site.clock.wall();
    released(&log, site.software("a", None, 0)).await;
    site.clock.set(start.earlier(std::time::Duration::from_secs(3600)));
    released(&log, site.software("a", None, 0)).await;
    site.clock.set(start.later(std::time::Duration::from_secs(86_400)));
    site.clock.advance(std::time::Duration::from_secs(1));
    released(&log, site.software("a", None, 0)).await;
    let mut ending = site.software("a", None, 0);
    ending.requires[0].not_after = Some(start.later(std::time::Duration::from_secs(3600)));
    assert!(matches!(seal(&log, ending).await, Sealed::Withheld { .. }), "a version with an end stops");
    let times: Vec<_> = leaves(&log)
        .await
        .into_iter()
        .filter_map(|record| match record {
            Record::Sign(sign) => Some((sign.time.sealed, sign.time.clock.is_some())),
            _ => None,
        })
        .collect();
    let later = start.later(std::time::Duration::from_secs(1));
    assert_eq!(times, [(start, false), (start, true), (later, true), (later, true)]);
}

#[tokio::test]
async fn what_waits_is_bounded_and_what_cannot_be_in_time_is_refused() {
    let mut site = Site::new();
    site.settings.limits.queued = 2;
    let log = site.open().log;
    let held = site.hold_back().await;
    // However many of them the writer takes before it is held back, those after them wait.
    let mut writing = Vec::new();
    let refused = loop {
        let (to, what) = (log.clone(), site.software("a", None, 0));
        writing.push(tokio::spawn(async move { to.seal(vec![what]).await.pop().unwrap() }));
        tokio::task::yield_now().await;
        if let Err(error) = log.admits(1, None) {
            break error;
        }
    };
    assert!(matches!(refused, LogError::Busy { retry_after } if !retry_after.is_zero()), "{refused}");
    held.let_go();
    let mut done = 0;
    for task in writing {
        match task.await.unwrap() {
            Ok(Sealed::Released(_)) => done += 1,
            Err(LogError::Busy { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(done >= 2);
    assert_eq!(log.head().size, 1 + done);
    let now = site.clock.monotonic();
    assert!(matches!(log.admits(1, Some(now)), Err(LogError::Late)));
    let late = log.intend(vec![site.draft("a", None)], Some(now)).await.pop().unwrap().unwrap_err();
    assert_eq!(late.reason(), Reason::DeadlineTooShort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_a_request_is_cancelled_every_intent_gets_its_leaf() {
    let site = Arc::new(Site::new());
    let log = site.open().log;
    let mut tasks = Vec::new();
    for n in 0..300usize {
        let (site, log) = (Arc::clone(&site), log.clone());
        let task = tokio::spawn(async move {
            let draft = site.draft("a", Some(&format!("id-{}", n % 50)));
            let Intended::Intent(intent) = log.intend(vec![draft], None).await.pop().unwrap().unwrap() else {
                return;
            };
            for _ in 0..n % 4 {
                tokio::task::yield_now().await;
            }
            seal(&log, site.seal(intent, "a", 0)).await;
        });
        tasks.push(task);
        for _ in 0..n % 7 {
            tokio::task::yield_now().await;
        }
        if n % 3 != 0 {
            tasks[n / 2].abort();
            tasks[n].abort();
        }
    }
    for task in tasks {
        if let Err(ended) = task.await {
            assert!(ended.is_cancelled(), "{ended}");
        }
    }
    log.close().await;
    drop(log);
    let log = site.open().log;
    let mut numbers: Vec<_> = leaves(&log)
        .await
        .into_iter()
        .filter_map(|record| match record {
            Record::Sign(sign) => sign.number,
            _ => None,
        })
        .collect();
    numbers.sort_unstable();
    assert!(!numbers.is_empty());
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
    assert_eq!(intend(&log, site.draft("a", None)).await.number(), numbers.len() as u64 + 1);
}
