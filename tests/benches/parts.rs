//! What the parts of a signature cost, one by one: `cargo xtask bench --parts`. The tests run each of them once.
//!
//! Micro-benchmarks say where time goes, not how fast the daemon is; `cargo xtask bench` says that.
#![allow(clippy::unwrap_used, reason = "a bench that meets a surprise ends there, with a panic")]
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::sync::Arc;

use ceremonies::access::{Action, Caller, Facts};
use ceremonies::statement::Statement;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use daemon::policy::decide;
use daemon::policy::facts::Resource;
use daemon::policy::rules::Rules;
use proto::algorithm::{Algorithm, HashAlgorithm};
use proto::canonical::{self, Map};
use proto::digest::{Digest, Digests};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::operation::OperationId;
use proto::proof::frontier::Frontier;
use proto::proof::inclusion;
use proto::proof::leaf::leaf_hash;
use proto::purpose::{Kind, Purpose};
use proto::record::kind::SignTag;
use proto::record::{
    CallerDetail, ControlRecord, Detail, Outcome, PolicyDetail, SignRecord, SignatureEntry, Signed, Times,
    VERSION,
};
use proto::time::Time;

/// Leaves of a usual batch under load.
const BATCH: u64 = 64;

fn detail() -> Detail {
    let mut annotations = Map::default();
    annotations.insert("commit".to_owned(), "5f3a1b9c5f3a1b9c5f3a1b9c5f3a1b9c5f3a1b9c".to_owned());
    Detail {
        annotations,
        backend: Some("software".to_owned()),
        caller: CallerDetail {
            claims: Map::default(),
            id: "spiffe://example.org/ci/linux".to_owned(),
            kind: "spiffe".to_owned(),
        },
        policy: Some(PolicyDetail { grants: 12, guardrails: 7, rule: "team3-images".to_owned() }),
        repository: None,
        request: Some("019aa3f0c1d27a3b8c4d5e6f70819203".to_owned()),
        salt: [7; 16].into(),
        subjects: Vec::new(),
    }
}

fn record(detail: Hash) -> SignRecord {
    let asked = Time::from_microseconds(1_795_000_000_000_000);
    SignRecord {
        detail,
        key: "release/linux".parse().unwrap(),
        kind: SignTag::Tag,
        number: Some(4711),
        operation: OperationId::new(1_795_000_000_000, [9; 10]),
        signatures: vec![SignatureEntry {
            algorithm: Algorithm::EcdsaP256Sha256,
            key_id: KeyId::of_spki(&[1; 91]),
            outcome: Outcome::Released,
            reason: None,
            sha256: None,
            value: Some(vec![0x30; 71].into()),
            version: 3,
        }],
        signed: Signed {
            digests: Digests::new(vec![Digest::new(HashAlgorithm::Sha256, &[3; 32]).unwrap()]).unwrap(),
            kind: Kind::Digest,
            subjects: Vec::new(),
        },
        time: Times { asked, clock: None, sealed: asked },
        v: VERSION,
    }
}

fn records(c: &mut Criterion) {
    let mut group = c.benchmark_group("record");
    let detail = detail();
    group.bench_function("detail, encoded and hashed", |b| b.iter(|| black_box(&detail).encode().unwrap()));
    let (_, name) = detail.encode().unwrap();
    let record = record(name);
    group.bench_function("leaf, as a draft", |b| b.iter(|| black_box(&record).draft().unwrap()));
    let draft = record.draft().unwrap();
    let sealed = Time::from_microseconds(1_795_000_000_000_123);
    group.bench_function("leaf, stamped and hashed", |b| {
        b.iter(|| leaf_hash(&black_box(&draft).clone().stamp(sealed, false, &Hash::ZERO)));
    });
    group.finish();

    let mut group = c.benchmark_group("canonical JSON");
    let bytes = canonical::to_vec(&record).unwrap();
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("write a leaf", |b| b.iter(|| canonical::to_vec(black_box(&record)).unwrap()));
    group.bench_function("read a leaf strictly", |b| {
        b.iter(|| canonical::from_slice::<SignRecord>(black_box(&bytes)).unwrap());
    });
    group.finish();
}

/// What a start reads of each step of a ceremony.
fn ceremonies(c: &mut Criterion) {
    let leaf = include_bytes!("../../proto/tests/golden/records/ceremony.act.json").trim_ascii();
    let statement = include_bytes!("../../ceremonies/tests/golden/statements/key-generate.json").trim_ascii();
    let mut group = c.benchmark_group("ceremony");
    group.throughput(Throughput::Bytes(leaf.len() as u64));
    group.bench_function("read an act's leaf", |b| b.iter(|| ControlRecord::parse(black_box(leaf)).unwrap()));
    group.throughput(Throughput::Bytes(statement.len() as u64));
    group.bench_function("read a statement", |b| b.iter(|| Statement::parse(black_box(statement)).unwrap()));
    group.finish();
}

/// A tree of so many leaves, by its edge alone.
fn edge(size: u64) -> Frontier {
    let nodes = (0..size.count_ones()).map(|at| Hash::of(&at.to_le_bytes())).collect();
    Frontier::from_nodes(size, nodes).unwrap()
}

fn tree(c: &mut Criterion) {
    let mut group = c.benchmark_group("tree");
    let leaves: Vec<Hash> = (0..BATCH).map(|at| leaf_hash(&at.to_le_bytes())).collect();
    for size in [10_000, 1_000_000, 10_000_000] {
        group.throughput(Throughput::Elements(BATCH));
        group.bench_function(format!("append 64 and make the root, at {size}"), |b| {
            let mut tree = edge(size);
            b.iter(|| {
                for leaf in &leaves {
                    tree.push(*leaf);
                }
                let root = tree.root();
                tree.settle();
                root
            });
        });
        let mut tree = edge(size);
        for leaf in &leaves {
            tree.push(*leaf);
        }
        let grown = tree.edge();
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("path of a fresh leaf, at {size}"), |b| {
            b.iter(|| grown.path(black_box(size + 17)).unwrap());
        });
        let (path, root) = (grown.path(size + 17).unwrap(), grown.root());
        group.bench_function(format!("check a path, at {size}"), |b| {
            b.iter(|| {
                inclusion::verify(&leaves[17], size + 17, size + BATCH, black_box(&path), &root).unwrap()
            });
        });
    }
    group.finish();
}

/// A thousand grants, of which two are for the caller that is asked about.
fn grants() -> String {
    let team = |team: usize| {
        format!(
            "@id(\"team-{team}\")\npermit (principal == Caller::\"spiffe://example.org/team/{team}\", \
             action == Action::\"sign\", resource == Key::\"team/{team}\")\nwhen {{ context.kind == \"oci\" }};\n"
        )
    };
    let own = "@id(\"plain\") permit (principal == Caller::\"spiffe://example.org/ci/linux\", action, resource);\n\
               @id(\"payload\") permit (principal == Caller::\"spiffe://example.org/ci/mac\", \
               action == Action::\"sign\", resource)\n\
               when { context.kind == \"digest\" };\n";
    (0..998).map(team).collect::<String>() + own
}

fn policy(c: &mut Criterion) {
    let rules = Rules::load("", &grants(), 0, 0)
        .unwrap_or_else(|problems| panic!("{:?}", problems.iter().take(3).collect::<Vec<_>>()));
    let resource = Resource {
        key: "release/linux".parse().unwrap(),
        purpose: Purpose::new([Kind::Digest]).unwrap(),
        owner: "release".to_owned(),
    };
    let digests = Digests::new(vec![Digest::new(HashAlgorithm::Sha256, &[3; 32]).unwrap()]).unwrap();
    let facts = Facts::new(Kind::Digest, digests);
    let mut group = c.benchmark_group("policy, 1,000 grants");
    for (what, caller) in [("scope alone decides", "linux"), ("the payload decides", "mac")] {
        let caller = Arc::new(Caller::parse(&format!("spiffe://example.org/ci/{caller}")).unwrap());
        group.bench_function(what, |b| {
            b.iter(|| {
                decide(&rules, &caller, &Action::Sign, Some(&resource), Some(black_box(&facts)), 0).unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(parts, records, ceremonies, tree, policy);
criterion_main!(parts);
