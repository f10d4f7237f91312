//! Stores that somebody, or a bad disk, has changed: every one is refused, with what is wrong.

use std::os::unix::fs::FileExt;

use proto::reason::Reason;

use super::support::*;
use crate::log::*;

/// A log with a stop in it, closed cleanly.
async fn written() -> Site {
    let site = Site::unhurried();
    let log = site.open().log;
    for _ in 0..20 {
        released(&log, site.software("a", None, 0)).await;
    }
    log.stop(site.stop_of("a")).await.unwrap();
    for _ in 0..3 {
        released(&log, site.software("b", None, 21)).await;
    }
    log.close().await;
    site
}

fn sql(site: &Site, statement: &str) {
    let connection = rusqlite::Connection::open(site.state().join("log.db")).unwrap();
    assert_eq!(connection.execute(statement, ()).unwrap(), 1, "{statement}");
}

#[tokio::test]
async fn an_untouched_log_loads() {
    let site = written().await;
    let opened = site.open();
    assert_eq!(opened.history.len(), 2);
    assert_eq!(opened.log.covers(&requires("a").terms).unwrap().reason(), Reason::KeySuspended);
}

#[tokio::test]
async fn a_stop_cannot_be_hidden() {
    for (statement, cause) in [
        ("delete from control where idx = 21", "a control record was removed"),
        ("update control set kind = 'grant' where idx = 21", "the table of control records says"),
        ("delete from record where idx = 21", "record 21 is missing"),
        ("update record set leaf = (select leaf from record where idx = 0) where idx = 21", "lead to root"),
    ] {
        let site = written().await;
        sql(&site, statement);
        assert!(site.refused().contains(cause), "{}", site.refused());
    }
}

/// Also where nothing but the chain proves its bytes: in a full tile, whose leaves no start hashes.
#[tokio::test]
async fn a_changed_control_record_or_detail_is_refused_by_its_number() {
    let site = written().await;
    let log = site.open().log;
    for _ in 0..256 {
        released(&log, site.software("b", None, 21)).await;
    }
    let last = log.stop(site.stop_of("b")).await.unwrap().index.unwrap();
    log.close().await;
    drop(log);
    let chain = format!("broken between 21 and {last}");
    for (statement, cause) in [
        ("update record set detail = x'7b7d' where idx = 0", "the detail of control record 0 is not the one"),
        ("update record set detail = null where idx = 0", "the detail of control record 0 is not the one"),
        // What it says, in the form that it had; the same in another form; and what is none.
        (
            "update record set leaf = cast(replace(cast(leaf as text), '\"a\"', '\"c\"') as blob) where idx = 21",
            &*chain,
        ),
        (
            "update record set leaf = cast(replace(cast(leaf as text), '\"v\":0', '\"v\": 0') as blob) where idx = 21",
            "canonical form",
        ),
        ("update record set leaf = x'7b7d' where idx = 21", "record 21 of the log"),
        (
            "update control set kind = 'policy' where idx = 21",
            "the table of control records says that 21 is a `policy`",
        ),
    ] {
        let copy = site.killed();
        sql(&copy, statement);
        assert!(copy.refused().contains(cause), "{statement}: {}", copy.refused());
    }
    site.try_open().unwrap();
}

#[tokio::test]
async fn a_changed_or_missing_record_head_or_tail_is_refused() {
    for (statement, cause) in [
        ("update head set root = zeroblob(32)", "differ"),
        ("update head set size = 24", "differ"),
        ("delete from record where idx = 24", "the store holds 24"),
        ("update counter set number = 0", ""),
        ("update meta set value = 'other.example' where name = 'origin'", "origin"),
    ] {
        let site = written().await;
        if cause.is_empty() {
            let log = site.open().log;
            let intent = intend(&log, site.draft("b", None)).await;
            released(&log, site.seal(intent, "b", 21)).await;
            log.close().await;
            drop(log);
            sql(&site, statement);
            assert!(site.refused().contains("has given out 0"), "{}", site.refused());
            continue;
        }
        sql(&site, statement);
        assert!(site.refused().contains(cause), "{}", site.refused());
    }
}

#[tokio::test]
async fn a_rolled_back_directory_is_refused_by_the_anchor() {
    let site = written().await;
    let old = std::fs::read(site.state().join("log.db")).unwrap();
    let log = site.open().log;
    released(&log, site.software("b", None, 21)).await;
    log.close().await;
    std::fs::write(site.state().join("log.db"), old).unwrap();
    assert!(site.refused().contains("1 are missing"), "{}", site.refused());
}

#[tokio::test]
async fn a_store_rolled_back_with_its_anchors_is_refused_by_the_process_that_had_it() {
    let site = Site::new();
    let log = site.open().log;
    released(&log, site.software("a", None, 0)).await;
    let old = site.killed();
    released(&log, site.software("a", None, 0)).await;
    std::fs::remove_file(site.state().join("log.db-shm")).unwrap();
    for name in ["log.db", "log.db-wal"] {
        let (from, to) = (old.state().join(name), site.state().join(name));
        std::fs::remove_file(&to).unwrap();
        std::fs::copy(from, to).unwrap();
    }
    std::fs::copy(old.anchor(), site.anchor()).unwrap();
    log.seal(vec![site.software("a", None, 0)]).await.pop().unwrap().unwrap_err();
    let health =
        until(&log, |health| matches!(health, LogHealth::Failed { cause } if cause.contains("this process")))
            .await;
    let LogHealth::Failed { cause } = health else { panic!("{health:?}") };
    assert!(cause.contains("1 are missing"), "{cause}");
    // A process that starts now cannot know, but for anchors elsewhere and checkpoints that clients present.
    assert_eq!(old.open().log.head().size, 2);
}

#[tokio::test]
async fn one_bit_flipped_in_the_wal_is_refused_by_the_anchor() {
    let site = Site::new();
    let log = site.open().log;
    for _ in 0..50 {
        released(&log, site.software("a", None, 0)).await;
    }
    let copy = site.killed();
    assert_eq!(copy.open().log.head().size, 51, "as it was left it loads");
    let copy = site.killed();
    let wal =
        std::fs::OpenOptions::new().read(true).write(true).open(copy.state().join("log.db-wal")).unwrap();
    let middle = wal.metadata().unwrap().len() / 2;
    let mut byte = [0];
    wal.read_exact_at(&mut byte, middle).unwrap();
    wal.write_all_at(&[byte[0] ^ 1], middle).unwrap();
    assert!(copy.refused().contains("missing"), "{}", copy.refused());
    let copy = site.killed();
    std::fs::remove_file(copy.state().join("log.db-wal")).unwrap();
    assert!(copy.refused().contains("missing"), "{}", copy.refused());
}

#[tokio::test]
async fn missing_anchors_stop_files_stores_and_other_keys_are_refused() {
    let site = written().await;
    let key = LogKey::from_seed(ORIGIN, &[8; 32]).unwrap();
    let other = open(site.settings.clone(), site.clock.clone(), key).unwrap_err();
    assert!(other.to_string().contains("the log key in force is"), "{other}");
    std::fs::rename(site.anchor(), site.directory.path().join("elsewhere")).unwrap();
    assert!(site.refused().contains("is missing"));
    std::fs::rename(site.directory.path().join("elsewhere"), site.anchor()).unwrap();
    std::fs::remove_file(site.directory.path().join("anchor.stops")).unwrap();
    assert!(site.refused().contains("stop file"));
    let empty = Site::empty();
    assert!(matches!(empty.try_open(), Err(LoadError::Gone { .. })));
    let site = written().await;
    std::fs::remove_file(site.state().join("log.db")).unwrap();
    assert!(site.try_open().unwrap_err().to_string().contains("countersignd init"));
    assert!(!site.state().join("log.db").exists(), "opening never makes one");
}

#[tokio::test]
async fn a_log_is_made_once_and_used_by_one_process() {
    let site = Site::new();
    let again = create(&site.settings, &site.key(), vec![site.control(genesis(), vec![])]);
    assert!(again.unwrap_err().to_string().contains("exists already"));
    let _opened = site.open();
    assert!(site.try_open().unwrap_err().to_string().contains("locked"));
}

#[tokio::test]
async fn a_checkpoint_that_the_tree_does_not_extend_stops_signing_for_good() {
    let site = Site::new();
    let log = site.open().log;
    released(&log, site.software("a", None, 0)).await;
    let fork = site.killed();
    let newest = released(&log, site.software("a", None, 0)).await;
    // The same size and another record, and a larger size: both are forks to the copy.
    for more in [1, 0] {
        let fork = fork.killed();
        let forked = fork.open().log;
        for _ in 0..more {
            released(&forked, fork.software("b", None, 0)).await;
        }
        assert!(matches!(forked.present("nonsense").await.unwrap(), Presented::NotOurs { .. }));
        let shown = forked.present(&log.head().checkpoint).await.unwrap();
        assert!(matches!(shown, Presented::Forked), "{shown:?}");
        until(&forked, |health| matches!(health, LogHealth::Failed { cause } if cause.contains("presented")))
            .await;
        let refused = forked.seal(vec![fork.software("a", None, 0)]).await.pop().unwrap().unwrap_err();
        assert_eq!(refused.reason(), Reason::LogUnavailable);
        // Stops are taken all the same.
        let stopped = forked.stop(fork.stop_of("a")).await.unwrap();
        assert!(stopped.pending && stopped.durable);
        forked.close().await;
        drop(forked);
        assert!(fork.refused().contains("presented"), "{}", fork.refused());
    }
    let Presented::Extended { path, head } = log.present(&newest.checkpoint).await.unwrap() else { panic!() };
    assert_eq!((path.len(), head.size), (0, 3));
}

#[tokio::test]
async fn every_anchor_must_agree_and_one_that_disagrees_leaves_the_others_alone() {
    let mut site = written().await;
    let second = site.directory.path().join("second");
    let log = site.open().log;
    let place = AnchorPlace::File(second.clone());
    log.make_anchor(&place).await.unwrap();
    assert!(log.make_anchor(&place).await.is_err(), "it exists");
    log.control(site.control(proto::record::Body::Anchor { place: "second".into() }, vec![])).await.unwrap();
    log.close().await;
    drop(log);
    // The second anchor, as it was made, is behind: that is no contradiction.
    site.settings.anchors.push(AnchorPlace::File(second.clone()));
    let old = std::fs::read(site.state().join("log.db")).unwrap();
    let first = std::fs::read(site.anchor()).unwrap();
    let log = site.open().log;
    released(&log, site.software("b", None, 21)).await;
    log.close().await;
    drop(log);
    let new = std::fs::read(site.state().join("log.db")).unwrap();
    // Database and first anchor are rolled back together; the second one remembers.
    std::fs::write(site.state().join("log.db"), old).unwrap();
    std::fs::write(site.anchor(), &first).unwrap();
    assert!(site.refused().contains("second holds a checkpoint"), "{}", site.refused());
    assert_eq!(std::fs::read(site.anchor()).unwrap(), first, "nothing was written");
    std::fs::write(site.state().join("log.db"), new).unwrap();
    assert_eq!(site.open().log.head().size, 27);
}
