//! An instance to show things with: a SoftHSM token, a state directory, a daemon that runs on them, and seven people whose
//! throw-away keys lie beside it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use softhsm::Token;

use crate::run;

/// Names the directory of programs that are fresh: the tests have built them.
const BUILT: &str = "COUNTERSIGN_BINARIES";

/// Builds the daemon and the client, unless whoever started this has done so.
pub fn build() -> Result<(), String> {
    if std::env::var_os(BUILT).is_some() {
        return Ok(());
    }
    run::shown(run::cargo(&["build", "--package", "daemon", "--package", "client"]))
}

/// An instance on disk.
pub struct Instance {
    directory: PathBuf,
    token: Token,
    binaries: PathBuf,
}

/// An instance that runs. Dropping it ends the daemon: a demo that fails half-way leaves nothing running.
pub struct Running {
    child: Option<Child>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself, which is as good.
            let _ended = child.kill().and_then(|()| child.wait());
        }
    }
}

impl Instance {
    /// Makes the token, in a directory that must be empty or not there. Nothing is in it yet.
    pub fn make(directory: &Path) -> Result<Self, String> {
        let cannot = |e: std::io::Error| format!("cannot make {}: {e}", directory.display());
        std::fs::create_dir_all(directory).map_err(cannot)?;
        if std::fs::read_dir(directory).map_err(cannot)?.next().is_some() {
            return Err(format!(
                "{} is not empty: name a directory that is empty or not there",
                directory.display()
            ));
        }
        let token = Token::create_in(&directory.join("token"), "rehearsal-demo", "1234")
            .map_err(|e| e.to_string())?;
        println!("token {} with serial {}", token.label(), token.serial());
        Ok(Self { directory: directory.to_owned(), token, binaries: binaries()? })
    }

    /// Makes the instance, with a first key, and runs it: waits until it says that it is ready.
    pub fn start(&self) -> Result<Running, String> {
        let mut command = Command::new(self.binaries.join("countersignd"));
        command.args(["dev", "--directory"]).arg(self.home());
        // The client's configuration names the port, so that it is known before the daemon starts.
        command.args(["--listen", &free_address()?, "--web", &free_address()?]);
        command.arg("--pkcs11").arg(self.token.module()).arg(self.token.uri());
        command.arg("--pin-file").arg(self.token.pin_file());
        let (name, value) = self.token.environment();
        command.arg("--module-environment").arg(format!("{name}={value}"));
        println!("$ {}", run::spelled(&command));
        let log = self.directory.join("daemon.log");
        let file = std::fs::File::create(&log).map_err(|e| format!("cannot make {}: {e}", log.display()))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .map_err(|e| format!("cannot start countersignd: {e}"))?;
        std::fs::write(self.pid_file(), child.id().to_string())
            .map_err(|e| format!("cannot write the pid file: {e}"))?;
        let output = child.stdout.take().expect("its standard output is a pipe");
        for line in BufReader::new(output).lines() {
            let line = line.map_err(|e| format!("cannot read from countersignd: {e}"))?;
            println!("{line}");
            if line.starts_with("ready") {
                let running = Running { child: Some(child) };
                // Where people look first.
                std::fs::copy(self.home().join("client.toml"), self.client_config())
                    .map_err(|e| format!("cannot copy the client's configuration: {e}"))?;
                return Ok(running);
            }
        }
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        Err(format!("countersignd ended before it was ready:\n{said}"))
    }

    /// Where `countersignd dev` has put what it made.
    pub fn home(&self) -> PathBuf {
        self.directory.join("instance")
    }

    /// The client's program.
    pub fn client(&self) -> PathBuf {
        self.binaries.join("countersign")
    }

    /// The client's configuration.
    pub fn client_config(&self) -> PathBuf {
        self.directory.join("client.toml")
    }

    /// Where everything lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The log's public key.
    pub fn log_key(&self) -> PathBuf {
        self.home().join("log.pub")
    }

    /// SHA-256 of the genesis statement, which people have on paper.
    pub fn genesis(&self) -> Result<String, String> {
        let path = self.home().join("genesis.json");
        let statement = std::fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        Ok(proto::hash::Hash::of(&statement).to_string())
    }

    /// Where the daemon's process id is.
    pub fn pid_file(&self) -> PathBuf {
        self.directory.join("countersignd.pid")
    }
}

impl Running {
    /// Leaves the daemon running.
    pub fn leave(mut self) {
        self.child = None;
    }

    /// Asks the daemon to end and waits for it.
    pub fn end(mut self) -> Result<(), String> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let mut kill = Command::new("kill");
        kill.arg(child.id().to_string());
        run::shown(kill)?;
        let status = child.wait().map_err(|e| format!("cannot wait for countersignd: {e}"))?;
        if status.success() { Ok(()) } else { Err(format!("countersignd ended with {status}")) }
    }
}

/// An address on the loopback interface that nobody listens on just now.
fn free_address() -> Result<String, String> {
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    address.map(|address| address.to_string()).map_err(|e| format!("no free port on 127.0.0.1: {e}"))
}

fn binaries() -> Result<PathBuf, String> {
    if let Some(directory) = std::env::var_os(BUILT) {
        return Ok(directory.into());
    }
    // This program lies beside those that cargo has just built.
    let own = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
    own.parent().map(Path::to_owned).ok_or_else(|| "this program has no directory".to_owned())
}
