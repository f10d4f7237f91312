//! Reads of the log are recorded: who read what kind of thing, once an hour. So is the erasing of a detail.
//!
//! The record comes first. A log that takes no records can be read all the same, because whoever must find out what is
//! wrong reads it then; the next read that can be recorded is.
//!
//! Does not: decide who may read, or read. One's own receipt, checkpoints and proofs are not recorded at all.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use proto::reason::Reason;
use proto::record::kind::ReadTag;
use proto::record::{Actor, ActorKind, Body, ControlDetail, Detail, Query, ReadRecord, Times, VERSION};
use proto::refusal::Refusal;
use proto::time::Time;

use crate::denials::Denials;
use crate::keyring::Snapshot;
use crate::log::{ControlDraft, Fresh, Log, LogError, Plain};
use crate::policy::caller::Caller;
use crate::policy::facts::Action;

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
        let detail = Detail::of(snapshot.named(caller), fresh.salt);
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

/// Longest reason of a redaction in bytes.
const LONGEST_REASON: usize = 4096;

/// Erases the detail of one record, never the record, by the right `redact` and on this machine alone.
///
/// # Errors
/// A caller from elsewhere or without the right, a reason that is missing or too long, and what the log says: no such
/// record, one of the last day, a control record, a detail that is gone already.
pub async fn redact(
    log: &Log,
    denials: &Denials,
    snapshot: &Snapshot,
    caller: &Arc<Caller>,
    index: u64,
    reason: String,
) -> Result<u64, Refusal> {
    denials.permit(snapshot, caller, &Action::Redact, None).await?;
    if reason.trim().is_empty() || reason.len() > LONGEST_REASON {
        let message = format!("a redaction needs a reason of 1 to {LONGEST_REASON} bytes");
        return Err(Refusal::new(Reason::MalformedRequest, message));
    }
    let refused = |error: LogError| Refusal::new(error.reason(), error.to_string());
    let fresh = log.fresh().map_err(refused)?;
    let detail = ControlDetail::of(reason, fresh.salt.clone());
    let (detail, _name) =
        detail.encode().map_err(|e| Refusal::new(Reason::MalformedRequest, e.to_string()))?;
    let actor = Actor { id: caller.id.clone(), kind: ActorKind::Caller };
    let draft = ControlDraft {
        detail: Some(detail),
        ..ControlDraft::new(fresh, actor, Body::Redacted { indices: vec![index] })
    };
    let appended = log.redact(index, draft).await.map_err(refused)?;
    tracing::warn!(caller = caller.id, index, record = appended.index, "a detail was erased");
    Ok(appended.index)
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
