//! The real daemon: a rehearsal instance in a directory of its own, made and started as a person would.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use softhsm::{Shape, Token, Wire};
use tests::process::Process;
use tests::ready::{self, Ready};

use crate::arguments::Raw;
use crate::load::Target;
use crate::pki::Identity;
use crate::prefill;

/// How long a start, a stop or a ceremony may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Grants in force besides those of the first client.
const GRANTS: usize = 998;

/// Each way, on the model of an HSM behind a network.
pub const WIRE: Duration = Duration::from_millis(1);

/// Sessions of the local token: as many as cores are usual for a token that computes here.
pub const NEAR_SESSIONS: usize = 2;

/// Sessions of the token behind the wire.
pub const FAR_SESSIONS: usize = 8;

/// Keys of the bench, by what is behind them.
pub const SOFT: &str = "bench/soft";
/// Verifies every signature.
pub const STRICT: &str = "bench/strict";
/// In SoftHSM.
pub const NEAR: &str = "bench/near";
/// In SoftHSM behind the wire.
pub const FAR: &str = "bench/far";

/// The first client's SPIFFE ID.
const FIRST: &str = "spiffe://countersign.example.org/client/first";

/// A SoftHSM token with two keys, and a slow wire in front of it.
#[derive(Debug)]
pub struct Hsm {
    token: Token,
    wire: Wire,
}

impl Hsm {
    /// A fresh one.
    pub fn create() -> Self {
        let token = Token::create().unwrap();
        token.generate("near", &[1], Shape::P256).unwrap();
        token.generate("far", &[2], Shape::P256).unwrap();
        let wire = Wire::build(token.directory(), token.module()).unwrap();
        wire.delay(WIRE).unwrap();
        Self { token, wire }
    }

    /// The raw loop on the token itself, or behind the wire.
    pub fn raw(&self, far: bool, sessions: usize, seconds: f64) -> crate::raw::Reached {
        let (module, object) =
            if far { (self.wire.module(), "far") } else { (self.token.module().to_owned(), "near") };
        let raw = Raw {
            module,
            token: self.token.label().to_owned(),
            pin_file: self.token.pin_file(),
            object: object.to_owned(),
            sessions,
            seconds,
        };
        crate::raw::measure(&raw, self.token.environment())
    }
}

/// An instance, and its daemon while that runs.
#[derive(Debug)]
pub struct Instance {
    directory: PathBuf,
    program: PathBuf,
    environment: Option<(String, String)>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Process,
    address: SocketAddr,
}

impl Instance {
    /// Makes it: one software key, or one on every backend if there is an HSM.
    pub fn make(program: &Path, directory: &Path, hsm: Option<&Hsm>) -> Self {
        let environment = hsm.map(|hsm| hsm.token.environment());
        let instance = Self { environment, ..Self::begin(program, directory) };
        instance.configure(hsm);
        instance.limit();
        instance.grant();
        instance.born(SOFT, "software", None);
        if let Some(hsm) = hsm {
            instance.born(STRICT, "strict", None);
            instance.born(NEAR, "near", Some(hsm.token.key_uri("near")));
            instance.born(FAR, "far", Some(hsm.token.key_uri("far")));
        }
        instance
    }

    /// One as `init` makes it, without keys and with the rules that it comes with.
    pub fn begin(program: &Path, directory: &Path) -> Self {
        let (directory, program) = (directory.to_owned(), program.to_owned());
        let instance = Self { directory, program, environment: None, running: None };
        let mut init = instance.command();
        init.args(["init", "--rehearsal", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0", "--directory"]);
        init.arg(instance.directory());
        let _said = Process::output(init);
        instance
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some((name, value)) = &self.environment {
            command.env(name, value);
        }
        command
    }

    fn config(&self) -> PathBuf {
        self.directory.join("countersignd.toml")
    }

    fn configure(&self, hsm: Option<&Hsm>) {
        use std::fmt::Write as _;
        let mut text = std::fs::read_to_string(self.config()).unwrap();
        let Some(hsm) = hsm else { return };
        let identity = self.directory.join("state/software.identity");
        write!(
            text,
            "\n[backend.strict]\nkind = \"software\"\nidentity = {{ file = {identity:?} }}\nverify = \"every\"\n"
        )
        .unwrap();
        let modules = [
            ("near", hsm.token.module().to_owned(), NEAR_SESSIONS),
            ("far", hsm.wire.module(), FAR_SESSIONS),
        ];
        for (name, module, sessions) in modules {
            let (token, pin) = (hsm.token.uri(), hsm.token.pin_file());
            write!(
                text,
                "\n[backend.{name}]\nkind = \"pkcs11\"\nmodule = {module:?}\ntoken = {token:?}\n\
                 pin = {{ file = {pin:?} }}\nsessions = {sessions}\n"
            )
            .unwrap();
        }
        std::fs::write(self.config(), text).unwrap();
    }

    /// Quotas for every caller and key that are never used up, so that they are counted.
    fn limit(&self) {
        let path = self.directory.join("guardrails.toml");
        let mut text = std::fs::read_to_string(&path).unwrap();
        for of in ["caller.\"spiffe://countersign.example.org/*\"", "key.\"bench/*\""] {
            let quota = "rate = \"1000000/s\"\nburst = 1000000\ntotal = 1000000000000\nwindow = \"24h\"";
            text.push_str(&format!("\n[quota.{of}]\n{quota}\n"));
        }
        std::fs::write(path, text).unwrap();
    }

    /// A thousand grants: those of the instance, and those of many teams for keys and kinds of their own.
    fn grant(&self) {
        use std::fmt::Write as _;
        let path = self.directory.join("grants.cedar");
        let mut text = std::fs::read_to_string(&path).unwrap();
        for team in 0..GRANTS - 1 {
            write!(
                text,
                "\n@id(\"team-{team}\")\npermit (principal == Caller::\"spiffe://example.org/team/{team}\", \
                 action == Action::\"sign\", resource == Key::\"team/{team}\")\n\
                 when {{ context.kind == \"oci\" }};\n"
            )
            .unwrap();
        }
        let light = Self::caller("light");
        write!(
            text,
            "\n@id(\"light\")\npermit (principal == Caller::\"{light}\", action == Action::\"sign\", resource);\n"
        )
        .unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Plays the ceremony of a new key, or of one that the token has.
    pub fn born(&self, key: &str, backend: &str, adopted: Option<String>) {
        let mut command = self.command();
        command.args(["rehearse-key", key, "--algorithm", "ecdsa-p256-sha256", "--purpose", "digest"]);
        command.args(["--backend", backend, "--config"]).arg(self.config());
        if let Some(uri) = adopted {
            command.args(["--adopt", &uri]);
        }
        let _said = Process::output(command);
    }

    /// Fills its log. The daemon must not be running.
    pub fn fill(&self, records: u64) {
        prefill::fill(&self.directory, FIRST, SOFT, records);
    }

    /// Starts the daemon; how long until it said that it is ready.
    pub fn start(&mut self) -> Duration {
        let mut command = self.command();
        let ready = Ready::listen(&self.directory);
        command.arg("--config").arg(self.config()).env(ready::VARIABLE, ready.path());
        let begun = Instant::now();
        let mut process = Process::start(command);
        ready.wait("READY=1", &mut process, PATIENCE);
        let took = begun.elapsed();
        let said = std::fs::read(self.directory.join("state/run/addresses.json")).unwrap();
        let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
        let address = said["network"].as_str().unwrap().parse().unwrap();
        self.running = Some(Running { process, address });
        took
    }

    /// Stops the daemon in order.
    pub fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.process.signal(Signal::TERM);
            let status = running.process.ended(PATIENCE);
            assert!(status.success(), "countersignd ended with {status}:\n{}", running.process.said());
        }
    }

    /// The log's public key.
    pub fn log_key(&self) -> proto::proof::note::Verifier {
        std::fs::read_to_string(self.directory.join("log.pub")).unwrap().trim().parse().unwrap()
    }

    /// The daemon's process.
    pub fn process(&self) -> u32 {
        self.running.as_ref().unwrap().process.number()
    }

    /// This key, asked for by the first client.
    pub fn target(&self, key: &str) -> Target {
        self.asked_by("client", key)
    }

    /// This key, asked for by the client of these files.
    pub fn asked_by(&self, client: &str, key: &str) -> Target {
        let running = self.running.as_ref().unwrap();
        Target {
            address: running.address,
            identity: Identity::within(&self.directory.join("tls"), client),
            key: key.to_owned(),
            process: running.process.number(),
        }
    }

    /// Issues a certificate for another caller.
    pub fn invite(&self, name: &str) {
        let authority = "countersign.example.org CA";
        crate::pki::invite(&self.directory.join("tls"), authority, name, &Self::caller(name));
    }

    fn caller(name: &str) -> String {
        format!("spiffe://countersign.example.org/client/{name}")
    }
}
