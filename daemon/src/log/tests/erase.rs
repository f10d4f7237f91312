//! Redacting, and backing up.

use std::time::Duration;

use proto::proof::inclusion;
use proto::record::Body;

use super::support::*;
use crate::log::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn holds(site: &Site, needle: &[u8]) -> bool {
    std::fs::read_dir(site.state()).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

#[tokio::test]
async fn an_erased_detail_is_in_no_file_and_every_proof_still_holds() {
    let site = Site::new();
    let log = site.open().log;
    let secret = "build-of-a-person";
    let intent = intend(&log, site.draft("a", Some(secret))).await;
    let mut what = site.seal(intent, "a", 0);
    what.detail = site.detail(Some(secret));
    Arc::make_mut(&mut what.released).detail = proto::hash::Hash::of(&what.detail);
    let done = released(&log, what).await;
    let sought = Sought::Request { caller: "unix:1000".into(), id: secret.into() };
    let found = |log: Log| {
        let query = Query { terms: vec![sought.clone()], ..Query::default() };
        async move { log.search(query).await.unwrap().indices }
    };
    log.indexed(2, Duration::from_secs(20)).await.unwrap();
    assert_eq!(found(log.clone()).await, [1]);
    let redact = || site.control(Body::Redacted { indices: vec![1] }, vec![]);
    assert!(matches!(log.redact(1, redact()).await, Err(LogError::Kept { .. })), "it is younger than a day");
    assert!(matches!(log.redact(0, redact()).await, Err(LogError::Malformed { .. })));
    site.clock.advance(DAY);
    assert!(holds(&site, secret.as_bytes()));
    let appended = log.redact(1, redact()).await.unwrap();
    assert_eq!(log.head().control.0, appended.index);
    assert!(!holds(&site, secret.as_bytes()));
    assert!(found(log.clone()).await.is_empty());
    assert!(matches!(log.redact(1, redact()).await, Err(LogError::Kept { .. })));
    let record = log.record(1).await.unwrap();
    assert_eq!((record.detail, &record.leaf[..]), (None, &done.leaf[..]));
    let proven = log.receipt(1, None).await.unwrap();
    inclusion::verify(&proven.leaf_hash, 1, proven.size, &proven.path, &proven.root).unwrap();
}

#[tokio::test]
async fn a_backup_is_made_while_the_log_goes_on_and_opens() {
    let site = Site::new();
    let log = site.open().log;
    for _ in 0..700 {
        released(&log, site.software("a", None, 0)).await;
    }
    let first = released(&log, site.software("a", Some("one"), 0)).await;
    log.stop(site.stop_of("c")).await.unwrap();
    let intent = intend(&log, site.draft("a", None)).await;
    let busy = tokio::spawn({
        let (log, more) = (log.clone(), (0..200).map(|_| site.software("b", None, 702)).collect::<Vec<_>>());
        async move {
            for what in more {
                released(&log, what).await;
            }
        }
    });
    let target = site.directory.path().join("backup");
    let backup = log.backup(&target, |_, _| {}).await.unwrap();
    busy.await.unwrap();
    assert!(backup.size >= 703);
    assert!(log.backup(&target, |_, _| {}).await.is_err(), "a backup is never overwritten");
    let mut settings = Settings::new(&target, vec![AnchorPlace::File(target.join("anchor"))]);
    settings.limits.reserve = 0;
    let restored = open(settings, site.clock.clone(), site.key()).unwrap();
    assert_eq!(restored.history.len(), 2);
    assert_eq!(restored.log.head().size, backup.size + 1, "the open intent was closed");
    assert!(restored.log.covers(&requires("c").terms).is_some());
    match seal(&restored.log, site.software("a", Some("one"), 702)).await {
        Sealed::Replay(earlier) => assert_eq!(earlier.index, Some(first.index)),
        other => panic!("{other:?}"),
    }
    let extension = log.consistency(backup.size, None).await.unwrap();
    assert_eq!(
        restored.log.consistency(backup.size, Some(backup.size)).await.unwrap().new.1,
        extension.old.1
    );
    drop(intent);
}
