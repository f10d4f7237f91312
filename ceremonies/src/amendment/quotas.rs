//! Whether quotas become looser: for every name that there can be, by comparing the patterns of both tables.
//!
//! A name has the quota of the longest pattern that fits it. So names fall into as many classes as both tables have
//! patterns, and within a class each table gives every name the same quota.

use std::collections::BTreeSet;

use super::Change;
use crate::form::Period;
use crate::guardrails::quota::{Quota, QuotaTable, Rate, Total};

/// Notes each class of names whose quota is another one.
pub(super) fn compare(place: &str, before: &QuotaTable, after: &QuotaTable, found: &mut Vec<Change>) {
    let patterns: BTreeSet<&str> = before.patterns().chain(after.patterns()).collect();
    for pattern in patterns {
        let (old, new) = (before.covering(pattern), after.covering(pattern));
        let (loosens, because) = match (is_within(new, old), is_within(old, new)) {
            (true, true) => continue,
            (true, false) => (false, "less may be asked for"),
            (false, _) => (true, "more may be asked for, or it is counted otherwise"),
        };
        let text = |quota: Option<&Quota>| quota.map(ToString::to_string);
        let place = format!("{place}.\"{pattern}\"");
        found.push(Change { place, before: text(old), after: text(new), loosens, because });
    }
}

/// Whether whoever has the one quota may ask for no more, at any time, than whoever has the other; none is no bound.
fn is_within(one: Option<&Quota>, other: Option<&Quota>) -> bool {
    let Some(other) = other else { return true };
    let none = Quota { rate: None, total: None };
    let one = one.unwrap_or(&none);
    let rate = match (&one.rate, &other.rate) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(one), Some(other)) => is_slower(one, other),
    };
    let total = match (&one.total, &other.total) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(one), Some(other)) => is_less(one, other),
    };
    rate && total
}

fn is_slower(one: &Rate, other: &Rate) -> bool {
    let per = |rate: &Rate, period: std::time::Duration| u128::from(rate.count.get()) * period.as_millis();
    per(one, other.period) <= per(other, one.period) && one.burst <= other.burst
}

/// As many in a window that is no shorter: what shorter windows add up to depends on when they begin.
fn is_less(one: &Total, other: &Total) -> bool {
    one.count <= other.count && one.window >= other.window
}

impl std::fmt::Display for Quota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        if let Some(Rate { count, period, burst }) = self.rate {
            parts.push(format!("{count} in {}, {burst} at once", Period::of(period)));
        }
        if let Some(Total { count, window }) = self.total {
            parts.push(format!("{count} in all in {}", Period::of(window)));
        }
        f.write_str(&parts.join(", "))
    }
}
