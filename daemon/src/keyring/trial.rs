//! A rehearsal instance in a directory of its own, for tests: log, policy, software keys.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ceremonies::cast::{Beginning, Begun, Cast};
use ceremonies::genesis::Mode;
use proto::algorithm::Algorithm;
use proto::key_id::KeyId;
use proto::purpose::Purpose;
use proto::record::{Actor, ActorKind, Arrived};
use proto::time::Time;

use super::Keyring;
use crate::backend::software::{self, Admission, Software};
use crate::backend::{Backend, Deadline, GenerateSpec};
use crate::clock::{Clock, Monotonic, SystemClock};
use crate::keys::fold::State;
use crate::keys::trial;
use crate::log::{self, AnchorPlace, ControlDraft, Fresh, Log, LogKey, Settings, Signers};

const ORIGIN: &str = "rehearsal.log.example";

/// The instance. Its one backend is called `soft`.
pub(crate) struct Trial {
    pub(crate) log: Log,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The same clock, to be set.
    pub(crate) stepped: Arc<Stepped>,
    backend: Arc<Software>,
    directory: tempfile::TempDir,
}

/// A grant of everything to whoever runs the test.
pub(crate) fn everything() -> String {
    let uid = rustix::process::getuid().as_raw();
    format!(
        "@id(\"operator\")\npermit (principal == Caller::\"unix:{uid}\", action, resource);\n\
         @id(\"operator-invites\")\npermit (principal == Caller::\"unix:{uid}\", action == Action::\"invite\", resource);\n"
    )
}

fn actor() -> Actor {
    Actor { id: "unix:0".into(), kind: ActorKind::Operator }
}

fn begin(directory: &Path, key: &LogKey, leaves: &str, grants: &str, clock: &dyn Clock) -> Settings {
    let guardrails = format!("[log]\nleaves = \"{leaves}\"\n");
    std::fs::write(directory.join("guardrails.toml"), &guardrails).unwrap();
    std::fs::write(directory.join("grants.cedar"), grants).unwrap();
    let begun = Trial::cast().begin(Beginning {
        allow_software_backend: false,
        at: clock.wall(),
        environment: &"test".parse().unwrap(),
        grants,
        guardrails: &guardrails,
        instance: &"signing.example.org".parse().unwrap(),
        log_key: &key.verifier().to_string().parse().unwrap(),
        origin: &ORIGIN.parse().unwrap(),
    });
    let Begun { genesis, documents } = begun.unwrap();
    std::fs::create_dir(directory.join("state")).unwrap();
    let anchor = AnchorPlace::File(directory.join("anchor"));
    let mut settings = Settings::new(directory.join("state"), vec![anchor]);
    settings.limits.reserve = 0;
    // On a busy machine the record of a stop may be late; tests are not about that.
    settings.limits.stop_patience = Duration::from_secs(60);
    let fresh = Fresh::at(genesis.statement().common().not_before).unwrap();
    let statement = genesis.statement().to_value();
    let first = ControlDraft::genesis(fresh, actor(), statement, documents).unwrap();
    log::create(&settings, key, vec![first]).unwrap();
    settings
}

/// The machine's clock, whose wall time somebody may set.
pub(crate) struct Stepped {
    system: SystemClock,
    by: Mutex<i64>,
}

impl Stepped {
    /// Sets the wall clock so many seconds ahead of what it would be, or behind.
    pub(crate) fn set(&self, seconds: i64) {
        *self.by.lock().unwrap() = seconds * 1_000_000;
    }
}

impl Clock for Stepped {
    fn wall(&self) -> Time {
        Time::from_microseconds(self.system.wall().microseconds() + *self.by.lock().unwrap())
    }

    fn monotonic(&self) -> Monotonic {
        self.system.monotonic()
    }
}

impl Trial {
    /// An instance with these grants, whose guardrails say that leaves are `private` or `public`.
    pub(crate) async fn new(leaves: &str, grants: &str) -> Self {
        let stepped = Arc::new(Stepped { system: SystemClock::start(), by: Mutex::default() });
        Self::with(leaves, grants, Arc::clone(&stepped) as Arc<dyn Clock>, stepped).await
    }

    /// The same by this clock.
    pub(crate) async fn at(leaves: &str, grants: &str, clock: Arc<dyn Clock>) -> Self {
        let nobodys = Arc::new(Stepped { system: SystemClock::start(), by: Mutex::default() });
        Self::with(leaves, grants, clock, nobodys).await
    }

    async fn with(leaves: &str, grants: &str, clock: Arc<dyn Clock>, stepped: Arc<Stepped>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = || LogKey::from_seed(ORIGIN, &[7; 32]).unwrap();
        let settings = begin(directory.path(), &key(), leaves, grants, clock.as_ref());
        let signers = Signers::new(key(), Some(Self::next_log_key())).unwrap();
        let opened = log::open(settings, Arc::clone(&clock), signers).unwrap();
        let mut history = opened.history.iter();
        let genesis = history.next().unwrap();
        let mut state = State::genesis(genesis.hash, &genesis.record, genesis.detail.as_deref()).unwrap();
        for control in history {
            state.apply(control.index, control.hash, &control.record, control.detail.as_deref()).unwrap();
        }
        let identity = directory.path().join("identity");
        software::create_identity(&identity).unwrap();
        let text = format!("identity = {{ file = \"{}\" }}", identity.display());
        let backend = Software::open(
            "soft",
            &toml::from_str(&text).unwrap(),
            Admission::Admitted,
            directory.path().join("keys"),
            Arc::clone(&clock),
        )
        .unwrap();
        let backend = Arc::new(backend);
        let backends = [("soft".to_owned(), Arc::clone(&backend) as Arc<dyn Backend>)].into();
        let keyring = Keyring::new(state, backends, Arc::clone(&clock));
        tokio::spawn(super::follow(Arc::clone(&keyring), opened.controls));
        let loaded =
            super::load(&directory.path().join("guardrails.toml"), &directory.path().join("grants.cedar"))
                .unwrap();
        keyring.adopt(&opened.log, loaded, None).await.unwrap();
        Self { log: opened.log, keyring, clock, stepped, backend, directory }
    }

    /// The state directory.
    pub(crate) fn state(&self) -> std::path::PathBuf {
        self.directory.path().join("state")
    }

    /// Its one backend.
    pub(crate) fn backend(&self) -> &Arc<Software> {
        &self.backend
    }

    /// The key of the log that may follow the first one.
    pub(crate) fn next_log_key() -> LogKey {
        LogKey::from_seed(ORIGIN, &[8; 32]).unwrap()
    }

    /// The people of the instance, with their keys.
    pub(crate) fn cast() -> Cast {
        Cast::new([9; 32], Mode::Rehearsal)
    }

    /// Makes a key for blobs, and lets a ceremony bring it.
    pub(crate) async fn bring(&self, name: &str) -> u64 {
        let algorithm = Algorithm::EcdsaP256Sha256;
        let spec = GenerateSpec { algorithm, label: String::new(), id: vec![1] };
        let made = self.backend.generate(spec, Deadline(Monotonic::from_start(Duration::MAX)));
        let made = made.await.unwrap();
        let public_key = made.public_key.spki().to_vec();
        let arrived = Arrived {
            algorithm,
            backend: "soft".into(),
            key: name.parse().unwrap(),
            key_id: KeyId::of_spki(&public_key),
            locator: made.locator.to_string(),
            owner: "team".into(),
            public_key,
            purpose: Purpose::new(["blob".parse().unwrap()]).unwrap(),
            serial: None,
            version: 1,
        };
        let guardrails = std::fs::read_to_string(self.directory.path().join("guardrails.toml")).unwrap();
        let snapshot = self.keyring.snapshot();
        let (first, at) = (self.log.head().size, self.clock.wall());
        let mut index = 0;
        for (body, detail) in trial::birth(snapshot.state(), &Self::cast(), &guardrails, &arrived, first, at)
        {
            let fresh = Fresh::at(self.clock.wall()).unwrap();
            let draft = ControlDraft { detail, ..ControlDraft::new(fresh, actor(), body) };
            index = self.log.control(draft).await.unwrap().index;
        }
        self.keyring.at_least(index).await;
        self.keyring.open_all().await;
        index
    }
}
