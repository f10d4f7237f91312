//! Whether the wall clock can be believed: held against this process's monotonic clock.
//!
//! A [`Watch`] remembers one moment at which both clocks were read, the anchor. From then on the wall clock is expected
//! at the anchor's wall time plus what the monotonic clock has counted. While it is within the skew of that, it is
//! trusted and its own time is used. Beyond the skew it is untrusted, and the time used goes on with the monotonic clock
//! from the anchor, so a false wall clock can neither pull records into the future nor push them into the past.
//!
//! It is trusted again by itself when the wall clock is back where the monotonic clock expects it: then the two agree
//! again, and the error lies behind. A wall clock that *stays* elsewhere (it was wrong at start and has been put right, or
//! the machine slept) stays untrusted until an officer [accepts](Watch::accepted) it, or the daemon is restarted with a
//! clock that is not behind the log. By itself the anchor is never moved while running: many small steps are one large step.
//!
//! At start the anchor is the wall clock, unless that is not to be believed: behind the newest time in the log (the
//! high-water mark) by more than the skew, ahead of it by more than [seven days](FURTHEST), or beyond a moment at which
//! something would come about by waiting alone. Then the anchor is the mark, and the clock is untrusted from the first moment.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use proto::time::Time;

use super::{Clock, Monotonic};

/// One look at both clocks. The wall clock is read between two looks at the monotonic one, because a process can be
/// stopped between any two instructions; that must not look like a step of the clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reading {
    /// The monotonic clock, just before.
    pub before: Monotonic,
    /// The wall clock.
    pub wall: Time,
    /// The monotonic clock, just after.
    pub after: Monotonic,
}

impl Reading {
    /// Looks at both clocks now.
    pub fn take(clock: &dyn Clock) -> Self {
        let before = clock.monotonic();
        let wall = clock.wall();
        Self { before, wall, after: clock.monotonic() }
    }
}

/// What a [`Watch`] says about the clock, with the time to use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The two clocks agree; this is the wall time.
    Trusted(Time),
    /// They do not. The time goes on with the monotonic clock; records made with it are marked.
    Untrusted {
        /// The time to use: the anchor's plus what the monotonic clock has counted since.
        time: Time,
        /// What the wall clock said instead.
        wall: Time,
    },
}

impl Verdict {
    /// The time to use.
    pub const fn time(self) -> Time {
        match self {
            Self::Trusted(time) | Self::Untrusted { time, .. } => time,
        }
    }

    /// Whether the wall clock can be believed.
    pub const fn is_trusted(self) -> bool {
        matches!(self, Self::Trusted(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trusted(_) => f.write_str("the clock is trusted"),
            Self::Untrusted { time, wall } => write!(
                f,
                "the clock is not trusted: it says {wall}, but {time} is expected from the log and from the time that has \
                 passed; put the machine's clock right (chronyc tracking, timedatectl), and if it is right, an officer accepts it: \
                 countersign ceremony accept-clock"
            ),
        }
    }
}

/// How far ahead of the newest time in the log a wall clock may be when the daemon starts: seven days.
pub const FURTHEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Holds a reading against the anchor: pure. The anchor's wall time belongs to its `after`.
pub fn judge(anchor: Reading, now: Reading, skew: Duration) -> Verdict {
    let earliest = anchor.wall.later(now.before.since(anchor.after));
    let latest = anchor.wall.later(now.after.since(anchor.after));
    if now.wall >= earliest.earlier(skew) && now.wall <= latest.later(skew) {
        Verdict::Trusted(now.wall)
    } else {
        Verdict::Untrusted { time: latest, wall: now.wall }
    }
}

/// Watches one clock from an anchor on.
#[derive(Clone)]
pub struct Watch {
    clock: Arc<dyn Clock>,
    anchor: Reading,
    skew: Duration,
}

impl Watch {
    /// Begins now. `high_water` is the newest time in the log, if it has one; `due` is the first moment after it at which
    /// something would come about by waiting alone; `skew` is how far the two clocks may advance apart.
    pub fn begin(clock: Arc<dyn Clock>, high_water: Option<Time>, due: Option<Time>, skew: Duration) -> Self {
        let mut anchor = Reading::take(&*clock);
        if let Some(mark) = high_water {
            let behind = anchor.wall.later(skew) < mark;
            let beyond = due.is_some_and(|due| mark < due && anchor.wall >= due);
            if behind || beyond || anchor.wall > mark.later(FURTHEST) {
                anchor.wall = mark;
            }
        }
        Self { clock, anchor, skew }
    }

    /// The same watch from now on, because somebody vouches for the wall clock; unchanged where that is behind `sealed`, the
    /// newest time in the log, which nobody lowers by that.
    pub fn accepted(&self, sealed: Time) -> Self {
        let anchor = Reading::take(&*self.clock);
        let anchor = if anchor.wall >= sealed { anchor } else { self.anchor };
        Self { clock: Arc::clone(&self.clock), anchor, skew: self.skew }
    }

    /// The time to use now, and whether it can be trusted.
    pub fn now(&self) -> Verdict {
        judge(self.anchor, Reading::take(&*self.clock), self.skew)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("anchor", &self.anchor)
            .field("skew", &self.skew)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::ManualClock;

    const SKEW: Duration = Duration::from_secs(2);
    const HOUR: Duration = Duration::from_secs(3600);

    fn watched(high_water: Option<Duration>) -> (Arc<ManualClock>, Time, Watch) {
        let clock = Arc::new(ManualClock::default());
        let start = clock.wall();
        let watch = Watch::begin(clock.clone(), high_water.map(|ahead| start.later(ahead)), None, SKEW);
        (clock, start, watch)
    }

    #[test]
    fn clocks_that_advance_together_are_trusted() {
        let (clock, start, watch) = watched(None);
        clock.advance(HOUR);
        assert_eq!(watch.now(), Verdict::Trusted(start.later(HOUR)));
    }

    #[test]
    fn a_step_within_the_skew_is_followed() {
        let (clock, start, watch) = watched(None);
        clock.set(start.earlier(Duration::from_secs(1)));
        assert_eq!(watch.now(), Verdict::Trusted(start.earlier(Duration::from_secs(1))));
    }

    #[test]
    fn a_step_either_way_is_untrusted_and_time_goes_on_with_the_monotonic_clock() {
        let (clock, start, watch) = watched(None);
        for wall in [start.later(HOUR * 24), start.earlier(HOUR * 24)] {
            clock.set(wall);
            let verdict = watch.now();
            assert_eq!(
                verdict,
                Verdict::Untrusted { time: start.later(clock.monotonic().since_start()), wall }
            );
            clock.advance(Duration::from_secs(1));
            assert_eq!(watch.now().time(), verdict.time().later(Duration::from_secs(1)));
        }
    }

    #[test]
    fn put_back_where_it_is_expected_it_is_trusted_again() {
        let (clock, start, watch) = watched(None);
        clock.set(start.later(HOUR));
        assert!(!watch.now().is_trusted());
        clock.set(start.later(Duration::from_secs(1)));
        assert!(watch.now().is_trusted());
    }

    #[test]
    fn many_small_steps_are_one_large_step() {
        let (clock, _start, watch) = watched(None);
        for _ in 0..4 {
            clock.step(Duration::from_millis(700));
        }
        assert!(!watch.now().is_trusted());
    }

    #[test]
    fn a_clock_behind_the_log_is_untrusted_from_the_start_until_it_has_been_put_right() {
        let (clock, start, watch) = watched(Some(HOUR));
        assert_eq!(watch.now(), Verdict::Untrusted { time: start.later(HOUR), wall: start });
        clock.set(start.later(HOUR));
        assert!(watch.now().is_trusted());
    }

    #[test]
    fn a_log_newer_by_less_than_the_skew_is_no_reason_for_distrust() {
        let (_clock, start, watch) = watched(Some(Duration::from_secs(1)));
        assert_eq!(watch.now(), Verdict::Trusted(start));
    }

    #[test]
    fn a_clock_far_ahead_of_the_log_or_beyond_a_moment_that_was_waited_for_is_untrusted_from_the_start() {
        let clock = Arc::new(ManualClock::default());
        let now = clock.wall();
        let begin = |mark: Time, due| Watch::begin(clock.clone(), Some(mark), due, SKEW).now();
        let week = now.earlier(FURTHEST);
        assert!(begin(week, None).is_trusted());
        let longer = week.earlier(Duration::from_micros(1));
        assert_eq!(begin(longer, None), Verdict::Untrusted { time: longer, wall: now });
        let mark = now.earlier(HOUR);
        assert_eq!(begin(mark, Some(now)), Verdict::Untrusted { time: mark, wall: now });
        // Still to come, or over when the log was last written.
        assert!(begin(mark, Some(now.later(Duration::from_micros(1)))).is_trusted());
        assert!(begin(mark, Some(mark)).is_trusted());
    }

    #[test]
    fn a_clock_that_is_vouched_for_is_trusted_from_then_on_and_lowers_nothing() {
        let (clock, start, watch) = watched(None);
        clock.set(start.later(HOUR * 240));
        assert!(!watch.now().is_trusted());
        let accepted = watch.accepted(start.later(HOUR));
        assert_eq!(accepted.now(), Verdict::Trusted(start.later(HOUR * 240)));
        clock.step(Duration::from_secs(10));
        assert!(!accepted.now().is_trusted());
        clock.set(start.earlier(HOUR));
        assert!(!watch.accepted(start).now().is_trusted());
    }

    #[test]
    fn a_process_stopped_between_two_reads_is_not_a_step() {
        let start = Time::from_microseconds(1_000_000_000);
        let at = |seconds| Monotonic::from_start(Duration::from_secs(seconds));
        let anchor = Reading { before: at(0), wall: start, after: at(0) };
        for wall in [start.later(Duration::from_secs(10)), start.later(Duration::from_secs(70))] {
            let stopped = Reading { before: at(10), wall, after: at(70) };
            assert_eq!(judge(anchor, stopped, SKEW), Verdict::Trusted(wall));
        }
    }

    proptest! {
        /// Invariant: the time of a verdict is never further from the expected one than the skew.
        #[test]
        fn no_verdict_leaves_the_corridor(step in -100_000_000i64..100_000_000, passed in 0u64..100_000_000) {
            let (clock, start, watch) = watched(None);
            clock.advance(Duration::from_micros(passed));
            clock.set(Time::from_microseconds(clock.wall().microseconds() + step));
            let expected = start.later(Duration::from_micros(passed));
            let time = watch.now().time();
            prop_assert!(time.since(expected) <= SKEW && expected.since(time) <= SKEW);
        }
    }
}
