//! A signing log in memory: leaves, heads, checkpoints and receipts, all of them real.

use std::convert::Infallible;
use std::time::Duration;

use proto::hash::Hash;
use proto::operation::OperationId;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::leaf::{leaf_hash, node_hash};
use proto::proof::note::{Ed25519Signer, NoteSigner};
use proto::proof::receipt::Receipt;
use proto::proof::{inclusion, span};
use proto::record::{Actor, ActorKind, Body, ControlDetail, ControlRecord, Draft, Times};
use proto::time::Time;
use std::collections::BTreeMap;

pub const ORIGIN: &str = "rehearsal.example.org";

/// A log that is written by one hand, a second between records.
#[derive(Clone)]
pub struct Log {
    pub origin: String,
    /// The seeds of its keys, and the size from which each signs; all but the last until the next one begins.
    pub keys: Vec<(u8, u64)>,
    pub leaves: Vec<Vec<u8>>,
    /// Index and leaf hash of the newest control record.
    pub newest: Option<(u64, Hash)>,
    pub control: Vec<u64>,
    pub details: BTreeMap<u64, Vec<u8>>,
    pub now: Time,
    pub untrusted: bool,
}

impl Log {
    pub fn new(origin: &str, now: Time) -> Self {
        Self {
            origin: origin.into(),
            keys: vec![(77, 0)],
            leaves: Vec::new(),
            newest: None,
            control: Vec::new(),
            details: BTreeMap::new(),
            now,
            untrusted: false,
        }
    }

    pub fn signer(&self, seed: u8) -> Ed25519Signer {
        Ed25519Signer::from_seed(&self.origin, &[seed; 32]).unwrap()
    }

    /// The verifier key with this seed.
    pub fn key_of(&self, seed: u8) -> String {
        self.signer(seed).verifier().to_string()
    }

    /// The key in force.
    pub fn log_key(&self) -> String {
        self.key_of(self.seed())
    }

    pub fn seed(&self) -> u8 {
        self.keys[self.keys.len() - 1].0
    }

    /// The record that was written last ends the key, and the one with this seed follows.
    pub fn follows(&mut self, seed: u8) {
        self.keys.push((seed, self.size()));
    }

    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    pub fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        if level == 0 {
            return Ok(leaf_hash(&self.leaves[usize::try_from(index).unwrap()]));
        }
        Ok(node_hash(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?))
    }

    pub fn root(&self, size: u64) -> Hash {
        let Ok(root) = span::root(size, &|level, index| self.node(level, index));
        root
    }

    fn operation(&self) -> OperationId {
        OperationId::new(self.now.milliseconds(), [u8::try_from(self.size() % 256).unwrap(); 10])
    }

    pub fn seal(&mut self, draft: Draft) -> u64 {
        let previous = self.newest.map_or(Hash::ZERO, |(_, hash)| hash);
        let is_control = draft.is_control();
        let leaf = draft.stamp(self.now, self.untrusted, &previous);
        let index = self.size();
        if is_control {
            self.newest = Some((index, leaf_hash(&leaf)));
            self.control.push(index);
        }
        self.leaves.push(leaf);
        self.now = self.now.later(Duration::from_secs(1));
        index
    }

    /// Appends a control record with these documents as its detail; none where there are none.
    pub fn control(&mut self, body: Body, documents: Vec<(&str, String)>) -> u64 {
        self.control_with(body, documents, |_| {})
    }

    pub fn control_with(
        &mut self,
        body: Body,
        documents: Vec<(&str, String)>,
        change: impl FnOnce(&mut ControlRecord),
    ) -> u64 {
        let salt = [u8::try_from(self.size() % 256).unwrap(); 16].into();
        let detail = (!documents.is_empty()).then(|| ControlDetail::with(documents, salt).encode().unwrap());
        let mut record = ControlRecord {
            actor: Actor { id: "countersignd".into(), kind: ActorKind::Daemon },
            body,
            detail: detail.as_ref().map(|(_, name)| *name),
            lifts: vec![],
            operation: self.operation(),
            previous: Hash::ZERO,
            stops: vec![],
            time: Times::asked(self.now),
            touches: vec![],
        };
        change(&mut record);
        let index = self.seal(record.draft().unwrap());
        if let Some((bytes, _)) = detail {
            self.details.insert(index, bytes);
        }
        index
    }

    pub fn checkpoint(&self) -> String {
        let size = self.size();
        let ends = self.keys.iter().skip(1).map(|(_, from)| *from).chain([u64::MAX]);
        let in_force = |((_, from), end): &(&(u8, u64), u64)| *from <= size && size <= *end;
        let by: Vec<u8> = self.keys.iter().zip(ends).filter(in_force).map(|((seed, _), _)| *seed).collect();
        self.checkpoint_by(&by)
    }

    /// The newest head, signed by the keys with these seeds.
    pub fn checkpoint_by(&self, seeds: &[u8]) -> String {
        let size = self.size();
        let checkpoint =
            Checkpoint { origin: self.origin.clone(), size, root: self.root(size), control: self.newest };
        let signers: Vec<Ed25519Signer> = seeds.iter().map(|seed| self.signer(*seed)).collect();
        let signers: Vec<&dyn NoteSigner> = signers.iter().map(|signer| signer as &dyn NoteSigner).collect();
        checkpoint.sign_with(&signers).unwrap()
    }

    pub fn receipt(&self, index: u64) -> String {
        let leaf = self.leaves[usize::try_from(index).unwrap()].clone();
        let Ok(path) = inclusion::path(index, self.size(), &|level, index| self.node(level, index)) else {
            panic!("the record is in the log")
        };
        Receipt { leaf, index, path, checkpoint: self.checkpoint() }.to_string()
    }

    /// Every control record so far.
    pub fn chain(&self) -> Vec<(u64, Vec<u8>)> {
        let leaf = |index: &u64| (*index, self.leaves[usize::try_from(*index).unwrap()].clone());
        self.control.iter().map(leaf).collect()
    }
}

/// A record as it is read, for tests that write another one.
pub fn read(leaf: &[u8]) -> ControlRecord {
    ControlRecord::parse(leaf).unwrap()
}
