//! The names of all metrics, and how each is counted. Any layer may use this; nothing is shown here.
//!
//! Everything goes through the `metrics` facade, so without a recorder nothing happens and nothing is kept. What is counted
//! for every signature is looked up once ([`bind`]), because a look-up costs more than the count. The names are in one
//! place because dashboards and alarms are built on them: a name, once released, keeps its meaning. Labels are
//! from small fixed sets (stages, reasons, backends, anchors): never a caller, a key's input or anything a stranger can choose.

mod bound;
mod names;

use std::time::Duration;

pub use bound::bind;
use bound::bound;
pub use names::*;
use proto::record::Outcome;

/// A stage of the signing pipeline, in the order of the pipeline.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Stage {
    /// Converting the request and finding its kind.
    Prepare,
    /// The policy decision.
    Policy,
    /// Until the intent was durable.
    Intent,
    /// Waiting in the backend's queue.
    Queue,
    /// The backend's own work.
    Backend,
    /// Verifying the fresh signature.
    Verify,
    /// Until the seal was durable.
    Seal,
    /// The whole, from the request's arrival to its answer.
    Whole,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Prepare,
        Self::Policy,
        Self::Intent,
        Self::Queue,
        Self::Backend,
        Self::Verify,
        Self::Seal,
        Self::Whole,
    ];

    /// The label's value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Policy => "policy",
            Self::Intent => "intent",
            Self::Queue => "queue",
            Self::Backend => "backend",
            Self::Verify => "verify",
            Self::Seal => "seal",
            Self::Whole => "whole",
        }
    }
}

/// A stage took so long.
pub fn stage(stage: Stage, took: Duration) {
    bound(|all| &all.stages[stage as usize], || of_stage(stage)).record(took);
}

fn of_stage(stage: Stage) -> metrics::Histogram {
    metrics::histogram!(STAGE_SECONDS, "stage" => stage.name())
}

/// A signature ended with this outcome.
pub fn signature(outcome: Outcome) {
    bound(|all| &all.signatures[outcome as usize], || of_outcome(outcome)).increment(1);
}

fn of_outcome(outcome: Outcome) -> metrics::Counter {
    metrics::counter!(SIGNATURES, "outcome" => outcome.name())
}

/// A request was refused with this stable reason.
pub fn refused(reason: &'static str) {
    metrics::counter!(REFUSALS, "reason" => reason).increment(1);
}

/// Somebody asked whom no grant admits: counted, never recorded.
pub fn unauthenticated() {
    metrics::counter!(UNAUTHENTICATED).increment(1);
}

/// A backend's health changed.
pub fn backend_healthy(backend: &str, healthy: bool) {
    metrics::gauge!(BACKEND_HEALTHY, "backend" => backend.to_owned()).set(f64::from(u8::from(healthy)));
}

/// A backend failed a call, with the failure's name.
pub fn backend_failed(backend: &str, failure: &'static str) {
    metrics::counter!(BACKEND_FAILURES, "backend" => backend.to_owned(), "failure" => failure).increment(1);
}

/// The calls that wait in front of one backend.
pub struct Waiting(metrics::Gauge);

impl Waiting {
    /// In front of this backend. Made after telemetry was started.
    pub fn before(backend: &str) -> Self {
        Self(metrics::gauge!(BACKEND_WAITING, "backend" => backend.to_owned()))
    }

    /// So many.
    pub fn set(&self, calls: usize) {
        self.0.set(number(calls as u64));
    }
}

/// So many officers have acted lately, of so many that should have.
pub fn officers(acted: u16, wanted: u16) {
    metrics::gauge!(OFFICERS_ACTED).set(f64::from(acted));
    metrics::gauge!(OFFICERS_WANTED).set(f64::from(wanted));
}

/// The host process of a module was started again.
pub fn host_restarted(backend: &str) {
    metrics::counter!(HOST_RESTARTS, "backend" => backend.to_owned()).increment(1);
}

/// Something was under the names of a new key that its ceremony did not make.
pub fn object_planted() {
    metrics::counter!(OBJECTS_PLANTED).increment(1);
}

/// A batch of so many records was committed in this time.
pub fn log_committed(records: usize, took: Duration) {
    bound(|all| &all.commits, || metrics::histogram!(LOG_COMMIT_SECONDS)).record(took);
    bound(|all| &all.batches, || metrics::histogram!(LOG_BATCH_RECORDS)).record(number(records as u64));
}

/// The log has so many records.
pub fn log_size(records: u64) {
    bound(|all| &all.records, || metrics::gauge!(LOG_RECORDS)).set(number(records));
}

/// Whether the log takes records.
pub fn log_ready(ready: bool) {
    metrics::gauge!(LOG_READY).set(f64::from(u8::from(ready)));
}

/// So many intents have no seal yet.
pub fn log_open_intents(open: usize) {
    bound(|all| &all.intents, || metrics::gauge!(LOG_OPEN_INTENTS)).set(number(open as u64));
}

/// Whether an anchor off the host keeps what it is given.
pub fn log_anchor_healthy(anchor: &str, healthy: bool) {
    metrics::gauge!(LOG_ANCHOR_HEALTHY, "anchor" => anchor.to_owned()).set(f64::from(u8::from(healthy)));
}

/// For how long an anchor off the host has not kept the newest checkpoint.
pub fn log_anchor_behind(anchor: &str, behind: Duration) {
    metrics::gauge!(LOG_ANCHOR_BEHIND_SECONDS, "anchor" => anchor.to_owned()).set(behind.as_secs_f64());
}

/// The search index lags behind the log by so many records.
pub fn index_lag(records: u64) {
    bound(|all| &all.lag, || metrics::gauge!(INDEX_LAG_RECORDS)).set(number(records));
}

/// So many standing stops are in force.
pub fn stops_standing(stops: usize) {
    metrics::gauge!(STOPS_STANDING).set(number(stops as u64));
}

/// Whether the clock is trusted.
pub fn clock_trusted(trusted: bool) {
    bound(|all| &all.trusted, || metrics::gauge!(CLOCK_TRUSTED)).set(f64::from(u8::from(trusted)));
}

/// A connection took the first byte of a reply with signatures.
pub fn handed_over() {
    bound(|all| &all.replies, || metrics::counter!(REPLIES)).increment(1);
}

/// A connection was opened (`+1`) or closed (`-1`).
pub fn connections(change: i8) {
    metrics::gauge!(CONNECTIONS).increment(f64::from(change));
}

/// A connection was ended because somebody else needs its place in this room.
pub fn connection_cut(room: &'static str) {
    metrics::counter!(CONNECTIONS_CUT, "room" => room).increment(1);
}

/// The age of a key's active version.
pub fn key_age(key: &str, age: Duration) {
    metrics::gauge!(KEY_AGE_SECONDS, "key" => key.to_owned()).set(age.as_secs_f64());
}

/// A count as a metric's value: exact up to 2^53, which no count of ours reaches.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_have_distinct_names() {
        let names: std::collections::BTreeSet<_> = Stage::ALL.iter().map(|stage| stage.name()).collect();
        assert_eq!(names.len(), Stage::ALL.len());
    }
}
