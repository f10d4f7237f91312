//! A clock that moves only when it is told to: for tests, and for nothing else.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use proto::time::Time;

use super::{Clock, Monotonic};

/// Both clocks stand still until they are moved. [`advance`](Self::advance) moves them together, as real ones do;
/// [`set`](Self::set) steps the wall clock alone, as an operator or a false NTP server does.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<(Time, Monotonic)>,
}

impl ManualClock {
    /// A clock that has just started, at this wall time.
    pub fn new(wall: Time) -> Self {
        Self { now: Mutex::new((wall, Monotonic::START)) }
    }

    /// Both clocks move on.
    pub fn advance(&self, by: Duration) {
        let mut now = self.lock();
        *now = (now.0.later(by), now.1.after(by));
    }

    /// The wall clock is stepped, forwards or back; the monotonic one does not notice.
    pub fn set(&self, wall: Time) {
        self.lock().0 = wall;
    }

    /// The machine slept or the process was stopped: only the wall clock moved on.
    pub fn step(&self, by: Duration) {
        let mut now = self.lock();
        now.0 = now.0.later(by);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Time, Monotonic)> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    /// A clock that starts on 2026-11-21 at 05:00 UTC.
    fn default() -> Self {
        Self::new(Time::from_microseconds(1_795_237_200_000_000))
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Time {
        self.lock().0
    }

    fn monotonic(&self) -> Monotonic {
        self.lock().1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_date_is_the_documented_one() {
        assert_eq!(ManualClock::default().wall().to_string(), "2026-11-21T05:00:00.000000Z");
    }

    #[test]
    fn advancing_moves_both_and_setting_moves_the_wall_clock_alone() {
        let clock = ManualClock::default();
        let start = clock.wall();
        clock.advance(Duration::from_secs(5));
        assert_eq!(
            (clock.wall(), clock.monotonic().since_start()),
            (start.later(Duration::from_secs(5)), Duration::from_secs(5))
        );
        clock.set(start);
        assert_eq!((clock.wall(), clock.monotonic().since_start()), (start, Duration::from_secs(5)));
    }
}
