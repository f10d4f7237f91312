//! The search index: what is in it, and that it makes itself anew.

use std::time::Duration;

use proto::hash::Hash;
use proto::record::{Body, Lift, Record, SignRecord, StopTarget};

use super::support::*;
use crate::log::index::{FORMAT, Terms};
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
        // Every other one is of an image, or an attestation.
        if number % 200 == 0 {
            let detail = std::str::from_utf8(&what.detail).unwrap();
            what.detail = detail
                .replace(r#","request""#, r#","repository":"registry.example.org/app","request""#)
                .into();
        } else if number % 100 == 0 {
            Arc::make_mut(&mut what.released).signed.kind =
                "dsse:https://slsa.dev/provenance/v1".parse().unwrap();
        }
        let (record, detail) = (what.released.clone(), what.detail.clone());
        if number % 100 == 0 {
            let done = released(&log, what).await;
            let stored = log.record(done.index).await.unwrap();
            assert_eq!(Record::parse(&stored.leaf).unwrap(), Record::Sign(SignRecord::clone(&record)));
            let (mut read, private) = Terms::default().of(&stored, &done.leaf_hash);
            assert_eq!(
                private.len(),
                if number % 200 == 0 { 3 } else { 2 },
                "caller, request id, and repository"
            );
            assert_eq!(read.len(), if number % 200 == 0 { 7 } else { 8 }, "and of an attestation its type");
            read.extend(private);
            let mut handed: Vec<_> = terms.of_operation(&record, &detail).iter().collect();
            handed.push(Sought::Leaf(done.leaf_hash).term());
            read.sort_unstable();
            handed.sort_unstable();
            assert_eq!(handed, read);
        } else {
            terms.of_operation(&record, &detail);
        }
    }
}

#[tokio::test]
async fn a_key_finds_its_stops_their_ends_and_its_birth_and_a_caller_finds_his() {
    let site = Site::unhurried();
    let log = site.open().log;
    let key = |name: &str| proto::term::Term::Key(name.parse().unwrap());
    let caller = proto::term::Term::Caller("unix:7".into());
    let key_id = proto::term::Term::KeyId(proto::key_id::KeyId::of_spki(b"third"));
    let target = |target| Body::Stopped { act: None, target };
    let of_version = StopTarget::Version { key: "a".parse().unwrap(), version: 3 };
    let lift = |index, terms| Lift { index, terms };
    let grant = |lifts| ControlDraft { lifts, ..site.control(Body::Grant { sha256: Hash::ZERO }, vec![]) };
    let drafts = [
        site.stop_of("a"),
        site.control(target(of_version), vec![key_id]),
        site.control(target(StopTarget::Caller("unix:7".into())), vec![caller.clone()]),
        site.stop_of("b"),
        grant(vec![lift(1, vec![key("a")]), lift(3, vec![caller.clone()])]),
    ];
    for draft in drafts {
        log.control(draft).await.unwrap();
    }
    log.indexed(6, Duration::from_secs(20)).await.unwrap();
    let find = async |sought| {
        let query = Query { terms: vec![sought], oldest_first: true, ..Query::default() };
        log.search(query).await.unwrap().indices
    };
    assert_eq!(find(Sought::Key("a".into())).await, [1, 2, 5]);
    assert_eq!(find(Sought::Version("a".into(), 3)).await, [2]);
    assert_eq!(find(Sought::Key("b".into())).await, [4]);
    assert_eq!(find(Sought::Caller("unix:7".into())).await, [3, 5]);
    // A birth and a destruction, as their records are written.
    for (name, version) in [("ceremony.completed", 1), ("ceremony.completed-destroyed", 1)] {
        let path = format!("{}/../proto/tests/golden/records/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let stored = crate::store::Stored { index: 7, leaf: std::fs::read(path).unwrap(), detail: None };
        let (found, _) = Terms::default().of(&stored, &Hash::ZERO);
        for sought in [Sought::Key("release/linux".into()), Sought::Version("release/linux".into(), version)]
        {
            assert!(found.contains(&sought.term()), "{name}: {sought:?}");
        }
    }
}
