//! `kill -9` of the daemon at every system call that matters, for one request: each sync, each write to the HSM's host,
//! each write of a reply.
//!
//! The faults come from outside, by strace on the running daemon, so only the request's own calls are counted, and the
//! host's never.

use std::collections::BTreeSet;

use proto::wire::v1::GetPublicKeyRequest;
use proto::wire::v1::signing_service_client::SigningServiceClient;
use tests::load::{Received, request, sign};
use tests::process::killed;
use tests::strace::{Attached, Fault, Point, Trace};
use tests::world::World;
use tests::{PATIENCE, full, tell};
use tokio::runtime::Runtime;

use super::{KEY, accounted, hsm, software};

/// Syncs, and whatever leaves through a socket; in a full run each write to the files of the log too.
const CALLS: &[&str] = &["fdatasync", "fsync", "sendto", "sendmsg", "write", "writev"];

/// One request to a running daemon, traced from just before it until it is answered or the daemon is gone.
fn one(world: &mut World, tracer: impl FnOnce(u32) -> Attached) -> Received {
    let number = world.process().number();
    Runtime::new().unwrap().block_on(async {
        let channel = world.channel();
        // The handshake is over before anything is counted.
        let warm = GetPublicKeyRequest { key: KEY.to_owned(), version: 0 };
        let _key = SigningServiceClient::new(channel.clone()).get_public_key(warm).await.unwrap();
        let _tracer = tracer(number);
        sign(&channel, request(KEY, b"the file")).await.map(Received::from).unwrap_or_default()
    })
}

fn points(world: &mut World, calls: &[&str]) -> BTreeSet<(String, usize)> {
    let trace = world.scratch().join("trace");
    world.start();
    let received = one(world, |number| Attached::watch(number, calls, &trace));
    assert_eq!(received.replies.len(), 1);
    assert!(world.stop().success());
    let wanted = |call: &str, arguments: &str| {
        call.ends_with("sync")
            || call == "pwrite64"
            || ["<socket:", "<TCP", "<UNIX"].iter().any(|kind| arguments.contains(kind))
    };
    let points = Trace::read(&trace).points_where(wanted);
    points.into_iter().map(|point| (point.call, point.nth)).collect()
}

/// Whether the daemon was killed at the point. Either way it starts again, signs, and its log is judged.
fn strike(world: &mut World, point: &Point, all: &mut Vec<Received>) -> bool {
    let trace = world.scratch().join("trace");
    world.start();
    let mut received = one(world, |number| Attached::strike(number, point, Fault::Kill, &trace));
    let reached = received.replies.is_empty();
    if reached {
        let mut daemon = world.release();
        assert!(killed(daemon.finished(PATIENCE)), "{point}");
        world.start();
    }
    let after = Runtime::new()
        .unwrap()
        .block_on(async { sign(&world.channel(), request(KEY, b"the next file")).await });
    received.replies.push(after.unwrap_or_else(|status| panic!("{point}: it does not sign: {status:?}")));
    assert!(world.stop().success(), "{point}");
    all.push(received);
    let ledger = accounted(world, all.iter(), &point.to_string());
    if reached {
        // The newest but what the next life of the daemon has recorded: its start, and the next file.
        let mut before = ledger.records[..ledger.records.len() - 1].iter().rev();
        let last = &before.find(|record| record.body["kind"] != "config").unwrap().body;
        tell(&format!(
            "{point}: reached, before it in the log: {} {}",
            last["kind"], last["signatures"][0]["outcome"]
        ));
    }
    reached
}

fn killed_at_every_point(mut world: World, must: &[&str]) {
    let mut calls = CALLS.to_vec();
    if full() {
        calls.push("pwrite64");
    }
    // Two runs differ by what happens in the background: what both have, any has.
    let first = points(&mut world, &calls);
    let both: Vec<Point> = first
        .intersection(&points(&mut world, &calls))
        .map(|(call, nth)| Point { call: call.clone(), nth: *nth, path: None })
        .collect();
    tell(&format!("{} points", both.len()));
    for call in must {
        assert!(both.iter().any(|point| point.call == *call), "no {call} among {both:?}");
    }
    let mut received = Vec::new();
    let missed: Vec<String> = both
        .iter()
        .filter(|point| !(0..3).any(|_| strike(&mut world, point, &mut received)))
        .map(ToString::to_string)
        .collect();
    assert!(missed.is_empty(), "never reached: {missed:?}");
}

#[test]
fn killed_at_every_call_of_a_request_on_a_software_key() {
    killed_at_every_point(software().make(), &["fdatasync", "writev"]);
}

#[test]
fn killed_at_every_call_of_a_request_on_an_hsm() {
    killed_at_every_point(hsm().make(), &["fdatasync", "sendto", "writev"]);
}
