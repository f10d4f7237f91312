//! How long a call of a backend takes: the median of the last ones.

use std::time::Duration;

use crate::clock::Monotonic;

const KEPT: usize = 63;
/// With fewer samples nobody is refused.
const ENOUGH: usize = 15;
/// After this long without a call the figure is forgotten: it may have been a bad hour, and who is refused brings no new
/// samples.
const FRESH: Duration = Duration::from_secs(5);

/// The last durations of calls, and their median.
#[derive(Debug, Default)]
pub struct Pace {
    samples: Vec<Duration>,
    at: usize,
    median: Option<Duration>,
    newest: Monotonic,
}

impl Pace {
    /// A call took so long.
    pub fn record(&mut self, took: Duration, now: Monotonic) {
        if now.since(self.newest) > FRESH {
            self.samples.clear();
            self.at = 0;
            self.median = None;
        }
        self.newest = now;
        if self.samples.len() < KEPT {
            self.samples.push(took);
        } else if let Some(slot) = self.samples.get_mut(self.at) {
            *slot = took;
        }
        self.at = (self.at + 1) % KEPT;
        if self.samples.len() >= ENOUGH && self.at.is_multiple_of(8) {
            let mut sorted = self.samples.clone();
            let middle = sorted.len() / 2;
            self.median = Some(*sorted.select_nth_unstable(middle).1);
        }
    }

    /// The median, where there were enough calls lately.
    pub fn median(&self, now: Monotonic) -> Option<Duration> {
        self.median.filter(|_| now.since(self.newest) <= FRESH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_outliers_and_is_forgotten_without_calls() {
        let mut pace = Pace::default();
        let mut now = Monotonic::START;
        assert_eq!(pace.median(now), None);
        for call in 0..100 {
            now = now.after(Duration::from_millis(1));
            pace.record(Duration::from_millis(if call % 10 == 0 { 5000 } else { 3 }), now);
        }
        assert_eq!(pace.median(now), Some(Duration::from_millis(3)));
        assert_eq!(pace.median(now.after(Duration::from_secs(6))), None);
        now = now.after(Duration::from_secs(6));
        pace.record(Duration::from_millis(1), now);
        assert_eq!(pace.median(now), None);
    }
}
