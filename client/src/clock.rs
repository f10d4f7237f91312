//! The one place of this crate that looks at a clock.
//!
//! Request ids and terms like "two hours ago" need the wall clock, deadlines the monotonic one. Nothing that is verified depends on
//! either.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since the Unix epoch; 0 for a clock set before it.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is the crate's one look at the wall clock")]
pub fn wall_micros() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The monotonic clock, for deadlines.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is the crate's one look at the monotonic clock")]
pub fn monotonic() -> tokio::time::Instant {
    tokio::time::Instant::now()
}
