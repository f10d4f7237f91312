//! A refusal is given whatever state the log is in.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::sync::Arc;
use std::time::Duration;

use proto::reason::Reason;
use proto::record::{Record, StopTarget};

use super::*;
use crate::keyring::trial::Trial;
use crate::log::LogHealth;

/// An instance where `unix:7` may sign, and nobody may do anything else.
async fn trial() -> (Trial, Arc<Denials>) {
    let grants =
        "@id(\"g\")\npermit (principal == Caller::\"unix:7\", action == Action::\"sign\", resource);\n";
    let trial = Trial::new("private", grants).await;
    let denials = Denials::new(trial.log.clone(), Arc::clone(&trial.keyring), Arc::clone(&trial.clock));
    (trial, denials)
}

/// Asks whether this user may do something.
async fn ask(trial: &Trial, denials: &Denials, user: u32, action: Action) -> Refusal {
    let (snapshot, caller) = (trial.keyring.snapshot(), Arc::new(Caller::unix(user)));
    denials.permit(&snapshot, &caller, &action, None).await.unwrap_err()
}

#[tokio::test]
async fn a_refusal_is_given_though_the_log_takes_nothing() {
    let (trial, denials) = trial().await;
    trial.log.close().await;
    for action in [Action::Stop(StopTarget::All), Action::ReadLog] {
        let refusal = ask(&trial, &denials, 7, action).await;
        assert_eq!((refusal.reason, refusal.operation), (Reason::PolicyDenied, None));
    }
}

#[tokio::test]
async fn a_refused_stop_does_not_wait_for_a_log_that_hangs_and_is_recorded_later() {
    let (trial, denials) = trial().await;
    let before = trial.log.head().size;
    // The log's writer waits for this lock: for seconds, then it gives up.
    let store = rusqlite::Connection::open(trial.state().join("log.db")).unwrap();
    store.execute_batch("begin immediate").unwrap();
    let refusal = ask(&trial, &denials, 7, Action::Stop(StopTarget::All)).await;
    assert_eq!((refusal.reason, refusal.operation), (Reason::PolicyDenied, None));
    assert_eq!(*trial.log.health().borrow(), LogHealth::Ready, "the answer came while the log was hanging");
    assert_eq!(trial.log.head().size, before);
    store.execute_batch("rollback").unwrap();
    let mut head = trial.log.watch_head();
    let grown = head.wait_for(|head| head.size == before + 1);
    tokio::time::timeout(Duration::from_secs(30), grown).await.expect("the record comes").unwrap();
    let Ok(Record::Denied(record)) = Record::parse(&trial.log.record(before).await.unwrap().leaf) else {
        panic!("no refusal")
    };
    assert_eq!((record.action, record.key, record.digests), (ActionName::Stop, None, None));
}

#[tokio::test]
async fn whom_no_grant_admits_is_counted_and_not_recorded() {
    let (trial, denials) = trial().await;
    let before = trial.log.head().size;
    let refusal = ask(&trial, &denials, 8, Action::ReadLog).await;
    assert_eq!((refusal.reason, refusal.operation), (Reason::Unauthenticated, None));
    assert_eq!(trial.log.head().size, before);
}
