//! Reads of the log are recorded: who read what kind of thing, once an hour.
//!
//! The record comes first. A log that takes no records can be read all the same, because whoever must find out what is
//! wrong reads it then; the next read that can be recorded is.
//!
//! Does not: decide who may read, or read. One's own receipt, checkpoints and proofs are not recorded at all.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use proto::record::kind::ReadTag;
use proto::record::{CallerDetail, Detail, Query, ReadRecord, Times, VERSION};
use proto::time::Time;

use crate::keyring::Snapshot;
use crate::log::{Fresh, Log, LogError, Plain};
use crate::policy::caller::Caller;

/// Records reads.
pub struct Reads {
    log: Log,
    hour: Mutex<Hour>,
}

/// Who has been recorded in the current hour.
#[derive(Debug, Default)]
struct Hour {
    number: i64,
    readers: HashSet<(String, Query)>,
}

impl Hour {
    /// Whether this is the first such read of the hour. Counts it.
    fn note(&mut self, now: Time, caller: &str, query: Query) -> bool {
        let number = now.microseconds().div_euclid(3_600_000_000);
        if number != self.number {
            *self = Self { number, readers: HashSet::new() };
        }
        self.readers.insert((caller.to_owned(), query))
    }

    fn forget(&mut self, caller: &str, query: Query) {
        self.readers.remove(&(caller.to_owned(), query));
    }
}

impl Reads {
    /// Records reads in this log.
    pub fn new(log: Log) -> Self {
        Self { log, hour: Mutex::default() }
    }

    /// Records that the caller is about to read, unless that is recorded for this hour.
    pub async fn note(&self, snapshot: &Snapshot, caller: &Caller, query: Query) {
        let Ok(fresh) = self.log.fresh() else { return };
        if !self.hour.lock().unwrap_or_else(PoisonError::into_inner).note(fresh.asked, &caller.id, query) {
            return;
        }
        if let Err(why) = self.record(snapshot, caller, query, fresh).await {
            self.hour.lock().unwrap_or_else(PoisonError::into_inner).forget(&caller.id, query);
            tracing::warn!(%why, caller = caller.id, "a read of the log could not be recorded");
        }
    }

    async fn record(
        &self,
        snapshot: &Snapshot,
        caller: &Caller,
        query: Query,
        fresh: Fresh,
    ) -> Result<(), LogError> {
        let claims = caller.claims.iter().filter(|(name, _)| snapshot.records_claim(name));
        let detail = Detail {
            annotations: Default::default(),
            backend: None,
            caller: CallerDetail {
                claims: claims.map(|(name, value)| (name.clone(), value.clone())).collect(),
                id: caller.id.clone(),
                kind: caller.kind.name().to_owned(),
            },
            policy: None,
            repository: None,
            request: None,
            salt: fresh.salt,
            subjects: vec![],
        };
        let (detail, name) = detail.encode()?;
        let record = ReadRecord {
            detail: name,
            kind: ReadTag::Tag,
            operation: fresh.operation,
            query,
            time: Times::asked(fresh.asked),
            v: VERSION,
        };
        let draft = record.draft()?;
        self.log.append(Plain { draft, detail, last: false }).await.map(|_appended| ())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_reader_is_noted_once_an_hour_and_kind() {
        let mut hour = Hour::default();
        let start = Time::from_microseconds(1_795_237_200_000_000);
        assert!(hour.note(start, "unix:0", Query::List));
        assert!(!hour.note(start.later(Duration::from_secs(3599)), "unix:0", Query::List));
        assert!(hour.note(start, "unix:0", Query::Search));
        assert!(hour.note(start, "unix:1", Query::List));
        assert!(hour.note(start.later(Duration::from_secs(3600)), "unix:0", Query::List));
        hour.forget("unix:0", Query::List);
        assert!(hour.note(start.later(Duration::from_secs(3601)), "unix:0", Query::List));
    }
}
