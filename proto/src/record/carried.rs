//! `key.carried`: a key of a lost log comes into the one that takes its place.

use serde::{Deserialize, Serialize};

use crate::origin::Origin;
use crate::record::Arrived;
use crate::time::Time;

/// A key of a log that was lost, as it was there. The record stops it: what lifts that is a `key.resume` that names the
/// record's index. Record 0 names the SHA-256 of this body.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CarriedKey {
    /// Where its ceremony was completed.
    pub born: Born,
    /// What it is, and where its private half was when the old log ended.
    pub key: Arrived,
}

/// Where a key came into force first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Born {
    /// Index of the completion there.
    pub index: u64,
    /// Name of the log.
    pub origin: Origin,
    /// When that was sealed: from then on the key signed.
    pub sealed: Time,
}
