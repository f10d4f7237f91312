//! A stop is final from the moment it has an index: 64 callers sign flat out while it comes, 300 times over.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proto::wire::v1::incident_service_client::IncidentServiceClient;
use proto::wire::v1::{StopRequest, StopResponse, StopTarget, stop_target};
use tests::load::{Load, Received, request, sign};
use tests::process::killed;
use tests::world::{Plan, World};
use tokio::runtime::Runtime;

const ROUNDS: usize = 300;
const CALLERS: usize = 64;
const CONNECTIONS: usize = 4;

fn key(round: usize) -> String {
    format!("release/round-{round}")
}

async fn stop(world: &World, key: &str) -> StopResponse {
    let target = StopTarget { target: Some(stop_target::Target::Key(key.to_owned())) };
    let request = StopRequest { target: Some(target), reason: "a drill".to_owned(), act: None };
    IncidentServiceClient::new(world.channel()).stop(request).await.unwrap().into_inner()
}

/// Everything below the stop, nothing above it.
fn judge(world: &World, rounds: &[(u64, Received)]) {
    let ledger = world.ledger();
    // Among them: no record releases what a record below it stops.
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    let replies = rounds.iter().flat_map(|(_, received)| received.replies.clone()).collect();
    assert_eq!(Received { replies }.unaccounted(&ledger), Vec::<String>::new());
    for (round, (index, received)) in rounds.iter().enumerate() {
        for reply in &received.replies {
            let at = reply.receipt.as_ref().unwrap().log_index;
            assert!(at < *index, "round {round}: a signature at {at} was received, the stop is at {index}");
        }
    }
}

#[test]
fn nothing_is_released_above_a_stop() {
    let mut plan = Plan::new();
    for round in 0..ROUNDS {
        plan = plan.key(&key(round), "ecdsa-p256-sha256", &["blob"]);
    }
    let mut world = plan.start();
    let runtime = Runtime::new().unwrap();
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let mut load = Load::start(&world, CONNECTIONS, CALLERS, &key(round));
        // A count, scattered over the rounds: where each caller is by then is chance.
        load.reach((round * 13) % 101);
        let stopped = runtime.block_on(stop(&world, &key(round)));
        let index = stopped.log_index.expect("the log takes it");
        // Every caller goes on until it is refused, so none is left that the stop did not reach.
        rounds.push((index, load.end()));
    }
    let signed: usize = rounds.iter().map(|(_, received)| received.replies.len()).sum();
    assert!(signed > ROUNDS, "{signed} signatures in {ROUNDS} rounds: the callers did not sign");
    assert!(world.stop().success());
    judge(&world, &rounds);
}

#[test]
fn a_stop_holds_for_replays_and_survives_a_kill() {
    let mut world = Plan::new().key(&key(0), "ecdsa-p256-sha256", &["blob"]).start();
    let runtime = Runtime::new().unwrap();
    let mut asked = request(&key(0), b"the file");
    asked.request_id = "build-1".to_owned();
    let first = runtime.block_on(async { sign(&world.channel(), asked.clone()).await }).unwrap();
    let again = runtime.block_on(async { sign(&world.channel(), asked.clone()).await }).unwrap();
    assert!(again.replayed && again.signatures == first.signatures);
    let index = runtime.block_on(stop(&world, &key(0))).log_index.unwrap();
    let refused = runtime.block_on(async { sign(&world.channel(), asked.clone()).await }).unwrap_err();
    assert!(refused.message().contains("stop"), "{refused:?}");
    assert!(killed(world.kill()));
    world.start();
    let refused = runtime.block_on(async { sign(&world.channel(), asked).await }).unwrap_err();
    assert!(refused.message().contains("stop"), "{refused:?}");
    assert!(world.stop().success());
    judge(&world, &[(index, Received { replies: vec![first] })]);
}
