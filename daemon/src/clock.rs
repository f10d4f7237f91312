//! Time, from one place.
//!
//! [`Clock`] is the only source of time in the daemon: clippy's `disallowed-methods` forbid the standard library's own
//! everywhere else. A clock says two things, the [wall](Clock::wall) time and the [monotonic](Clock::monotonic) time since
//! it started, because either can lie: the wall clock is stepped by people and by NTP, the monotonic one says nothing
//! about dates. [`Watch`] holds the one against the other ([`judge`]) and says whether the wall clock can be trusted,
//! *before* anything is written with it. An officer may vouch for a wall clock that is not believed.
//!
//! What this does not do: ask other sources (NTS, databases, KMS `Date` headers), or decide what an untrusted clock forbids.

mod manual;
mod tls;
mod trust;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use manual::ManualClock;
use proto::time::Time;
pub use tls::TlsTime;
pub use trust::{Reading, Verdict, Watch, judge};

/// A point on one clock's monotonic scale: the duration since that clock started. Points of different clocks (or of
/// different runs of the daemon) say nothing about each other.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Monotonic(Duration);

impl Monotonic {
    /// The moment the clock started.
    pub const START: Self = Self(Duration::ZERO);

    /// The point so long after the clock's start.
    pub const fn from_start(since: Duration) -> Self {
        Self(since)
    }

    /// How long after the clock's start this is.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// The point `by` later; the far end of the scale where there is none.
    pub const fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// How long after `earlier` this is; zero where it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A source of time.
pub trait Clock: Send + Sync {
    /// The date and time that this machine believes in.
    fn wall(&self) -> Time;

    /// Time since the clock started. It never goes back.
    fn monotonic(&self) -> Monotonic;
}

/// The machine's own clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
    fn wall(&self) -> Time {
        let now = SystemTime::now();
        let epoch = Time::from_microseconds(0);
        match now.duration_since(UNIX_EPOCH) {
            Ok(after) => epoch.later(after),
            Err(before) => epoch.earlier(before.duration()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
    fn monotonic(&self) -> Monotonic {
        Monotonic(self.start.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_monotonic_clock_does_not_go_back() {
        let clock = SystemClock::start();
        let mut last = clock.monotonic();
        for _ in 0..1000 {
            let now = clock.monotonic();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn a_point_so_late_that_there_is_none_is_the_end_of_the_scale() {
        let end = Monotonic::from_start(Duration::MAX);
        assert_eq!(end.after(Duration::from_secs(1)), end);
        assert_eq!(Monotonic::START.since(end), Duration::ZERO);
    }
}
