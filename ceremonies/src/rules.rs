//! How each kind of ceremony is held: who must agree, and for how long. One table, [`SHIPPED`], in one place.
//!
//! The numbers are the defaults of the shipped guardrails, whose sections `[ceremony."<kind>"]` set others
//! ([`crate::guardrails`]); genesis sets them, a `policy.change` changes them, within hard limits that no guardrails move: every kind takes two distinct persons; every kind that makes, adopts, resumes, removes
//! or destroys a key, or changes roster or guardrails, takes M ≥ 2 of N ≥ M + 1 officers and at least one witness
//! (genesis apart, which all officers sign); nothing lives longer than [`LONGEST`]. No number can be zero where one is
//! needed.

mod limit;
mod read;

use std::time::Duration;

pub use limit::{HardLimit, hard_limits};

use crate::form::Period;
use crate::statement::{Kind, Quorum, Statement, Target};

/// No statement lives longer than this, whatever the guardrails say: 30 days.
pub const LONGEST: Duration = hours(30 * 24);

/// How long the outputs of an execution wait for the attestations before the ceremony has failed: 4 hours.
pub const SILENCE: Duration = hours(4);

/// How long guardrails that make something looser wait before they are in force, so that whoever did not agree can see it and
/// say no: 24 hours.
pub const DELAY: Duration = hours(24);

/// Which officers must approve.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Officers {
    /// Every officer of the roster: N of N.
    All,
    /// The roster's quorum: M of N.
    Quorum,
    /// The roster's quorum, of the present roster and of the next one.
    OldAndNew,
    /// So many of N.
    Count(u16),
    /// One, and one other person in whatever role.
    OneAndAnother,
    /// The one whom the statement names.
    Named,
}

/// How ceremonies of one kind are held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rule {
    /// The kind.
    pub kind: Kind,
    /// Who must approve.
    pub officers: Officers,
    /// How many witnesses must attest before and after.
    pub witnesses: u16,
    /// Longest time from the statement's beginning to its end.
    pub expires: Duration,
    /// How old an approval or an attestation may be when it is used, by the time the log gave it.
    pub approval_age: Duration,
    /// How many distinct persons stop it by a veto.
    pub vetoes: u16,
    /// Whether it goes on when the roster or the guardrails change, with those who are in both.
    pub emergency: bool,
    /// Whether it goes on while the clock is untrusted: what is protective, and what mends the clock.
    pub any_clock: bool,
    /// Whether at least one witness belongs to another unit than every approver.
    pub other_unit: bool,
}

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

const fn rule(kind: Kind, officers: Officers, witnesses: u16, expires: u64, approval_age: u64) -> Rule {
    Rule {
        kind,
        officers,
        witnesses,
        expires: hours(expires),
        approval_age: hours(approval_age),
        vetoes: 1,
        emergency: false,
        any_clock: false,
        other_unit: false,
    }
}

const fn two_vetoes(rule: Rule) -> Rule {
    Rule { vetoes: 2, ..rule }
}

const fn other_unit(rule: Rule) -> Rule {
    Rule { other_unit: true, ..rule }
}

const fn emergency(rule: Rule) -> Rule {
    Rule { emergency: true, ..rule }
}

const fn any_clock(rule: Rule) -> Rule {
    Rule { any_clock: true, ..rule }
}

/// The defaults, one row per kind in the order of [`Kind::ALL`]: officers, witnesses, hours to the end, hours that an
/// approval lasts.
pub const SHIPPED: [Rule; Kind::ALL.len()] = {
    use Officers::{All, Count, Named, OldAndNew, OneAndAnother, Quorum};
    [
        other_unit(rule(Kind::Genesis, All, 2, 72, 72)),
        other_unit(rule(Kind::KeyGenerate, Quorum, 2, 72, 24)),
        other_unit(rule(Kind::KeyAdopt, Quorum, 2, 72, 24)),
        rule(Kind::KeyRotate, Quorum, 2, 14 * 24, 24),
        emergency(two_vetoes(rule(Kind::KeyRotateEmergency, Count(2), 1, 8, 2))),
        emergency(any_clock(rule(Kind::KeyCompromise, OneAndAnother, 0, 8, 2))),
        two_vetoes(rule(Kind::KeyResume, Quorum, 1, 72, 24)),
        two_vetoes(rule(Kind::StopLift, Quorum, 1, 72, 24)),
        rule(Kind::KeyRemove, Quorum, 2, 72, 24),
        rule(Kind::KeyDestroy, Quorum, 2, 72, 24),
        other_unit(rule(Kind::RosterChange, OldAndNew, 2, 72, 24)),
        rule(Kind::PolicyChange, Quorum, 1, 72, 24),
        rule(Kind::GrantChange, Count(2), 0, 24, 24),
        rule(Kind::SignBreakGlass, Named, 1, 4, 1),
        rule(Kind::Resolve, Count(2), 1, 24, 2),
        rule(Kind::BackendRebind, Count(2), 1, 72, 24),
        any_clock(rule(Kind::ClockReset, Count(2), 1, 24, 2)),
        two_vetoes(rule(Kind::LogRekey, Quorum, 1, 72, 24)),
        two_vetoes(rule(Kind::LogRecover, Quorum, 1, 72, 24)),
    ]
};

/// The rules that some guardrails set.
///
/// Invariant: every kind has one rule, and none is below the hard limits (held by `no_table_goes_below_the_hard_limits`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rules([Rule; Kind::ALL.len()]);

/// Why numbers make no table of rules.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the rule for `{kind}`: {broken}")]
pub struct BadRule {
    /// The kind.
    pub kind: Kind,
    /// The limit that its rule breaks.
    pub broken: HardLimit,
}

/// Why a statement cannot be held under the rules in force.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unruly {
    /// It lives too long.
    #[error("a `{kind}` lives at most {}, this one {}", Period::of(*most), Period::of(*lives))]
    Lives {
        /// The kind.
        kind: Kind,
        /// The most.
        most: Duration,
        /// What the statement says.
        lives: Duration,
    },
    /// Its quorum is another one.
    #[error(
        "a `{kind}` takes {} of {} officers and {} witnesses, the statement says {} of {} and {}",
        asked.approvals, asked.officers, asked.witnesses, said.approvals, said.officers, said.witnesses
    )]
    Quorum {
        /// The kind.
        kind: Kind,
        /// What the rules ask for.
        asked: Quorum,
        /// What the statement says.
        said: Quorum,
    },
}

impl Default for Rules {
    fn default() -> Self {
        Self(SHIPPED)
    }
}

impl Rules {
    /// The shipped rules, with these in place of those of the same kinds.
    ///
    /// # Errors
    /// The first rule that goes below a hard limit.
    pub fn with(changed: impl IntoIterator<Item = Rule>) -> Result<Self, BadRule> {
        let mut rules = Self::default();
        for rule in changed {
            rule.check().map_err(|broken| BadRule { kind: rule.kind, broken })?;
            if let Some(place) = rules.0.iter_mut().find(|known| known.kind == rule.kind) {
                *place = rule;
            }
        }
        Ok(rules)
    }

    /// The rule for a kind.
    pub fn of(&self, kind: Kind) -> Rule {
        let found = self.0.iter().find(|rule| rule.kind == kind);
        *found.expect("every kind has a rule")
    }

    /// The rule under which a statement with this target is held: that of its kind; a `stop.lift` that concerns callers
    /// alone takes two officers in place of the quorum.
    pub fn rule(&self, target: &Target) -> Rule {
        let rule = self.of(target.kind());
        match target {
            Target::StopLift(lift) if lift.is_about_callers() => {
                Rule { officers: Officers::Count(2), ..rule }
            }
            _ => rule,
        }
    }

    /// Whether a statement says what the rules in force ask for, where `approvals` of `officers` is the roster's quorum:
    /// M of N.
    ///
    /// # Errors
    /// [`Unruly`], with what was asked and what was said.
    pub fn judge(&self, statement: &Statement, approvals: u16, officers: u16) -> Result<Rule, Unruly> {
        let (rule, kind) = (self.rule(statement.target()), statement.kind());
        let lives = statement.lives();
        if lives > rule.expires {
            return Err(Unruly::Lives { kind, most: rule.expires, lives });
        }
        let asked = rule.quorum(approvals, officers);
        let said = statement.common().quorum;
        if said == asked { Ok(rule) } else { Err(Unruly::Quorum { kind, asked, said }) }
    }
}

impl Rule {
    /// What statements held by it say, where the roster's quorum is `approvals` of `officers`.
    pub const fn quorum(&self, approvals: u16, officers: u16) -> Quorum {
        Quorum { approvals: self.approvals(approvals, officers), officers, witnesses: self.witnesses }
    }

    /// How many officers must approve, where the roster's quorum is `approvals` of `officers`.
    pub const fn approvals(&self, approvals: u16, officers: u16) -> u16 {
        match self.officers {
            Officers::All => officers,
            Officers::Quorum | Officers::OldAndNew => approvals,
            Officers::Count(count) => count,
            Officers::OneAndAnother | Officers::Named => 1,
        }
    }
}

#[cfg(test)]
mod tests;
