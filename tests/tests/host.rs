//! The PKCS#11 host killed, stopped, and its token taken away, under load: callers are told how to go on, nothing wrong
//! is ever released, other backends do not notice, and signing comes back by itself.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};
use softhsm::{Shape, Token};
use tests::PATIENCE;
use tests::load::{Received, request, sign};
use tests::world::{Plan, World};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::Status;
use tonic_types::StatusExt;

const KEY: &str = "release/linux";
const SOFT: &str = "release/soft";

fn world() -> World {
    let token = Token::create().unwrap();
    token.generate("linux", &[1], Shape::P256).unwrap();
    let plan = Plan::new().token(token, None).token_key(KEY, "linux", "ecdsa-p256-sha256", &["blob"]);
    plan.key(SOFT, "ecdsa-p256-sha256", &["blob"]).start()
}

/// Callers that go on whatever they are answered.
struct Crowd {
    runtime: Runtime,
    tasks: JoinSet<(Received, Vec<Status>)>,
    over: Arc<AtomicBool>,
    good: watch::Receiver<usize>,
}

impl Crowd {
    fn gather(world: &World, key: &'static str, callers: usize) -> Self {
        let runtime = Runtime::new().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (told, good) = watch::channel(0);
        let told = Arc::new(told);
        let mut tasks = JoinSet::new();
        // Connections are made inside a runtime.
        let _inside = runtime.enter();
        for number in 0..callers {
            let (channel, over, told) = (world.channel(), Arc::clone(&over), Arc::clone(&told));
            let caller = async move {
                let (mut received, mut refused) = (Received::default(), Vec::new());
                for nth in 0_u64.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let mut asked = tonic::Request::new(request(key, format!("{number}/{nth}").as_bytes()));
                    asked.set_timeout(Duration::from_secs(20));
                    match sign(&channel, asked).await {
                        Ok(reply) => {
                            received.replies.push(reply);
                            told.send_modify(|count| *count += 1);
                        }
                        Err(status) => refused.push(status),
                    }
                }
                (received, refused)
            };
            tasks.spawn_on(caller, runtime.handle());
        }
        Self { runtime, tasks, over, good }
    }

    /// Waits for so many more good replies.
    fn more(&mut self, count: usize) {
        let wanted = *self.good.borrow() + count;
        let wait = async { tokio::time::timeout(PATIENCE, self.good.wait_for(|good| *good >= wanted)).await };
        self.runtime.block_on(wait).expect("signing did not come back").unwrap();
    }

    fn end(mut self) -> (Vec<Received>, Vec<Status>) {
        self.over.store(true, Ordering::Relaxed);
        let (mut received, mut refused) = (Vec::new(), Vec::new());
        while let Some(done) = self.runtime.block_on(self.tasks.join_next()) {
            let (own, errors) = done.unwrap();
            received.push(own);
            refused.extend(errors);
        }
        (received, refused)
    }
}

/// Every refusal says what to do: a reason, and when to try again or that the outcome must be looked up.
fn explained(refused: &[Status]) {
    for status in refused {
        let info = status.get_details_error_info();
        assert!(info.is_some_and(|info| !info.reason.is_empty()), "no reason in {status:?}");
    }
}

fn accounted(world: &mut World, received: &[Received]) {
    assert!(world.stop().success());
    let ledger = world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    assert_eq!(ledger.open, Vec::<u64>::new());
    for received in received {
        assert_eq!(received.unaccounted(&ledger), Vec::<String>::new());
    }
}

#[test]
fn a_killed_host_costs_errors_that_explain_themselves_and_comes_back() {
    let mut world = world();
    let mut soft = Crowd::gather(&world, SOFT, 2);
    let mut crowd = Crowd::gather(&world, KEY, 4);
    for _ in 0..2 {
        crowd.more(20);
        let hosts = world.hosts();
        assert_eq!(hosts.len(), 1);
        pidfd_send_signal(&hosts[0], Signal::KILL).unwrap();
        crowd.more(20);
    }
    soft.more(1);
    let (mut received, refused) = crowd.end();
    explained(&refused);
    let (others, undisturbed) = soft.end();
    assert!(undisturbed.is_empty(), "another backend was disturbed: {undisturbed:?}");
    received.extend(others);
    accounted(&mut world, &received);
}

#[test]
fn a_host_that_stands_still_is_replaced() {
    let mut world = world();
    let mut crowd = Crowd::gather(&world, KEY, 4);
    crowd.more(20);
    pidfd_send_signal(&world.hosts()[0], Signal::STOP).unwrap();
    crowd.more(20);
    let (received, refused) = crowd.end();
    assert!(!refused.is_empty(), "the calls in flight cannot have been answered");
    explained(&refused);
    accounted(&mut world, &received);
}

#[test]
fn a_token_taken_away_and_put_back_signs_again() {
    let mut world = world();
    let mut crowd = Crowd::gather(&world, KEY, 2);
    crowd.more(5);
    world.token().unwrap().remove().unwrap();
    // A new host finds no token: until it is back, nothing of this backend signs.
    pidfd_send_signal(&world.hosts()[0], Signal::KILL).unwrap();
    let mut soft = Crowd::gather(&world, SOFT, 1);
    soft.more(5);
    world.token().unwrap().put_back().unwrap();
    crowd.more(5);
    let (mut received, refused) = crowd.end();
    assert!(!refused.is_empty());
    explained(&refused);
    received.extend(soft.end().0);
    accounted(&mut world, &received);
}

#[test]
fn requests_cancelled_anywhere_leave_their_leaf() {
    let mut world = world();
    let runtime = Runtime::new().unwrap();
    let polled = AtomicUsize::new(0);
    runtime.block_on(async {
        let channel = world.channel();
        for nth in 0..1_000_usize {
            // Given up after so many turns of the runtime: before it was sent, on the way, under signature, answered.
            let patience = async {
                for _ in 0..nth % 97 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                answer = sign(&channel, request(KEY, format!("{nth}").as_bytes())) => {
                    answer.unwrap();
                    polled.fetch_add(1, Ordering::Relaxed);
                }
                () = patience => {}
            }
        }
        sign(&channel, request(KEY, b"the last one")).await.unwrap();
    });
    assert!(polled.load(Ordering::Relaxed) < 1_000, "none was cancelled");
    accounted(&mut world, &[]);
    assert!(world.ledger().counter > 1);
}

#[test]
fn impatient_callers_restart_no_host() {
    let mut world = world();
    let runtime = Runtime::new().unwrap();
    let before = world.hosts();
    let late = runtime.block_on(async {
        let channel = world.channel();
        let mut late = 0;
        for nth in 0..10_000_usize {
            let mut asked = tonic::Request::new(request(KEY, format!("{nth}").as_bytes()));
            asked.set_timeout(Duration::from_millis(1));
            late += usize::from(sign(&channel, asked).await.is_err());
        }
        sign(&channel, request(KEY, b"patient")).await.unwrap();
        late
    });
    assert!(late > 0, "a millisecond was enough for all of them");
    assert_eq!(before.len(), 1);
    // A signal reaches only a process that has not been waited for: the host is the same.
    pidfd_send_signal(&before[0], Signal::CONT).unwrap();
    assert_eq!(world.hosts().len(), 1);
    accounted(&mut world, &[]);
}
