//! When to start a host again: pure.
//!
//! A host that ended by itself is started again at once, then with growing pauses while it keeps ending. A host that had
//! to be killed because a call hung may be killed three times in ten minutes; then it is left alone until the first of
//! those is ten minutes ago: killing in the middle of a call is not free (some tokens lose objects), and a module that
//! hangs three times will hang a fourth time.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Monotonic;

const KILLS: usize = 3;
const WINDOW: Duration = Duration::from_secs(600);
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);
/// A host that ran for so long was well.
const WELL: Duration = Duration::from_secs(30);

/// What to do now that a host is gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// Start another after this pause.
    Start(Duration),
    /// Leave it alone for so long.
    Broken(Duration),
}

/// How hosts ended lately.
#[derive(Debug, Default)]
pub(super) struct History {
    kills: VecDeque<Monotonic>,
    in_a_row: u32,
}

impl History {
    /// A host that ran for `ran` ended by itself, or could not be started.
    pub(super) fn ended(&mut self, ran: Duration) -> Next {
        self.in_a_row = if ran >= WELL { 0 } else { self.in_a_row + 1 };
        let pause = FIRST.saturating_mul(2_u32.saturating_pow(self.in_a_row.saturating_sub(1)));
        Next::Start(pause.min(LONGEST))
    }

    /// A host was killed because a call hung.
    pub(super) fn killed(&mut self, now: Monotonic) -> Next {
        self.kills.push_back(now);
        while self.kills.front().is_some_and(|first| now.since(*first) >= WINDOW) {
            self.kills.pop_front();
        }
        match self.kills.front() {
            Some(first) if self.kills.len() >= KILLS => {
                Next::Broken(WINDOW.saturating_sub(now.since(*first)))
            }
            _ => Next::Start(FIRST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_keeps_ending_is_started_with_growing_pauses_and_a_good_one_at_once() {
        let mut history = History::default();
        let pauses: Vec<_> = (0..10).map(|_| history.ended(Duration::ZERO)).collect();
        assert_eq!(pauses[0], Next::Start(FIRST));
        assert_eq!(pauses[1], Next::Start(FIRST * 2));
        assert_eq!(pauses[9], Next::Start(LONGEST));
        assert_eq!(history.ended(WELL), Next::Start(FIRST));
    }

    #[test]
    fn three_kills_in_ten_minutes_and_no_more() {
        let mut history = History::default();
        let minute = |minutes: u64| Monotonic::from_start(Duration::from_secs(60 * minutes));
        assert_eq!(history.killed(minute(0)), Next::Start(FIRST));
        assert_eq!(history.killed(minute(3)), Next::Start(FIRST));
        assert_eq!(history.killed(minute(4)), Next::Broken(Duration::from_secs(360)));
        // After the pause the first is forgotten, so one more is allowed, and the pause is until the next is.
        assert_eq!(history.killed(minute(11)), Next::Broken(Duration::from_secs(120)));
        assert_eq!(history.killed(minute(30)), Next::Start(FIRST));
    }
}
