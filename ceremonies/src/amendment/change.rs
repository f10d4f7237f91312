//! What two versions of the guardrails have otherwise, and what of it is looser: by one table, a line a place.
//!
//! | what changes | looser | tighter |
//! | --- | --- | --- |
//! | a rule that forbids | it is gone, or another one | it is new |
//! | a client authority | it is new | it is gone |
//! | a quota | more, or not comparable | less |
//! | officers, witnesses of a kind | fewer | more |
//! | life of a statement, age of an approval | longer | shorter |
//! | vetoes that end a kind | more; where two are shipped, fewer as well | fewer |
//! | who reads the log, which claims it holds | any change | – |
//!
//! What is in no row does not exist: guardrails with a key that this version does not know are refused.

use std::collections::BTreeMap;
use std::fmt;

use super::Whole;
use super::quotas;
use crate::access::{Policies, Rule as Forbidding};
use crate::form::Period;
use crate::guardrails::Guardrails;
use crate::rules::{Officers, Rule, Rules};
use crate::statement::Kind;

/// One place in which two versions of the guardrails differ.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// Where: `ceremony."key.generate".witnesses`, `forbid "no-weekends"`.
    pub place: String,
    /// What was there; none where there was nothing.
    pub before: Option<String>,
    /// What is there from then on; none where there is nothing.
    pub after: Option<String>,
    /// Whether it is looser.
    pub loosens: bool,
    /// Why it is, or is not.
    pub because: &'static str,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let (before, after) = (text(&self.before), text(&self.after));
        write!(f, "{}: {after} instead of {before} ({})", self.place, self.because)
    }
}

/// Everything that the second has otherwise than the first. Empty where they mean the same.
///
/// What makes rules of `forbid` is compared rule by rule, as Cedar reads them: white space and comments are no change.
pub fn between(before: &Whole, after: &Whole) -> Vec<Change> {
    let mut found = Vec::new();
    forbidding(&before.forbid, &after.forbid, &mut found);
    let (before, after) = (&before.guardrails, &after.guardrails);
    authorities(before, after, &mut found);
    readers(before, after, &mut found);
    quotas::compare("quota.caller", &before.caller_quotas, &after.caller_quotas, &mut found);
    quotas::compare("quota.key", &before.key_quotas, &after.key_quotas, &mut found);
    for kind in Kind::ALL {
        ceremony(&before.rules.of(*kind), &after.rules.of(*kind), &mut found);
    }
    found
}

fn forbidding(before: &str, after: &str, found: &mut Vec<Change>) {
    if before == after {
        return;
    }
    let rules = |text: &str| -> Option<BTreeMap<String, Forbidding>> {
        let policies = Policies::load(text, "").ok()?;
        Some(policies.rules().iter().map(|rule| (rule.id.clone(), rule.clone())).collect())
    };
    // What is not understood counts as looser; guardrails that name such rules are refused before this.
    let (Some(old), Some(new)) = (rules(before), rules(after)) else {
        let (before, after) = (Some(before.to_owned()), Some(after.to_owned()));
        let because = "rules that cannot be read";
        found.push(Change { place: "forbid".to_owned(), before, after, loosens: true, because });
        return;
    };
    let mut note = |id: &str, before: Option<&Forbidding>, after: Option<&Forbidding>, loosens, because| {
        let text = |rule: Option<&Forbidding>| rule.map(Forbidding::text);
        found.push(Change {
            place: format!("forbid \"{id}\""),
            before: text(before),
            after: text(after),
            loosens,
            because,
        });
    };
    for (id, rule) in &old {
        match new.get(id) {
            None => note(id, Some(rule), None, true, "a rule that forbids is gone"),
            Some(now) if !is_same(rule, now) => {
                note(id, Some(rule), Some(now), true, "a rule that forbids is another one");
            }
            Some(_) => {}
        }
    }
    for (id, rule) in new.iter().filter(|(id, _)| !old.contains_key(*id)) {
        note(id, None, Some(rule), false, "one more rule forbids");
    }
}

/// Whether Cedar reads two rules as the same one. What has no such form is another one.
fn is_same(one: &Forbidding, other: &Forbidding) -> bool {
    match (one.policy().to_json(), other.policy().to_json()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

fn authorities(before: &Guardrails, after: &Guardrails, found: &mut Vec<Change>) {
    let only_in = |one: &Guardrails, other: &Guardrails| -> Vec<String> {
        let there = |sha256| other.client_cas.iter().any(|known| known.sha256 == sha256);
        let mut only: Vec<String> = one
            .client_cas
            .iter()
            .filter(|known| !there(known.sha256))
            .map(|known| format!("{} ({})", known.file, known.sha256))
            .collect();
        only.sort();
        only.dedup();
        only
    };
    let place = || "client_ca".to_owned();
    for gone in only_in(before, after) {
        let because = "an authority vouches for nobody any more";
        found.push(Change { place: place(), before: Some(gone), after: None, loosens: false, because });
    }
    for new in only_in(after, before) {
        let because = "one more authority vouches for callers";
        found.push(Change { place: place(), before: None, after: Some(new), loosens: true, because });
    }
}

fn readers(before: &Guardrails, after: &Guardrails, found: &mut Vec<Change>) {
    let mut note = |place: &str, before: Option<String>, after: Option<String>, because| {
        found.push(Change { place: place.to_owned(), before, after, loosens: true, because });
    };
    let word = |public: bool| Some(if public { "public" } else { "private" }.to_owned());
    if before.leaves_public != after.leaves_public {
        let because = match after.leaves_public {
            true => "everybody reads what was signed",
            false => "fewer can check what was signed",
        };
        note("log.leaves", word(before.leaves_public), word(after.leaves_public), because);
    }
    for claim in before.record_claims.difference(&after.record_claims) {
        note("log.record_claims", Some(claim.clone()), None, "less is recorded of who asked");
    }
    for claim in after.record_claims.difference(&before.record_claims) {
        note("log.record_claims", None, Some(claim.clone()), "more is recorded of who asked");
    }
}

/// How ceremonies of one kind are held.
fn ceremony(before: &Rule, after: &Rule, found: &mut Vec<Change>) {
    let kind = before.kind;
    let mut note = |field: &str, was: String, is: String, loosens: Option<(bool, &'static str)>| {
        if let Some((loosens, because)) = loosens {
            let place = format!("ceremony.\"{kind}\".{field}");
            found.push(Change { place, before: Some(was), after: Some(is), loosens, because });
        }
    };
    let count = |officers: Officers| match officers {
        Officers::Count(count) => count.to_string(),
        other => format!("{other:?}"),
    };
    let officers = match (before.officers, after.officers) {
        (was, is) if was == is => None,
        (Officers::Count(was), Officers::Count(is)) if is > was => {
            Some((false, "more officers must approve"))
        }
        (Officers::Count(_), Officers::Count(_)) => Some((true, "fewer officers must approve")),
        // The form of guardrails allows no such change.
        _ => Some((true, "others approve")),
    };
    note("officers", count(before.officers), count(after.officers), officers);
    let (was, is) = (before.witnesses, after.witnesses);
    let witnesses = (was != is).then_some(match is < was {
        true => (true, "fewer witnesses must attest"),
        false => (false, "more witnesses must attest"),
    });
    note("witnesses", was.to_string(), is.to_string(), witnesses);
    for (field, was, is, longer, shorter) in [
        (
            "expires",
            before.expires,
            after.expires,
            "a statement is open for longer",
            "a statement is open for less long",
        ),
        (
            "approval_age",
            before.approval_age,
            after.approval_age,
            "older approvals count",
            "approvals count for less long",
        ),
    ] {
        let lasts = (was != is).then_some(if is > was { (true, longer) } else { (false, shorter) });
        note(field, Period::of(was).to_string(), Period::of(is).to_string(), lasts);
    }
    let (was, is) = (before.vetoes, after.vetoes);
    let mends = Rules::default().of(kind).vetoes > 1;
    let vetoes = (was != is).then_some(match (is > was, mends) {
        (true, _) => (true, "more people must veto it to end it"),
        (false, true) => (true, "one person alone can keep what this kind mends as it is"),
        (false, false) => (false, "fewer people can end it by their vetoes"),
    });
    note("vetoes", was.to_string(), is.to_string(), vetoes);
}
