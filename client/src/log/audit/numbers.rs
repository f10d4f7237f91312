//! Operation numbers: consecutive, each once.
//!
//! A number without a record is *missing* when a higher one was asked for more than an hour before the end of the range, else it is
//! *open*: its operation may still be under way. In a range that begins later, numbers below the first one seen are not judged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proto::time::Time;

/// How long an operation may be under way before its number is missing.
const OPEN: Duration = Duration::from_secs(60 * 60);

/// Numbers seen so far. Below `next` every number was seen, but for those in `absent`.
pub struct Numbers {
    next: Option<u64>,
    whole: bool,
    absent: BTreeSet<u64>,
    ahead: BTreeMap<u64, Time>,
}

impl Numbers {
    /// Begins at an index.
    pub fn new(start: u64) -> Self {
        Self { next: None, whole: start == 0, absent: BTreeSet::new(), ahead: BTreeMap::new() }
    }

    /// Takes one number, and says if it was there before.
    pub fn record(&mut self, number: u64, asked: Time, sealed: Time) -> Option<String> {
        let first = if self.whole { number.min(1) } else { number };
        let next = *self.next.get_or_insert(first);
        if number < next {
            if self.absent.remove(&number) || !self.whole {
                return None;
            }
            return Some(format!("operation number {number} has a second record"));
        }
        if self.ahead.insert(number, asked).is_some() {
            return Some(format!("operation number {number} has a second record"));
        }
        self.advance(sealed);
        None
    }

    /// Moves on over numbers that were seen, and over those that a much older higher number has left behind.
    fn advance(&mut self, sealed: Time) {
        let Some(mut next) = self.next else { return };
        while let Some((number, asked)) =
            self.ahead.first_key_value().map(|(number, asked)| (*number, *asked))
        {
            if number > next {
                if sealed.since(asked) <= OPEN {
                    break;
                }
                self.absent.extend(next..number);
            }
            self.ahead.remove(&number);
            next = number + 1;
        }
        self.next = Some(next);
    }

    /// The numbers that are missing, and those that are open.
    pub fn end(&mut self, last: Option<Time>) -> (Vec<u64>, Vec<u64>) {
        let mut open = Vec::new();
        let mut next = self.next.unwrap_or(0);
        let mut gaps = Vec::new();
        for (number, asked) in &self.ahead {
            gaps.push((next..*number, *asked));
            next = number + 1;
        }
        // A gap is missing when any higher number was asked for more than an hour ago.
        let mut oldest: Option<Time> = None;
        for (gap, asked) in gaps.into_iter().rev() {
            let known = oldest.map_or(asked, |oldest| oldest.min(asked));
            oldest = Some(known);
            if last.is_some_and(|last| last.since(known) > OPEN) {
                self.absent.extend(gap);
            } else {
                open.extend(gap);
            }
        }
        open.sort_unstable();
        (std::mem::take(&mut self.absent).into_iter().collect(), open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Time {
        Time::from_microseconds(minute * 60_000_000)
    }

    fn run(start: u64, numbers: &[(u64, i64)]) -> (Vec<String>, Vec<u64>, Vec<u64>) {
        let mut state = Numbers::new(start);
        let mut twice = Vec::new();
        let mut last = None;
        for (number, minute) in numbers {
            twice.extend(state.record(*number, at(*minute), at(*minute)));
            last = Some(at(*minute));
        }
        let (missing, open) = state.end(last);
        (twice, missing, open)
    }

    #[test]
    fn consecutive_numbers_in_any_order_are_fine() {
        assert_eq!(run(0, &[(1, 0), (3, 0), (2, 1), (4, 2)]), (vec![], vec![], vec![]));
        assert_eq!(
            run(9, &[(41, 0), (40, 0), (42, 0)]),
            (vec![], vec![], vec![]),
            "a range begins where it begins"
        );
    }

    #[test]
    fn a_gap_is_open_for_an_hour_and_missing_after() {
        assert_eq!(run(0, &[(1, 0), (3, 0), (4, 59)]), (vec![], vec![], vec![2]));
        assert_eq!(run(0, &[(1, 0), (3, 0), (4, 61)]), (vec![], vec![2], vec![]));
        assert_eq!(run(0, &[(2, 0), (3, 61)]), (vec![], vec![1], vec![]), "the first number is 1");
        assert_eq!(
            run(0, &[(1, 0), (3, 50), (5, 0), (6, 61)]),
            (vec![], vec![2, 4], vec![]),
            "a higher one was asked for early"
        );
        assert_eq!(
            run(0, &[(1, 0), (3, 0), (4, 90), (2, 91)]),
            (vec![], vec![], vec![]),
            "closed late, after a crash"
        );
    }

    #[test]
    fn a_second_record_is_found() {
        assert_eq!(run(0, &[(1, 0), (2, 0), (2, 0)]).0.len(), 1);
        assert_eq!(run(0, &[(1, 0), (3, 0), (3, 1)]).0.len(), 1);
        assert_eq!(run(0, &[(1, 0), (2, 0), (1, 1)]).0.len(), 1);
    }
}
