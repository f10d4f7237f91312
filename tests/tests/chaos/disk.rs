//! A disk that fails under a running daemon: nothing is released unrecorded, the cause is named, and signing comes back
//! by itself where it may.

use proto::wire::v1::stop_target::Target;
use tests::disk::{BreakingDisk, SmallDisk};
use tests::load::{Received, request};
use tests::process::killed;
use tests::strace::{Attached, Failing, Fault, Point};
use tests::world::World;
use tests::{ask, tell};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{KEY, OTHER, accounted, hsm, software};

/// A refusal that names the log and says when to try again.
#[track_caller]
pub fn unavailable(status: &Status) {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(ask::reason(status).name().starts_with("LOG_"), "{status:?}");
    ask::explained(status);
}

/// Signs until it works: each attempt waits as long as the refusal says.
pub fn sign_again(world: &mut World, key: &str) -> Received {
    for _ in 0..200 {
        match ask::sign(world, request(key, b"a file")) {
            Ok(reply) => return reply.into(),
            Err(status) => {
                unavailable(&status);
                let wait = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
                std::thread::sleep(wait.unwrap_or_default());
            }
        }
    }
    panic!("signing did not come back:\n{}", world.process().said());
}

fn refused(world: &World, words: &str) {
    unavailable(&ask::sign(world, request(KEY, b"a file")).unwrap_err());
    let cause = ask::trouble(world, "log").expect("health says so too");
    assert!(cause.contains(words), "{cause}");
}

/// An instance on a small disk of its own.
fn small(disk: &SmallDisk) -> World {
    software().on(disk.path()).start()
}

#[test]
fn on_a_full_disk_nothing_is_signed_and_a_stop_survives_a_kill() {
    let disk = SmallDisk::mount(64 * 1024);
    let mut world = small(&disk);
    let mut received = sign_again(&mut world, KEY);
    disk.fill();
    refused(&world, "disk");
    let answer = ask::stop(&world, Target::Key(KEY.to_owned())).unwrap();
    tell(&format!("a stop on a full disk: {answer:?}"));
    assert!(killed(world.kill()));
    disk.empty();
    world.start();
    let stopped = ask::sign(&world, request(KEY, b"a file")).unwrap_err();
    assert_eq!(ask::reason(&stopped), proto::reason::Reason::KeySuspended, "{stopped:?}");
    received.replies.extend(sign_again(&mut world, OTHER).replies);
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received], "a full disk");
    let stops = ledger.records.iter().filter(|record| record.body["kind"] == "incident.stopped").count();
    assert_eq!(stops, 1, "the stop is in the log, once");
}

#[test]
fn room_made_on_a_full_disk_is_taken_up_without_a_restart() {
    let disk = SmallDisk::mount(64 * 1024);
    let mut world = small(&disk);
    disk.fill();
    refused(&world, "disk");
    disk.empty();
    let received = sign_again(&mut world, KEY);
    assert_eq!(ask::trouble(&world, "log"), None);
    assert!(world.stop().success());
    accounted(&world, [&received], "room made");
}

#[test]
fn a_store_that_cannot_be_written_for_a_while_is_taken_up_again_and_keeps_its_stop() {
    let mut world = software().start();
    let mut received = sign_again(&mut world, KEY);
    let failing = Failing::attach(world.process().number(), &["pwrite64", "fdatasync"], "EROFS");
    unavailable(&ask::sign(&world, request(KEY, b"a file")).unwrap_err());
    assert!(ask::trouble(&world, "log").is_some());
    let answer = ask::stop(&world, Target::Key(OTHER.to_owned())).unwrap();
    assert!(answer.pending && answer.volatile && answer.log_index.is_none(), "{answer:?}");
    drop(failing);
    received.replies.extend(sign_again(&mut world, KEY).replies);
    let stopped = ask::sign(&world, request(OTHER, b"a file")).unwrap_err();
    assert_eq!(ask::reason(&stopped), proto::reason::Reason::KeySuspended, "{stopped:?}");
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received], "read-only for a while");
    let stops = ledger.records.iter().filter(|record| record.body["kind"] == "incident.stopped").count();
    assert_eq!(stops, 1, "the stop is in the log, once");
}

/// The real thing, which takes loop devices and ends with the daemon: part of a full run.
#[test]
fn on_a_file_system_that_the_kernel_makes_read_only_nothing_is_signed_until_it_is_mended() {
    if !tests::full() {
        return tell("a file system that breaks is part of `cargo xtask test --full`");
    }
    let disk = BreakingDisk::mount(64);
    let mut world = software().on(disk.path()).start();
    let mut received = sign_again(&mut world, KEY);
    disk.fail();
    unavailable(&ask::sign(&world, request(KEY, b"a file")).unwrap_err());
    // The write that failed says little; the load that is tried after it finds out.
    let named = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        ask::trouble(&world, "log").is_some_and(|cause| cause.contains("readonly"))
    });
    assert!(named, "{:?}", ask::trouble(&world, "log"));
    refused(&world, "");
    // Neither log nor stop file take it, and the answer says that a restart will lose it.
    let stop = ask::stop(&world, Target::Key(OTHER.to_owned())).unwrap();
    assert!(stop.pending && stop.volatile && stop.log_index.is_none(), "{stop:?}");
    assert!(killed(world.kill()));
    disk.mend();
    world.start();
    received.replies.extend(sign_again(&mut world, KEY).replies);
    let stop = ask::stop(&world, Target::Key(OTHER.to_owned())).unwrap();
    assert!(!stop.pending && !stop.volatile, "{stop:?}");
    assert!(world.stop().success());
    accounted(&world, [&received], "a broken file system");
}

#[test]
fn one_failed_sync_releases_nothing_and_is_recovered_from() {
    let mut world = software().start();
    let mut received = sign_again(&mut world, KEY);
    let wal = world.state().join("log.db-wal");
    let point = Point { call: "fdatasync".to_owned(), nth: 1, path: Some(wal) };
    let trace = world.scratch().join("trace");
    let failing = Attached::strike(world.process().number(), &point, Fault::Error("EIO"), &trace);
    unavailable(&ask::sign(&world, request(KEY, b"a file")).unwrap_err());
    drop(failing);
    received.replies.extend(sign_again(&mut world, KEY).replies);
    assert!(world.stop().success());
    accounted(&world, [&received], "a failed sync");
}

#[test]
fn a_seal_whose_sync_fails_gives_its_signature_to_nobody_and_its_id_finds_the_end() {
    let mut world = hsm().start();
    let mut received = sign_again(&mut world, KEY);
    let wal = world.state().join("log.db-wal");
    // The first is the intent's.
    let point = Point { call: "fdatasync".to_owned(), nth: 2, path: Some(wal) };
    let trace = world.scratch().join("trace");
    let failing = Attached::strike(world.process().number(), &point, Fault::Error("EIO"), &trace);
    let mut asked = request(KEY, b"a file");
    asked.request_id = "build-1".to_owned();
    unavailable(&ask::sign(&world, asked.clone()).unwrap_err());
    drop(failing);
    received.replies.extend(sign_again(&mut world, KEY).replies);
    let again = ask::sign(&world, asked.clone()).unwrap();
    tell(&format!(
        "after a failed seal its id gives {} signature",
        if again.replayed { "the first" } else { "a new" }
    ));
    received.replies.push(again);
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received], "a failed seal");
    assert_eq!(ledger.released().len(), 3, "no request id is released twice");
}
