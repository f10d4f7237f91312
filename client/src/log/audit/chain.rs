//! The chain of control records: each names the one before, and the checkpoint names the last.

use proto::hash::Hash;
use serde::Deserialize;

use super::Audited;

/// The last control record seen.
pub struct Chain {
    last: Option<(u64, Hash)>,
    whole: bool,
}

#[derive(Deserialize)]
struct Link {
    kind: String,
    previous: Option<Hash>,
}

impl Chain {
    /// Begins at an index. From 0 on, the first record must be the genesis.
    pub fn new(start: u64) -> Self {
        Self { last: None, whole: start == 0 }
    }

    /// What is wrong with a record's link.
    pub fn record(&mut self, index: u64, leaf: &[u8], hash: Hash) -> Option<String> {
        let link: Link = serde_json::from_slice(leaf).ok()?;
        if self.whole && index == 0 && (link.kind != "genesis" || link.previous != Some(Hash::ZERO)) {
            return Some("the first record is not a genesis".to_owned());
        }
        let previous = link.previous?;
        let before = self.last.replace((index, hash));
        match before {
            Some((at, expected)) if expected != previous => {
                Some(format!("names {previous} as the control record before; record {at} has {expected}"))
            }
            None if self.whole && index > 0 => Some("a control record before any genesis".to_owned()),
            _ => None,
        }
    }

    /// What is wrong with the checkpoint's word on the newest control record.
    pub fn end(&self, audited: &Audited) -> Option<String> {
        if audited.end != audited.checkpoint.size {
            return None;
        }
        match (audited.checkpoint.control, self.last) {
            (Some(named), Some(found)) if named != found => Some(format!(
                "the checkpoint names record {} as the newest control record; record {} is",
                named.0, found.0
            )),
            (Some((index, _)), None) if index >= audited.start => Some(format!(
                "the checkpoint names record {index} as the newest control record, which is none"
            )),
            (None, Some((index, _))) => {
                Some(format!("the checkpoint does not name record {index}, the newest control record"))
            }
            _ => None,
        }
    }
}
