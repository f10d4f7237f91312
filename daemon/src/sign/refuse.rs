//! What stops, failures of backends and answers of the log are for a caller.

use std::time::Duration;

use proto::record::Outcome;
use proto::refusal::Refusal;

use crate::backend::Failure;
use crate::log::{LogError, StandingStop};

/// The refusal of something that a stop covers.
pub(crate) fn stopped(stop: &StandingStop) -> Refusal {
    let refusal =
        Refusal::new(stop.reason(), format!("{} is stopped", stop.term)).with("stopped", &stop.term);
    match stop.index {
        Some(index) => refusal.with("log_index", index),
        None => refusal.with("pending", true),
    }
}

/// What a backend's failure is for a caller.
pub(crate) fn failed(backend: &str, failure: &Failure) -> Refusal {
    let refusal = Refusal::new(failure.reason(), format!("{backend}: {failure}")).with("backend", backend);
    match failure.retry_after() {
        Some(wait) => refusal.after(wait),
        None => refusal,
    }
}

/// What is recorded of a signature that a backend did not give. Only what is proven not to have happened says so: a
/// device that answered nonsense, or with another key, may have signed.
pub(crate) const fn outcome(failure: &Failure) -> Outcome {
    match failure {
        Failure::Unknown { .. } | Failure::Mismatch { .. } | Failure::Broken { .. } => Outcome::Unknown,
        _ => Outcome::NotExecuted,
    }
}

/// What the log's answer is for a caller.
pub(crate) fn unlogged(error: &LogError) -> Refusal {
    let refusal = Refusal::new(error.reason(), error.to_string());
    match error {
        LogError::Busy { retry_after } => refusal.after(*retry_after),
        LogError::Unavailable { .. } | LogError::Full { .. } | LogError::Closing => {
            refusal.after(Duration::from_secs(1))
        }
        LogError::Behind { .. } => refusal.after(Duration::from_millis(200)),
        _ => refusal,
    }
}
