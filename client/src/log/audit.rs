//! Checking an exported log or range offline: every byte, every chain, every number.
//!
//! Promises: the records are those of the tree that the log key signed, or there are no findings at all but an error. What the
//! records then say against each other (numbers, times, the chain of control records, stops, details) is found and listed. Memory is
//! bounded: what is held grows with open numbers and standing stops, not with the log.
//!
//! A log that has had several keys is followed from the trusted one, and a record that ends a key which signs on is found.
//!
//! Deliberately does not judge who may do what: policy and ceremonies have their own verifiers.

mod chain;
mod numbers;
mod stops;

use std::collections::BTreeMap;
use std::io::BufRead;

use proto::hash::Hash;
use proto::proof::ProofError;
use proto::proof::checkpoint::{Checkpoint, CheckpointError};
use proto::proof::consistency;
use proto::proof::frontier::{Frontier, FrontierError};
use proto::proof::keys::{LogKeys, NotFollowed, ended, read_ends};
use proto::proof::leaf::leaf_hash;
use proto::record::Record;
use proto::time::Time;

use super::line::{FORMAT, Header, Line, NotALine};
use super::prove::is_detail_of;
use chain::Chain;
use numbers::Numbers;
use stops::Stops;

/// The most findings that are listed one by one.
const LISTED: usize = 1_000;

/// Why nothing was proven.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file cannot be read.
    #[error("line {line} cannot be read: {cause}")]
    Io {
        /// From 1.
        line: u64,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The first line is not a header.
    #[error("the first line is not the header of an exported log: {0}")]
    Header(String),
    /// A line is not a record.
    #[error("line {line}: {cause}")]
    Line {
        /// From 1.
        line: u64,
        /// What was expected.
        #[source]
        cause: NotALine,
    },
    /// A record is missing, twice, or out of order.
    #[error("line {line} holds record {found}, expected was record {expected}")]
    Order {
        /// From 1.
        line: u64,
        /// The index that should be there.
        expected: u64,
        /// The index that is.
        found: u64,
    },
    /// The file ends early or late.
    #[error("the file holds {found} records, its header says {expected}")]
    Count {
        /// As the header says.
        expected: u64,
        /// As they are.
        found: u64,
    },
    /// The checkpoint is not the log's.
    #[error("the checkpoint cannot be believed: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The header's log keys do not lead from a known key to others.
    #[error("the log keys in the header cannot be believed: {0}")]
    Keys(#[from] NotFollowed),
    /// The frontier is not one of that many records.
    #[error("the header's frontier is not one: {0}")]
    Frontier(#[from] FrontierError),
    /// The records do not lead to the checkpoint's root.
    #[error("the records are not those of the signed log: {0}")]
    Tree(#[from] ProofError),
}

/// Something that the records say against each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The record concerned; none for what is missing.
    pub index: Option<u64>,
    /// What is wrong.
    pub words: String,
}

/// What an export proves, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct Audited {
    /// The signed tree that the records belong to.
    pub checkpoint: Checkpoint,
    /// First index.
    pub start: u64,
    /// One past the last index.
    pub end: u64,
    /// How many records there are of each kind.
    pub kinds: BTreeMap<String, u64>,
    /// How many signatures ended in each way.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Records whose detail was not in the export.
    pub without_detail: u64,
    /// Operation numbers that have no record yet and may still get one.
    pub open: Vec<u64>,
    /// What is wrong; empty is good.
    pub findings: Vec<Finding>,
    /// How many more findings there are than are listed.
    pub unlisted: u64,
    /// When the last record was sealed.
    pub last: Option<Time>,
}

impl Audited {
    /// Whether this is the whole log of its checkpoint.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.start == 0 && self.end == self.checkpoint.size
    }
}

/// Checks an export, line by line, by the keys of the log that are known; an export brings along what leads from them to others.
/// `progress` hears of every record.
///
/// # Errors
/// [`AuditError`]: the file is not what the log key signed, and nothing in it is to be believed.
pub fn audit(
    mut file: impl BufRead,
    known: &LogKeys,
    mut progress: impl FnMut(&Header, u64),
) -> Result<Audited, AuditError> {
    let mut line = String::new();
    file.read_line(&mut line).map_err(|cause| AuditError::Io { line: 1, cause })?;
    let header: Header =
        serde_json::from_str(&line).map_err(|cause| AuditError::Header(cause.to_string()))?;
    if header.format != FORMAT || header.start > header.end {
        return Err(AuditError::Header(format!("expected the format `{FORMAT}` and a range")));
    }
    let keys = keys(known, &header)?;
    let checkpoint = keys.verify(&header.checkpoint)?;
    let mut frontier = Frontier::from_nodes(header.start, header.frontier.clone())?;
    let mut reading = Reading::begin(&header, checkpoint, keys);
    let mut bytes = Vec::new();
    for number in 2_u64.. {
        bytes.clear();
        let read =
            file.read_until(b'\n', &mut bytes).map_err(|cause| AuditError::Io { line: number, cause })?;
        if read == 0 {
            break;
        }
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let record = Line::read(text).map_err(|cause| AuditError::Line { line: number, cause })?;
        if record.index != frontier.size() {
            return Err(AuditError::Order { line: number, expected: frontier.size(), found: record.index });
        }
        let hash = leaf_hash(record.leaf);
        frontier.push(hash);
        if record.index.is_multiple_of(256) {
            frontier.settle();
        }
        reading.record(&record, hash);
        progress(&header, record.index + 1 - header.start);
    }
    if frontier.size() != header.end {
        return Err(AuditError::Count {
            expected: header.end - header.start,
            found: frontier.size() - header.start,
        });
    }
    let whole = &reading.audited.checkpoint;
    consistency::verify(header.end, &frontier.root(), whole.size, &whole.root, &header.consistency)?;
    Ok(reading.end())
}

/// The log's keys: as they are known, or as far as the header leads from them.
fn keys(known: &LogKeys, header: &Header) -> Result<LogKeys, AuditError> {
    if header.log_keys.is_empty() {
        return Ok(known.clone());
    }
    let ends = read_ends(&header.log_keys.concat())?;
    // Whichever of the known keys is among those of the header vouches for them.
    let mut led = known.iter().map(|key| LogKeys::of_ends(key, &ends));
    let first = led.next().ok_or_else(|| AuditError::Header("expected a log key".to_owned()))?;
    Ok(led.fold(first, |found, next| found.or(next))?)
}

/// What is known after some records.
struct Reading {
    audited: Audited,
    keys: LogKeys,
    chain: Chain,
    numbers: Numbers,
    stops: Stops,
}

impl Reading {
    fn begin(header: &Header, checkpoint: Checkpoint, keys: LogKeys) -> Self {
        let audited = Audited {
            checkpoint,
            start: header.start,
            end: header.end,
            kinds: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            without_detail: 0,
            open: Vec::new(),
            findings: Vec::new(),
            unlisted: 0,
            last: None,
        };
        Self {
            audited,
            keys,
            chain: Chain::new(header.start),
            numbers: Numbers::new(header.start),
            stops: Stops::default(),
        }
    }

    fn find(&mut self, index: Option<u64>, words: String) {
        if self.audited.findings.len() < LISTED {
            self.audited.findings.push(Finding { index, words });
        } else {
            self.audited.unlisted += 1;
        }
    }

    fn record(&mut self, line: &Line<'_>, hash: Hash) {
        let index = line.index;
        let kind = kind_of(line.leaf);
        *self.audited.kinds.entry(kind.clone()).or_default() += 1;
        match line.detail {
            Some(detail) if !is_detail_of(detail, line.leaf) => {
                self.find(Some(index), "the detail is not the one that the record names".to_owned());
            }
            Some(_) => {}
            None if names_detail(line.leaf) => self.audited.without_detail += 1,
            None => {}
        }
        if let Some(words) = self.chain.record(index, line.leaf, hash) {
            self.find(Some(index), words);
        }
        let record = match Record::parse(line.leaf) {
            Ok(record) => record,
            Err(cause) => return self.find(Some(index), format!("the record cannot be read: {cause}")),
        };
        if let Some(sealed) = record.times().map(|time| time.sealed) {
            if kind != "clock" && self.audited.last.is_some_and(|last| sealed < last) {
                self.find(Some(index), format!("sealed at {sealed}, before the record in front of it"));
            }
            self.audited.last = Some(sealed);
        }
        if let Record::Sign(sign) = &record {
            for entry in &sign.signatures {
                *self.audited.outcomes.entry(entry.outcome.name()).or_default() += 1;
            }
            if let Some(words) =
                sign.number.and_then(|number| self.numbers.record(number, sign.time.asked, sign.time.sealed))
            {
                self.find(Some(index), words);
            }
        }
        if let Record::Control(control) = &record
            && let Some((replaces, _)) = ended(control)
            && self.keys.iter().any(|key| key == replaces)
            && self.keys.end_of(replaces).is_none_or(|end| end > index + 1)
        {
            self.find(Some(index), format!("ends the log key {replaces}, which signs on after it"));
        }
        for words in self.stops.record(index, &record, line.detail) {
            self.find(Some(index), words);
        }
    }

    fn end(mut self) -> Audited {
        if let Some(words) = self.chain.end(&self.audited) {
            self.find(None, words);
        }
        let (missing, open) = self.numbers.end(self.audited.last);
        for number in missing {
            self.find(None, format!("operation number {number} has no record, though a higher one was asked for more than an hour before the end"));
        }
        self.audited.open = open;
        self.audited
    }
}

fn kind_of(leaf: &[u8]) -> String {
    let record = serde_json::from_slice::<serde_json::Value>(leaf).ok();
    let kind = record.as_ref().and_then(|record| record.get("kind")).and_then(serde_json::Value::as_str);
    kind.unwrap_or("unreadable").to_owned()
}

fn names_detail(leaf: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(leaf).is_ok_and(|record| record.get("detail").is_some())
}

#[cfg(test)]
mod tests;
