//! The judge of logs on disk reads what the product writes, and is not talked round: one changed byte is seen.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use daemon::clock::{Clock, ManualClock};
use daemon::log::{AnchorPlace, ControlDraft, LogKey, Opened, Settings, create, open};
use proto::operation::OperationId;
use proto::record::{Actor, ActorKind, Body, StopTarget};
use proto::term::Term;
use tests::ledger::Ledger;

fn control(clock: &dyn Clock, number: u8, body: Body, stops: Vec<Term>) -> ControlDraft {
    ControlDraft {
        operation: OperationId::new(clock.wall().milliseconds(), [number; 10]),
        actor: Actor { id: "unix:0".into(), kind: ActorKind::Operator },
        body,
        stops,
        lifts: vec![],
        touches: vec![],
        detail: Some(br#"{"reason":"test"}"#.to_vec()),
        follows: None,
        asked: clock.wall(),
    }
}

/// A log with its genesis and two stops, closed again. Returns the checkpoint that it began with.
async fn written(directory: &Path) -> String {
    let clock = Arc::new(ManualClock::default());
    let key = || LogKey::from_seed("rehearsal.example.org", &[7; 32]).unwrap();
    let settings = Settings::new(directory.to_owned(), vec![AnchorPlace::File(directory.join("anchor"))]);
    let statement = serde_json::json!({"instance": "example.org", "mode": "rehearsal"});
    let genesis = control(clock.as_ref(), 1, Body::Genesis { statement }, vec![]);
    let begun = create(&settings, &key(), vec![genesis]).unwrap();
    let Opened { log, .. } = open(settings, clock.clone(), key()).unwrap();
    for (number, name) in [(2, "release/linux"), (3, "release/windows")] {
        let name: proto::name::KeyName = name.parse().unwrap();
        let body = Body::Stopped { act: None, target: StopTarget::Key(name.clone()) };
        log.stop(control(clock.as_ref(), number, body, vec![Term::Key(name)])).await.unwrap();
    }
    begun
}

#[tokio::test]
async fn a_log_that_the_product_wrote_has_no_complaints() {
    let directory = tempfile::tempdir().unwrap();
    let begun = written(directory.path()).await;
    let ledger = Ledger::read(directory.path());
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    assert_eq!(ledger.records.len(), 3);
    assert_eq!(ledger.breaks(&begun), None);
    assert_eq!(ledger.breaks(&ledger.checkpoint), None);
}

#[tokio::test]
async fn one_changed_byte_of_a_record_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let begun = written(directory.path()).await;
    let store = rusqlite::Connection::open(directory.path().join("log.db")).unwrap();
    let changed = store
        .execute("update record set leaf = cast(replace(cast(leaf as text), 'unix:0', 'unix:1') as blob) where idx = 0", [])
        .unwrap();
    assert_eq!(changed, 1);
    let ledger = Ledger::read(directory.path());
    let complaints = ledger.complaints().join("\n");
    for words in ["the head's root", "the checkpoint does not state", "control record 1 does not name"] {
        assert!(complaints.contains(words), "{words}: {complaints}");
    }
    assert!(ledger.breaks(&begun).is_some());
}
