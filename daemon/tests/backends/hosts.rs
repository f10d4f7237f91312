//! Hosts that are killed, stopped, crash and hang.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use daemon::backend::pkcs11::{HOST_ARGUMENT, Pkcs11};
use daemon::backend::{Failure, Health, Lost, PublicKey, SigningKey, Turn};
use rustix::process::{Pid, Signal, kill_process};

use crate::rig::{self, Rig};

fn signal(backend: &Pkcs11, signal: Signal) {
    let id = backend.host_process().expect("a host runs");
    kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), signal).unwrap();
}

/// Callers that sign flat out until told to stop; how many signatures each got, and its failures.
struct Load {
    stop: Arc<AtomicBool>,
    signed: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<Vec<Failure>>>,
}

impl Load {
    fn start(key: &Arc<dyn SigningKey>, public: &PublicKey) -> Self {
        let (stop, signed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let tasks = (0..16)
            .map(|caller| {
                let (key, public, stop, signed) = (key.clone(), public.clone(), stop.clone(), signed.clone());
                tokio::spawn(async move {
                    let mut failures = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        match rig::sign(&key, &public, caller, Turn::of(&caller.to_string())).await {
                            Ok(_) => {
                                signed.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(failure) => {
                                failures.push(failure);
                                tokio::time::sleep(Duration::from_millis(5)).await;
                            }
                        }
                    }
                    failures
                })
            })
            .collect();
        Self { stop, signed, tasks }
    }

    /// Waits until more signatures were made than now.
    async fn goes_on(&self) {
        let before = self.signed.load(Ordering::Relaxed);
        let more = async {
            while self.signed.load(Ordering::Relaxed) < before + 50 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(rig::LONG, more).await.expect("signing goes on");
    }

    async fn end(self) -> Vec<Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for task in self.tasks {
            failures.extend(task.await.unwrap());
        }
        failures
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_killed_under_load_costs_errors_that_say_how_to_try_again() {
    let rig = Rig::new();
    let (backend, key, public) = rig.with_key(rig.settings()).await;
    let load = Load::start(&key, &public);
    for _ in 0..5 {
        load.goes_on().await;
        let starts = backend.starts();
        signal(&backend, Signal::KILL);
        let again = async {
            while backend.starts() == starts {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(rig::LONG, again).await.expect("another host is started");
        rig::ready(&backend).await;
    }
    load.goes_on().await;
    let failures = load.end().await;
    assert!(failures.iter().any(Failure::may_be_done), "some calls were in flight");
    for failure in failures {
        let known =
            matches!(failure, Failure::Unavailable { .. } | Failure::Unknown { how: Lost::Transport, .. });
        assert!(known && failure.retry_after().is_some(), "{failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stands_still_is_ended_by_the_modules_limit() {
    let rig = Rig::new();
    let mut settings = rig.settings();
    settings.call_limit = Duration::from_millis(400);
    let (backend, key, public) = rig.with_key(settings).await;
    let load = Load::start(&key, &public);
    load.goes_on().await;
    signal(&backend, Signal::STOP);
    load.goes_on().await;
    let failures = load.end().await;
    assert!(
        failures.iter().any(|failure| matches!(failure, Failure::Unknown { how: Lost::Timeout, .. })),
        "{failures:?}"
    );
    assert_eq!(backend.starts(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_hangs_is_ended_three_times_and_then_left_alone() {
    let rig = Rig::new();
    let mut settings = rig.settings();
    settings.call_limit = Duration::from_millis(300);
    let (backend, key, public) = rig.with_key(settings).await;
    rig.wire.hang("Sign").unwrap();
    for kill in 1..=3 {
        if kill > 1 {
            rig::ready(&backend).await;
        }
        // A host that was ended may be the one that is asked: then nothing was done and it is asked again.
        let failure = loop {
            match rig::sign(&key, &public, 0, Turn::of("a")).await.unwrap_err() {
                Failure::Unavailable { retry_after, .. } => tokio::time::sleep(retry_after).await,
                failure => break failure,
            }
        };
        assert!(matches!(failure, Failure::Unknown { how: Lost::Timeout, .. }), "{failure:?}");
        rig::until(&backend, |health| !health.is_ready()).await;
    }
    let broken = rig::until(&backend, |health| matches!(health, Health::Broken { .. })).await;
    assert!(broken.cause().unwrap().contains("three times in ten minutes"), "{broken:?}");
    let failure = rig::sign(&key, &public, 0, Turn::of("a")).await.unwrap_err();
    assert!(matches!(failure, Failure::Broken { .. }), "{failure:?}");
    assert_eq!(backend.starts(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_crashes_costs_the_calls_in_flight_and_nothing_else() {
    let rig = Rig::new();
    let (backend, key, public) = rig.with_key(rig.settings()).await;
    for function in ["Sign", "SignInit", "FindObjectsInit"] {
        rig.wire.crash(function).unwrap();
        if function == "FindObjectsInit" {
            signal(&backend, Signal::KILL);
        }
        let failures = rig::sign_again(&key, &public).await;
        assert!(!failures.is_empty(), "C_{function}");
    }
}

/// Systemd's part: one host for each connection, with the connection as its standard input. The thread lives as long as
/// the test's process, because hosts end with the thread that started them.
fn unit(rig: &Rig, socket: &Path) -> tokio::sync::mpsc::UnboundedReceiver<Child> {
    let listener = UnixListener::bind(socket).unwrap();
    let (name, value) = rig.token.environment();
    let (started, hosts) = tokio::sync::mpsc::unbounded_channel();
    let accept = move || {
        for connection in listener.incoming() {
            let mut command = Command::new(rig::program());
            command
                .arg(HOST_ARGUMENT)
                .env(&name, &value)
                .stdin(Stdio::from(OwnedFd::from(connection.unwrap())));
            let Err(left) = started.send(command.spawn().unwrap()) else { continue };
            let mut host = left.0;
            host.kill().and_then(|()| host.wait()).unwrap();
        }
    };
    std::thread::Builder::new().spawn(accept).unwrap();
    hosts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_runs_as_a_unit_of_its_own_is_reached_over_its_socket() {
    let rig = Rig::new();
    let socket = rig.state.path().join("host.sock");
    let mut hosts = unit(&rig, &socket);
    let mut settings = rig.settings();
    settings.environment.clear();
    settings.host = Some(socket);
    let (backend, key, public) = rig.with_key(settings).await;
    assert_eq!(backend.host_process(), None, "it is not ours to end");
    let mut first = hosts.recv().await.unwrap();
    first.kill().and_then(|()| first.wait()).unwrap();
    rig::sign_again(&key, &public).await;
    let mut second = hosts.recv().await.unwrap();
    drop(backend);
    // The end of the connection ends it.
    tokio::task::spawn_blocking(move || second.wait().unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_hangs_while_it_is_opened_counts_as_one_that_hangs() {
    let rig = Rig::new();
    let mut settings = rig.settings();
    settings.call_limit = Duration::from_millis(100);
    rig.wire.hang("Initialize").unwrap();
    let backend = rig.start_with(settings);
    let broken = rig::until(&backend, |health| matches!(health, Health::Broken { .. })).await;
    assert!(broken.cause().unwrap().contains("not open after 300 ms"), "{broken:?}");
    assert_eq!(backend.starts(), 3);
}
