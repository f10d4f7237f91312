//! The search index: what is in it, and that it makes itself anew.

use std::time::Duration;

use proto::hash::Hash;
use proto::record::{Record, SignRecord};

use super::support::*;
use crate::log::index::{FORMAT, Handed, Terms};
use crate::log::*;

fn index(site: &Site) -> rusqlite::Connection {
    rusqlite::Connection::open(site.state().join("index.db")).unwrap()
}

fn format(site: &Site) -> i32 {
    index(site).pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// A log with more than one segment, closed again; and the hash of a leaf in the first.
async fn written(site: &Site) -> Hash {
    let log = site.open().log;
    for _ in 0..300 {
        released(&log, site.software("a", None, 0)).await;
    }
    log.indexed(301, Duration::from_secs(20)).await.unwrap();
    let hash = log.receipt(7, None).await.unwrap().leaf_hash;
    log.close().await;
    hash
}

/// Opens the log, looks the leaf up once the index is there, and closes the log.
async fn look_up(site: &Site, hash: Hash) -> Result<u64, LogError> {
    let log = site.open().log;
    log.indexed(301, Duration::from_secs(20)).await.unwrap();
    let found = log.find_leaf(hash).await;
    log.close().await;
    found
}

#[tokio::test]
async fn an_index_of_another_format_is_built_again_at_the_start() {
    let site = Site::new();
    let hash = written(&site).await;
    assert_eq!(format(&site), FORMAT);
    assert_eq!(look_up(&site, hash).await.unwrap(), 7);
    // Without its terms an index of this format is believed: the record is not found.
    index(&site).execute_batch("delete from sought").unwrap();
    assert!(matches!(look_up(&site, hash).await, Err(LogError::Absent { .. })));
    for other in [FORMAT - 1, FORMAT + 1] {
        index(&site).execute_batch(&format!("delete from sought; pragma user_version = {other}")).unwrap();
        assert_eq!(look_up(&site, hash).await.unwrap(), 7, "{other}");
        assert_eq!(format(&site), FORMAT);
    }
}

#[tokio::test]
async fn a_leaf_is_looked_up_by_all_bytes_of_its_hash_and_waited_for() {
    let site = Site::new();
    let log = site.open().log;
    for _ in 0..5 {
        // Nobody waits here: the look-up does.
        let done = released(&log, site.software("a", None, 0)).await;
        assert_eq!(log.find_leaf(done.leaf_hash).await.unwrap(), done.index);
    }
    let hash = log.receipt(3, None).await.unwrap().leaf_hash;
    let mut bytes = *hash.as_bytes();
    bytes[0] ^= 1;
    let other = Hash::from(bytes);
    let same_term = Query { terms: vec![Sought::Leaf(other)], ..Query::default() };
    assert_eq!(log.search(same_term).await.unwrap().indices, [3], "the term does not tell them apart");
    let refused = log.find_leaf(other).await.unwrap_err();
    assert_eq!(refused.reason(), proto::reason::Reason::UnknownRecord);
    assert!(refused.to_string().contains(&other.to_string()), "{refused}");
}

#[tokio::test]
async fn what_is_handed_over_has_the_terms_of_what_is_read_again() {
    let site = Site::new();
    let log = site.open().log;
    let mut terms = Terms::default();
    // More names than are kept.
    for number in 0..1100 {
        let key = format!("team-{number}");
        let mut what = site.software(&key, (number % 2 == 0).then_some(key.as_str()), 0);
        Arc::make_mut(&mut what.released).signed.subjects =
            vec![format!("sha256:{}", Hash::of(key.as_bytes())), key.clone()];
        let (record, detail) = (what.released.clone(), what.detail.clone());
        if number % 100 == 0 {
            let done = released(&log, what).await;
            let stored = log.record(done.index).await.unwrap();
            assert_eq!(Record::parse(&stored.leaf).unwrap(), Record::Sign(SignRecord::clone(&record)));
            let (mut read, private) = Terms::default().of(&stored, &done.leaf_hash);
            assert_eq!(private.len(), if number % 2 == 0 { 2 } else { 1 }, "caller, and request id");
            read.extend(private);
            let mut handed = Vec::new();
            let operation = Handed { index: done.index, hash: done.leaf_hash, record, detail };
            terms.of_handed(&operation, &mut handed);
            read.sort_unstable();
            handed.sort_unstable();
            assert_eq!(handed, read);
        } else {
            let operation = Handed { index: 0, hash: Hash::ZERO, record, detail };
            terms.of_handed(&operation, &mut Vec::new());
        }
    }
}
