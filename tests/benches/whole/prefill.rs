//! Fills a log before it is measured: through the log's own writer, in this process, while no daemon runs.
//!
//! The records are those that the daemon would have written for a software key: leaf, detail, request row, tree, tiles,
//! checkpoints, index. Only the signatures in them are none.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use daemon::clock::{Clock, SystemClock};
use daemon::log::{AnchorPlace, Log, LogKey, RequestKey, Requires, Seal, Sealed, Settings};
use proto::algorithm::{Algorithm, HashAlgorithm};
use proto::canonical::Map;
use proto::digest::{Digest, Digests};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::operation::OperationId;
use proto::purpose::Kind;
use proto::record::kind::SignTag;
use proto::record::{
    CallerDetail, Detail, Outcome, PolicyDetail, SignRecord, SignatureEntry, Signed, Times, VERSION,
};
use proto::term::Term;
use proto::time::Time;
use tokio::task::JoinSet;

/// Records of one commit.
const BATCH: u64 = 512;

/// Commits on their way at a time.
const AHEAD: usize = 4;

/// How long the index may take to catch up.
const INDEX: Duration = Duration::from_secs(600);

/// The digest of the so-manieth record: what a search can look for. Commits may change places, so its index may differ.
pub fn digest_of(index: u64) -> Hash {
    Hash::of(&index.to_le_bytes())
}

/// Appends until the log of this instance holds `records`.
pub fn fill(instance: &Path, caller: &str, key: &str, records: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Arc::new(SystemClock::start());
        let settings = Settings::new(
            instance.join("state"),
            vec![AnchorPlace::File(instance.join("anchor/countersign.anchor"))],
        );
        let opened = daemon::log::open(settings, clock.clone(), log_key(instance)).unwrap();
        let log = opened.log;
        let model = Model { caller: caller.into(), key: key.to_owned(), saw: log.head().control.0 };
        let mut next = log.head().size;
        let mut commits = JoinSet::new();
        while next < records || !commits.is_empty() {
            if next < records && commits.len() < AHEAD {
                let end = (next + BATCH).min(records);
                let (log, model, clock) = (log.clone(), model.clone(), clock.clone());
                commits.spawn(async move { commit(&log, &model, next..end, clock.wall()).await });
                next = end;
            } else {
                commits.join_next().await.unwrap().unwrap();
            }
        }
        let size = log.head().size;
        assert_eq!(size, records, "the log has another size than was asked for");
        log.indexed(size, INDEX).await.unwrap();
        log.close().await;
    });
}

/// The instance's log key: `PRIVATE+KEY+<origin>+<hash>+<base64 of 1 and the seed>`.
fn log_key(instance: &Path) -> LogKey {
    let text = std::fs::read_to_string(instance.join("state/log.key")).unwrap();
    let mut parts = text.trim().strip_prefix("PRIVATE+KEY+").unwrap().splitn(3, '+');
    let (origin, _hash, data) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let data = STANDARD.decode(data).unwrap();
    LogKey::from_seed(origin, &data[1..]).unwrap()
}

/// What all records have in common.
#[derive(Clone)]
struct Model {
    caller: Arc<str>,
    key: String,
    saw: u64,
}

async fn commit(log: &Log, model: &Model, indices: std::ops::Range<u64>, now: Time) {
    let seals = indices.map(|index| model.seal(index, now)).collect();
    for sealed in log.seal(seals).await {
        assert!(
            matches!(sealed.unwrap(), Sealed::Released(_)),
            "a record of the pre-filled log was not released"
        );
    }
}

impl Model {
    fn seal(&self, index: u64, now: Time) -> Seal {
        let digest = digest_of(index);
        let mut random = [0; 10];
        random.copy_from_slice(&digest.as_bytes()[..10]);
        let operation = OperationId::new(now.milliseconds(), random);
        let key_id = KeyId::of_spki(self.key.as_bytes());
        let (detail, name) = self.detail(operation, digest).encode().unwrap();
        let released = SignRecord {
            detail: name,
            key: self.key.parse().unwrap(),
            kind: SignTag::Tag,
            number: None,
            operation,
            signatures: vec![SignatureEntry {
                algorithm: Algorithm::EcdsaP256Sha256,
                key_id,
                outcome: Outcome::Released,
                reason: None,
                sha256: None,
                value: Some([digest.as_bytes().as_slice(), name.as_bytes()].concat().into()),
                version: 1,
            }],
            signed: Signed {
                digests: Digests::new(vec![Digest::new(HashAlgorithm::Sha256, digest.as_bytes()).unwrap()])
                    .unwrap(),
                kind: Kind::Digest,
                subjects: Vec::new(),
            },
            time: Times::asked(now),
            v: VERSION,
        };
        let terms = [
            Term::Key(released.key.clone()),
            Term::KeyId(key_id),
            Term::Caller(self.caller.to_string()),
            Term::Backend("software".to_owned()),
        ];
        let request = RequestKey { id: operation.to_string(), input: digest };
        Seal {
            intent: None,
            operation,
            request: Some((Arc::clone(&self.caller), request)),
            requires: vec![Requires { terms: terms.into(), not_after: None }],
            saw: self.saw,
            released: Arc::new(released),
            detail: detail.into(),
            patience: Duration::ZERO,
        }
    }

    fn detail(&self, operation: OperationId, digest: Hash) -> Detail {
        let mut salt = [0; 16];
        salt.copy_from_slice(&digest.as_bytes()[16..]);
        Detail {
            annotations: Map::default(),
            backend: Some("software".to_owned()),
            caller: CallerDetail {
                claims: Map::default(),
                id: self.caller.to_string(),
                kind: "spiffe".to_owned(),
            },
            policy: Some(PolicyDetail { grants: 0, guardrails: 0, rule: "first-client".to_owned() }),
            repository: None,
            request: Some(operation.to_string()),
            salt: salt.into(),
            subjects: Vec::new(),
        }
    }
}
