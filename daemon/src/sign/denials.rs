//! Which refusals by policy are recorded one by one, and which are counted.
//!
//! Ten single records per caller, rule and minute, then one summary with a count, so that a flood of refusals cannot
//! fill the log: summaries have an hourly budget of bytes. Pure: time is an argument, and nothing is written here.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use proto::reason::Reason;
use proto::time::Time;

/// Single records per caller, rule and minute.
const SINGLE: u64 = 10;

/// Bytes of summaries per hour; what is beyond is counted into the next hour's.
const BUDGET: usize = 1024 * 1024;

/// Callers and rules that are told apart at most; the rest of a minute share one count.
const APART: usize = 4096;

/// What to do with one refusal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Record {
    /// Record it by itself.
    Single,
    /// It was counted; a summary follows after the minute.
    Counted,
}

/// A minute's count beyond the single ones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Count {
    /// Stable id of the caller; empty where too many were refused to tell them apart.
    pub(crate) caller: String,
    /// Id of the rule; empty where none allowed it.
    pub(crate) rule: String,
    /// What the caller was told; `POLICY_DENIED` where too many were refused to tell them apart.
    pub(crate) reason: Reason,
    /// How many.
    pub(crate) count: u64,
    /// Begin of the minute.
    pub(crate) since: Time,
}

/// The counts of the current minute and what is left of the hour's budget.
#[derive(Debug, Default)]
pub(crate) struct Denials(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    minute: i64,
    now: HashMap<(String, String, Reason), u64>,
    due: Vec<Count>,
    hour: i64,
    spent: usize,
}

fn minute_of(time: Time) -> i64 {
    time.microseconds().div_euclid(60_000_000)
}

impl Denials {
    /// Counts one refusal.
    pub(crate) fn note(&self, caller: &str, rule: &str, reason: Reason, now: Time) -> Record {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.turn(now);
        let known = (caller.to_owned(), rule.to_owned(), reason);
        let place = if counts.now.len() < APART || counts.now.contains_key(&known) {
            known
        } else {
            (String::new(), String::new(), Reason::PolicyDenied)
        };
        let count = counts.now.entry(place).or_default();
        *count += 1;
        if *count <= SINGLE { Record::Single } else { Record::Counted }
    }

    /// Summaries of minutes that are over, as many as the hour's budget allows at `size` bytes each. The rest stay.
    pub(crate) fn take_due(&self, now: Time, size: usize) -> Vec<Count> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.turn(now);
        let hour = minute_of(now).div_euclid(60);
        if counts.hour != hour {
            (counts.hour, counts.spent) = (hour, 0);
        }
        let room = BUDGET.saturating_sub(counts.spent) / size.max(1);
        let taken = room.min(counts.due.len());
        counts.spent += taken * size;
        counts.due.drain(..taken).collect()
    }
}

impl Counts {
    fn turn(&mut self, now: Time) {
        let minute = minute_of(now);
        if minute == self.minute {
            return;
        }
        let since = Time::from_microseconds(self.minute.saturating_mul(60_000_000));
        for ((caller, rule, reason), count) in self.now.drain().filter(|(_, count)| *count > SINGLE) {
            let count = count - SINGLE;
            match self.due.iter_mut().find(|due| {
                let same = (&due.caller, &due.rule, due.reason) == (&caller, &rule, reason);
                self.spent >= BUDGET && same
            }) {
                Some(due) => due.count += count,
                None => self.due.push(Count { caller, rule, reason, count, since }),
            }
        }
        self.minute = minute;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use std::time::Duration;

    use super::*;

    fn at(second: u64) -> Time {
        Time::from_microseconds(0).later(Duration::from_secs(1_800_000_000 + second))
    }

    #[test]
    fn ten_are_recorded_and_the_rest_summed_up_after_the_minute() {
        let denials = Denials::default();
        for i in 0..10 {
            assert_eq!(denials.note("a", "r", Reason::PolicyDenied, at(0)), Record::Single, "{i}");
        }
        for _ in 0..5 {
            assert_eq!(denials.note("a", "r", Reason::PolicyDenied, at(1)), Record::Counted);
        }
        assert_eq!(denials.note("b", "r", Reason::PolicyDenied, at(1)), Record::Single);
        // Another reason is another count.
        assert_eq!(denials.note("a", "r", Reason::PurposeMismatch, at(1)), Record::Single);
        assert_eq!(denials.take_due(at(59), 500), vec![]);
        let due = denials.take_due(at(60), 500);
        assert_eq!(
            due,
            vec![Count {
                caller: "a".into(),
                rule: "r".into(),
                reason: Reason::PolicyDenied,
                count: 5,
                since: at(0)
            }]
        );
        assert_eq!(denials.take_due(at(61), 500), vec![]);
        assert_eq!(denials.note("a", "r", Reason::PolicyDenied, at(61)), Record::Single);
    }

    #[test]
    fn summaries_have_an_hourly_budget_and_nothing_is_lost() {
        let denials = Denials::default();
        for caller in 0..8 {
            for _ in 0..12 {
                denials.note(&caller.to_string(), "r", Reason::PolicyDenied, at(0));
            }
        }
        let size = BUDGET / 3;
        assert_eq!(denials.take_due(at(60), size).len(), 3);
        assert_eq!(denials.take_due(at(120), size).len(), 0);
        let later = denials.take_due(at(3600), size).len() + denials.take_due(at(7200), size).len();
        assert_eq!(later, 5);
    }

    #[test]
    fn a_flood_of_identities_shares_one_count() {
        let denials = Denials::default();
        for caller in 0..APART + 100 {
            denials.note(&caller.to_string(), "r", Reason::PolicyDenied, at(0));
        }
        let due = denials.take_due(at(60), 1);
        assert_eq!(due.len(), 1);
        assert_eq!((due[0].caller.as_str(), due[0].count), ("", 90));
    }
}
