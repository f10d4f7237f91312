//! Handles of what is counted for every signature or commit, looked up once.
//!
//! A look-up hashes name and labels and takes a lock: several times what counting costs. Handles that were taken before
//! there is a recorder would count nothing for ever, so they are taken by [`bind`], once there is one; until then, and in
//! tests with recorders of their own, every count is looked up.

use std::borrow::Cow;
use std::sync::OnceLock;

use metrics::{Counter, Gauge, Histogram};
use proto::record::Outcome;

use super::{
    CLOCK_TRUSTED, INDEX_LAG_RECORDS, LOG_BATCH_RECORDS, LOG_COMMIT_SECONDS, LOG_OPEN_INTENTS, LOG_RECORDS,
    REPLIES, Stage, of_outcome, of_stage,
};

/// The handles.
pub(super) struct Bound {
    /// In the order of [`Stage::ALL`].
    pub(super) stages: [Histogram; 8],
    /// In the order of the outcomes.
    pub(super) signatures: [Counter; 4],
    pub(super) commits: Histogram,
    pub(super) batches: Histogram,
    pub(super) records: Gauge,
    pub(super) intents: Gauge,
    pub(super) lag: Gauge,
    pub(super) trusted: Gauge,
    pub(super) replies: Counter,
}

static BOUND: OnceLock<Bound> = OnceLock::new();

/// Looks the handles up. Called once, when the process's recorder is installed; a second call changes nothing.
pub fn bind() {
    BOUND.get_or_init(|| Bound {
        stages: Stage::ALL.map(of_stage),
        signatures: [Outcome::Released, Outcome::Withheld, Outcome::NotExecuted, Outcome::Unknown]
            .map(of_outcome),
        commits: metrics::histogram!(LOG_COMMIT_SECONDS),
        batches: metrics::histogram!(LOG_BATCH_RECORDS),
        records: metrics::gauge!(LOG_RECORDS),
        intents: metrics::gauge!(LOG_OPEN_INTENTS),
        lag: metrics::gauge!(INDEX_LAG_RECORDS),
        trusted: metrics::gauge!(CLOCK_TRUSTED),
        replies: metrics::counter!(REPLIES),
    });
}

/// The handle that was looked up, or one that is looked up now.
pub(super) fn bound<T: Clone>(
    known: impl FnOnce(&'static Bound) -> &'static T,
    look_up: impl FnOnce() -> T,
) -> Cow<'static, T> {
    BOUND.get().map_or_else(|| Cow::Owned(look_up()), |all| Cow::Borrowed(known(all)))
}
