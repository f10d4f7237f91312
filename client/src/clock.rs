//! The one place of this crate that looks at a clock.
//!
//! Request ids and terms like "two hours ago" need the wall clock, deadlines the monotonic one. Nothing that is verified depends on
//! either. A test can make the monotonic one stand still for its thread: then it moves by what is waited for, and by nothing else;
//! and it can set the wall clock of its thread.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds since the Unix epoch; 0 for a clock set before it.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is the crate's one look at the wall clock")]
pub fn wall_micros() -> i64 {
    #[cfg(test)]
    if let Some(now) = still::wall() {
        return now;
    }
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The monotonic clock, for deadlines.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is the crate's one look at the monotonic clock")]
pub fn monotonic() -> tokio::time::Instant {
    #[cfg(test)]
    if let Some(now) = still::now() {
        return now;
    }
    tokio::time::Instant::now()
}

/// Waits this long before something is tried again.
pub async fn pause(length: Duration) {
    #[cfg(test)]
    if still::pass(length) {
        return;
    }
    tokio::time::sleep(length).await;
}

/// The monotonic clock of tests about waiting: a thread's own, which pauses move and nothing else.
#[cfg(test)]
pub mod still {
    use std::cell::Cell;
    use std::time::Duration;

    use tokio::time::Instant;

    thread_local! {
        static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
        static WALL: Cell<Option<i64>> = const { Cell::new(None) };
    }

    /// The wall clock shows this many microseconds since the epoch from now on, for this thread.
    pub fn set_wall(micros: i64) {
        WALL.set(Some(micros));
    }

    pub(super) fn wall() -> Option<i64> {
        WALL.get()
    }

    /// It stands still from now on, until this is dropped.
    #[must_use]
    pub struct Still(());

    /// Makes it stand still for this thread.
    pub fn stand() -> Still {
        NOW.set(Some(super::monotonic()));
        Still(())
    }

    impl Drop for Still {
        fn drop(&mut self) {
            NOW.set(None);
        }
    }

    pub(super) fn now() -> Option<Instant> {
        NOW.get()
    }

    /// Lets time pass, where it does not by itself.
    pub(super) fn pass(length: Duration) -> bool {
        NOW.set(NOW.get().map(|now| now + length));
        NOW.get().is_some()
    }
}
