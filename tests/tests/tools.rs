//! The tests' own tools do what they say: a fault strikes at the call it names, a wait ends with its event.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use tests::PATIENCE;
use tests::disk::SmallDisk;
use tests::process::{Process, killed};
use tests::ready::{Ready, VARIABLE};
use tests::strace::{Failing, Fault, Point, Trace, struck, watched};

/// `sync -d` makes one `fdatasync` a file, in order.
fn three_syncs(directory: &Path) -> Command {
    let mut command = Command::new("sync");
    command.arg("-d");
    for name in ["a", "b", "c"] {
        std::fs::write(directory.join(name), name).unwrap();
        command.arg(directory.join(name));
    }
    command
}

fn point(nth: usize) -> Point {
    Point { call: "fdatasync".to_owned(), nth, path: None }
}

#[test]
fn each_call_is_seen_and_each_point_kills() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let command = three_syncs(directory.path());
    let mut process = Process::start(watched(&command, &["fdatasync"], &trace));
    assert!(process.finished(PATIENCE).success());
    let points = Trace::read(&trace).points();
    assert_eq!(points, [point(1), point(2), point(3)]);
    for point in points {
        let mut process = Process::start(struck(&command, &point, Fault::Kill, &trace));
        assert!(killed(process.finished(PATIENCE)), "{point}");
        assert_eq!(Trace::read(&trace).calls.len(), point.nth, "{point}");
    }
}

#[test]
fn a_point_beyond_the_last_call_is_not_reached() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let command = three_syncs(directory.path());
    let mut process = Process::start(struck(&command, &point(4), Fault::Kill, &trace));
    assert!(process.ended(PATIENCE).success());
}

#[test]
fn one_call_on_one_file_fails_with_the_error_named() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let command = three_syncs(directory.path());
    let point = Point { path: Some(directory.path().join("b")), ..point(1) };
    let mut process = Process::start(struck(&command, &point, Fault::Error("EIO"), &trace));
    assert_eq!(process.ended(PATIENCE).code(), Some(1));
    let said = process.says("/b", PATIENCE);
    assert!(said.contains("Input/output error"), "{said}");
}

#[test]
fn calls_of_a_running_program_fail_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let script = "mkfifo orders; echo begun; while read order <orders; do \
                  if sync -d file; then echo synced $order; else echo failed $order; fi; done";
    std::fs::write(directory.path().join("file"), "").unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(directory.path());
    let process = Process::start(command);
    assert_eq!(process.says("begun", PATIENCE), "begun");
    let order = |words: &str| std::fs::write(directory.path().join("orders"), format!("{words}\n")).unwrap();
    order("one");
    assert_eq!(process.says(" one", PATIENCE), "synced one");
    let failing = Failing::attach(process.number(), &["fdatasync"], "EROFS");
    order("two");
    assert_eq!(process.says(" two", PATIENCE), "failed two");
    drop(failing);
    order("three");
    assert_eq!(process.says(" three", PATIENCE), "synced three");
}

#[test]
fn readiness_is_a_datagram_and_an_early_end_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let ready = Ready::listen(directory.path());
    // The service is a program that only stays; this test speaks in its place.
    let says = |lines: &'static str| {
        let path = ready.path().to_owned();
        let socket = std::os::unix::net::UnixDatagram::unbound().unwrap();
        socket.send_to(lines.as_bytes(), path).unwrap();
    };
    let mut service = Command::new("sleep");
    service.arg("600").env(VARIABLE, ready.path());
    let mut service = Process::start(service);
    says("STATUS=opening the log");
    says("STATUS=ready\nREADY=1");
    ready.wait("READY=1", &mut service, PATIENCE);
    assert!(killed(service.kill()));
    let why = ready.wait_or_end("READY=1", &mut service, PATIENCE).unwrap_err();
    assert!(why.contains("before it said READY=1"), "{why}");
}

#[test]
fn what_a_program_said_last_is_there_when_its_end_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let ready = Ready::listen(directory.path());
    // What it leaves behind speaks for it, later than anything of its own could be read.
    let speaker = || {
        let mut command = Command::new("sh");
        command.args(["-c", "(sleep 0.2; echo last words) & exit 3"]);
        Process::start(command)
    };
    let mut service = speaker();
    let why = ready.wait_or_end("READY=1", &mut service, PATIENCE).unwrap_err();
    assert!(why.contains("exit status: 3"), "{why}");
    assert_eq!(service.said(), "last words");
    let mut program = speaker();
    assert_eq!(program.finished(PATIENCE).code(), Some(3));
    assert_eq!(program.said(), "last words");
}

#[test]
fn what_a_program_says_is_waited_for_and_it_dies_with_its_owner() {
    let mut command = Command::new("sh");
    command.args(["-c", "echo one; echo two >&2; exec sleep 600"]);
    let process = Process::start(command);
    assert_eq!(process.says("tw", PATIENCE), "two");
    assert_eq!(process.says("one", PATIENCE), "one");
    let handle = process.handle().try_clone().unwrap();
    drop(process);
    let error = rustix::process::pidfd_send_signal(handle, rustix::process::Signal::TERM).unwrap_err();
    assert_eq!(error, rustix::io::Errno::SRCH);
}

#[test]
fn a_small_disk_is_full_read_only_and_whole_again() {
    use std::io::ErrorKind;
    let disk = SmallDisk::mount(256);
    let file = disk.path().join("file");
    std::fs::write(&file, vec![1; 100_000]).unwrap();
    disk.fill();
    let error = std::fs::write(disk.path().join("other"), [1; 4096]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    disk.empty();
    std::fs::write(disk.path().join("other"), [1; 4096]).unwrap();
    disk.writable(false);
    let error = std::fs::write(&file, [2]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem);
    disk.writable(true);
    std::fs::write(&file, [2]).unwrap();
    let place = disk.path().to_owned();
    drop(disk);
    assert!(!place.exists());
}
