//! A log whose key is changed: which key signs which head, whatever is killed, and what is believed of the old one.

use std::sync::atomic::Ordering;

use proto::hash::Hash;
use proto::proof::keys::LogKeys;
use proto::proof::note;
use proto::proof::receipt::Receipt;

use super::support::*;
use crate::log::*;

/// A log with a few records and both keys at hand, closed cleanly.
async fn written() -> Site {
    let site = Site::unhurried();
    let log = site.open_with(site.key(), Some(site.next())).unwrap().log;
    for _ in 0..5 {
        released(&log, site.software("a", None, 0)).await;
    }
    log.close().await;
    site
}

/// The short ids of the keys that have signed a checkpoint.
fn lines(checkpoint: &str) -> Vec<[u8; 4]> {
    note::parse(checkpoint).unwrap().signatures().iter().map(|line| line.key_id).collect()
}

fn id(key: &LogKey) -> [u8; 4] {
    key.verifier().key_id()
}

#[tokio::test]
async fn the_old_key_signs_up_to_its_end_both_sign_that_and_the_new_one_goes_on() {
    let site = written().await;
    let (old, new) = (id(&site.key()), id(&site.next()));
    let log = site.open_with(site.key(), Some(site.next())).unwrap().log;
    assert_eq!(lines(&log.head().checkpoint), [old]);
    let before = released(&log, site.software("a", None, 0)).await;
    assert_eq!(lines(&before.checkpoint), [old]);

    let appended = log.control(site.rekey()).await.unwrap();
    let head = log.head();
    assert_eq!((appended.index, head.size), (7, 8), "it is the last record of its tree");
    assert_eq!(lines(&head.checkpoint), [old, new]);
    assert_eq!(log.verifier(), *site.next().verifier());

    let after = released(&log, site.software("a", None, 7)).await;
    assert_eq!(lines(&after.checkpoint), [new]);
    // What leads from the old key to the new one.
    let ends = log.key_ends().await.unwrap();
    let keys = LogKeys::of_ends(site.key().verifier(), &ends).unwrap();
    assert_eq!(keys, *log.keys());
    for checkpoint in [&before.checkpoint, &head.checkpoint, &after.checkpoint] {
        keys.verify(checkpoint).unwrap();
    }
    // The receipt of what was before is by the key of then, that of its end by both, later ones by the new key.
    let receipt = async |index| log.receipt_of_its_key(index).await.unwrap();
    let by = |receipt: &Receipt| lines(&receipt.checkpoint);
    let (early, end, late) = (receipt(3).await, receipt(7).await, receipt(8).await);
    assert_eq!((by(&early), by(&end), by(&late)), (vec![old], vec![old, new], vec![new]));
    early.verify(site.key().verifier()).unwrap();
    assert_eq!(end, ends[0]);
    late.verify(site.next().verifier()).unwrap();
    log.close().await;
}

/// Whatever comes with the end of a key in one commit is in a tree that the new key alone has signed.
#[tokio::test]
async fn what_comes_at_the_same_time_is_after_the_end() {
    let site = written().await;
    let log = site.open_with(site.key(), Some(site.next())).unwrap().log;
    let held = site.hold_back().await;
    // The first keeps the writer busy; the others wait for one batch.
    let first = tokio::spawn({
        let (log, seal) = (log.clone(), site.software("a", None, 0));
        async move { released(&log, seal).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let mut others = Vec::new();
    for _ in 0..3 {
        let (log, seal) = (log.clone(), site.software("a", None, 7));
        others.push(tokio::spawn(async move { released(&log, seal).await }));
    }
    let stop = tokio::spawn({
        let (log, draft) = (log.clone(), site.stop_of("b"));
        async move { log.stop(draft).await.unwrap() }
    });
    let rekey = tokio::spawn({
        let (log, draft) = (log.clone(), site.rekey());
        async move { log.control(draft).await.unwrap() }
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    held.let_go();
    let (first, rekey) = (first.await.unwrap(), rekey.await.unwrap());
    stop.await.unwrap();
    let keys = log.keys();
    let end = keys.ends().next().unwrap().index;
    assert_eq!(end, rekey.index);
    assert!(first.index < end);
    for other in others {
        let other = other.await.unwrap();
        assert!(other.index > end || other.size <= end, "{} in a tree of {}", other.index, other.size);
        let signed = lines(&other.checkpoint);
        let expected: Vec<_> = keys.at(other.size).map(|key| key.key_id()).collect();
        assert_eq!(signed, expected);
    }
    log.close().await;
    site.open_with(site.next(), None).unwrap();
}

#[tokio::test]
async fn a_start_takes_the_key_in_force_in_either_place_and_no_other() {
    let site = written().await;
    let log = site.open_with(site.key(), Some(site.next())).unwrap().log;
    log.control(site.rekey()).await.unwrap();
    log.close().await;
    let third = || LogKey::from_seed(ORIGIN, &[9; 32]).unwrap();
    let opens = async |key: LogKey, next: Option<LogKey>| {
        let log = site.open_with(key, next).unwrap().log;
        let sealed = released(&log, site.software("a", None, 7)).await;
        assert_eq!(lines(&sealed.checkpoint), [id(&site.next())]);
        log.close().await;
    };
    opens(site.key(), Some(site.next())).await;
    opens(site.next(), Some(site.key())).await;
    opens(site.next(), None).await;
    opens(site.next(), Some(third())).await;
    for (key, next) in [(site.key(), None), (site.key(), Some(third()))] {
        let error = site.open_with(key, next).unwrap_err();
        assert!(error.needs_a_person(), "{error}");
        let expected = format!("the log key in force is {}", site.next().verifier());
        assert!(error.to_string().contains(&expected), "{error}");
        assert!(error.to_string().contains("as `key` or `next_key`"), "{error}");
    }
    let elsewhere = LogKey::from_seed("rehearsal.elsewhere.example", &[8; 32]).unwrap();
    assert!(matches!(Signers::new(site.key(), Some(elsewhere)), Err(UnfitKeys::Origins { .. })));
    assert!(matches!(Signers::new(site.key(), Some(site.key())), Err(UnfitKeys::Same)));
}

#[tokio::test]
async fn killed_around_the_change_of_its_key_a_log_loads_with_one_key() {
    let site = written().await;
    let both = || site.open_with(site.key(), Some(site.next())).unwrap().log;
    let log = both();
    let before = site.killed();
    log.control(site.rekey()).await.unwrap();
    let after = site.killed();
    // The database is ahead of the anchor: killed between the commit and the anchor's write.
    let between = site.killed();
    std::fs::copy(before.anchor(), between.anchor()).unwrap();
    released(&log, site.software("a", None, 7)).await;
    let later = site.killed();
    std::fs::copy(before.anchor(), later.anchor()).unwrap();
    for (copy, size, changed) in [(before, 6, false), (after, 7, true), (between, 7, true), (later, 8, true)]
    {
        let log = copy.open_with(copy.key(), Some(copy.next())).unwrap().log;
        assert_eq!(log.head().size, size);
        let key = if changed { copy.next() } else { copy.key() };
        assert_eq!(log.verifier(), *key.verifier());
        log.keys().verify(&log.head().checkpoint).unwrap();
        let sealed = released(&log, copy.software("a", None, 7)).await;
        assert_eq!(lines(&sealed.checkpoint), [id(&key)]);
        log.close().await;
        assert_eq!(copy.open_with(copy.key(), None).is_ok(), !changed);
        assert_eq!(copy.open_with(copy.next(), None).is_ok(), changed);
    }
}

#[tokio::test]
async fn a_commit_that_says_it_failed_leaves_the_key_that_the_log_has() {
    let site = written().await;
    let log = site.open_with(site.key(), Some(site.next())).unwrap().log;
    site.settings.faults.unknown.store(true, Ordering::SeqCst);
    log.control(site.rekey()).await.unwrap_err();
    until(&log, |health| *health == LogHealth::Ready).await;
    // It happened after all, and the log was loaded again.
    assert_eq!(log.verifier(), *site.next().verifier());
    let sealed = released(&log, site.software("a", None, 6)).await;
    assert_eq!(lines(&sealed.checkpoint), [id(&site.next())]);
    // The same record once more ends nothing.
    log.control(site.rekey()).await.unwrap();
    assert_eq!(log.keys().count(), 2);
    log.close().await;
    site.open_with(site.next(), None).unwrap();
}

#[tokio::test]
async fn a_key_that_is_not_there_is_never_the_next_one() {
    let site = written().await;
    let log = site.open().log;
    let before = log.head();
    let error = log.control(site.rekey()).await.unwrap_err();
    assert!(error.to_string().contains("is not configured"), "{error}");
    assert!(log.signed_with(site.next().verifier()).is_err());
    assert_eq!(log.head(), before);
    released(&log, site.software("a", None, 0)).await;
    log.close().await;
}

/// A checkpoint of this size and of no tree of this log, as whoever has the key can sign it.
fn forged(key: &LogKey, size: u64) -> String {
    key.checkpoint(size, Hash::of(b"another tree"), (0, Hash::of(b"control"))).unwrap()
}

#[tokio::test]
async fn what_the_old_key_has_signed_counts_up_to_its_end_and_proves_a_fork_beyond() {
    let site = written().await;
    let log = site.open_with(site.key(), Some(site.next())).unwrap().log;
    let early = log.head().checkpoint.to_string();
    log.control(site.rekey()).await.unwrap();
    let both = log.head().checkpoint.to_string();
    released(&log, site.software("a", None, 6)).await;
    let late = log.head().checkpoint.to_string();
    for shown in [&early, &both, &late] {
        assert!(matches!(log.present(shown).await.unwrap(), Presented::Extended { .. }));
    }
    // With one of its two lines it is what it was: whoever drops a line proves nothing.
    for key in [site.key(), site.next()] {
        let one = note::parse(&both).unwrap().only(key.verifier()).to_string();
        assert!(matches!(log.present(&one).await.unwrap(), Presented::Extended { .. }));
    }
    let foreign = LogKey::from_seed(ORIGIN, &[9; 32]).unwrap();
    let shown = log.present(&forged(&foreign, 8)).await.unwrap();
    assert!(matches!(shown, Presented::NotOurs { .. }));
    assert_eq!(*log.health().borrow(), LogHealth::Ready);

    let fork = forged(&site.key(), 8);
    assert!(matches!(log.present(&fork).await.unwrap(), Presented::Forked));
    let health = until(&log, |health| matches!(health, LogHealth::Failed { .. })).await;
    let LogHealth::Failed { cause } = health else { panic!("{health:?}") };
    assert!(cause.contains("signs trees of 0 to 7 records alone"), "{cause}");
    log.close().await;
    let error = site.open_with(site.next(), None).unwrap_err().to_string();
    assert!(error.contains("what was presented"), "{error}");
}

#[tokio::test]
async fn the_checkpoint_that_ended_a_key_is_kept_and_missed() {
    let site = written().await;
    let log = site.open_with(site.key(), Some(site.next())).unwrap().log;
    log.control(site.rekey()).await.unwrap();
    log.close().await;
    let sql = |statement: &str| {
        let connection = rusqlite::Connection::open(site.state().join("log.db")).unwrap();
        assert_eq!(connection.execute(statement, ()).unwrap(), 1, "{statement}");
    };
    let refused = || site.open_with(site.next(), None).unwrap_err().to_string();
    // A copy has it too.
    let log = site.open_with(site.next(), None).unwrap().log;
    let place = site.directory.path().join("copy");
    log.backup(&place, |_, _| {}).await.unwrap();
    log.close().await;
    let copied = Settings::new(&place, vec![AnchorPlace::File(place.join("anchor"))]);
    open(copied, site.clock.clone(), site.next()).unwrap();

    sql("update meta set name = 'elsewhere' where name = 'log_key.ended.6'");
    assert!(refused().contains("with which record 6 ended a log key is missing"), "{}", refused());
    sql("update meta set name = 'log_key.ended.6' where name = 'elsewhere'");
    site.open_with(site.next(), None).unwrap().log.close().await;
    sql("update meta set value = replace(value, '7', '8') where name = 'log_key.ended.6'");
    assert!(refused().contains("with which record 6 ended a log key"), "{}", refused());
}
