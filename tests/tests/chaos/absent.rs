//! An HSM that cannot be asked leaves no trace of who asked, and one that answers late is waited for.

use std::time::Duration;

use proto::reason::Reason;
use proto::wire::v1::SignRequest;
use rustix::process::{Signal, pidfd_send_signal};
use softhsm::Wire;
use tests::ask::{self, explained};
use tests::load::{request, sign};
use tests::world::{Plan, World};
use tokio::runtime::Runtime;

use super::hsm::until;
use super::{KEY, P256, accounted, fronted};

/// An instance whose one key is behind a module that does what the test says.
fn instance() -> (World, Wire) {
    let (token, wire) = fronted(&["linux"]);
    let plan = Plan::new().token(token, Some(wire.module())).token_key(KEY, "linux", P256, &["blob"]);
    (plan.start(), wire)
}

fn named(id: &str) -> SignRequest {
    SignRequest { request_id: id.to_owned(), ..request(KEY, b"a file") }
}

#[test]
fn without_a_host_nothing_is_recorded_and_what_was_signed_is_given() {
    let (mut world, wire) = instance();
    let first = ask::sign(&world, named("build-1")).unwrap();
    wire.kill_on_load().unwrap();
    pidfd_send_signal(&world.hosts()[0], Signal::KILL).unwrap();
    until(&world, &[Reason::BackendUnavailable, Reason::BackendBroken]);
    let before = head(&world);
    for _ in 0..20 {
        let status = ask::sign(&world, named("build-new")).unwrap_err();
        explained(&status);
        assert!(status.message().contains("hsm"), "{status:?}");
    }
    assert_eq!(head(&world), before, "twenty refusals left records");
    let again = ask::sign(&world, named("build-1")).unwrap();
    assert_eq!((&again.operation_id, &again.signatures), (&first.operation_id, &first.signatures));
    wire.clear().unwrap();
    assert!(world.stop().success());
    accounted(&world, [&first.into()], "an absent host");
}

fn head(world: &World) -> u64 {
    let said: serde_json::Value =
        serde_json::from_str(&world.done(&["log", "head", "--output", "json"])).unwrap();
    said["size"].as_u64().unwrap_or_else(|| panic!("{said}"))
}

#[test]
fn a_drain_waits_for_an_operation_whose_caller_has_gone() {
    let (mut world, wire) = instance();
    wire.delay(Duration::from_millis(700)).unwrap();
    Runtime::new().unwrap().block_on(async {
        let mut hasty = tonic::Request::new(request(KEY, b"a file"));
        hasty.set_timeout(Duration::from_millis(500));
        sign(&world.channel(), hasty).await.unwrap_err();
    });
    assert!(world.stop().success());
    let ledger = world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    let outcomes: Vec<_> = ledger
        .records
        .iter()
        .filter(|record| record.body["signed"].is_object())
        .map(|record| record.body["signatures"][0]["outcome"].clone())
        .collect();
    // The first is the proof that came with the key.
    assert_eq!(outcomes, ["released", "withheld"], "the device has signed, and this is known");
}
