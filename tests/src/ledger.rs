//! A log as it lies on the disk, read without the product's code and held against what the design promises of it.
//!
//! This is the judge of the kill, stop and disk tests: it hashes the tree by the definition of RFC 6962 (section 2.1),
//! not by frontier or tiles, and reads records as plain JSON. It works on a copy of the files, so it neither disturbs a
//! running daemon nor repairs what it judges.

mod check;

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::Connection;
use serde_json::Value;

/// One record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its stored bytes.
    pub leaf: Vec<u8>,
    /// Its detail's bytes, unless erased.
    pub detail: Option<Vec<u8>>,
    /// The leaf, read.
    pub body: Value,
}

impl Record {
    /// Whether it is what a new key signs in its ceremony, and nobody asked for.
    #[must_use]
    pub fn proves_possession(&self) -> bool {
        self.body["signed"]["kind"] == "possession"
    }
}

/// Everything in `log.db` that promises are made about.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// In order of their index.
    pub records: Vec<Record>,
    /// Size that the head states.
    pub size: u64,
    /// Root that the head states.
    pub root: Vec<u8>,
    /// The head's checkpoint, a signed note.
    pub checkpoint: String,
    /// The highest operation number taken.
    pub counter: u64,
    /// Numbers of intents that have no record yet.
    pub open: Vec<u64>,
}

impl Ledger {
    /// Reads the log in a state directory.
    ///
    /// # Panics
    /// If there is none, or its rows are not numbered from 0 without gaps.
    #[must_use]
    pub fn read(state: &Path) -> Self {
        let copy = tempfile::tempdir().unwrap();
        for name in ["log.db", "log.db-wal"] {
            let from = state.join(name);
            if from.exists() {
                std::fs::copy(&from, copy.path().join(name)).unwrap();
            }
        }
        let path = copy.path().join("log.db");
        assert!(path.exists(), "there is no log.db in {}", state.display());
        Self::of(&Connection::open(path).unwrap())
    }

    fn of(store: &Connection) -> Self {
        let numbers = |sql: &str| -> Vec<u64> {
            let mut rows = store.prepare(sql).unwrap();
            rows.query_map([], |row| row.get(0)).unwrap().map(|number| natural(number.unwrap())).collect()
        };
        let mut rows = store.prepare("select idx, leaf, detail from record order by idx").unwrap();
        let records = rows
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .map(Result::unwrap)
            .enumerate()
            .map(|(at, (index, leaf, detail)): (usize, (i64, Vec<u8>, _))| {
                assert_eq!(at as u64, natural(index), "the records are not numbered from 0 without gaps");
                let body = serde_json::from_slice(&leaf).unwrap();
                Record { leaf, detail, body }
            })
            .collect();
        let (size, root, checkpoint) = store
            .query_row("select size, root, checkpoint from head", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        Self {
            records,
            size: natural(size),
            root,
            checkpoint,
            counter: numbers("select number from counter")[0],
            open: numbers("select number from intent order by number"),
        }
    }

    /// What of the promises does not hold; nothing, for a good log.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        check::complaints(self)
    }

    /// What keeps this log from being an extension of the one that an earlier checkpoint names, if anything.
    #[must_use]
    pub fn breaks(&self, checkpoint: &str) -> Option<String> {
        self.tree().breaks(checkpoint)
    }

    /// The tree of its records, for many questions at once.
    #[must_use]
    pub fn tree(&self) -> Tree {
        Tree::of(&self.records)
    }

    /// What keeps this log from being an extension of those that these checkpoints name: one tree for all.
    #[must_use]
    pub fn breaks_any<'a>(&self, checkpoints: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let tree = self.tree();
        checkpoints.into_iter().filter_map(|checkpoint| tree.breaks(checkpoint)).collect()
    }

    /// How many operations callers have begun, whatever became of them. The proofs of possession of ceremonies have numbers
    /// too, and are none of them.
    #[must_use]
    pub fn asked(&self) -> usize {
        let numbered = |record: &&Record| record.body["number"].is_u64() && !record.proves_possession();
        self.records.iter().filter(numbered).count() + self.open.len()
    }

    /// Signatures that were released to callers: index, key id, the signature as it is in the record. A new key's proof of
    /// possession is none of them.
    #[must_use]
    pub fn released(&self) -> Vec<(usize, String, String)> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut found = Vec::new();
        let asked_for = |(_, record): &(usize, &Record)| !record.proves_possession();
        for (index, record) in self.records.iter().enumerate().filter(asked_for) {
            for signature in record.body["signatures"].as_array().into_iter().flatten() {
                if signature["outcome"] == "released" {
                    found.push((index, word(&signature["key_id"]), word(&signature["value"])));
                }
            }
        }
        found
    }
}

/// SQLite's numbers have a sign, ours have none.
fn natural(number: i64) -> u64 {
    number.try_into().unwrap()
}

/// Size and root that a checkpoint states: its second and third line. Its signature is the product's own affair.
fn stated(checkpoint: &str) -> Option<(u64, Vec<u8>)> {
    use base64::Engine;
    let mut lines = checkpoint.lines().skip(1);
    let size = lines.next()?.parse().ok()?;
    Some((size, base64::engine::general_purpose::STANDARD.decode(lines.next()?).ok()?))
}

/// The tree of RFC 6962, section 2.1, over records: `MTH` word by word, where each full subtree is hashed once.
#[derive(Debug)]
pub struct Tree {
    /// Hashes of the full subtrees of 1, 2, 4, … leaves.
    full: Vec<Vec<[u8; 32]>>,
}

impl Tree {
    fn of(records: &[Record]) -> Self {
        let mut full = vec![records.iter().map(|record| leaf_hash(&record.leaf)).collect::<Vec<_>>()];
        while let Some(below) = full.last().filter(|below| below.len() > 1) {
            full.push(below.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect());
        }
        Self { full }
    }

    /// The root of the first `size` records, if there are so many.
    #[must_use]
    pub fn root(&self, size: usize) -> Option<[u8; 32]> {
        (size <= self.full[0].len()).then(|| self.part(0, size))
    }

    fn part(&self, start: usize, size: usize) -> [u8; 32] {
        if size == 0 {
            return hash(&[]);
        }
        if size.is_power_of_two() {
            return self.full[size.ilog2() as usize][start / size];
        }
        let left = size.next_power_of_two() / 2;
        node_hash(&self.part(start, left), &self.part(start + left, size - left))
    }

    /// What keeps this tree from being an extension of the one that a checkpoint names, if anything.
    #[must_use]
    pub fn breaks(&self, checkpoint: &str) -> Option<String> {
        let (size, root) = stated(checkpoint)?;
        match self.root(usize::try_from(size).unwrap()) {
            None => Some(format!(
                "the log has {} records, fewer than the {size} of a checkpoint",
                self.full[0].len()
            )),
            Some(own) if own == root.as_slice() => None,
            Some(_) => Some(format!("the first {size} records are not those of a checkpoint")),
        }
    }
}

fn tree(records: &[Record]) -> [u8; 32] {
    Tree::of(records).part(0, records.len())
}

fn node_hash(left: &[u8], right: &[u8]) -> [u8; 32] {
    hash(&[&[1], left, right].concat())
}

fn leaf_hash(leaf: &[u8]) -> [u8; 32] {
    hash(&[&[0], leaf].concat())
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}
