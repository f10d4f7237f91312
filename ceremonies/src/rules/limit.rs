//! The hard limits: what no guardrails can go below.

use std::time::Duration;

use crate::form::Period;
use crate::rules::{LONGEST, Officers, Rule};
use crate::statement::{Kind, Quorum};

/// A limit that no guardrails move.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HardLimit {
    /// Everything takes two people.
    #[error("at least two distinct persons must act, {0} would be enough here")]
    TwoPersons(u16),
    /// The kinds that decide over keys, roster and guardrails take a quorum.
    #[error("at least 2 officers must approve, {0} would be enough here")]
    Approvals(u16),
    /// One officer must be able to be away.
    #[error(
        "there must be more officers than approvals needed, so that one may be away: {approvals} of {officers}"
    )]
    Spare {
        /// M.
        approvals: u16,
        /// N.
        officers: u16,
    },
    /// More approvals than officers.
    #[error("{approvals} of {officers} officers can never approve")]
    TooFew {
        /// M.
        approvals: u16,
        /// N.
        officers: u16,
    },
    /// The kinds that decide over keys, roster and guardrails are watched.
    #[error("at least one witness must attest")]
    Witnesses,
    /// Genesis is signed by all.
    #[error("every officer must approve, {approvals} of {officers} would be enough here")]
    All {
        /// M.
        approvals: u16,
        /// N.
        officers: u16,
    },
    /// Other officers than the kind is made for.
    #[error("the kind takes its approvals from others: only the number of a counted quorum can be changed")]
    Shape,
    /// A length of time outside its bounds.
    #[error("it may last {}, expected more than nothing and at most {}", Period::of(*found), Period::of(LONGEST))]
    Lives {
        /// What was found.
        found: Duration,
    },
    /// An approval that outlives the statement.
    #[error("an approval may be {} old, expected more than nothing and at most what the statement lives", Period::of(*found))]
    Age {
        /// What was found.
        found: Duration,
    },
    /// Nobody, or more than any one rogue and a friend, could stop it.
    #[error("{0} vetoes stop it, expected 1 or 2")]
    Vetoes(u16),
}

/// Whether a kind makes, adopts, resumes, removes or destroys a key, or changes roster or guardrails.
pub(super) const fn decides_over_keys_or_rules(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::KeyGenerate
            | Kind::KeyAdopt
            | Kind::KeyResume
            | Kind::KeyRemove
            | Kind::KeyDestroy
            | Kind::RosterChange
            | Kind::PolicyChange
    )
}

/// Whether a quorum is within the hard limits of a kind.
///
/// # Errors
/// The first limit that it breaks.
pub fn hard_limits(kind: Kind, quorum: Quorum) -> Result<(), HardLimit> {
    let Quorum { approvals, officers, witnesses } = quorum;
    if kind == Kind::Genesis && (approvals != officers || approvals == 0) {
        return Err(HardLimit::All { approvals, officers });
    }
    if approvals > officers {
        return Err(HardLimit::TooFew { approvals, officers });
    }
    if kind == Kind::Genesis || decides_over_keys_or_rules(kind) {
        if approvals < 2 {
            return Err(HardLimit::Approvals(approvals));
        }
        if witnesses == 0 {
            return Err(HardLimit::Witnesses);
        }
        if kind != Kind::Genesis && officers <= approvals {
            return Err(HardLimit::Spare { approvals, officers });
        }
    }
    // The other person of a `key.compromise` is no witness, and counts.
    let others = witnesses.saturating_add(u16::from(kind == Kind::KeyCompromise));
    match approvals {
        0 => Err(HardLimit::TwoPersons(others)),
        _ if approvals.saturating_add(others) < 2 => Err(HardLimit::TwoPersons(approvals)),
        _ => Ok(()),
    }
}

impl HardLimit {
    /// The number of a rule that breaks it.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::TwoPersons(_)
            | Self::Approvals(_)
            | Self::Spare { .. }
            | Self::TooFew { .. }
            | Self::All { .. }
            | Self::Shape => "officers",
            Self::Witnesses => "witnesses",
            Self::Lives { .. } => "expires",
            Self::Age { .. } => "approval_age",
            Self::Vetoes(_) => "vetoes",
        }
    }
}

impl Rule {
    /// Whether the rule is within the hard limits.
    pub(super) fn check(&self) -> Result<(), HardLimit> {
        self.broken().into_iter().next().map_or(Ok(()), Err)
    }

    /// Every hard limit that the rule breaks; of those of its quorum, the first.
    pub(super) fn broken(&self) -> Vec<HardLimit> {
        let mut broken = Vec::new();
        let shipped = super::Rules::default().of(self.kind);
        let counted = |officers| matches!(officers, Officers::Count(_) | Officers::Quorum);
        let same = self.officers == shipped.officers
            || matches!(shipped.officers, Officers::Count(_)) && counted(self.officers);
        if !same || (self.emergency, self.any_clock) != (shipped.emergency, shipped.any_clock) {
            broken.push(HardLimit::Shape);
        }
        if shipped.other_unit && !self.other_unit {
            broken.push(HardLimit::Shape);
        }
        // The smallest roster that there can be: two of three.
        let approvals = self.approvals(2, 3);
        let officers = if self.officers == Officers::All { approvals } else { approvals.saturating_add(1) };
        let quorum = Quorum { approvals, officers, witnesses: self.witnesses };
        broken.extend(hard_limits(self.kind, quorum).err());
        if self.expires.is_zero() || self.expires > LONGEST {
            broken.push(HardLimit::Lives { found: self.expires });
        }
        if self.approval_age.is_zero() || self.approval_age > self.expires {
            broken.push(HardLimit::Age { found: self.approval_age });
        }
        if !(1..=2).contains(&self.vetoes) {
            broken.push(HardLimit::Vetoes(self.vetoes));
        }
        broken
    }
}
