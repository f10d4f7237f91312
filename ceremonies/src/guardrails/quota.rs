//! Quotas: how much a caller may ask for, and how much a key may sign.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use crate::form::{Form, Period};

/// A limit on the rate, on the total in a window, or on both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quota {
    /// How fast.
    pub rate: Option<Rate>,
    /// How much.
    pub total: Option<Total>,
}

/// So many per period, and so many at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// How many signatures per period; at least 1.
    pub count: NonZeroU32,
    /// The period: a second, a minute or an hour.
    pub period: Duration,
    /// How many at once after a pause; at least 1. A batch larger than this is refused for good.
    pub burst: NonZeroU32,
}

/// So many in a window. Windows begin with the first signature, and anew after a restart of the daemon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Total {
    /// How many signatures.
    pub count: u64,
    /// The window.
    pub window: Duration,
}

/// `50/s`: the text of a rate.
#[derive(Clone, Copy)]
struct Written {
    count: NonZeroU32,
    period: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no rate: expected a whole number per s, m or h, for instance \"50/s\"")]
struct NotARate(String);

impl FromStr for Written {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let refused = || NotARate(text.chars().take(40).collect());
        let (count, unit) = text.split_once('/').ok_or_else(refused)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(refused()),
        };
        Ok(Self {
            count: count.parse().map_err(|_not_a_number| refused())?,
            period: Duration::from_secs(seconds),
        })
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        proto::canonical::parse_str(deserializer)
    }
}

impl Quota {
    /// Reads `rate`, `burst`, `total` and `window`.
    pub(crate) fn read(form: &mut Form<'_, '_>) -> Option<Self> {
        let has_rate = form.has("rate");
        let rate: Option<Written> = form.optional("rate");
        let burst: Option<NonZeroU32> = form.optional("burst");
        let total: Option<u64> = form.optional("total");
        let window: Option<Period> = form.optional("window");
        if burst.is_some() && !has_rate {
            form.problem("`burst` needs a `rate`");
        }
        if total.is_some() != window.is_some() {
            form.problem("`total` and `window` go together");
        } else if total.is_none() && !has_rate {
            form.problem("a quota needs a `rate`, or a `total` and a `window`");
        }
        if window.is_some_and(|window| window.duration().is_zero()) {
            form.problem("a window cannot be empty");
        }
        let rate =
            rate.map(|Written { count, period }| Rate { count, period, burst: burst.unwrap_or(count) });
        let total = total.zip(window).map(|(count, window)| Total { count, window: window.duration() });
        Some(Self { rate, total })
    }
}

/// Quotas by pattern: a whole name, or a beginning with `*` at its end.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct QuotaTable(BTreeMap<String, Quota>);

impl QuotaTable {
    /// The table with these patterns.
    pub(crate) const fn new(quotas: BTreeMap<String, Quota>) -> Self {
        Self(quotas)
    }

    /// The quota of this name: that of the whole name, else that of the longest beginning that fits. Everyone whom a
    /// pattern fits has the quota for itself.
    pub fn find(&self, name: &str) -> Option<&Quota> {
        let fits = |pattern: &&String| {
            pattern.strip_suffix('*').is_some_and(|beginning| name.starts_with(beginning))
        };
        let longest = || self.0.keys().filter(fits).max_by_key(|pattern| pattern.len());
        self.0.get(name).or_else(|| longest().and_then(|pattern| self.0.get(pattern)))
    }

    /// The patterns, sorted.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The quota of the names whose longest pattern is this one, in a table that may have it or not: its own, else that of
    /// the longest beginning that covers it.
    pub(crate) fn covering(&self, pattern: &str) -> Option<&Quota> {
        self.0.get(pattern).or_else(|| {
            let covers = |other: &&String| {
                other
                    .strip_suffix('*')
                    .is_some_and(|beginning| pattern.trim_end_matches('*').starts_with(beginning))
            };
            self.0.keys().filter(covers).max_by_key(|other| other.len()).and_then(|other| self.0.get(other))
        })
    }

    /// Whether nobody has a quota.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_name_wins_then_the_longest_beginning() {
        let quota =
            |count| Quota { rate: None, total: Some(Total { count, window: Duration::from_secs(1) }) };
        let patterns = [("*", 1), ("release/*", 2), ("release/linux/*", 3), ("release/linux", 4)];
        let table =
            QuotaTable::new(patterns.map(|(pattern, count)| (pattern.to_owned(), quota(count))).into());
        for (name, count) in
            [("a", 1), ("release/mac", 2), ("release/linux/rpm", 3), ("release/linux", 4), ("release", 1)]
        {
            assert_eq!(table.find(name), Some(&quota(count)), "{name}");
        }
        assert_eq!(QuotaTable::default().find("a"), None);
    }
}
