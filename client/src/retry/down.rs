//! A daemon that refuses for want of its backend: how often it is asked, under a clock that only pauses move.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeMap;
use std::time::Duration;

use proto::proof::encoding::SignatureEncoding;
use proto::reason::Reason;
use proto::refusal::Refusal;
use tokio::runtime::Runtime;
use tonic::Status;

use crate::clock::{self, still::Still};
use crate::connection::Connection;
use crate::fake::Daemon;
use crate::settings::{DEFAULT_DEADLINE, Partial, Setting, Settings};
use crate::sign::check::Signed;
use crate::sign::order::{Input, Order};
use crate::sign::{SignError, Signer};

fn refusal(reason: Reason, word: Duration) -> Status {
    proto::wire::refusal::status(&Refusal::new(reason, "as the test wants it").after(word))
}

/// A daemon whose backend is down for good, and a caller with the usual deadline under a clock that only pauses move.
struct Site {
    // Dropped in this order: the daemon's end waits for that of its connections.
    connection: Connection,
    runtime: Runtime,
    daemon: Daemon,
    _still: Still,
}

impl Site {
    fn new() -> Self {
        let daemon = Daemon::start();
        let refusal = || refusal(Reason::BackendUnavailable, Duration::from_millis(250));
        daemon.state().refusals.extend((0..1_000).map(|_| refusal()));
        let settings = Settings::settle(&[Partial::from_flags([
            (Setting::Address, Some(format!("unix:{}", daemon.path("sock").display()))),
            (Setting::LogKey, Some(daemon.state().log.key().to_string())),
            (Setting::State, Some(daemon.path("state").display().to_string())),
        ])]);
        // On the test's own thread, whose clock stands still.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(async { Connection::open(settings.unwrap()).unwrap() });
        Self { connection, runtime, daemon, _still: clock::still::stand() }
    }

    /// What came of one order, and after how long.
    fn sign(&mut self, request_id: &str) -> (Result<Signed, SignError>, Duration) {
        let (begun, patience) = (clock::monotonic(), self.connection.patience());
        let mut signer = Signer::new(&mut self.connection, None);
        let signed = self.runtime.block_on(signer.sign(order(request_id), patience));
        (signed, clock::monotonic() - begun)
    }
}

fn order(request_id: &str) -> Order {
    Order {
        key: "release/linux".parse().unwrap(),
        input: Input::Message(b"an artefact".to_vec()),
        annotations: BTreeMap::new(),
        encoding: SignatureEncoding::Der,
        request_id: request_id.to_owned(),
    }
}

#[test]
fn one_request_against_a_backend_that_is_down_leaves_at_most_ten_records_in_the_usual_deadline() {
    let mut site = Site::new();
    let (refused, took) = site.sign("build-1");
    let refused = refused.unwrap_err();
    assert!(refused.to_string().contains("BACKEND_UNAVAILABLE"), "{refused}");
    assert!(took <= DEFAULT_DEADLINE && took > DEFAULT_DEADLINE / 2, "it gave up after {took:?}");
    let calls = site.daemon.calls();
    assert!(calls.iter().all(|call| call == "sign build-1"), "{calls:?}");
    assert!((7..=10).contains(&calls.len()), "{} attempts", calls.len());

    // A backend that comes back in between is found by the next attempt.
    site.daemon.state().refusals.truncate(3);
    assert_eq!(site.sign("build-2").0.unwrap().request_id, "build-2");
}

#[test]
fn each_item_of_a_batch_leaves_no_more() {
    let mut site = Site::new();
    let orders = ["a.1", "a.2", "a.3"].map(order).to_vec();
    let patience = site.connection.patience();
    let mut signer = Signer::new(&mut site.connection, None);
    let results = site.runtime.block_on(signer.sign_batch(orders, patience));
    assert!(results.iter().all(Result::is_err));
    let calls = site.daemon.calls();
    for sent in ["batch", "sign a.1", "sign a.2", "sign a.3"] {
        let times = calls.iter().filter(|call| *call == sent).count();
        assert!((7..=10).contains(&times), "{sent}: {times} times");
    }
}

#[test]
fn what_nobody_knows_is_signed_anew_when_the_daemon_said_and_not_sooner() {
    let mut site = Site::new();
    let word = Duration::from_secs(3);
    site.daemon.state().refusals = [refusal(Reason::Transport, word)].into();
    let (signed, took) = site.sign("build-1");
    assert_eq!(signed.unwrap().lost, ["build-1"]);
    assert!(took >= word, "it asked again after {took:?}");
    // Where the deadline does not bear the wait, what is known is said at once.
    site.daemon.state().refusals = [refusal(Reason::Transport, word * 20)].into();
    let (refused, took) = site.sign("build-2");
    assert!(refused.unwrap_err().to_string().contains("TRANSPORT"));
    assert_eq!(took, Duration::ZERO, "it waited for nothing");
}
