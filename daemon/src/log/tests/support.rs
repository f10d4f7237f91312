//! A log in a directory of its own, and the things that go into it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use proto::algorithm::{Algorithm, HashAlgorithm};
use proto::digest::{Digest, Digests};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::operation::OperationId;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::inclusion;
use proto::purpose::Kind;
use proto::record::ceremony::{Completed, Effect};
use proto::record::kind::SignTag;
use proto::record::{
    Actor, ActorKind, Body, Ceremony, Outcome, SignRecord, SignatureEntry, Signed, StopTarget, Times,
};
use proto::term::Term;

use crate::clock::{Clock, ManualClock};
use crate::log::*;

pub(super) const ORIGIN: &str = "rehearsal.log.example";

/// A place for a log.
pub(super) struct Site {
    pub(super) directory: tempfile::TempDir,
    pub(super) settings: Settings,
    pub(super) clock: Arc<ManualClock>,
    operations: AtomicU64,
}

/// Every commit is held back until this is let go.
pub(super) struct HeldBack {
    go: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl HeldBack {
    pub(super) fn let_go(self) {
        self.go.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

impl Site {
    /// Another thread holds every commit back from now on.
    pub(super) async fn hold_back(&self) -> HeldBack {
        let faults = Arc::clone(&self.settings.faults);
        let (go, held) = std::sync::mpsc::channel::<()>();
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let holding = move || {
            let _slow = faults.slow.lock().unwrap();
            ready.send(()).unwrap();
            held.recv().unwrap();
        };
        let thread = std::thread::Builder::new().spawn(holding).unwrap();
        is_ready.await.unwrap();
        HeldBack { go, thread }
    }

    /// How many commits were begun.
    pub(super) fn commits(&self) -> u64 {
        self.settings.faults.commits.load(Ordering::SeqCst)
    }

    /// A place with a new log in it.
    pub(super) fn new() -> Self {
        let site = Self::empty();
        create(&site.settings, &site.key(), vec![site.control(genesis(), vec![])]).unwrap();
        site
    }

    /// One whose stops wait for their record however long a busy machine takes: the usual bound is for a log that stands
    /// still.
    pub(super) fn unhurried() -> Self {
        let mut site = Self::new();
        site.settings.limits.stop_patience = std::time::Duration::from_secs(60);
        site
    }

    pub(super) fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let anchor = AnchorPlace::File(directory.path().join("anchor"));
        let mut settings = Settings::new(state, vec![anchor]);
        settings.limits.reserve = 0;
        Self { directory, settings, clock: Arc::default(), operations: AtomicU64::new(1) }
    }

    pub(super) fn key(&self) -> LogKey {
        LogKey::from_seed(ORIGIN, &[7; 32]).unwrap()
    }

    /// The key that may follow.
    pub(super) fn next(&self) -> LogKey {
        LogKey::from_seed(ORIGIN, &[8; 32]).unwrap()
    }

    /// Opens it with these keys.
    pub(super) fn open_with(&self, key: LogKey, next: Option<LogKey>) -> Result<Opened, LoadError> {
        open(self.settings.clone(), self.clock.clone(), Signers::new(key, next).unwrap())
    }

    /// The completion by which the next key follows.
    pub(super) fn rekey(&self) -> ControlDraft {
        let (key, replaces) = (self.next().verifier().clone(), self.key().verifier().clone());
        let completed = Completed {
            ceremony: "a7".repeat(16).parse().unwrap(),
            effect: Effect::LogKey { key, replaces },
            manifest: Hash::of(b"manifest"),
            outputs: Hash::of(b"outputs"),
            statement: Hash::of(b"statement"),
        };
        self.control(Body::Ceremony(Ceremony::Completed(Box::new(completed))), vec![])
    }

    pub(super) fn open(&self) -> Opened {
        self.try_open().unwrap()
    }

    pub(super) fn try_open(&self) -> Result<Opened, LoadError> {
        open(self.settings.clone(), self.clock.clone(), self.key())
    }

    /// The files as `kill -9` would leave them now, in a place of their own.
    pub(super) fn killed(&self) -> Self {
        let other = Self::empty();
        for name in ["log.db", "log.db-wal"] {
            copy(&self.state().join(name), &other.state().join(name));
        }
        for suffix in ["", ".stops", ".presented"] {
            let name = format!("anchor{suffix}");
            copy(&self.directory.path().join(&name), &other.directory.path().join(&name));
        }
        other.operations.store(self.operations.load(Ordering::Relaxed) + 1_000_000, Ordering::Relaxed);
        other
    }

    /// What is wrong with the log.
    pub(super) fn refused(&self) -> String {
        let error = self.try_open().unwrap_err();
        assert!(error.needs_a_person(), "{error}");
        error.to_string()
    }

    pub(super) fn anchor(&self) -> PathBuf {
        self.directory.path().join("anchor")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.settings.state_directory.clone()
    }

    pub(super) fn operation(&self) -> OperationId {
        let n = self.operations.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        random[2..].copy_from_slice(&n.to_be_bytes());
        OperationId::new(self.clock.wall().milliseconds(), random)
    }

    pub(super) fn control(&self, body: Body, stops: Vec<Term>) -> ControlDraft {
        ControlDraft {
            operation: self.operation(),
            actor: Actor { id: "unix:0".into(), kind: ActorKind::Operator },
            body,
            stops,
            lifts: vec![],
            touches: vec![],
            detail: Some(br#"{"reason":"test"}"#.to_vec()),
            follows: None,
            asked: self.clock.wall(),
        }
    }

    pub(super) fn stop_of(&self, name: &str) -> ControlDraft {
        let key: proto::name::KeyName = name.parse().unwrap();
        self.control(Body::Stopped { act: None, target: StopTarget::Key(key.clone()) }, vec![Term::Key(key)])
    }

    /// A record of one signature that is not made yet.
    pub(super) fn record(&self, key: &str, operation: OperationId, detail: &[u8]) -> SignRecord {
        SignRecord {
            detail: Hash::of(detail),
            key: key.parse().unwrap(),
            kind: SignTag::Tag,
            number: None,
            operation,
            signatures: vec![SignatureEntry {
                algorithm: Algorithm::Ed25519,
                key_id: KeyId::of_spki(key.as_bytes()),
                outcome: Outcome::Unknown,
                reason: None,
                sha256: None,
                value: None,
                version: 1,
            }],
            signed: Signed {
                digests: Digests::new(vec![Digest::of(HashAlgorithm::Sha256, operation.as_bytes())]).unwrap(),
                kind: Kind::Blob,
                subjects: vec![],
            },
            time: Times::asked(self.clock.wall()),
            v: 0,
        }
    }

    pub(super) fn detail(&self, request: Option<&str>) -> Bytes {
        let request = request.map(|id| format!(r#","request":"{id}""#)).unwrap_or_default();
        format!(
            r#"{{"caller":{{"id":"unix:1000","kind":"unix"}}{request},"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}}"#
        )
        .into()
    }

    pub(super) fn draft(&self, key: &str, request: Option<&str>) -> IntentDraft {
        let operation = self.operation();
        let detail = self.detail(request);
        IntentDraft {
            operation,
            caller: "unix:1000".into(),
            request: request.map(request_key),
            record: self.record(key, operation, &detail),
            detail,
            patience: Duration::ZERO,
        }
    }

    /// The seal of an intent: signed, and nothing in its way.
    pub(super) fn seal(&self, intent: Intent, key: &str, saw: u64) -> Seal {
        let detail = self.detail(None);
        let mut record = self.record(key, intent.operation(), &detail);
        record.number = Some(intent.number());
        Seal {
            operation: intent.operation(),
            request: None,
            requires: vec![requires(key)],
            saw,
            released: signed(record),
            detail,
            patience: Duration::ZERO,
            intent: Some(intent),
        }
    }

    /// The seal of a key whose signatures exist nowhere else.
    pub(super) fn software(&self, key: &str, request: Option<&str>, saw: u64) -> Seal {
        let operation = self.operation();
        let detail = self.detail(request);
        Seal {
            intent: None,
            operation,
            request: request.map(|id| ("unix:1000".into(), request_key(id))),
            requires: vec![requires(key)],
            saw,
            released: signed(self.record(key, operation, &detail)),
            detail,
            patience: Duration::ZERO,
        }
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    if from.exists() {
        std::fs::copy(from, to).unwrap();
    }
}

pub(super) async fn until(log: &Log, wanted: impl Fn(&LogHealth) -> bool) -> LogHealth {
    let mut health = log.health();
    let found =
        tokio::time::timeout(std::time::Duration::from_secs(30), health.wait_for(|health| wanted(health)));
    found.await.expect("the health does not come").unwrap().clone()
}

pub(super) fn genesis() -> Body {
    let log_key = LogKey::from_seed(ORIGIN, &[7; 32]).unwrap().verifier().to_string();
    let target = serde_json::json!({ "log_key": log_key });
    Body::Genesis {
        statement: serde_json::json!({"instance": "test", "mode": "rehearsal", "target": target}),
    }
}

pub(super) fn request_key(id: &str) -> RequestKey {
    RequestKey { id: id.into(), input: Hash::of(b"input") }
}

pub(super) fn requires(key: &str) -> Requires {
    Requires {
        terms: [Term::Key(key.parse().unwrap()), Term::Caller("unix:1000".into())].into(),
        not_after: None,
    }
}

pub(super) fn signed(mut record: SignRecord) -> Arc<SignRecord> {
    for entry in &mut record.signatures {
        entry.outcome = Outcome::Released;
        entry.value = Some(record.operation.as_bytes().to_vec().into());
    }
    Arc::new(record)
}

pub(super) async fn intend(log: &Log, draft: IntentDraft) -> Intent {
    match log.intend(vec![draft], None).await.pop().unwrap().unwrap() {
        Intended::Intent(intent) => intent,
        Intended::Replay(earlier) => panic!("replayed {earlier:?}"),
    }
}

pub(super) async fn seal(log: &Log, seal: Seal) -> Sealed {
    log.seal(vec![seal]).await.pop().unwrap().unwrap()
}

pub(super) async fn released(log: &Log, what: Seal) -> Released {
    match seal(log, what).await {
        Sealed::Released(released) => *released,
        other => panic!("not released: {other:?}"),
    }
}

pub(super) fn check(site: &Site, released: &Released) {
    let checkpoint = Checkpoint::verify(&released.checkpoint, site.key().verifier()).unwrap();
    assert_eq!(checkpoint.size, released.size);
    inclusion::verify(&released.leaf_hash, released.index, released.size, &released.path, &checkpoint.root)
        .unwrap();
}

/// Every leaf, read.
pub(super) async fn leaves(log: &Log) -> Vec<proto::record::Record> {
    let mut all = Vec::new();
    loop {
        let page = log.records(all.len() as u64, u64::MAX).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page.iter().map(|record| proto::record::Record::parse(&record.leaf).unwrap()));
    }
}
