//! `denied`, `denied.summary` and `audit.read`: what happened beside signing.

use serde::{Deserialize, Serialize};

use crate::action::ActionName;
use crate::canonical;
use crate::digest::Digests;
use crate::hash::Hash;
use crate::name::KeyName;
use crate::operation::OperationId;
use crate::reason::Reason;
use crate::record::kind::{DeniedSummaryTag, DeniedTag, ReadTag};
use crate::record::{Draft, RecordError, Times};
use crate::time::Time;

/// A call that policy refused. It holds no text that the caller supplied, but key and digest.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeniedRecord {
    /// Which call.
    pub action: ActionName,
    /// SHA-256 of the detail (caller, rule).
    pub detail: Hash,
    /// Of what was to be signed, where that was the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digests: Option<Digests>,
    /// The key that the call was about, if it was about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyName>,
    /// Always `denied`.
    pub kind: DeniedTag,
    /// Names the operation for ever.
    pub operation: OperationId,
    /// Why.
    pub reason: Reason,
    /// When.
    pub time: Times,
    /// Version of the record.
    pub v: u8,
}

/// How many calls policy refused beyond those recorded one by one: per caller, action, rule and minute.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeniedSummary {
    /// Which call.
    pub action: ActionName,
    /// How many.
    pub count: u64,
    /// SHA-256 of the detail (caller, rule).
    pub detail: Hash,
    /// The key that all of them were about, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyName>,
    /// Always `denied.summary`.
    pub kind: DeniedSummaryTag,
    /// Names the record for ever.
    pub operation: OperationId,
    /// Why.
    pub reason: Reason,
    /// Begin of the minute.
    pub since: Time,
    /// When.
    pub time: Times,
    /// Version of the record.
    pub v: u8,
}

/// That somebody read the log: one record per reader, hour and kind of query.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReadRecord {
    /// SHA-256 of the detail (reader).
    pub detail: Hash,
    /// Always `audit.read`.
    pub kind: ReadTag,
    /// Names the record for ever.
    pub operation: OperationId,
    /// What was asked.
    pub query: Query,
    /// When.
    pub time: Times,
    /// Version of the record.
    pub v: u8,
}

/// Kinds of queries that are recorded.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Query {
    /// Records of a range.
    List,
    /// Somebody else's receipt.
    Receipt,
    /// Records that match terms.
    Search,
}

macro_rules! drafts {
    ($($record:ty),*) => {
        $(impl $record {
            /// The leaf's draft.
            ///
            /// # Errors
            /// [`RecordError`].
            pub fn draft(&self) -> Result<Draft, RecordError> {
                Draft::plain(canonical::to_vec(self)?)
            }
        })*
    };
}

drafts!(DeniedRecord, DeniedSummary, ReadRecord);
