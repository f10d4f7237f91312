//! A whole instance for one test: made by `countersignd init --rehearsal`, run as a process, asked by real clients.
//!
//! It lies in a directory of its own, listens where the kernel says and ends with its owner. A test can stop, kill and
//! start it again, under strace too, and read what it left on the disk.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use client::connect::channel;
use client::settings::{Partial, Setting, Settings, file};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use softhsm::Token;
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::PATIENCE;
use crate::binaries::program;
use crate::ledger::Ledger;
use crate::process::Process;
use crate::ready::{self, Ready};

/// What an instance begins with.
#[derive(Debug, Default)]
pub struct Plan {
    token: Option<Token>,
    module: Option<PathBuf>,
    place: Option<PathBuf>,
    keys: Vec<Vec<String>>,
}

impl Plan {
    /// An instance with the software backend and no key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// In a directory of its own on this disk.
    #[must_use]
    pub fn on(mut self, disk: &Path) -> Self {
        self.place = Some(disk.to_owned());
        self
    }

    /// A new key of the software backend.
    #[must_use]
    pub fn key(self, name: &str, algorithm: &str, purposes: &[&str]) -> Self {
        self.born(name, &["--backend", "software"], algorithm, purposes)
    }

    /// The token as backend `hsm`, by its own module or one in front of it.
    #[must_use]
    pub fn token(mut self, token: Token, module: Option<PathBuf>) -> Self {
        self.module = Some(module.unwrap_or_else(|| token.module().to_owned()));
        self.token = Some(token);
        self
    }

    /// The key that the token holds under this label, adopted.
    ///
    /// # Panics
    /// Without a token.
    #[must_use]
    pub fn token_key(self, name: &str, label: &str, algorithm: &str, purposes: &[&str]) -> Self {
        let uri = self.token.as_ref().unwrap().key_uri(label);
        self.born(name, &["--backend", "hsm", "--adopt", &uri], algorithm, purposes)
    }

    fn born(mut self, name: &str, place: &[&str], algorithm: &str, purposes: &[&str]) -> Self {
        let mut words = vec![name, "--algorithm", algorithm];
        words.extend(place);
        words.extend(purposes.iter().flat_map(|purpose| ["--purpose", purpose]));
        self.keys.push(words.into_iter().map(str::to_owned).collect());
        self
    }

    /// Makes the instance and plays the ceremonies of its keys. It does not run yet.
    ///
    /// # Panics
    /// If a command fails, with what it said.
    #[must_use]
    pub fn make(self) -> World {
        let world = World::vacant(self.place.as_deref(), self.token);
        let mut init = world.countersignd("init");
        init.args(["--rehearsal", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0", "--directory"]);
        init.arg(world.place());
        if let (Some(token), Some(module)) = (&world.token, self.module) {
            init.arg("--pkcs11").arg(module).arg("--token").arg(token.uri());
            init.arg("--pin-file").arg(token.pin_file());
        }
        let _said = Process::output(init);
        // A test needs no more room than it writes, so that many run beside each other on a small disk.
        world.configure("[log]\n", "[log]\nreserve = \"1MiB\"\n");
        for words in self.keys {
            let mut ceremony = world.countersignd("rehearse-key");
            ceremony.args(words).arg("--config").arg(world.config());
            let _said = Process::output(ceremony);
        }
        world
    }

    /// Makes the instance and starts it.
    #[must_use]
    pub fn start(self) -> World {
        let mut world = self.make();
        world.start();
        world
    }
}

/// An instance and, while it runs, its process.
#[derive(Debug)]
pub struct World {
    // Dropped in this order: the process before the token and the files that it uses.
    daemon: Option<Process>,
    ready: Ready,
    token: Option<Token>,
    directory: TempDir,
    /// Where the daemon says that it is ready.
    _post: TempDir,
}

impl World {
    /// A place for an instance that the test makes itself.
    ///
    /// # Panics
    /// If there is no room for it.
    #[must_use]
    pub fn vacant(disk: Option<&Path>, token: Option<Token>) -> Self {
        let directory = match disk {
            Some(disk) => tempfile::tempdir_in(disk).unwrap(),
            None => tempfile::tempdir().unwrap(),
        };
        // The test holds the socket, and a disk is not unmounted while somebody holds anything of it.
        let post = tempfile::tempdir().unwrap();
        let ready = Ready::listen(post.path());
        Self { ready, daemon: None, token, directory, _post: post }
    }

    /// The instance's directory.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        self.directory.path().join("instance")
    }

    /// A directory for the test's own files, gone with the world.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// The daemon's configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.place().join("countersignd.toml")
    }

    /// Changes the configuration: everywhere `from` becomes `to`. In force at the next start.
    ///
    /// # Panics
    /// If `from` is not in it.
    pub fn configure(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "the configuration does not say {from:?}:\n{text}");
        std::fs::write(self.config(), text.replace(from, to)).unwrap();
    }

    /// Its state directory, as the configuration names it.
    ///
    /// # Panics
    /// If the configuration does not.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        let text = std::fs::read_to_string(self.config()).unwrap();
        let config: toml::Table = text.parse().unwrap();
        PathBuf::from(config["instance"]["state_directory"].as_str().unwrap())
    }

    /// The token, if the plan had one, to be changed.
    ///
    /// # Panics
    /// Without one.
    pub fn token_to_change(&mut self) -> &mut Token {
        self.token.as_mut().expect("the plan had a token")
    }

    /// The token, if the plan had one.
    #[must_use]
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// A command of `countersignd` that does something else than run it.
    #[must_use]
    pub fn countersignd(&self, task: &str) -> Command {
        let mut command = Command::new(program("countersignd"));
        command.arg(task);
        self.surround(&mut command);
        command
    }

    /// The command that runs the daemon, to be wrapped or changed before [`World::start_as`].
    #[must_use]
    pub fn daemon(&self) -> Command {
        let mut command = Command::new(program("countersignd"));
        command.arg("--config").arg(self.config()).env(ready::VARIABLE, self.ready.path());
        self.surround(&mut command);
        command
    }

    /// `countersignd dev` in this place, on ports that the kernel chooses, to be started by [`World::start_as`].
    #[must_use]
    pub fn dev(&self) -> Command {
        let mut command = self.countersignd("dev");
        command.args(["--listen", "127.0.0.1:0", "--web", "127.0.0.1:0", "--directory"]).arg(self.place());
        command.env(ready::VARIABLE, self.ready.path());
        command
    }

    fn surround(&self, command: &mut Command) {
        command.current_dir(self.scratch());
        if let Some(token) = &self.token {
            let (name, value) = token.environment();
            command.env(name, value);
        }
    }

    /// Starts the daemon and waits until it says that it is ready.
    ///
    /// # Panics
    /// If it does not come to that, with what it said.
    pub fn start(&mut self) {
        self.start_as(self.daemon()).unwrap_or_else(|why| panic!("{why}"));
    }

    /// Starts it by another command and waits until it is ready.
    ///
    /// # Errors
    /// How it ended instead, with what it said: for tests that kill it on the way.
    pub fn start_as(&mut self, command: Command) -> Result<(), String> {
        assert!(self.daemon.is_none(), "it runs already");
        let mut daemon = Process::start(command);
        let outcome = self.ready.wait_or_end("READY=1", &mut daemon, PATIENCE);
        let outcome = outcome.map_err(|why| format!("{why}; it said:\n{}", daemon.said()));
        self.daemon = Some(daemon);
        outcome
    }

    /// The running daemon.
    ///
    /// # Panics
    /// If it was not started.
    pub fn process(&mut self) -> &mut Process {
        self.daemon.as_mut().expect("it was started")
    }

    /// Resident memory of the running daemon in KiB, and its open descriptors.
    ///
    /// # Panics
    /// If it was not started, or has ended.
    pub fn size(&mut self) -> (u64, usize) {
        let process = format!("/proc/{}", self.process().number());
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let memory = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        (memory, std::fs::read_dir(format!("{process}/fd")).unwrap().count())
    }

    /// Hands the process over, for a test that ends it in its own way; the world can then start another.
    pub fn release(&mut self) -> Process {
        self.daemon.take().expect("it was started")
    }

    /// Asks it to end (`SIGTERM`), and waits.
    pub fn stop(&mut self) -> ExitStatus {
        let mut daemon = self.release();
        daemon.signal(Signal::TERM);
        daemon.ended(PATIENCE)
    }

    /// `kill -9`, and waits until it and all that shares its output is gone.
    pub fn kill(&mut self) -> ExitStatus {
        let mut daemon = self.release();
        let status = daemon.kill();
        daemon.silent(PATIENCE);
        status
    }

    /// The daemon's own children, the PKCS#11 hosts: handles that name them and nothing else.
    ///
    /// # Panics
    /// If the daemon does not run.
    #[must_use]
    pub fn hosts(&self) -> Vec<OwnedFd> {
        let daemon = self.daemon.as_ref().expect("it was started").number();
        let children = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children"));
        let tasks = std::fs::read_dir(format!("/proc/{daemon}/task")).unwrap();
        let children: Vec<String> = tasks.filter_map(|task| children(task.unwrap()).ok()).collect();
        let numbers = children.iter().flat_map(|line| line.split_whitespace());
        numbers
            .filter_map(|number| Pid::from_raw(number.parse().unwrap()))
            .filter_map(|host| pidfd_open(host, PidfdFlags::empty()).ok())
            .collect()
    }

    /// The address of the network listener.
    ///
    /// # Panics
    /// If the daemon has not written where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        format!("https://{}", self.written("network"))
    }

    /// Host and port of metrics and tiles.
    ///
    /// # Panics
    /// If the daemon has not written where it listens.
    #[must_use]
    pub fn web(&self) -> String {
        self.written("web")
    }

    fn written(&self, name: &str) -> String {
        let path = self.state().join("run/addresses.json");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let addresses: serde_json::Value = serde_json::from_str(&text).unwrap();
        addresses[name].as_str().unwrap().to_owned()
    }

    /// How the first client, whose certificate `init` has made, reaches it.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let here = Partial::from_flags([
            (Setting::Address, Some(self.address())),
            (Setting::State, Some(self.scratch().join("client").display().to_string())),
        ]);
        let file = file::read(&self.place().join("client.toml")).unwrap();
        Settings::settle(&[here, file]).unwrap()
    }

    /// The address of the local socket, where whoever runs the test is the caller.
    ///
    /// # Panics
    /// If the daemon has not written where it listens.
    #[must_use]
    pub fn socket(&self) -> String {
        format!("unix:{}", self.written("local"))
    }

    /// A fresh connection through the local socket. Needs a runtime around it.
    #[must_use]
    pub fn local(&self) -> Channel {
        let here = Partial::from_flags([
            (Setting::Address, Some(self.socket())),
            (Setting::State, Some(self.scratch().join("client").display().to_string())),
        ]);
        channel(&Settings::settle(&[here]).unwrap()).unwrap()
    }

    /// A fresh connection of the first client. Needs a runtime around it.
    #[must_use]
    pub fn channel(&self) -> Channel {
        channel(&self.settings()).unwrap()
    }

    /// A command of the client's command line, as the first client.
    #[must_use]
    pub fn countersign(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("countersign"));
        command.args(arguments).current_dir(self.scratch());
        command.env(file::VARIABLE, self.place().join("client.toml"));
        command.env(Setting::Address.variable(), self.address());
        command.env(Setting::State.variable(), self.scratch().join("client"));
        command
    }

    /// Runs a command of the client's command line to its end: exit code, standard output, standard error.
    ///
    /// # Panics
    /// If it was killed.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.countersign(arguments).stdin(std::process::Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    /// Runs it and expects it to succeed. Returns its standard output.
    ///
    /// # Panics
    /// If it fails, with what it said.
    pub fn done(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(arguments);
        assert_eq!(code, 0, "countersign {arguments:?}:\n{out}{err}");
        out
    }

    /// The log as it lies on the disk.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger::read(&self.state())
    }
}
