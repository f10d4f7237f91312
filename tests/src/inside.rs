//! An instance that runs inside the test's own process, under a clock that the test moves: for what takes a day.
//!
//! Its files are those of a [`World`] that was made and does not run. Listeners, services, log, keys and policy are the
//! daemon's library, put together as its `app` puts them together; a real client reaches them by the same addresses.
//! Only software keys: a host of a PKCS#11 module is the daemon's program. [`Apart`] is the same in a process that can be killed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use daemon::audit::Reads;
use daemon::backend::software::{Admission, Software};
use daemon::backend::{Backend, Settings};
use daemon::clock::{Clock, ManualClock};
use daemon::config::{self, Config};
use daemon::council::Council;
use daemon::denials::Denials;
use daemon::enroll::{Ca, Enroller};
use daemon::incident::Responder;
use daemon::keyring::{self, Account, Keyring};
use daemon::keys::fold::State;
use daemon::log::{self, LoadError, Log, LogKey, Opened};
use daemon::rpc::edge::Edge;
use daemon::rpc::listen::Inherited;
use daemon::rpc::services::Services;
use daemon::rpc::tls;
use daemon::secret::SecretReference;
use daemon::sign::Signer;
use daemon::store::StoreError;
use proto::canonical::Map;
use proto::record::config::Cause;
use proto::time::Time;

use crate::PATIENCE;
use crate::process::{Process, killed};
use crate::world::World;

/// The running instance.
pub struct Inside {
    edge: Edge,
    log: Log,
    council: Arc<Council>,
}

/// Opens the log. Its lock is inherited by each program that another test of this process starts, until that is executed: a log that
/// was closed a moment ago may seem to be open.
async fn opened(config: &Config, clock: &Arc<dyn Clock>) -> Opened {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (settings, key) = (config.log.settings.clone(), log_key(&config.log.key));
        match log::open(settings, Arc::clone(clock), key) {
            Err(LoadError::Store(StoreError::Locked { .. })) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            opened => return opened.unwrap(),
        }
    }
}

impl Inside {
    /// Starts it where the world's configuration says, and writes down where it listens, as the daemon does.
    ///
    /// # Panics
    /// If something of it cannot be started.
    pub async fn start(world: &World, clock: Arc<ManualClock>) -> Self {
        Self::configured(&world.config(), clock).await
    }

    async fn configured(file: &Path, clock: Arc<ManualClock>) -> Self {
        let clock: Arc<dyn Clock> = clock;
        let config = config::load(file).unwrap();
        let opened = opened(&config, &clock).await;
        let mut history = opened.history.iter();
        let genesis = history.next().unwrap();
        let mut state = State::genesis(genesis.hash, &genesis.record, genesis.detail.as_deref()).unwrap();
        for control in history {
            state.apply(control.index, control.hash, &control.record, control.detail.as_deref()).unwrap();
        }
        let log = opened.log;
        let keyring = Keyring::new(state, backends(&config, &clock), Arc::clone(&clock));
        tokio::spawn(keyring::follow(Arc::clone(&keyring), opened.controls));
        let read = keyring::load(&config.policy.guardrails, &config.policy.grants);
        let (snapshot, grants) = (keyring.snapshot(), &config.policy.grants);
        let loaded = keyring::approved(&log, snapshot.state(), read, grants).await.unwrap();
        let account = Account { cause: Cause::Start, file: config.sha256, backends: Map::default() };
        if let Some(owed) = keyring.adopt(&log, loaded, Some(account)).await.unwrap().owed {
            // As the daemon does before it is ready; a log that takes nothing now takes it later.
            let _later = owed.attempt().await;
        }
        assert_eq!(keyring.open_all().await, 0, "a key cannot be opened");
        let authorities =
            tls::authorities(&keyring.snapshot().in_force().unwrap().loaded.client_cas).unwrap();
        let denials = Denials::new(log.clone(), Arc::clone(&keyring), Arc::clone(&clock));
        let signer = Signer::new(log.clone(), Arc::clone(&keyring), Arc::clone(&clock), Arc::clone(&denials));
        let council =
            Council::new(log.clone(), Arc::clone(&keyring), Arc::clone(&signer), Arc::clone(&clock));
        let services = Services {
            signer,
            council: Arc::clone(&council),
            keyring: Arc::clone(&keyring),
            log: log.clone(),
            responder: Arc::new(Responder::new(
                log.clone(),
                Arc::clone(&keyring),
                Arc::clone(&denials),
                Arc::clone(&clock),
            )),
            enroller: Arc::new(Enroller::new(
                log.clone(),
                keyring,
                Arc::clone(&denials),
                Arc::clone(&clock),
                config.enrollment.as_ref().map(|settings| Ca::read(settings).unwrap()),
            )),
            reads: Arc::new(Reads::new(log.clone())),
            denials,
            clock: Arc::clone(&clock),
        };
        let (paths, board) = services.paths().unwrap();
        let (listen, limits) = (&config.listen, config.limits.clone());
        let edge =
            Edge::bind(listen, &mut Inherited::default(), &authorities, paths, board, limits, clock).await;
        let edge = edge.unwrap().serve();
        let local = listen.local.as_ref().unwrap().socket.clone();
        let addresses = serde_json::json!({ "network": edge.address().unwrap(), "local": local });
        let run = config.instance.state_directory.join("run");
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("addresses.json"), addresses.to_string()).unwrap();
        Self { edge, log, council }
    }

    /// What the daemon does each minute about open ceremonies.
    pub async fn ticks(&self) {
        self.council.carry_on().await;
    }

    /// The other process of [`Apart`]: serves until it is killed. Returns at once where nobody has started it as that.
    ///
    /// # Panics
    /// If something of it cannot be started.
    pub fn serve() {
        let Some(file) = std::env::var_os(CONFIGURATION) else { return };
        let time = || std::fs::read_to_string(std::env::var_os(TIME).unwrap()).unwrap().parse().unwrap();
        let begun = Time::from_microseconds(time());
        let clock = Arc::new(ManualClock::new(begun));
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let inside = Self::configured(Path::new(&file), Arc::clone(&clock)).await;
            crate::tell(SERVES);
            loop {
                clock.advance(Time::from_microseconds(time()).since(clock.wall()));
                inside.ticks().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }

    /// Drains it and closes the log.
    ///
    /// # Panics
    /// If a connection does not end.
    pub async fn end(self) {
        assert_eq!(self.edge.drain(PATIENCE).await, 0, "a connection did not end");
        self.log.close().await;
    }
}

/// Names the configuration of an instance in a process of its own.
const CONFIGURATION: &str = "COUNTERSIGN_TESTS_APART";
/// Names the file that holds what time it is there, in microseconds.
const TIME: &str = "COUNTERSIGN_TESTS_APART_TIME";
/// What it says when it serves.
const SERVES: &str = "the instance apart serves";

/// The same in a process of its own, which can be killed: the test's own program, started again for one test that does nothing
/// but [`Inside::serve`].
pub struct Apart {
    process: Process,
}

impl Apart {
    /// Starts it at this time, by the full name of that test.
    ///
    /// # Panics
    /// If it does not come to serve.
    #[must_use]
    pub fn start(world: &World, test: &str, at: Time) -> Self {
        Self::set(world, at);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture"]);
        command.env(CONFIGURATION, world.config()).env(TIME, Self::time(world));
        let process = Process::start(command);
        let _said = process.says(SERVES, PATIENCE);
        Self { process }
    }

    /// Lets time pass there until this moment.
    ///
    /// # Panics
    /// If it cannot be written down.
    pub fn set(world: &World, at: Time) {
        let part = world.scratch().join("time.part");
        std::fs::write(&part, at.microseconds().to_string()).unwrap();
        std::fs::rename(part, Self::time(world)).unwrap();
    }

    fn time(world: &World) -> PathBuf {
        world.scratch().join("time")
    }

    /// Kills it, as `kill -9` does.
    ///
    /// # Panics
    /// If it ended before.
    pub fn kill(mut self) {
        assert!(killed(self.process.kill()), "it ended before: {}", self.process.said());
    }
}

/// The log's key as `countersignd init` writes it: `PRIVATE+KEY+origin+hash+base64(1, seed)`.
fn log_key(place: &SecretReference) -> LogKey {
    let secret = place.read().unwrap().without_line_end();
    let words: Vec<&str> = secret.text().unwrap().splitn(5, '+').collect();
    let seed = STANDARD.decode(words[4]).unwrap();
    LogKey::from_seed(words[2], &seed[1..]).unwrap()
}

fn backends(config: &Config, clock: &Arc<dyn Clock>) -> BTreeMap<String, Arc<dyn Backend>> {
    let software = |(name, settings): (&String, &Settings)| {
        let Settings::Software(settings) = settings else { panic!("backend {name} is not in software") };
        let keys = config.instance.state_directory.join("software");
        let backend = Software::open(name, settings, Admission::Admitted, keys, Arc::clone(clock)).unwrap();
        (name.clone(), Arc::new(backend) as Arc<dyn Backend>)
    };
    config.backends.iter().map(software).collect()
}
