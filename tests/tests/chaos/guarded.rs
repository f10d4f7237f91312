//! What a running process of ours gives away: no core dump, nothing to another process of its user, nothing to swap.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::wire::v1::SignRequest;
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities, remove_capability_from_bounding_set, set_capabilities};
use tests::ask;
use tests::load::request;
use tests::process::Process;
use tests::{PATIENCE, tell};

use super::{KEY, OTHER, hsm, software};

/// A line of a file below `/proc/PID`, in words.
fn says(pid: u32, file: &str, begin: &str) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let line = text.lines().find(|line| line.starts_with(begin))?;
    Some(line[begin.len()..].split_whitespace().map(str::to_owned).collect())
}

/// Does something in a thread that may look into no process but those of its user, and so may what it starts: who is root
/// may look into everything.
fn unprivileged(test: impl FnOnce() + Send + 'static) {
    let apart = || {
        let look = CapabilitySet::SYS_PTRACE;
        let mut own = capabilities(None).unwrap();
        if own.permitted.contains(look) {
            remove_capability_from_bounding_set(look).unwrap();
            own.effective.remove(look);
            own.permitted.remove(look);
            set_capabilities(None, own).unwrap();
        }
        test();
    };
    if let Err(panic) = std::thread::Builder::new().spawn(apart).unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

/// Whether another process of its user may look into it.
fn is_open(pid: u32) -> bool {
    fs::File::open(format!("/proc/{pid}/mem")).is_ok()
}

/// Whether this process, and so what it starts, may lock all of its memory.
fn may_lock() -> bool {
    let capable = capabilities(None).unwrap().effective.contains(CapabilitySet::IPC_LOCK);
    capable || getrlimit(Resource::Memlock).current.is_none()
}

/// What it lacks.
fn lacks(pid: u32) -> Vec<&'static str> {
    let zero =
        |words: Option<Vec<String>>| words.is_some_and(|words| words.first().is_some_and(|w| w == "0"));
    let mut lacks = Vec::new();
    if !zero(says(pid, "limits", "Max core file size")) {
        lacks.push("core dumps are off");
    }
    if is_open(pid) {
        lacks.push("nobody looks in");
    }
    if says(pid, "status", "NoNewPrivs:").is_none_or(|words| words != ["1"]) {
        lacks.push("no new privileges");
    }
    // Below a limit nothing is locked: what comes later would be refused.
    if may_lock() == zero(says(pid, "status", "VmLck:")) {
        lacks.push("memory is locked where it may be");
    }
    lacks
}

#[test]
fn a_running_daemon_and_its_host_give_nothing_away() {
    unprivileged(daemon);
}

fn daemon() {
    let mut other = Command::new("sleep").arg("60").spawn().unwrap();
    assert!(lacks(other.id()).contains(&"nobody looks in"), "the test cannot tell");
    other.kill().unwrap();
    other.wait().unwrap();
    tell(&format!("memory may be locked: {}", may_lock()));
    let mut world = hsm().start();
    let daemon = world.process().number();
    assert_eq!(lacks(daemon), [] as [&str; 0]);
    let hosts = world.hosts();
    assert_eq!(hosts.len(), 1);
    let host = says(std::process::id(), &format!("fdinfo/{}", hosts[0].as_raw_fd()), "Pid:").unwrap();
    assert_eq!(lacks(host[0].parse().unwrap()), [] as [&str; 0]);
    assert!(world.stop().success());
}

#[test]
fn no_message_and_no_annotation_is_in_a_trace_at_any_level() {
    const MESSAGE: &str = "what-nobody-but-the-caller-may-know";
    const ANNOTATION: &str = "an-annotation-of-somebody";
    let mut world = hsm().make();
    world.configure("[log]\n", "[telemetry]\nfilter = \"trace\"\n\n[log]\n");
    world.start();
    let asked = |key: &str, number: usize| SignRequest {
        annotations: [("note".to_owned(), ANNOTATION.to_owned())].into(),
        request_id: format!("build-{number}"),
        ..request(key, MESSAGE.as_bytes())
    };
    for (number, key) in [KEY, OTHER, "release/none"].into_iter().enumerate() {
        assert_eq!(ask::sign(&world, asked(key, number)).is_ok(), number < 2, "{key}");
    }
    let keys = [KEY, OTHER, "release/none"];
    let many = (10..20).map(|number| asked(keys[number % 3], number)).collect();
    assert_eq!(ask::sign_batch(&world, many).unwrap().len(), 10);
    // The traces are on, and name requests by the ids that their callers gave them, in batches, too.
    let process = world.process();
    let _named = process.says(r#"request_id="build-2""#, PATIENCE);
    let _batch = process
        .says("build-10,build-11,build-12,build-13,build-14,build-15,build-16,build-17 and 2 more", PATIENCE);
    let said = process.said();
    assert!(said.contains("TRACE"), "nothing was traced");
    for secret in [MESSAGE, ANNOTATION] {
        for form in [secret.to_owned(), hex::encode(secret), STANDARD.encode(&secret[..secret.len() / 3 * 3])]
        {
            let line = said.lines().find(|line| line.to_lowercase().contains(&form.to_lowercase()));
            assert_eq!(line, None, "{form}");
        }
    }
    assert!(world.stop().success());
}

#[test]
fn every_task_is_guarded_before_it_reads_anything() {
    unprivileged(tasks);
}

fn tasks() {
    let world = software().make();
    let fifo = world.scratch().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let tasks: [&[&str]; 6] = [
        &["rehearse-key", "a/key", "--algorithm", "ed25519", "--purpose", "blob"],
        &["anchor", "add", "/nowhere"],
        &["backup", "nowhere"],
        &["log-key", "--new", "nowhere"],
        &["recover", "--complete", "--directory", "nowhere"],
        &["backends", "unlock", "software"],
    ];
    for task in tasks {
        let mut command = world.countersignd(task[0]);
        // It waits for its configuration until the test has looked.
        command.args(&task[1..]).arg("--config").arg(&fifo);
        let mut process = Process::start(command);
        let pid = process.number();
        let begun = Instant::now();
        while !lacks(pid).is_empty() {
            assert!(begun.elapsed() < PATIENCE, "{task:?}: {:?}; {}", lacks(pid), process.said());
            std::thread::sleep(Duration::from_millis(10));
        }
        // Opened at last, and nothing is in it.
        drop(fs::OpenOptions::new().write(true).open(&fifo).unwrap());
        assert!(!process.ended(PATIENCE).success(), "{task:?} was content with no configuration");
    }
}
