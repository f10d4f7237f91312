//! What a run stands on: directories, the disk's meter, the ceilings' server, the daemon with its pre-filled log.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tests::process::Process;
use tokio::runtime::Runtime;

use crate::arguments::Arguments;
use crate::check;
use crate::fsync::Disk;
use crate::instance::{FAR, Hsm, Instance, NEAR, SOFT, STRICT};
use crate::load::{self, Shape, Target};
use crate::pki::{self, Identity};
use crate::rounds::{self, Rounds};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long and how often everything is measured.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Rounds of every cell.
    pub rounds: usize,
    /// Before each window.
    pub warm: Duration,
    /// The window.
    pub window: Duration,
    /// Records in the pre-filled log.
    pub records: u64,
    /// Whether that is one of the two numbers that bars are about.
    pub usual: bool,
}

impl Pace {
    /// As asked for.
    pub fn of(arguments: &Arguments) -> Self {
        let (records, seconds) = if arguments.full { (10_000_000, 10.0) } else { (1_000_000, 3.0) };
        let window = Duration::from_secs_f64(arguments.seconds.unwrap_or(seconds));
        Self {
            rounds: arguments.rounds.max(1),
            warm: window.mul_f64(0.25).min(Duration::from_secs(1)),
            window,
            records: arguments.records.unwrap_or(records),
            usual: arguments.records.is_none_or(|asked| asked == records),
        }
    }
}

/// Everything that the groups of cells share. What a run does not need is not made.
#[derive(Debug)]
pub struct Stage {
    /// How long and how often.
    pub pace: Pace,
    /// The disk of the state directories.
    pub disk: Disk,
    /// Of the load.
    pub runtime: Runtime,
    program: Option<PathBuf>,
    ceiling: Option<(Process, SocketAddr)>,
    hsm: Option<Hsm>,
    daemon: Option<Instance>,
    root: TempDir,
}

impl Stage {
    /// An empty stage in a directory of its own.
    pub fn of(arguments: &Arguments) -> Self {
        let parent = arguments.directory.clone().unwrap_or_else(std::env::temp_dir);
        let root = tempfile::Builder::new().prefix("countersign-bench-").tempdir_in(parent).unwrap();
        Self {
            pace: Pace::of(arguments),
            disk: Disk::of(root.path()),
            runtime: tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap(),
            program: arguments.daemon.clone(),
            ceiling: None,
            hsm: None,
            daemon: None,
            root,
        }
    }

    /// A directory of this run.
    pub fn directory(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The `countersignd` to measure.
    pub fn program(&self) -> &Path {
        self.program.as_deref().expect("--daemon names the countersignd to measure; `cargo xtask bench` gives it")
    }

    /// One of the ceilings: `echo`, `sign` or `sign-verify`.
    pub fn ceiling(&mut self, key: &str) -> Target {
        let directory = self.directory("ceiling");
        let (process, address) = self.ceiling.get_or_insert_with(|| {
            std::fs::create_dir(&directory).unwrap();
            pki::issue(&directory);
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.arg("ceiling").arg(&directory);
            let process = Process::start(command);
            let said = process.says("port ", PATIENCE);
            let port = said.trim_start_matches("port ").parse().unwrap();
            (process, SocketAddr::from(([127, 0, 0, 1], port)))
        });
        Target {
            address: *address,
            identity: Identity::within(&directory, "client"),
            key: key.to_owned(),
            process: process.number(),
        }
    }

    /// The token that the daemon's PKCS#11 keys lie in.
    pub fn hsm(&mut self) -> &Hsm {
        self.hsm.get_or_insert_with(Hsm::create)
    }

    /// The daemon with everything on, over its pre-filled log; made, started and checked when it is first asked for.
    pub fn daemon(&mut self) -> &mut Instance {
        if self.daemon.is_none() {
            let directory = self.directory("instance");
            let program = self.program().to_owned();
            println!("making an instance with {} records", self.pace.records);
            let mut instance = Instance::make(&program, &directory, Some(self.hsm()));
            instance.invite("light");
            instance.fill(self.pace.records);
            instance.start();
            let key = instance.log_key();
            for name in [SOFT, STRICT, NEAR, FAR] {
                let checked = self.runtime.block_on(check::replies(&instance.target(name), &key));
                checked.unwrap_or_else(|e| panic!("a reply for {name} does not stand: {e}"));
            }
            self.daemon = Some(instance);
        }
        self.daemon.as_mut().unwrap()
    }

    /// Measures these in turns: every round has one window of each.
    pub fn in_turns(&mut self, shape: Shape, targets: &[(&str, Target)]) -> Result<Vec<Rounds>, String> {
        let mut all = vec![Rounds::default(); targets.len()];
        for round in 1..=self.pace.rounds {
            for ((name, target), rounds) in targets.iter().zip(&mut all) {
                let (warm, window) = (self.pace.warm, self.pace.window);
                let measure = || load::window(target, shape, warm, window);
                let done = self.runtime.block_on(rounds::round(&mut self.disk, measure));
                let done = done.map_err(|e| format!("{name}: {e}"))?;
                println!(
                    "  {round}/{} {name}: {:.0}/s, server {:.1} µs, client {:.1} µs, p50 {:.0} µs, p99 {:.0} µs{}",
                    self.pace.rounds,
                    done.window.rate(),
                    done.window.server_each(),
                    done.window.client_each(),
                    done.window.latency_at(0.5),
                    done.window.latency_at(0.99),
                    done.disturbed().map(|mark| format!(" ({mark})")).unwrap_or_default(),
                );
                rounds.0.push(done);
            }
        }
        Ok(all)
    }
}
