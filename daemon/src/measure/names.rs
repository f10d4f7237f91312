//! The registry: name, unit and meaning of every metric, in one table.

use metrics::Unit;

/// How a metric is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// Only grows.
    Counter,
    /// A value of now.
    Gauge,
    /// A distribution.
    Histogram,
}

macro_rules! registry {
    ($($constant:ident, $name:literal, $shape:ident, $unit:ident, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $constant: &str = $name;)*

        /// Every metric: name, shape, unit, meaning. The documentation's table is made from it.
        pub const REGISTRY: &[(&str, Shape, Unit, &str)] =
            &[$(($name, Shape::$shape, Unit::$unit, $meaning)),*];
    };
}

registry! {
    STAGE_SECONDS, "countersign_stage_seconds", Histogram, Seconds, "Time that one stage of the signing pipeline took, by stage.";
    SIGNATURES, "countersign_signatures_total", Counter, Count, "Signatures by outcome: released, withheld, not-executed, unknown.";
    REFUSALS, "countersign_refusals_total", Counter, Count, "Refused requests by stable reason.";
    UNAUTHENTICATED, "countersign_unauthenticated_total", Counter, Count, "Requests of identities that no grant admits; they are not recorded.";
    REPLIES, "countersign_replies_handed_over_total", Counter, Count, "Replies with signatures of which a connection took the first byte.";
    CONNECTIONS, "countersign_connections", Gauge, Count, "Open connections of callers.";
    CONNECTIONS_CUT, "countersign_connections_cut_total", Counter, Count, "Connections that were ended because another one needed their place, by room: handshakes, anonymous, spare, local-spare, stops, acts, pages.";
    BACKEND_HEALTHY, "countersign_backend_healthy", Gauge, Count, "1 while a backend can sign, else 0, by backend.";
    BACKEND_FAILURES, "countersign_backend_failures_total", Counter, Count, "Failed calls by backend and failure.";
    BACKEND_WAITING, "countersign_backend_waiting", Gauge, Count, "Calls that wait in the fair queue in front of a backend.";
    HOST_RESTARTS, "countersign_host_restarts_total", Counter, Count, "Restarts of a PKCS#11 module's host process, by backend.";
    OBJECTS_PLANTED, "countersign_objects_planted_total", Counter, Count, "Times that a device held something under the names of a new key that its ceremony did not make: a start was refused, or a `resolve` found more than one key pair.";
    LOG_RECORDS, "countersign_log_records", Gauge, Count, "Records in the log.";
    LOG_READY, "countersign_log_ready", Gauge, Count, "1 while the log takes records, else 0.";
    LOG_COMMIT_SECONDS, "countersign_log_commit_seconds", Histogram, Seconds, "Time of one commit of the log.";
    LOG_BATCH_RECORDS, "countersign_log_batch_records", Histogram, Count, "Records and intents that shared one commit.";
    LOG_OPEN_INTENTS, "countersign_log_open_intents", Gauge, Count, "Intents without a seal.";
    LOG_ANCHOR_HEALTHY, "countersign_log_anchor_healthy", Gauge, Count, "1 while an anchor off the host was read and keeps what it is given, else 0, by anchor.";
    LOG_ANCHOR_BEHIND_SECONDS, "countersign_log_anchor_behind_seconds", Gauge, Seconds, "For how long an anchor off the host has not kept the newest checkpoint, by anchor; looked at every second.";
    INDEX_LAG_RECORDS, "countersign_index_lag_records", Gauge, Count, "Records that the search index has not read yet.";
    STOPS_STANDING, "countersign_stops_standing", Gauge, Count, "Stops in force.";
    OFFICERS_ACTED, "countersign_officers_acted", Gauge, Count, "Officers of the roster in force who have acted in the last 180 days; suspended ones are not counted.";
    OFFICERS_WANTED, "countersign_officers_wanted", Gauge, Count, "How many of them there should be: one more than decide.";
    CLOCK_TRUSTED, "countersign_clock_trusted", Gauge, Count, "1 while wall clock and monotonic clock agree, else 0.";
    KEY_AGE_SECONDS, "countersign_key_age_seconds", Gauge, Seconds, "Age of a key's active version, by key.";
}

/// Tells the recorder what each metric means. Called once, after the recorder is installed.
pub fn describe() {
    for &(name, shape, unit, meaning) in REGISTRY {
        match shape {
            Shape::Counter => metrics::describe_counter!(name, unit, meaning),
            Shape::Gauge => metrics::describe_gauge!(name, unit, meaning),
            Shape::Histogram => metrics::describe_histogram!(name, unit, meaning),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_follow_the_conventions_of_prometheus() {
        let names: BTreeSet<_> = REGISTRY.iter().map(|row| row.0).collect();
        assert_eq!(names.len(), REGISTRY.len());
        for &(name, shape, unit, _) in REGISTRY {
            assert!(name.starts_with("countersign_"), "{name}");
            assert_eq!(name.ends_with("_total"), shape == Shape::Counter, "{name}");
            assert_eq!(name.ends_with("_seconds"), unit == Unit::Seconds, "{name}");
        }
    }
}
