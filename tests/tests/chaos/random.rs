//! `kill -9` of the daemon at random moments under load, on both kinds of keys.

use tests::load::{Load, request};
use tests::process::killed;
use tests::{ask, repeated, tell};

use super::{KEY, OTHER, accounted, hsm};

/// A number of signatures that nobody chose.
fn chance() -> usize {
    let mut byte = [0];
    aws_lc_rs::rand::fill(&mut byte).unwrap();
    usize::from(byte[0] % 24)
}

#[test]
fn killed_at_random_under_load() {
    let mut world = hsm().make();
    let mut received = Vec::new();
    let rounds = repeated("random kills under load", 12, 200);
    for round in 0..rounds {
        world.start();
        let mut loads = [Load::start(&world, 2, 6, KEY), Load::start(&world, 2, 2, OTHER)];
        // Not a time but a count; where in an operation the others are by then is chance.
        loads[0].reach(1 + chance());
        assert!(killed(world.kill()));
        received.extend(loads.map(Load::end));
        world.start();
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
    assert!(signed >= rounds);
}
