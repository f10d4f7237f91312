//! A small log and a key, made anew for each test with the same code that checks them.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

pub mod people;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use proto::algorithm::{Algorithm, HashAlgorithm};
use proto::canonical::Map;
use proto::digest::Digest;
use proto::hash::Hash;
use proto::operation::OperationId;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::encoding::Curve;
use proto::proof::frontier::Frontier;
use proto::proof::keys::LogKeys;
use proto::proof::leaf::leaf_hash;
use proto::proof::note::{Ed25519Signer, NoteSigner, Verifier};
use proto::proof::public_key::PublicKey;
use proto::proof::receipt::Receipt;
use proto::proof::{consistency, inclusion};
use proto::purpose::Kind;
use proto::record::ceremony::{Completed, Effect};
use proto::record::{
    Actor, ActorKind, Body, CallerDetail, Ceremony, ControlRecord, Detail, Draft, Outcome, SignRecord,
    SignatureEntry, Signed, StopTarget, Times,
};
use proto::term::Term;
use proto::time::Time;

use crate::log::line::{FORMAT, Header, Line};

pub const ORIGIN: &str = "rehearsal.example.org";
pub const CALLER: &str = "spiffe://example.org/ci/linux";

/// 2026-11-21T05:00:00Z, and so many seconds later.
pub fn at(seconds: i64) -> Time {
    Time::from_microseconds((1_795_237_200 + seconds) * 1_000_000)
}

/// A P-256 key that signs.
pub struct Key {
    pair: EcdsaKeyPair,
    pub public: PublicKey,
}

impl Key {
    pub fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let public = PublicKey::from_ec_point(Curve::P256, pair.public_key().as_ref()).unwrap();
        Self { pair, public }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

/// An Ed25519 key that signs.
pub fn ed25519(message: &[u8]) -> (PublicKey, Vec<u8>) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let public = PublicKey::from_ed25519(pair.public_key().as_ref().try_into().unwrap()).unwrap();
    (public, pair.sign(message).as_ref().to_vec())
}

/// A log in memory.
pub struct Log {
    pub signer: Ed25519Signer,
    /// The key that ended with the tree of this size.
    pub ended: Option<(Ed25519Signer, u64)>,
    pub ends: Vec<Receipt>,
    pub leaves: Vec<Vec<u8>>,
    pub details: Vec<Option<Vec<u8>>>,
    pub control: Option<(u64, Hash)>,
    clock: i64,
    number: u64,
}

impl Log {
    /// A log with its genesis.
    pub fn new() -> Self {
        let signer = Ed25519Signer::from_seed(ORIGIN, &[1; 32]).unwrap();
        let mut log = Self {
            signer,
            ended: None,
            ends: Vec::new(),
            leaves: Vec::new(),
            details: Vec::new(),
            control: None,
            clock: 0,
            number: 0,
        };
        log.push_control(Body::Genesis { statement: serde_json::json!({ "mode": "rehearsal" }) }, Vec::new());
        log
    }

    pub fn key(&self) -> Verifier {
        self.signer.verifier().clone()
    }

    /// The verifier key with this seed.
    pub fn signer_of(&self, seed: u8) -> Verifier {
        Ed25519Signer::from_seed(ORIGIN, &[seed; 32]).unwrap().verifier().clone()
    }

    /// Its keys, as whoever trusts the first one would follow them.
    pub fn keys(&self) -> LogKeys {
        LogKeys::of_ends(&self.signer_of(1), &self.ends).unwrap()
    }

    /// The log has the key with this seed from now on.
    pub fn rekey(&mut self, seed: u8) -> u64 {
        let next = Ed25519Signer::from_seed(ORIGIN, &[seed; 32]).unwrap();
        let completed = Completed {
            ceremony: "a7".repeat(16).parse().unwrap(),
            effect: Effect::LogKey { key: next.verifier().clone(), replaces: self.key() },
            manifest: Hash::of(b"manifest"),
            outputs: Hash::of(b"outputs"),
            statement: Hash::of(b"statement"),
        };
        let body = Body::Ceremony(Ceremony::Completed(Box::new(completed)));
        let index = self.push_control(body, Vec::new());
        self.ended = Some((std::mem::replace(&mut self.signer, next), index + 1));
        self.ends.push(self.receipt(index));
        index
    }

    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// Lets time pass before the next record.
    pub fn wait(&mut self, seconds: i64) {
        self.clock += seconds;
    }

    /// Leaves a number out.
    pub fn skip_number(&mut self) {
        self.number += 1;
    }

    /// When the next record is sealed.
    pub fn now(&self) -> Time {
        at(self.clock)
    }

    pub fn operation(&self) -> OperationId {
        OperationId::new(
            u64::try_from(at(self.clock).microseconds() / 1_000).unwrap(),
            [u8::try_from(self.leaves.len() % 256).unwrap(); 10],
        )
    }

    pub fn push(&mut self, draft: Draft, detail: Option<Vec<u8>>) -> u64 {
        let previous = self.control.map_or(Hash::ZERO, |(_, hash)| hash);
        let control = draft.is_control();
        let leaf = draft.stamp(at(self.clock), false, &previous);
        let index = self.size();
        if control {
            self.control = Some((index, leaf_hash(&leaf)));
        }
        self.leaves.push(leaf);
        self.details.push(detail);
        self.clock += 1;
        index
    }

    pub fn push_control(&mut self, body: Body, stops: Vec<Term>) -> u64 {
        let record = ControlRecord {
            actor: Actor { id: "unix:0".to_owned(), kind: ActorKind::Operator },
            body,
            detail: None,
            lifts: Vec::new(),
            operation: self.operation(),
            previous: Hash::ZERO,
            stops,
            time: Times::asked(at(self.clock)),
            touches: Vec::new(),
        };
        self.push(record.draft().unwrap(), None)
    }

    pub fn stop(&mut self, key: &str) -> u64 {
        let name: proto::name::KeyName = key.parse().unwrap();
        self.push_control(
            Body::Stopped { act: None, target: StopTarget::Key(name.clone()) },
            vec![Term::Key(name)],
        )
    }

    /// A record of one signature over `bytes`.
    pub fn sign_record(
        &mut self,
        key: &Key,
        bytes: &[u8],
        value: &[u8],
        kind: Kind,
    ) -> (SignRecord, Vec<u8>) {
        self.number += 1;
        let detail = Detail {
            annotations: Map::default(),
            backend: Some("software".to_owned()),
            caller: CallerDetail { claims: Map::default(), id: CALLER.to_owned(), kind: "spiffe".to_owned() },
            policy: None,
            repository: None,
            request: None,
            salt: [7; 16].into(),
            subjects: Vec::new(),
        };
        let (detail, name) = detail.encode().unwrap();
        let record = SignRecord {
            detail: name,
            key: "release/linux".parse().unwrap(),
            kind: serde_json::from_str("\"sign\"").unwrap(),
            number: Some(self.number),
            operation: self.operation(),
            signatures: vec![SignatureEntry {
                algorithm: Algorithm::EcdsaP256Sha256,
                key_id: key.public.key_id(),
                outcome: Outcome::Released,
                reason: None,
                sha256: None,
                value: Some(value.to_vec().into()),
                version: 3,
            }],
            signed: Signed {
                digests: Digest::of(HashAlgorithm::Sha256, bytes).into(),
                kind,
                subjects: Vec::new(),
            },
            time: Times::asked(at(self.clock)),
            v: 0,
        };
        (record, detail)
    }

    /// Signs and records.
    pub fn sign(&mut self, key: &Key, bytes: &[u8]) -> (u64, Vec<u8>) {
        let value = key.sign(bytes);
        let (record, detail) = self.sign_record(key, bytes, &value, Kind::Blob);
        (self.push(record.draft().unwrap(), Some(detail)), value)
    }

    fn frontier(&self, size: u64) -> Frontier {
        let mut frontier = Frontier::new();
        for leaf in &self.leaves[..usize::try_from(size).unwrap()] {
            frontier.push(leaf_hash(leaf));
        }
        frontier
    }

    pub fn root(&self, size: u64) -> Hash {
        self.frontier(size).root()
    }

    fn node(&self, level: u32, index: u64) -> Result<Hash, std::convert::Infallible> {
        let (width, index) = (1_usize << level, usize::try_from(index).unwrap());
        let mut frontier = Frontier::new();
        for leaf in &self.leaves[index * width..(index + 1) * width] {
            frontier.push(leaf_hash(leaf));
        }
        Ok(frontier.root())
    }

    pub fn checkpoint(&self) -> String {
        let root = self.frontier(self.size()).root();
        let said = Checkpoint { origin: ORIGIN.to_owned(), size: self.size(), root, control: self.control };
        match &self.ended {
            Some((old, size)) if *size == self.size() => said.sign_with(&[old, &self.signer]).unwrap(),
            _ => said.sign(&self.signer).unwrap(),
        }
    }

    pub fn path(&self, index: u64) -> Vec<Hash> {
        inclusion::path(index, self.size(), &|level, index| self.node(level, index)).unwrap()
    }

    pub fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        consistency::path(old, new, &|level, index| self.node(level, index)).unwrap()
    }

    pub fn receipt(&self, index: u64) -> Receipt {
        let leaf = self.leaves[usize::try_from(index).unwrap()].clone();
        Receipt { leaf, index, path: self.path(index), checkpoint: self.checkpoint() }
    }

    pub fn header(&self, start: u64, end: u64) -> Header {
        Header {
            format: FORMAT.to_owned(),
            start,
            end,
            frontier: self.frontier(start).nodes(),
            consistency: if end == self.size() { Vec::new() } else { self.consistency(end, self.size()) },
            checkpoint: self.checkpoint(),
            log_keys: self.ends.iter().map(ToString::to_string).collect(),
        }
    }

    /// What `log export` writes of a range.
    pub fn export(&self, start: u64, end: u64) -> String {
        let mut text = serde_json::to_string(&self.header(start, end)).unwrap() + "\n";
        for index in start..end {
            let place = usize::try_from(index).unwrap();
            let line = Line { index, leaf: &self.leaves[place], detail: self.details[place].as_deref() };
            text.push_str(std::str::from_utf8(&line.write().unwrap()).unwrap());
        }
        text
    }
}
