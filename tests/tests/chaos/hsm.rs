//! The PKCS#11 host killed and stopped, its token taken away, replaced, its PIN wrong: callers are told how to go on,
//! nothing wrong is released, other backends do not notice, and signing comes back by itself where it may.

use std::process::Output;
use std::time::{Duration, Instant};

use proto::reason::Reason;
use rustix::process::{Signal, pidfd_send_signal};
use softhsm::{Shape, Token};
use tests::ask::{self, explained};
use tests::crowd::Crowd;
use tests::load::request;
use tests::process::Process;
use tests::world::{Plan, World};
use tests::{PATIENCE, full, tell, until_called};

use super::{KEY, OTHER, P256, accounted, fronted, hsm};

/// How soon after the kill of a host signing is back. Held in full runs, where the machine has nothing else to do.
const BACK: Duration = Duration::from_secs(2);

#[test]
fn a_killed_host_costs_errors_that_explain_themselves_and_comes_back() {
    let mut world = hsm().start();
    let mut soft = Crowd::gather(&world, OTHER, 2);
    let mut crowd = Crowd::gather(&world, KEY, 4);
    for _ in 0..2 {
        crowd.more(20);
        let hosts = world.hosts();
        assert_eq!(hosts.len(), 1);
        let killed = Instant::now();
        pidfd_send_signal(&hosts[0], Signal::KILL).unwrap();
        crowd.more(20);
        let took = killed.elapsed();
        tell(&format!("signing is back {took:?} after the kill of the host"));
        assert!(!full() || took <= BACK, "signing is back only {took:?} after the kill of the host");
    }
    soft.more(1);
    let (received, refused) = crowd.end();
    refused.iter().for_each(explained);
    let (others, undisturbed) = soft.end();
    assert!(undisturbed.is_empty(), "another backend was disturbed: {undisturbed:?}");
    assert!(world.stop().success());
    accounted(&world, [&received, &others], "a killed host");
}

#[test]
fn a_host_that_stands_still_is_replaced() {
    let mut world = hsm().make();
    world.configure("kind = \"pkcs11\"\n", "kind = \"pkcs11\"\ncall_limit = \"2s\"\n");
    world.start();
    let soft = Crowd::gather(&world, OTHER, 1);
    let mut crowd = Crowd::gather(&world, KEY, 4);
    crowd.more(20);
    let stopped = world.hosts();
    pidfd_send_signal(&stopped[0], Signal::STOP).unwrap();
    crowd.more(20);
    let (received, refused) = crowd.end();
    assert!(!refused.is_empty(), "the calls in flight cannot have been answered");
    refused.iter().for_each(explained);
    let (others, undisturbed) = soft.end();
    assert!(undisturbed.is_empty(), "another backend was disturbed: {undisturbed:?}");
    // The one that stood still is gone, and was waited for.
    assert!(pidfd_send_signal(&stopped[0], Signal::CONT).is_err());
    assert!(world.stop().success());
    accounted(&world, [&received, &others], "a stopped host");
}

/// Asks until the answer is a refusal for one of these reasons; on the way only refusals that pass are fine.
pub(super) fn until(world: &World, expected: &[Reason]) {
    for _ in 0..400 {
        match ask::sign(world, request(KEY, b"a file")) {
            Ok(_before_it_was_noticed) => {}
            Err(status) => {
                explained(&status);
                let reason = ask::reason(&status);
                if expected.contains(&reason) {
                    return;
                }
                assert!(
                    reason.waiting_helps() || reason.code() == proto::reason::Code::Aborted,
                    "{status:?}"
                );
            }
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("it was never refused with {expected:?}");
}

/// Waits until the backend's health says why it does not sign, in these words.
fn named(world: &World, words: &str) {
    for _ in 0..400 {
        if let Some(cause) = ask::trouble(world, "backend/hsm").filter(|cause| cause.contains(words)) {
            tell(&format!("health: {cause}"));
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("health never said {words:?}: {:?}", ask::trouble(world, "backend/hsm"));
}

/// Whether a record is of a request with this id.
fn is_of(record: &tests::ledger::Record, request_id: &str) -> bool {
    let named =
        |detail: &[u8]| serde_json::from_slice::<serde_json::Value>(detail).unwrap()["request"] == request_id;
    record.detail.as_deref().is_some_and(named)
}

/// With its host killed too, or under the host that runs.
fn token_away(and_host: bool) {
    let mut world = hsm().start();
    let mut crowd = Crowd::gather(&world, KEY, 2);
    crowd.more(5);
    world.token().unwrap().remove().unwrap();
    if and_host {
        pidfd_send_signal(&world.hosts()[0], Signal::KILL).unwrap();
    }
    until(&world, &[Reason::BackendUnavailable, Reason::KeyMissing]);
    named(&world, "no token");
    assert_eq!(ask::trouble(&world, "backend/software"), None);
    let mut soft = Crowd::gather(&world, OTHER, 1);
    soft.more(5);
    // The client asks again and again, and ever less often.
    std::fs::write(world.scratch().join("app.tar"), "the real file").unwrap();
    let (code, _, said) = world.run(&[
        "sign",
        KEY,
        "app.tar",
        "--request-id",
        "build-1",
        "--deadline",
        "2s",
        "--address",
        &world.address(),
    ]);
    assert_ne!(code, 0, "{said}");
    world.token().unwrap().put_back().unwrap();
    crowd.more(5);
    assert_eq!(ask::trouble(&world, "backend/hsm"), None);
    let (received, refused) = crowd.end();
    assert!(!refused.is_empty());
    refused.iter().for_each(explained);
    let (others, undisturbed) = soft.end();
    assert!(undisturbed.is_empty(), "{undisturbed:?}");
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received, &others], "a token away");
    let of_client = ledger.records.iter().filter(|record| is_of(record, "build-1"));
    let outcomes: Vec<_> = of_client.map(|record| record.body["signatures"][0]["outcome"].clone()).collect();
    tell(&format!("the client asked {} times", outcomes.len()));
    // At once, and after 0.25, 0.65 and 1.45 s: where the machine is slow there are fewer, and never more.
    assert!((1..=4).contains(&outcomes.len()), "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| outcome == "not-executed"), "{outcomes:?}");
}

#[test]
fn a_token_taken_away_under_its_host_is_named_and_put_back_it_signs_again() {
    token_away(false);
}

#[test]
fn a_token_that_a_new_host_does_not_find_is_named_and_put_back_it_signs_again() {
    token_away(true);
}

#[test]
fn another_key_under_the_same_label_is_a_mismatch() {
    let token = Token::create().unwrap();
    token.generate("linux", &[1], Shape::P256).unwrap();
    let uri = token.uri();
    let label = format!("pkcs11:token={}", token.label());
    let mut world = Plan::new().token(token, None).token_key(KEY, "linux", P256, &["blob"]).make();
    // Configured by label alone, so that the other token is taken for the token.
    world.configure(&uri, &label);
    world.start();
    let before = ask::sign(&world, request(KEY, b"a file")).unwrap();
    world.token_to_change().replace().unwrap();
    world.token().unwrap().generate("linux", &[1], Shape::P256).unwrap();
    until(&world, &[Reason::KeyMismatch]);
    // And so it stays, also for a daemon that starts with it.
    assert!(world.stop().success());
    world.start();
    until(&world, &[Reason::KeyMismatch]);
    assert!(world.stop().success());
    let ledger = accounted(&world, [&before.into()], "another token");
    let keys: std::collections::BTreeSet<String> =
        ledger.released().into_iter().map(|(_, key, _)| key).collect();
    assert_eq!(keys.len(), 1, "only the recorded key has signed");
}

#[test]
fn a_bad_pin_is_tried_once_over_three_restarts() {
    let (token, wire) = fronted(&["linux"]);
    let plan = Plan::new().token(token, Some(wire.module())).token_key(KEY, "linux", P256, &["blob"]);
    let mut world = plan.make();
    world.token().unwrap().write_pin("000000").unwrap();
    let before = wire.calls("Login").unwrap();
    for _restart in 0..3 {
        world.start();
        let refused = ask::sign(&world, request(KEY, b"a file")).unwrap_err();
        explained(&refused);
        let cause = ask::trouble(&world, "backend/hsm").expect("health says why");
        assert!(cause.contains("PIN") && cause.contains("backends unlock"), "{cause}");
        assert!(!world.process().said().contains("000000"), "a PIN was said");
        assert!(world.stop().success());
    }
    assert_eq!(wire.calls("Login").unwrap() - before, 1, "one attempt, ever");
    let right = world.token().unwrap().pin().to_owned();
    world.token().unwrap().write_pin(&right).unwrap();
    world.start();
    let mut crowd = Crowd::gather(&world, KEY, 1);
    crowd.more(1);
    let (received, _) = crowd.end();
    assert!(world.stop().success());
    accounted(&world, [&received], "a bad PIN");
}

fn unlock(world: &World, name: &str) -> Output {
    let mut command = world.countersignd("backends");
    command.args(["unlock", name, "--config"]).arg(world.config()).output().unwrap()
}

/// Cut off, it would leave a log-in whose outcome nobody knows; after two in a row the right PIN counts as wrong.
#[test]
fn a_host_that_logs_in_while_its_daemon_stops_is_let_finish() {
    let (token, wire) = fronted(&["linux"]);
    let plan = Plan::new().token(token, Some(wire.module())).token_key(KEY, "linux", P256, &["blob"]);
    let world = plan.make();
    for _twice in 0..2 {
        let before = wire.calls("Login").unwrap();
        wire.hang("Login").unwrap();
        let mut daemon = Process::start(world.daemon());
        until_called(&wire, "Login", before + 1);
        daemon.signal(Signal::TERM);
        let _closed = daemon.says("the log is closed", PATIENCE);
        // Time enough to end the host, for a daemon that would.
        std::thread::sleep(Duration::from_millis(300));
        wire.clear().unwrap();
        assert!(daemon.ended(PATIENCE).success());
    }
    let said = unlock(&world, "hsm");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "no PIN was known to be wrong\n");
}

#[test]
fn a_pin_that_became_right_is_tried_again_after_unlock_and_by_the_daemon_that_runs() {
    const PIN_INCORRECT: u64 = 0xa0;
    const FORGOTTEN: &str = "within seconds by a daemon that runs";
    let (token, wire) = fronted(&["linux"]);
    let plan = Plan::new().token(token, Some(wire.module())).token_key(KEY, "linux", P256, &["blob"]);
    let mut world = plan.key(OTHER, P256, &["blob"]).make();
    let said = unlock(&world, "hsm");
    assert!(said.status.success(), "{said:?}");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "no PIN was known to be wrong\n");
    for (name, why) in [("software", "has no PIN"), ("nobody", "there is no backend `nobody`")] {
        let said = unlock(&world, name);
        assert!(!said.status.success() && String::from_utf8_lossy(&said.stderr).contains(why), "{said:?}");
    }

    // The token refuses what is the right PIN as soon as its officer has mended it.
    let before = wire.calls("Login").unwrap();
    wire.fail("Login", PIN_INCORRECT).unwrap();
    world.start();
    let cause = ask::trouble(&world, "backend/hsm").expect("health says why");
    assert!(cause.contains("backends unlock"), "{cause}");
    wire.clear().unwrap();
    explained(&ask::sign(&world, request(KEY, b"a file")).unwrap_err());
    assert_eq!(wire.calls("Login").unwrap() - before, 1, "not before somebody says so");
    let said = unlock(&world, "hsm");
    assert!(said.status.success() && String::from_utf8_lossy(&said.stdout).contains(FORGOTTEN), "{said:?}");
    let mut crowd = Crowd::gather(&world, KEY, 1);
    crowd.more(1);
    let (received, _) = crowd.end();
    assert_eq!(wire.calls("Login").unwrap() - before, 2);
    assert!(world.stop().success());
    accounted(&world, [&received], "an unlocked PIN");
}
