//! `kill -9` of the daemon at every system call that matters, from its start to its end. Whatever the moment, every
//! operation has its one leaf, numbers have no gaps, no signature that a caller has is missing from the log, and the
//! checkpoints that callers hold are extended by the tree.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use tests::load::{Received, request, sign};
use tests::process::killed;
use tests::strace::{Fault, Point, Trace, struck, watched};
use tests::world::{Plan, World};
use tests::{PATIENCE, tell};

const KEY: &str = "release/linux";

/// What can be cut off: syncs (`fdatasync`, `fsync`), and whatever leaves through a socket.
const CALLS: &[&str] = &["fdatasync", "fsync", "sendto", "sendmsg", "write", "writev"];

fn world() -> World {
    Plan::new().key(KEY, "ecdsa-p256-sha256", &["blob"]).make()
}

/// One request after another, until the daemon is gone or `count` are answered.
fn ask(world: &World, count: usize) -> Received {
    let mut received = Received::default();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let channel = world.channel();
        for nth in 0..count {
            match sign(&channel, request(KEY, format!("message {nth}").as_bytes())).await {
                Ok(reply) => received.replies.push(reply),
                Err(_gone) => break,
            }
        }
    });
    received
}

/// Starts the daemon anew, which closes what was open, and holds the log against what callers have.
fn judge(world: &mut World, received: &[Received], what: &str) {
    world.start();
    let after = ask(world, 1);
    assert_eq!(after.replies.len(), 1, "{what}: it does not sign any more");
    assert!(world.stop().success(), "{what}");
    let ledger = world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new(), "{what}");
    assert_eq!(ledger.open, Vec::<u64>::new(), "{what}");
    for received in received.iter().chain([&after]) {
        assert_eq!(received.unaccounted(&ledger), Vec::<String>::new(), "{what}");
    }
}

/// The points of one run of the daemon: start, two requests, drain.
fn points(world: &mut World) -> BTreeSet<(String, usize)> {
    let trace = world.scratch().join("trace");
    world.start_as(alone(watched(&world.daemon(), CALLS, &trace))).unwrap();
    assert_eq!(ask(world, 2).replies.len(), 2);
    let mut daemon = world.release();
    daemon.signal(rustix::process::Signal::TERM);
    assert!(daemon.finished(PATIENCE).success());
    let trace = Trace::read(&trace);
    let socket = |arguments: &str| {
        arguments.contains("<socket:") || arguments.contains("<TCP") || arguments.contains("<UNIX")
    };
    let wanted = |call: &str, arguments: &str| call.ends_with("sync") || socket(arguments);
    trace.points_where(wanted).into_iter().map(|point| (point.call, point.nth)).collect()
}

/// One worker, so that the calls of two runs come in the same order.
fn alone(mut command: std::process::Command) -> std::process::Command {
    command.env("TOKIO_WORKER_THREADS", "1");
    command
}

#[test]
fn killed_at_every_sync_and_every_reply() {
    let mut world = world();
    // Two runs differ by what happens in the background: what both have, any has.
    let first = points(&mut world);
    let points: Vec<Point> = first
        .intersection(&points(&mut world))
        .map(|(call, nth)| Point { call: call.clone(), nth: *nth, path: None })
        .collect();
    assert!(points.iter().any(|point| point.call == "fdatasync"), "{points:?}");
    assert!(points.iter().any(|point| point.call != "fdatasync"), "{points:?}");
    let mut missed = Vec::new();
    for point in &points {
        let reached = (0..3).any(|_| strike(&mut world, point));
        tell(&format!("{point}: {}", if reached { "reached" } else { "NOT REACHED" }));
        if !reached {
            missed.push(point.to_string());
        }
    }
    assert!(missed.is_empty(), "never reached: {missed:?}");
}

/// Whether the daemon was killed at the point; the log is judged either way.
fn strike(world: &mut World, point: &Point) -> bool {
    let trace = world.scratch().join("trace");
    let started = world.start_as(alone(struck(&world.daemon(), point, Fault::Kill, &trace)));
    let received = if started.is_ok() { ask(world, 2) } else { Received::default() };
    let mut daemon = world.release();
    daemon.signal(rustix::process::Signal::TERM);
    let status = daemon.finished(PATIENCE);
    assert!(status.success() || killed(status), "{point}: it ended with {status}");
    judge(world, &[received], &point.to_string());
    killed(status)
}
