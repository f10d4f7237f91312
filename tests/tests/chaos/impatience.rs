//! Callers that go away: every intent has its leaf all the same, and nobody's HSM is restarted for them.

use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};
use tests::load::{Received, request, sign};
use tests::{repeated, tell};
use tokio::runtime::Runtime;

use super::{KEY, accounted, hsm};

#[test]
fn requests_cancelled_anywhere_leave_their_leaf() {
    let mut world = hsm().start();
    let rounds = repeated("requests cancelled at random points", 150, 1_000);
    let mut received = Received::default();
    Runtime::new().unwrap().block_on(async {
        let channel = world.channel();
        received.replies.push(sign(&channel, request(KEY, b"the first one")).await.unwrap());
        for nth in 0..rounds {
            // Given up before it was sent, on the way, under signature, while it is sealed, answered.
            let mut jitter = [0; 2];
            aws_lc_rs::rand::fill(&mut jitter).unwrap();
            let patience = Duration::from_micros(u64::from(u16::from_le_bytes(jitter) % 8_000));
            let asked = sign(&channel, request(KEY, format!("{nth}").as_bytes()));
            if let Ok(answer) = tokio::time::timeout(patience, asked).await {
                received.replies.push(answer.unwrap());
            }
        }
        received.replies.push(sign(&channel, request(KEY, b"the last one")).await.unwrap());
    });
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received], "cancelled requests");
    let answered = received.replies.len();
    tell(&format!("{answered} answered, {} intents", ledger.asked()));
    assert!(answered < rounds + 2, "none was cancelled");
    assert!(ledger.asked() > answered, "none was cancelled after its intent");
}

#[test]
fn impatient_callers_restart_no_host() {
    let mut world = hsm().start();
    let rounds = repeated("requests with a deadline of 1 ms", 500, 10_000);
    // Among them some that are just too late: they reach the module and are given up there.
    let deadline =
        |nth: usize| Duration::from_millis(if nth % 10 == 9 { 3 + nth as u64 / 10 % 10 } else { 1 });
    let before = world.hosts();
    assert_eq!(before.len(), 1);
    let mut received = Received::default();
    let late = Runtime::new().unwrap().block_on(async {
        let channel = world.channel();
        let mut late = 0;
        for nth in 0..rounds + rounds / 9 {
            let mut asked = tonic::Request::new(request(KEY, format!("{nth}").as_bytes()));
            asked.set_timeout(deadline(nth));
            match sign(&channel, asked).await {
                Ok(reply) => received.replies.push(reply),
                Err(_late) => late += 1,
            }
        }
        received.replies.push(sign(&channel, request(KEY, b"patient")).await.unwrap());
        late
    });
    tell(&format!("{late} were late"));
    assert!(late > 0, "a millisecond was enough for all of them");
    // A signal reaches only a process that has not been waited for: the host is the same.
    pidfd_send_signal(&before[0], Signal::CONT).unwrap();
    assert_eq!(world.hosts().len(), 1);
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received], "impatient callers");
    tell(&format!("{} of them had an intent", ledger.asked() - 1));
}
