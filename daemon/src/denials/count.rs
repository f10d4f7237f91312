//! Which refusals by policy are recorded one by one, and which are counted.
//!
//! Ten single records per caller, action, rule, reason and minute, then one summary with a count, so that a flood of
//! refusals cannot fill the log: actions are few, and summaries have an hourly budget of bytes. Pure: time is an argument,
//! and nothing is written here.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use proto::action::ActionName;
use proto::name::KeyName;
use proto::reason::Reason;
use proto::time::Time;

/// Single records of what is alike in a minute.
const SINGLE: u64 = 10;

/// Bytes of summaries per hour; what is beyond is counted into the next hour's.
const BUDGET: usize = 1024 * 1024;

/// Callers and rules that are told apart at most; the rest of a minute share one count for each action.
const APART: usize = 4096;

/// What refusals that are counted together have in common.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Alike {
    /// Stable id of the caller; empty where too many were refused to tell them apart.
    pub caller: String,
    /// The call.
    pub action: ActionName,
    /// Id of the rule; empty where none allowed it.
    pub rule: String,
    /// What the caller was told; `POLICY_DENIED` where too many were refused to tell them apart.
    pub reason: Reason,
}

/// What to do with one refusal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Noted {
    /// Record it by itself.
    Single,
    /// It was counted; a summary follows after the minute.
    Counted,
}

/// A minute's count beyond the single ones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Count {
    /// Of what.
    pub of: Alike,
    /// The key that every one of the minute was about, if there was one.
    pub key: Option<KeyName>,
    /// How many.
    pub count: u64,
    /// Begin of the minute.
    pub since: Time,
}

/// The counts of the current minute and what is left of the hour's budget.
#[derive(Debug, Default)]
pub struct Counts(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    now: HashMap<Alike, Tally>,
    due: Vec<Count>,
    hour: i64,
    spent: usize,
}

#[derive(Debug)]
struct Tally {
    key: Option<KeyName>,
    count: u64,
}

fn minute_of(time: Time) -> i64 {
    time.microseconds().div_euclid(60_000_000)
}

impl Counts {
    /// Counts one refusal, of a call about this key.
    pub fn note(&self, alike: &Alike, key: Option<&KeyName>, now: Time) -> Noted {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        minute.turn(now);
        let told_apart = minute.now.len() < APART || minute.now.contains_key(alike);
        let place = if told_apart { alike.clone() } else { alike.of_anybody() };
        let tally = minute.now.entry(place).or_insert_with(|| Tally { key: key.cloned(), count: 0 });
        if tally.key.as_ref() != key {
            tally.key = None;
        }
        tally.count += 1;
        if tally.count <= SINGLE { Noted::Single } else { Noted::Counted }
    }

    /// Summaries of minutes that are over, as many as the hour's budget allows at `size` bytes each. The rest stay.
    pub fn take_due(&self, now: Time, size: usize) -> Vec<Count> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        minute.turn(now);
        let hour = minute_of(now).div_euclid(60);
        if minute.hour != hour {
            (minute.hour, minute.spent) = (hour, 0);
        }
        let room = BUDGET.saturating_sub(minute.spent) / size.max(1);
        let taken = room.min(minute.due.len());
        minute.spent += taken * size;
        minute.due.drain(..taken).collect()
    }
}

impl Alike {
    /// Where too many callers and rules are told apart already.
    fn of_anybody(&self) -> Self {
        let (caller, rule) = (String::new(), String::new());
        Self { caller, action: self.action, rule, reason: Reason::PolicyDenied }
    }
}

impl Minute {
    fn turn(&mut self, now: Time) {
        let minute = minute_of(now);
        if minute == self.number {
            return;
        }
        let since = Time::from_microseconds(self.number.saturating_mul(60_000_000));
        for (of, Tally { key, count }) in self.now.drain().filter(|(_, tally)| tally.count > SINGLE) {
            let count = count - SINGLE;
            match self.due.iter_mut().find(|due| self.spent >= BUDGET && due.of == of) {
                Some(due) => {
                    due.count += count;
                    due.key = due.key.take().filter(|known| Some(known) == key.as_ref());
                }
                None => self.due.push(Count { of, key, count, since }),
            }
        }
        self.number = minute;
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

    fn by(caller: &str) -> Alike {
        let (action, reason) = (ActionName::Sign, Reason::PolicyDenied);
        Alike { caller: caller.into(), action, rule: "r".into(), reason }
    }

    fn key(name: &str) -> KeyName {
        name.parse().unwrap()
    }

    #[test]
    fn ten_are_recorded_and_the_rest_summed_up_after_the_minute() {
        let counts = Counts::default();
        for i in 0..10 {
            assert_eq!(counts.note(&by("a"), None, at(0)), Noted::Single, "{i}");
        }
        for _ in 0..5 {
            assert_eq!(counts.note(&by("a"), None, at(1)), Noted::Counted);
        }
        assert_eq!(counts.note(&by("b"), None, at(1)), Noted::Single);
        // Another reason, rule or action is another count.
        for other in [
            Alike { reason: Reason::PurposeMismatch, ..by("a") },
            Alike { rule: String::new(), ..by("a") },
            Alike { action: ActionName::Stop, ..by("a") },
        ] {
            assert_eq!(counts.note(&other, None, at(1)), Noted::Single, "{other:?}");
        }
        assert_eq!(counts.take_due(at(59), 500), vec![]);
        let due = counts.take_due(at(60), 500);
        assert_eq!(due, vec![Count { of: by("a"), key: None, count: 5, since: at(0) }]);
        assert_eq!(counts.take_due(at(61), 500), vec![]);
        assert_eq!(counts.note(&by("a"), None, at(61)), Noted::Single);
    }

    #[test]
    fn a_summary_names_the_key_that_all_were_about() {
        for (others, named) in [(vec![Some("a"); 11], true), (vec![Some("b")], false), (vec![None], false)] {
            let counts = Counts::default();
            for _ in 0..11 {
                counts.note(&by("x"), Some(&key("a")), at(0));
            }
            for other in others {
                counts.note(&by("x"), other.map(key).as_ref(), at(0));
            }
            // Once several, always several.
            counts.note(&by("x"), Some(&key("a")), at(0));
            let due = counts.take_due(at(60), 500);
            assert_eq!(due[0].key, named.then(|| key("a")));
        }
    }

    #[test]
    fn summaries_have_an_hourly_budget_and_nothing_is_lost() {
        let counts = Counts::default();
        for caller in 0..8 {
            for _ in 0..12 {
                counts.note(&by(&caller.to_string()), None, at(0));
            }
        }
        let size = BUDGET / 3;
        assert_eq!(counts.take_due(at(60), size).len(), 3);
        assert_eq!(counts.take_due(at(120), size).len(), 0);
        let later = counts.take_due(at(3600), size).len() + counts.take_due(at(7200), size).len();
        assert_eq!(later, 5);
    }

    #[test]
    fn minutes_beyond_the_budget_are_added_up() {
        let counts = Counts::default();
        let refuse = |caller: &str, about: &str, second| {
            for _ in 0..12 {
                counts.note(&by(caller), Some(&key(about)), at(second));
            }
        };
        refuse("a", "k", 0);
        assert_eq!(counts.take_due(at(60), BUDGET).len(), 1);
        for (about, second) in [("k", 60), ("k", 120), ("l", 180)] {
            refuse("a", about, second);
            refuse("b", "k", second);
        }
        let (first, second) = (counts.take_due(at(3600), BUDGET), counts.take_due(at(7200), BUDGET));
        let mut due: Vec<_> = first.into_iter().chain(second).collect();
        due.sort_by(|a, b| a.of.caller.cmp(&b.of.caller));
        assert_eq!(
            due,
            vec![
                Count { of: by("a"), key: None, count: 6, since: at(60) },
                Count { of: by("b"), key: Some(key("k")), count: 6, since: at(60) },
            ]
        );
    }

    #[test]
    fn a_flood_of_identities_shares_one_count_for_each_action() {
        let counts = Counts::default();
        for caller in 0..APART + 100 {
            counts.note(&by(&caller.to_string()), None, at(0));
        }
        let stop = Alike { action: ActionName::Stop, ..by("another") };
        assert_eq!(counts.note(&stop, None, at(0)), Noted::Single);
        let due = counts.take_due(at(60), 1);
        assert_eq!(due.len(), 1);
        assert_eq!((due[0].of.caller.as_str(), due[0].of.action, due[0].count), ("", ActionName::Sign, 90));
    }
}
