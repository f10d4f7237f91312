//! A stop is final from the moment it has an index: 64 callers sign flat out while it comes, and others in batches, again
//! and again.

use proto::reason::Reason;
use proto::wire::v1::stop_target::Target;
use softhsm::{Shape, Token};
use tests::ledger::Ledger;
use tests::load::{Callers, Load, Received, request};
use tests::process::killed;
use tests::world::{Plan, World};
use tests::{ask, repeated, tell};

use super::{P256, accounted};

const CALLERS: Callers = Callers { single: 64, batches: 6 };
const CONNECTIONS: usize = 4;
/// Replies with signatures that a connection has taken.
const HANDED: &str = "countersign_replies_handed_over_total";

fn key(round: usize) -> String {
    format!("release/round-{round}")
}

/// One round: what callers received.
fn round(world: &World, key: &str, moment: usize) -> Received {
    let mut asked = request(key, b"the file");
    asked.request_id = format!("build-{moment}");
    let first = ask::sign(world, asked.clone()).unwrap();
    let again = ask::sign(world, asked.clone()).unwrap();
    assert!(again.replayed && again.signatures == first.signatures);
    let mut load = Load::start(world, CONNECTIONS, CALLERS, key);
    // A count, scattered over the rounds: where each caller is by then is chance.
    load.reach((moment * 37) % 211);
    let answer = ask::stop(world, Target::Key(key.to_owned())).unwrap();
    let handed = ask::counter(world, HANDED);
    // On a machine that is too busy for 250 ms the record follows later; nothing is handed out all the same.
    assert_eq!(answer.pending, answer.log_index.is_none(), "{answer:?}");
    let refused = ask::sign(world, asked).unwrap_err();
    assert_eq!(ask::reason(&refused), Reason::KeySuspended, "a replay: {refused:?}");
    // Every caller goes on until it is refused, so none is left that the stop did not reach.
    let mut received = load.end();
    assert_eq!(ask::counter(world, HANDED), handed, "a reply left after the answer to the stop");
    received.replies.push(first);
    received
}

/// Indices of the stops, in order.
fn stops(ledger: &Ledger) -> Vec<u64> {
    let stopped = |(_, record): &(u64, &tests::ledger::Record)| record.body["kind"] == "incident.stopped";
    (0..).zip(&ledger.records).filter(stopped).map(|(index, _)| index).collect()
}

fn rounds(plan: Plan, rounds: usize) {
    let mut world = plan.start();
    let done: Vec<Received> = (0..rounds).map(|at| round(&world, &key(at), at + 1)).collect();
    assert!(world.stop().success());
    // Among what is checked: no record releases what a record below it stops.
    let ledger = accounted(&world, &done, "stops");
    let stops: Vec<u64> = stops(&ledger);
    assert_eq!(stops.len(), rounds, "each stop is in the log, once");
    for (at, (index, received)) in stops.iter().zip(&done).enumerate() {
        for reply in &received.replies {
            let own = reply.receipt.as_ref().unwrap().log_index;
            assert!(own < *index, "round {at}: a signature at {own} was received, the stop is at {index}");
        }
    }
    let withheld =
        ledger.records.iter().filter(|record| record.body["signatures"][0]["outcome"] == "withheld");
    let signed: usize = done.iter().map(|received| received.replies.len()).sum();
    tell(&format!("{rounds} stops among {signed} signatures, {} withheld", withheld.count()));
    assert!(signed > rounds * 2, "{signed} signatures in {rounds} rounds: the callers did not sign");
}

#[test]
fn nothing_is_released_above_a_stop_of_a_software_key() {
    let count = repeated("stops under load, software", 8, 250);
    rounds((0..count).fold(Plan::new(), |plan, at| plan.key(&key(at), P256, &["blob"])), count);
}

#[test]
fn nothing_is_released_above_a_stop_of_an_hsm_key() {
    let count = repeated("stops under load, SoftHSM", 4, 50);
    let token = Token::create().unwrap();
    for at in 0..count {
        token.generate(&format!("key-{at}"), &[u8::try_from(at).unwrap()], Shape::P256).unwrap();
    }
    let plan = (0..count).fold(Plan::new().token(token, None), |plan, at| {
        plan.token_key(&key(at), &format!("key-{at}"), P256, &["blob"])
    });
    rounds(plan, count);
}

#[test]
fn stops_of_a_version_a_caller_a_backend_and_everything_hold_after_a_kill() {
    for (target, expected) in [
        (
            Target::Version(proto::wire::v1::VersionName { key: key(0), version: 1 }),
            &[Reason::KeySuspended, Reason::KeyNotActive][..],
        ),
        (
            Target::Caller("spiffe://countersign.example.org/client/first".to_owned()),
            &[Reason::CallerStopped],
        ),
        (Target::Backend("software".to_owned()), &[Reason::BackendStopped]),
        (Target::All(true), &[Reason::AllStopped]),
    ] {
        let mut world = Plan::new().key(&key(0), P256, &["blob"]).start();
        let first = ask::sign(&world, request(&key(0), b"the file")).unwrap();
        let _answer = ask::stop(&world, target.clone()).unwrap();
        let refused = ask::sign(&world, request(&key(0), b"the file")).unwrap_err();
        assert!(expected.contains(&ask::reason(&refused)), "{target:?}: {refused:?}");
        assert!(killed(world.kill()));
        world.start();
        let refused = ask::sign(&world, request(&key(0), b"the file")).unwrap_err();
        assert!(expected.contains(&ask::reason(&refused)), "{target:?} after a kill: {refused:?}");
        assert!(world.stop().success());
        let index = first.receipt.as_ref().unwrap().log_index;
        let ledger = accounted(&world, [&Received::from(first)], "a stop");
        assert!(stops(&ledger).len() == 1 && index < stops(&ledger)[0]);
    }
}
