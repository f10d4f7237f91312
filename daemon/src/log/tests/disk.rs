//! Disks that are full or gone.

use std::sync::atomic::Ordering;

use proto::reason::Reason;
use proto::record::{Outcome, Record};

use super::support::*;
use crate::log::*;

fn bound(site: &Site, pages: u32) {
    site.settings.faults.pages.store(pages, Ordering::SeqCst);
}

/// Longer than a page, so that it cannot go where there happens to be room.
fn long(mut what: Seal) -> Seal {
    what.detail = vec![b'x'; 20_000].into();
    what
}

fn long_stop(site: &Site) -> ControlDraft {
    ControlDraft { detail: Some(vec![b'x'; 20_000]), ..site.stop_of("a") }
}

#[tokio::test]
async fn a_full_disk_refuses_by_name_and_takes_everything_up_again_when_there_is_room() {
    let site = Site::new();
    let log = site.open().log;
    let intent = intend(&log, site.draft("a", None)).await;
    bound(&site, 1);
    let sealed = log.seal(vec![long(site.seal(intent, "a", 0))]).await.pop().unwrap().unwrap_err();
    assert_eq!(sealed.reason(), Reason::LogFull);
    let LogHealth::Refusing { cause } = until(&log, |health| *health != LogHealth::Ready).await else {
        panic!()
    };
    assert!(cause.contains("disk is full"));
    let refused = log.seal(vec![site.software("a", None, 0)]).await.pop().unwrap().unwrap_err();
    assert_eq!(refused.reason(), Reason::LogFull);
    assert_eq!(log.head().size, 1);
    bound(&site, 0);
    let mut head = log.watch_head();
    head.wait_for(|head| head.size == 2).await.unwrap();
    // The signature that could not be recorded in time was wiped, and its record says so.
    let Record::Sign(sign) = &leaves(&log).await[1] else { panic!() };
    let entry = &sign.signatures[0];
    assert_eq!(
        (entry.outcome, entry.reason, &entry.value),
        (Outcome::Withheld, Some(Reason::LogUnavailable), &None)
    );
    assert!(entry.sha256.is_some());
    // The keeper looks at the disk once a second of the clock that stands still.
    site.clock.advance(std::time::Duration::from_secs(2));
    until(&log, |health| *health == LogHealth::Ready).await;
    let done = released(&log, site.software("a", None, 0)).await;
    check(&site, &done);
}

#[tokio::test]
async fn a_stop_on_a_full_disk_is_in_force_at_once_and_after_a_kill() {
    let site = Site::new();
    let log = site.open().log;
    bound(&site, 1);
    let stopped = log.stop(long_stop(&site)).await.unwrap();
    assert_eq!(
        (stopped.index, stopped.pending, stopped.durable, stopped.everything),
        (None, true, true, false)
    );
    assert!(log.covers(&requires("a").terms).is_some());
    let copy = site.killed();
    let mut opened = copy.open();
    let control = opened.controls.try_next().expect("the stop was appended before anything else");
    assert_eq!((control.index, control.record.body.kind()), (1, "incident.stopped"));
    assert!(matches!(seal(&opened.log, copy.software("a", None, 1)).await, Sealed::Withheld { .. }));
    // It is appended once: the next start skips it.
    let again = copy.killed();
    drop(opened);
    assert_eq!(again.open().log.head().control.0, 1);
    // The process that was not killed appends it as soon as there is room, once.
    bound(&site, 0);
    let mut head = log.watch_head();
    head.wait_for(|head| head.control.0 == 1).await.unwrap();
    assert_eq!(log.covers(&requires("a").terms).unwrap().index, Some(1));
}

#[tokio::test]
async fn a_stop_file_without_room_stops_everything() {
    let site = Site::new();
    let log = site.open().log;
    bound(&site, 1);
    let mut everything = false;
    for _ in 0..6 {
        let mut draft = site.stop_of("a");
        draft.detail = Some(vec![b'x'; 250 * 1024]);
        let stopped = log.stop(draft).await.unwrap();
        assert!(stopped.pending && stopped.durable);
        everything = stopped.everything;
        if everything {
            break;
        }
        assert!(log.covers(&requires("b").terms).is_none());
    }
    assert!(everything);
    assert!(log.covers(&requires("b").terms).is_some());
    let copy = site.killed();
    assert_eq!(copy.open().log.covers(&requires("b").terms).unwrap().reason(), Reason::AllStopped);
}

#[tokio::test]
async fn a_store_that_is_gone_is_noticed_and_taken_up_again_when_it_is_back() {
    let site = Site::new();
    let log = site.open().log;
    let intent = intend(&log, site.draft("a", None)).await;
    let (here, away) = (site.state().join("log.db"), site.state().join("away.db"));
    std::fs::rename(&here, &away).unwrap();
    let refused = log.seal(vec![site.software("a", None, 0)]).await.pop().unwrap().unwrap_err();
    assert!(refused.to_string().contains("deleted or replaced"), "{refused}");
    until(&log, |health| matches!(health, LogHealth::Failed { .. })).await;
    let sealed = log.seal(vec![site.seal(intent, "a", 0)]).await.pop().unwrap().unwrap_err();
    assert_eq!(sealed.reason(), Reason::LogUnavailable);
    std::fs::rename(&away, &here).unwrap();
    until(&log, |health| *health == LogHealth::Ready).await;
    let done = released(&log, site.software("a", None, 0)).await;
    check(&site, &done);
    let all = leaves(&log).await;
    let withheld = all.iter().filter(|record| matches!(record, Record::Sign(sign) if sign.number == Some(1)));
    assert_eq!(withheld.count(), 1, "the intent ended as one leaf");
}

#[tokio::test]
async fn below_the_reserve_nothing_new_is_taken_and_everything_else_is() {
    let mut other = Site::unhurried();
    other.settings.limits.reserve = u64::MAX;
    let log = other.open().log;
    // The keeper looks at the disk on its first beat; both clocks stand still, so it is moved.
    other.clock.advance(std::time::Duration::from_secs(2));
    until(&log, |health| matches!(health, LogHealth::Refusing { .. })).await;
    let refused = log.intend(vec![other.draft("a", None)], None).await.pop().unwrap().unwrap_err();
    assert_eq!(refused.reason(), Reason::LogFull);
    log.control(other.control(proto::record::Body::Grant { sha256: proto::hash::Hash::ZERO }, vec![]))
        .await
        .unwrap();
    assert!(log.stop(other.stop_of("a")).await.unwrap().index.is_some());
}

#[tokio::test]
async fn a_damaged_entry_of_the_stop_file_stops_everything_and_the_file_is_used_again() {
    let site = Site::new();
    let log = site.open().log;
    bound(&site, 1);
    assert!(log.stop(long_stop(&site)).await.unwrap().durable);
    let copy = site.killed();
    let stops = copy.directory.path().join("anchor.stops");
    let mut bytes = std::fs::read(&stops).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&stops, bytes).unwrap();
    let opened = copy.open();
    assert_eq!(opened.log.covers(&requires("b").terms).unwrap().reason(), Reason::AllStopped);
    assert_eq!(opened.log.head().control.0, 1, "the stop of everything is in the log");
    opened.log.close().await;
    // Undamaged, the entry is appended, and the file is empty afterwards: a second start appends nothing.
    let copy = site.killed();
    copy.open().log.close().await;
    let opened = copy.open();
    assert_eq!((opened.history.len(), opened.log.head().size), (2, 2));
    let stops = std::fs::read(copy.directory.path().join("anchor.stops")).unwrap();
    assert!(stops[..64].iter().all(|byte| *byte == 0));
    drop(log);
}

#[tokio::test]
async fn the_wal_stays_short_while_the_log_is_written_without_pause() {
    let mut site = Site::new();
    site.settings.limits.longest_wal = 256 << 10;
    let log = site.open().log;
    let mut longest = 0;
    for _ in 0..300 {
        released(&log, site.software("a", None, 0)).await;
        longest = longest.max(std::fs::metadata(site.state().join("log.db-wal")).unwrap().len());
    }
    assert!(longest > 100 << 10, "{longest}");
    assert!(longest < 2 << 20, "{longest}");
}
