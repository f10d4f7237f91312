//! The ordinary life of a log.

use proto::reason::Reason;
use proto::record::{Outcome, Record};

use super::support::*;
use crate::clock::Clock;
use crate::log::*;

fn outcome(record: &Record) -> (Option<u64>, Outcome, Option<Reason>) {
    match record {
        Record::Sign(sign) => (sign.number, sign.signatures[0].outcome, sign.signatures[0].reason),
        other => panic!("not a sign record: {other:?}"),
    }
}

#[tokio::test]
async fn an_operation_becomes_one_leaf_that_anyone_can_check() {
    let site = Site::new();
    let Opened { log, history, .. } = site.open();
    assert_eq!(history.len(), 1);
    let draft = site.draft("release/linux", None);
    let intent = intend(&log, draft).await;
    assert_eq!(intent.number(), 1);
    assert_eq!(log.head().size, 1, "an intent is no leaf");
    let done = released(&log, site.seal(intent, "release/linux", 0)).await;
    assert_eq!((done.index, done.size), (1, 2));
    check(&site, &done);
    let proven = log.receipt(1, None).await.unwrap();
    assert_eq!((proven.path, proven.leaf, proven.checkpoint), (done.path, done.leaf, Some(done.checkpoint)));
    assert_eq!(log.head().root, proven.root);
}

#[tokio::test]
async fn an_intent_that_is_dropped_is_closed_as_unknown() {
    let site = Site::new();
    let log = site.open().log;
    let mut head = log.watch_head();
    drop(intend(&log, site.draft("a", None)).await);
    head.wait_for(|head| head.size == 2).await.unwrap();
    let all = leaves(&log).await;
    assert_eq!(outcome(&all[1]), (Some(1), Outcome::Unknown, Some(Reason::Crash)));
}

#[tokio::test]
async fn a_stop_withholds_what_is_on_its_way_and_what_comes_after() {
    let site = Site::unhurried();
    let log = site.open().log;
    let intent = intend(&log, site.draft("a", None)).await;
    let other = intend(&log, site.draft("b", None)).await;
    let stopped = log.stop(site.stop_of("a")).await.unwrap();
    assert_eq!((stopped.index, stopped.pending, stopped.durable), (Some(1), false, true));
    assert!(stopped.handed_over);
    match seal(&log, site.seal(intent, "a", 0)).await {
        Sealed::Withheld { index: 2, reasons } => assert_eq!(reasons, [(0, Reason::KeySuspended)]),
        other => panic!("{other:?}"),
    }
    // Another key was not touched.
    released(&log, site.seal(other, "b", 0)).await;
    let all = leaves(&log).await;
    assert_eq!(outcome(&all[2]), (Some(1), Outcome::Withheld, Some(Reason::KeySuspended)));
    let Record::Sign(sign) = &all[2] else { panic!() };
    assert!(sign.signatures[0].value.is_none() && sign.signatures[0].sha256.is_some());
    assert!(log.covers(&requires("a").terms).is_some());
    assert!(log.covers(&requires("b").terms).is_none());
}

#[tokio::test]
async fn what_was_only_touched_goes_back_and_is_decided_again() {
    let site = Site::new();
    let log = site.open().log;
    let intent = intend(&log, site.draft("a", None)).await;
    let mut grant = site.control(proto::record::Body::Grant { sha256: proto::hash::Hash::ZERO }, vec![]);
    grant.touches = vec![proto::term::Term::All];
    let appended = log.control(grant).await.unwrap();
    let Sealed::Touched { seal: mut back, control } = seal(&log, site.seal(intent, "a", 0)).await else {
        panic!()
    };
    assert_eq!(control, appended.index);
    back.saw = control;
    released(&log, *back).await;
}

#[tokio::test]
async fn a_version_past_its_end_is_withheld_by_the_stamped_time() {
    let site = Site::new();
    let log = site.open().log;
    let mut what = site.software("a", None, 0);
    what.requires[0].not_after = Some(site.clock.wall());
    match seal(&log, what).await {
        Sealed::Withheld { reasons, .. } => assert_eq!(reasons, [(0, Reason::VersionEnded)]),
        other => panic!("{other:?}"),
    }
    let mut what = site.software("a", None, 0);
    what.requires[0].not_after = Some(site.clock.wall().later(std::time::Duration::from_micros(1)));
    released(&log, what).await;
}

#[tokio::test]
async fn a_request_id_finds_its_first_answer() {
    let site = Site::new();
    let log = site.open().log;
    let first = released(&log, site.software("a", Some("one"), 0)).await;
    match seal(&log, site.software("a", Some("one"), 0)).await {
        Sealed::Replay(earlier) => {
            assert_eq!(
                (earlier.index, earlier.same_input, earlier.outcome),
                (Some(first.index), true, Some(Outcome::Released))
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(log.head().size, 2, "the newcomer left no record");
    // With an intent: another input is told apart, and an unknown outcome stands.
    let mut other = site.draft("a", Some("one"));
    other.request.as_mut().unwrap().input = proto::hash::Hash::ZERO;
    match log.intend(vec![other], None).await.pop().unwrap().unwrap() {
        Intended::Replay(earlier) => assert!(!earlier.same_input),
        Intended::Intent(_) => panic!(),
    }
    let mut head = log.watch_head();
    drop(intend(&log, site.draft("a", Some("two"))).await);
    head.wait_for(|head| head.size == 3).await.unwrap();
    match log.intend(vec![site.draft("a", Some("two"))], None).await.pop().unwrap().unwrap() {
        Intended::Replay(earlier) => {
            assert_eq!((earlier.index, earlier.outcome), (Some(2), Some(Outcome::Unknown)))
        }
        Intended::Intent(_) => panic!(),
    }
    // What came to nothing is tried anew, and the row moves.
    let intent = intend(&log, site.draft("a", Some("three"))).await;
    let mut nothing = site.seal(intent, "a", 0);
    Arc::make_mut(&mut nothing.released).signatures[0].value = None;
    Arc::make_mut(&mut nothing.released).signatures[0].outcome = Outcome::NotExecuted;
    Arc::make_mut(&mut nothing.released).signatures[0].reason = Some(Reason::BackendBusy);
    assert!(matches!(seal(&log, nothing).await, Sealed::Withheld { .. }));
    let again = intend(&log, site.draft("a", Some("three"))).await;
    released(&log, site.seal(again, "a", 0)).await;
}

#[tokio::test]
async fn a_second_request_with_the_same_id_waits_for_the_first() {
    let site = Site::new();
    let log = site.open().log;
    let intent = intend(&log, site.draft("a", Some("one"))).await;
    let second = tokio::spawn({
        let (log, draft) = (log.clone(), site.draft("a", Some("one")));
        async move { log.intend(vec![draft], None).await.pop().unwrap().unwrap() }
    });
    let first = released(&log, site.seal(intent, "a", 0)).await;
    match second.await.unwrap() {
        Intended::Replay(earlier) => assert_eq!(earlier.index, Some(first.index)),
        Intended::Intent(_) => panic!("two operations for one request"),
    }
}

fn sign(released: &Released) -> proto::record::SignRecord {
    match Record::parse(&released.leaf).unwrap() {
        Record::Sign(sign) => sign,
        other => panic!("{other:?}"),
    }
}

fn operation_of(released: &Released) -> proto::operation::OperationId {
    sign(released).operation
}

fn digest_of(released: &Released) -> Sought {
    Sought::Digest(sign(released).signed.digests.iter().next().unwrap().value().to_vec())
}

#[tokio::test]
async fn records_survive_closing_and_reopening_and_search_finds_them() {
    let site = Site::unhurried();
    let log = site.open().log;
    let mut last = None;
    for _ in 0..300 {
        last = Some(released(&log, site.software("a", None, 0)).await);
    }
    let old = log.head();
    log.close().await;
    drop(log);
    let log = site.open().log;
    assert_eq!(log.head(), old);
    let last = last.unwrap();
    let extension = log.consistency(5, None).await.unwrap();
    proto::proof::consistency::verify(
        5,
        &extension.old.1,
        extension.new.0,
        &extension.new.1,
        &extension.path,
    )
    .unwrap();
    log.indexed(old.size, std::time::Duration::from_secs(20)).await.unwrap();
    let all = log
        .search(Query { terms: vec![Sought::Key("a".into())], limit: 10, ..Query::default() })
        .await
        .unwrap();
    assert_eq!(all.indices, (291..=300).rev().collect::<Vec<_>>());
    assert!(all.more);
    // Nobody handed these over: they were read again. New ones are handed over; both are found alike.
    let more = released(&log, site.software("a", Some("last"), 0)).await;
    log.stop(site.stop_of("b")).await.unwrap();
    log.indexed(log.head().size, std::time::Duration::from_secs(20)).await.unwrap();
    for (terms, kinds, since, expected) in [
        (vec![Sought::Key("a".into())], vec![], None, 301),
        (vec![Sought::Version("a".into(), 1)], vec!["sign".to_owned()], None, 301),
        (vec![Sought::Caller("unix:1000".into())], vec!["incident.stopped".to_owned()], None, 0),
        (vec![], vec!["incident.stopped".to_owned(), "genesis".to_owned()], None, 2),
        (vec![], vec!["sign".to_owned()], None, 301),
        (vec![Sought::Request { caller: "unix:1000".into(), id: "last".into() }], vec![], None, 1),
        (vec![Sought::Operation(operation_of(&more))], vec![], None, 1),
        (vec![digest_of(&more)], vec![], None, 1),
        (vec![digest_of(&last)], vec![], None, 1),
        (vec![Sought::Key("nobody".into())], vec![], None, 0),
        (vec![], vec![], None, 303),
        (vec![], vec![], Some(site.clock.wall()), 303),
        (vec![], vec![], Some(site.clock.wall().later(std::time::Duration::from_micros(1))), 0),
    ] {
        let query = Query { terms: terms.clone(), kinds, since, oldest_first: true, ..Query::default() };
        let found = log.search(query).await.unwrap();
        assert_eq!((found.indices.len(), found.more, found.indexed_to), (expected, false, 303), "{terms:?}");
        assert!(found.indices.is_sorted());
    }
    assert_eq!(log.find(operation_of(&more)).await.unwrap(), more.index);
    // One in the index's file, one read again, one handed over, one that is no operation.
    for index in [7, 300, more.index, 302] {
        let hash = log.receipt(index, None).await.unwrap().leaf_hash;
        assert_eq!(log.find_leaf(hash).await.unwrap(), index);
    }
    assert_eq!(log.receipt(last.index, Some(last.size)).await.unwrap().path, last.path);
}

#[tokio::test]
async fn request_ids_are_forgotten_after_a_day() {
    let site = Site::new();
    let log = site.open().log;
    let first = released(&log, site.software("a", Some("one"), 0)).await;
    // Past its day a row does not stand in the way, swept or not.
    site.clock.advance(std::time::Duration::from_secs(24 * 3600 + 1));
    let second = released(&log, site.software("a", Some("one"), 0)).await;
    assert_ne!(first.index, second.index);
}
