//! Quotas: rate, burst and total in a window, per caller and per key. Counted in memory, begun anew by a restart.
//!
//! Rates are governor's (generic cell rate algorithm), on the clock that it is given; totals are counted here. Time is
//! whatever [`Quotas::new`] is handed: time since the daemon's start, or a test's. What a caller takes is taken
//! from its own quota and from the key's. A rate is of requests: it is spent by asking, whatever is answered. A total is
//! of signatures: it is taken from both or from neither, and [`Spent`] gives it back where none was made.
//!
//! What this does not do: spend twice for one operation. A permit that is decided again keeps what it took.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ceremonies::guardrails::Guardrails;
use ceremonies::guardrails::quota::{Quota, QuotaTable, Rate, Total};
use governor::RateLimiter;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use proto::name::KeyName;
use proto::reason::Reason;
use proto::refusal::Refusal;

use crate::policy::caller::Caller;

/// When more than this many are counted, those whose counters are as good as new are forgotten.
const MANY: usize = 10_000;

/// All quotas, with what has been taken from them.
pub struct Quotas {
    clock: Reading,
    callers: Counters,
    keys: Counters,
}

/// Not now.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the quota of {of} is used up: {limit}")]
pub struct Exhausted {
    /// `caller …` or `key …`.
    pub of: String,
    /// The limit, in words.
    pub limit: String,
    /// How long to wait; absent where waiting does not help, because more is asked for at once than ever fits.
    pub retry_after: Option<Duration>,
    /// Whether it is a total: what was signed before may still be fetched. Its rate was let through.
    pub is_total: bool,
}

/// What was taken from totals for one operation.
#[derive(Default)]
#[must_use = "a total that is taken for nothing is given back"]
pub struct Spent {
    totals: [Option<(Arc<Counter>, Duration)>; 2],
    signatures: u64,
}

impl Spent {
    /// Gives it back, as far as the windows that it was taken from last: no signature was made.
    pub fn give_back(self) {
        for (counter, began) in self.totals.into_iter().flatten() {
            let mut used = counter.used.lock().unwrap_or_else(PoisonError::into_inner);
            if used.began == began {
                used.count = used.count.saturating_sub(self.signatures);
            }
        }
    }
}

impl std::fmt::Debug for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spent").field("signatures", &self.signatures).finish_non_exhaustive()
    }
}

impl Exhausted {
    /// As every use case answers it.
    pub fn refusal(&self) -> Refusal {
        let refusal = Refusal::new(Reason::QuotaExhausted, self.to_string()).with("quota", &self.of);
        match self.retry_after {
            Some(wait) => refusal.after(wait),
            None => refusal,
        }
    }
}

impl Quotas {
    /// The quotas that the guardrails set; nothing has been taken yet. `since_start` says how much time has passed since
    /// some moment, and never less than before.
    pub fn new(guardrails: &Guardrails, since_start: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let clock = Reading(Arc::new(since_start));
        let counters = |table: &QuotaTable| Counters { table: table.clone(), counted: Mutex::default() };
        Self { callers: counters(&guardrails.caller_quotas), keys: counters(&guardrails.key_quotas), clock }
    }

    /// Takes `signatures` from the quotas of the caller and of the key.
    ///
    /// # Errors
    /// [`Exhausted`], and how long to wait.
    pub fn take(&self, caller: &Caller, key: &KeyName, signatures: NonZeroU32) -> Result<Spent, Exhausted> {
        let counters = [
            ("caller", self.callers.of(&caller.id, &self.clock)),
            ("key", self.keys.of(key.as_str(), &self.clock)),
        ];
        let now = self.clock.now();
        let refused = |of, name, Refused { limit, retry_after }, is_total| Exhausted {
            of: format!("{of} {name}"),
            limit,
            retry_after,
            is_total,
        };
        let limited = || counters.iter().filter_map(|(of, found)| Some((*of, found.as_ref()?)));
        for (of, (name, counter)) in limited() {
            counter.take_rate(now, signatures).map_err(|no| refused(of, name, no, false))?;
        }
        let mut spent = Spent { signatures: signatures.get().into(), ..Spent::default() };
        for (place, (of, (name, counter))) in limited().enumerate() {
            match counter.take_total(now, signatures) {
                Ok(window) => spent.totals[place] = window.map(|began| (Arc::clone(counter), began)),
                Err(no) => {
                    spent.give_back();
                    return Err(refused(of, name, no, true));
                }
            }
        }
        Ok(spent)
    }
}

impl std::fmt::Debug for Quotas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quotas").finish_non_exhaustive()
    }
}

struct Counters {
    table: QuotaTable,
    counted: Mutex<HashMap<String, Arc<Counter>>>,
}

impl Counters {
    fn of<'n>(&self, name: &'n str, clock: &Reading) -> Option<(&'n str, Arc<Counter>)> {
        if self.table.is_empty() {
            return None;
        }
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = counted.get(name) {
            return Some((name, counter.clone()));
        }
        let counter = Arc::new(Counter::new(self.table.find(name)?, clock));
        if counted.len() >= MANY {
            let now = clock.now();
            counted.retain(|_, counter| !counter.is_as_new(now));
        }
        counted.insert(name.to_owned(), counter.clone());
        Some((name, counter))
    }
}

struct Counter {
    rate: Option<Limited>,
    total: Option<Total>,
    used: Mutex<Used>,
}

struct Limited {
    rate: Rate,
    limiter: RateLimiter<NotKeyed, InMemoryState, Reading, NoOpMiddleware<Duration>>,
}

/// A limit in words, and how long to wait.
struct Refused {
    limit: String,
    retry_after: Option<Duration>,
}

/// What was taken in the window that began then, and when last.
#[derive(Default)]
struct Used {
    began: Duration,
    count: u64,
    last: Duration,
}

/// Time since some moment, as governor asks for it.
#[derive(Clone)]
struct Reading(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock for Reading {
    type Instant = Duration;

    fn now(&self) -> Duration {
        (self.0)()
    }
}

impl Counter {
    fn new(quota: &Quota, clock: &Reading) -> Self {
        let rate = quota.rate.and_then(|rate| {
            let cells = governor::Quota::with_period(rate.period / rate.count.get())?.allow_burst(rate.burst);
            Some(Limited { rate, limiter: RateLimiter::direct_with_clock(cells, clock.clone()) })
        });
        Self { rate, total: quota.total, used: Mutex::default() }
    }

    fn take_rate(&self, now: Duration, signatures: NonZeroU32) -> Result<(), Refused> {
        let Some(Limited { rate, limiter }) = &self.rate else { return Ok(()) };
        let limit = || format!("{} per {} s, {} at once", rate.count, rate.period.as_secs(), rate.burst);
        match limiter.check_n(signatures) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(early)) => Err(Refused { limit: limit(), retry_after: Some(early.wait_time_from(now)) }),
            Err(_more_than_ever_fits) => {
                let limit = format!("{}, and {signatures} are asked for at once", limit());
                Err(Refused { limit, retry_after: None })
            }
        }
    }

    /// Counts them where there is a total that has room for them, and says which window they were counted in.
    fn take_total(&self, now: Duration, signatures: NonZeroU32) -> Result<Option<Duration>, Refused> {
        let Some(total) = self.total else {
            self.used.lock().unwrap_or_else(PoisonError::into_inner).last = now;
            return Ok(None);
        };
        let mut used = self.used_in_window(now, total);
        let wanted = u64::from(signatures.get());
        if used.count.saturating_add(wanted) <= total.count {
            used.count += wanted;
            return Ok(Some(used.began));
        }
        let limit = format!("{} in {} s", total.count, total.window.as_secs());
        let wait = used.began.saturating_add(total.window).saturating_sub(now);
        Err(Refused { limit, retry_after: (wanted <= total.count).then_some(wait) })
    }

    /// What was taken in the current window, which begins now if the last one has ended.
    fn used_in_window(&self, now: Duration, total: Total) -> std::sync::MutexGuard<'_, Used> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.count == 0 || now.saturating_sub(used.began) >= total.window {
            *used = Used { began: now, count: 0, last: now };
        }
        used.last = now;
        used
    }

    /// Whether a new counter would answer the same.
    fn is_as_new(&self, now: Duration) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let refilled = self.rate.as_ref().is_none_or(|Limited { rate, .. }| {
            let cell = rate.period / rate.count.get();
            now.saturating_sub(used.last) >= cell.saturating_mul(rate.burst.get())
        });
        refilled && self.total.is_none_or(|total| now.saturating_sub(used.began) >= total.window)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    /// Stands still until it is moved.
    struct Still(Arc<Mutex<Duration>>);

    impl Still {
        fn advance(&self, by: Duration) {
            *self.0.lock().unwrap() += by;
        }
    }

    fn quotas(text: &str) -> (Quotas, Still) {
        let now = Arc::new(Mutex::new(Duration::ZERO));
        let clock = Still(now.clone());
        (Quotas::new(&Guardrails::parse(text).unwrap(), move || *now.lock().unwrap()), clock)
    }

    fn take(quotas: &Quotas, uid: u32, key: &str, n: u32) -> Result<Spent, Exhausted> {
        quotas.take(&Caller::unix(uid), &key.parse().unwrap(), NonZeroU32::new(n).unwrap())
    }

    #[test]
    fn a_rate_lets_its_burst_through_and_then_says_how_long_to_wait() {
        let (quotas, clock) = quotas("[quota.caller.\"*\"]\nrate = \"10/s\"\nburst = 5\n");
        for _ in 0..5 {
            let _spent = take(&quotas, 1, "a", 1).unwrap();
        }
        let refused = take(&quotas, 1, "a", 1).unwrap_err();
        assert_eq!(refused.to_string(), "the quota of caller unix:1 is used up: 10 per 1 s, 5 at once");
        let wait = refused.retry_after.unwrap();
        assert!(wait > Duration::ZERO && wait <= Duration::from_millis(100), "{wait:?}");
        let _spent = take(&quotas, 2, "a", 5).unwrap();
        clock.advance(wait);
        let _spent = take(&quotas, 1, "a", 1).unwrap();
    }

    #[test]
    fn more_than_ever_fits_is_not_worth_waiting_for() {
        let (quotas, _clock) = quotas("[quota.key.a]\nrate = \"10/s\"\nburst = 5\n");
        assert_eq!(take(&quotas, 1, "a", 6).unwrap_err().retry_after, None);
        let _spent = take(&quotas, 1, "b", 1000).unwrap();
    }

    #[test]
    fn a_total_holds_until_its_window_ends() {
        let (quotas, clock) = quotas("[quota.key.\"a/*\"]\ntotal = 3\nwindow = \"1h\"\n");
        let _spent = take(&quotas, 1, "a/b", 2).unwrap();
        clock.advance(Duration::from_secs(600));
        let refused = take(&quotas, 2, "a/b", 2).unwrap_err();
        assert_eq!((refused.of.as_str(), refused.retry_after), ("key a/b", Some(Duration::from_secs(3000))));
        let _spent = take(&quotas, 2, "a/b", 1).unwrap();
        let _spent = take(&quotas, 2, "a/c", 3).unwrap();
        clock.advance(Duration::from_secs(3000));
        let _spent = take(&quotas, 1, "a/b", 3).unwrap();
        assert_eq!(take(&quotas, 1, "a/b", 4).unwrap_err().retry_after, None);
    }

    #[test]
    fn a_refusal_by_the_keys_total_costs_the_caller_none_of_its_own() {
        let (quotas, _clock) = quotas(
            "[quota.caller.\"*\"]\ntotal = 2\nwindow = \"1h\"\n[quota.key.a]\ntotal = 0\nwindow = \"1h\"\n",
        );
        for _ in 0..5 {
            assert_eq!(take(&quotas, 1, "a", 1).unwrap_err().of, "key a");
        }
        let _spent = take(&quotas, 1, "b", 2).unwrap();
    }

    #[test]
    fn what_came_to_no_signature_is_given_back_to_the_window_it_was_taken_from() {
        let (quotas, clock) = quotas(
            "[quota.caller.\"*\"]\ntotal = 2\nwindow = \"1h\"\n[quota.key.a]\ntotal = 3\nwindow = \"1h\"\n",
        );
        let first = take(&quotas, 1, "a", 2).unwrap();
        let refused = take(&quotas, 1, "a", 1).unwrap_err();
        assert!(refused.is_total, "{refused:?}");
        first.give_back();
        let late = take(&quotas, 1, "a", 2).unwrap();
        // The key had room for one more, and a refusal by the caller's total has taken nothing from it.
        let _spent = take(&quotas, 2, "a", 1).unwrap();
        assert_eq!(take(&quotas, 3, "a", 1).unwrap_err().of, "key a");
        clock.advance(Duration::from_secs(3600));
        let _spent = take(&quotas, 1, "a", 2).unwrap();
        late.give_back();
        assert!(take(&quotas, 1, "a", 1).is_err(), "another window's total is not refilled");
    }

    #[test]
    fn a_rate_is_no_total() {
        let (quotas, _clock) = quotas("[quota.caller.\"*\"]\nrate = \"1/s\"\ntotal = 9\nwindow = \"1h\"\n");
        let _spent = take(&quotas, 1, "a", 1).unwrap();
        assert!(!take(&quotas, 1, "a", 1).unwrap_err().is_total);
    }

    #[test]
    fn the_refusal_carries_reason_and_wait() {
        let (quotas, _clock) = quotas("[quota.key.a]\ntotal = 1\nwindow = \"1h\"\n");
        let _spent = take(&quotas, 1, "a", 1).unwrap();
        let refusal = take(&quotas, 1, "a", 1).unwrap_err().refusal();
        assert_eq!(
            (refusal.reason, refusal.retry_after),
            (Reason::QuotaExhausted, Some(Duration::from_secs(3600)))
        );
    }

    #[test]
    fn counters_that_are_as_good_as_new_are_forgotten_when_there_are_many() {
        let (quotas, clock) = quotas("[quota.caller.\"*\"]\nrate = \"10/s\"\n");
        for uid in 0..u32::try_from(MANY).unwrap() {
            let _spent = take(&quotas, uid, "a", 1).unwrap();
        }
        clock.advance(Duration::from_secs(2));
        let _spent = take(&quotas, u32::MAX, "a", 1).unwrap();
        assert_eq!(quotas.callers.counted.lock().unwrap().len(), 1);
    }
}
