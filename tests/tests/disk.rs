//! A disk that fails in every way, under a running daemon: nothing is released unrecorded, the cause is named, and
//! signing comes back by itself where it may.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use proto::wire::v1::incident_service_client::IncidentServiceClient;
use proto::wire::v1::{StopRequest, StopResponse, StopTarget, stop_target};
use tests::disk::SmallDisk;
use tests::load::{Received, request, sign};
use tests::process::{Process, killed};
use tests::strace::{Failing, Fault, Point, struck};
use tests::world::{Plan, World};
use tokio::runtime::Runtime;
use tonic::{Code, Status};
use tonic_types::StatusExt;

const KEY: &str = "release/linux";
const OTHER: &str = "release/windows";

fn plan() -> Plan {
    Plan::new().key(KEY, "ecdsa-p256-sha256", &["blob"]).key(OTHER, "ecdsa-p256-sha256", &["blob"])
}

/// One world with what it handed out.
struct Case {
    world: World,
    runtime: Runtime,
    received: Received,
}

impl Case {
    fn of(world: World) -> Self {
        Self { world, runtime: Runtime::new().unwrap(), received: Received::default() }
    }

    fn sign(&mut self, key: &str) -> Result<(), Status> {
        let answer =
            self.runtime.block_on(async { sign(&self.world.channel(), request(key, b"a file")).await });
        answer.map(|reply| self.received.replies.push(reply))
    }

    fn stop_key(&self, key: &str) -> StopResponse {
        let target = StopTarget { target: Some(stop_target::Target::Key(key.to_owned())) };
        let request = StopRequest { target: Some(target), reason: "a drill".to_owned(), act: None };
        let stop = async { IncidentServiceClient::new(self.world.channel()).stop(request).await };
        self.runtime.block_on(stop).unwrap().into_inner()
    }

    /// Signs until it works: each attempt waits as long as the refusal says.
    fn sign_again(&mut self, key: &str) {
        for _ in 0..200 {
            let Err(status) = self.sign(key) else { return };
            unavailable(&status);
            let wait =
                status.get_details_retry_info().and_then(|retry| retry.retry_delay).unwrap_or_default();
            self.runtime.block_on(async { tokio::time::sleep(wait).await });
        }
        panic!("signing did not come back:\n{}", self.world.process().said());
    }

    fn end(mut self) {
        assert!(self.world.stop().success());
        let ledger = self.world.ledger();
        assert_eq!(ledger.complaints(), Vec::<String>::new());
        assert_eq!(self.received.unaccounted(&ledger), Vec::<String>::new());
    }
}

/// A refusal that names the log and says that waiting helps.
fn unavailable(status: &Status) {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let reason = status.get_details_error_info().unwrap().reason;
    assert!(reason.starts_with("LOG_"), "{status:?}");
}

#[test]
fn on_a_full_disk_nothing_is_signed_and_a_stop_survives_a_kill() {
    let disk = SmallDisk::mount(64 * 1024);
    let mut world = plan().on(disk.path()).make();
    world.configure("[log]\n", "[log]\nreserve = \"64KiB\"\n");
    world.start();
    let mut case = Case::of(world);
    case.sign(KEY).unwrap();
    disk.fill();
    unavailable(&case.sign(KEY).unwrap_err());
    case.stop_key(KEY);
    assert!(killed(case.world.kill()));
    disk.empty();
    case.world.start();
    let refused = case.sign(KEY).unwrap_err();
    assert!(refused.message().contains("stop"), "{refused:?}");
    case.sign_again(OTHER);
    case.end();
}

#[test]
fn room_made_on_a_full_disk_is_taken_up_without_a_restart() {
    let disk = SmallDisk::mount(64 * 1024);
    let mut world = plan().on(disk.path()).make();
    world.configure("[log]\n", "[log]\nreserve = \"64KiB\"\n");
    world.start();
    let mut case = Case::of(world);
    disk.fill();
    unavailable(&case.sign(KEY).unwrap_err());
    disk.empty();
    case.sign_again(KEY);
    case.end();
}

#[test]
fn a_store_that_cannot_be_written_for_a_while_is_taken_up_again() {
    let mut case = Case::of(plan().start());
    case.sign(KEY).unwrap();
    let failing = Failing::attach(case.world.process().number(), &["pwrite64", "fdatasync"], "EROFS");
    unavailable(&case.sign(KEY).unwrap_err());
    drop(failing);
    case.sign_again(KEY);
    case.end();
}

#[test]
fn one_failed_sync_releases_nothing_and_is_recovered_from() {
    let mut world = plan().make();
    let trace = world.scratch().join("trace");
    let wal = world.state().join("log.db-wal");
    let point = Point { call: "fdatasync".to_owned(), nth: 2, path: Some(wal) };
    world.start_as(struck(&world.daemon(), &point, Fault::Error("EIO"), &trace)).unwrap();
    let mut case = Case::of(world);
    let mut failed = 0;
    for _ in 0..20 {
        if let Err(status) = case.sign(KEY) {
            unavailable(&status);
            failed += 1;
        }
    }
    assert!(failed > 0, "no sync failed");
    case.sign_again(KEY);
    case.end();
}

#[test]
fn a_store_deleted_under_the_daemon_is_noticed() {
    let mut case = Case::of(plan().start());
    case.sign(KEY).unwrap();
    let log = case.world.state().join("log.db");
    let aside = case.world.scratch().join("aside");
    std::fs::rename(&log, &aside).unwrap();
    unavailable(&case.sign(KEY).unwrap_err());
    std::fs::rename(&aside, &log).unwrap();
    case.sign_again(KEY);
    case.end();
}

fn copy(from: &Path, to: &Path) {
    let mut copy = Command::new("cp");
    copy.arg("--archive").arg(from).arg(to);
    let _said = Process::output(copy);
}

#[test]
fn a_rolled_back_instance_is_found_out_by_a_client_that_remembers() {
    let mut world = plan().start();
    std::fs::write(world.scratch().join("file"), "a file").unwrap();
    world.done(&["sign", KEY, "file"]);
    assert!(world.stop().success());
    let earlier = world.scratch().join("earlier");
    copy(&world.place(), &earlier);
    world.start();
    world.done(&["sign", KEY, "file", "--force"]);
    assert!(world.stop().success());
    // Store, anchor and all: nothing on the host remembers.
    std::fs::remove_dir_all(world.place()).unwrap();
    std::fs::rename(&earlier, world.place()).unwrap();
    world.start();
    let (code, _, said) = world.run(&["sign", KEY, "file", "--force"]);
    assert_ne!(code, 0, "{said}");
    // And from then on nobody gets a signature, until the right store is back.
    let refused =
        Runtime::new().unwrap().block_on(async { sign(&world.channel(), request(OTHER, b"x")).await });
    unavailable(&refused.unwrap_err());
    assert!(world.stop().success());
    let ended = world.start_as(world.daemon());
    assert!(ended.is_err(), "it starts again, though a newer checkpoint was presented");
}
