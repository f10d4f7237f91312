//! `kill -9` of the daemon at random moments under load, of single requests and of batches, on both kinds of keys. What a
//! caller lost with the daemon it asks for again under the same request ids, and gets it once.

use proto::reason::Reason;
use proto::wire::v1::SignRequest;
use proto::wire::v1::sign_result::Outcome;
use tests::load::{Callers, Load, Received, request};
use tests::process::killed;
use tests::world::World;
use tests::{ask, repeated, tell};

use super::{KEY, OTHER, accounted, hsm};

/// A number of signatures that nobody chose.
fn chance() -> usize {
    let mut byte = [0];
    aws_lc_rs::rand::fill(&mut byte).unwrap();
    usize::from(byte[0] % 24)
}

/// The most items that are asked for again at once: more than any batch before.
const AGAIN: usize = 100;

/// Asks again for what was lost, in other batches than before. Gives what came, and how many of them nobody will know.
fn again(world: &World, lost: &[SignRequest]) -> (Received, usize) {
    let (mut received, mut unknown) = (Received::default(), 0);
    for requests in lost.chunks(AGAIN) {
        for outcome in ask::sign_batch(world, requests.to_vec()).unwrap() {
            match outcome {
                Outcome::Response(reply) => received.replies.push(reply),
                Outcome::Refusal(refusal) => {
                    assert_eq!(refusal.reason, Reason::OutcomeUnknown.name(), "{refusal:?}");
                    unknown += 1;
                }
            }
        }
    }
    (received, unknown)
}

#[test]
fn killed_at_random_under_load() {
    let mut world = hsm().make();
    let mut received = Vec::new();
    let (mut lost, mut found, mut gone) = (0, 0, 0);
    let rounds = repeated("random kills under load", 12, 200);
    for round in 0..rounds {
        world.start();
        let mut loads = [
            Load::start(&world, 2, Callers { single: 6, batches: 2 }, KEY),
            Load::start(&world, 2, Callers { single: 2, batches: 1 }, OTHER),
        ];
        // Not a time but a count; where in an operation the others are by then is chance.
        loads[0].reach(1 + chance());
        assert!(killed(world.kill()));
        let before = loads.map(Load::end);
        world.start();
        for load in &before {
            let (late, closed) = again(&world, &load.lost);
            lost += load.lost.len();
            found += late.replies.iter().filter(|reply| reply.replayed).count();
            gone += closed;
            received.push(late);
        }
        received.extend(before);
        for key in [KEY, OTHER] {
            ask::sign(&world, request(key, b"after")).unwrap_or_else(|status| panic!("{round}: {status:?}"));
        }
        assert!(world.stop().success());
        accounted(&world, &received, &format!("round {round}"));
    }
    let signed: usize = received.iter().map(|received| received.replies.len()).sum();
    let unknown = |record: &tests::ledger::Record| record.body["signatures"][0]["outcome"] == "unknown";
    let crashed = world.ledger().records.iter().filter(|record| unknown(record)).count();
    tell(&format!("{signed} signatures received, {crashed} operations closed as unknown"));
    tell(&format!("{lost} items of batches lost: {found} were signed already, {gone} nobody will know"));
    assert!(lost > 0, "no batch was cut off");
    assert!(signed >= rounds);
}
