//! Which rule decides, and what every other one says.

use std::fmt;

use cedar_policy::PolicySet;

use crate::access::decide::{Surroundings, ask};
use crate::access::rule::Effect;
use crate::access::{Decision, Denial, Needs, Policies, Question};

/// What one rule says to a question, asked alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Say {
    /// It applies: a grant permits, a guardrail forbids.
    Applies,
    /// Its scope admits the question, its conditions do not.
    ConditionsDiffer,
    /// Caller, action or resource are not what its scope names.
    OutOfScope,
    /// It cannot be evaluated.
    Failed(String),
}

/// One rule's part in a decision.
#[derive(Clone, Debug)]
pub struct Part {
    /// The rule.
    pub rule: String,
    /// What it does where it applies.
    pub effect: Effect,
    /// What it says.
    pub say: Say,
}

/// A decision with every rule's part.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What was decided.
    pub decision: Decision,
    /// Whether any grant is for this caller at all.
    pub admitted: bool,
    /// All rules: guardrails, then grants, in the order of the files.
    pub parts: Vec<Part>,
}

/// Explains a decision: asks all rules, then each alone.
pub fn explain(policies: &Policies, question: &Question<'_>) -> Explanation {
    let decision = policies.decide(question);
    let parts = match Surroundings::of(question) {
        Ok(surroundings) => policies
            .rules()
            .iter()
            .map(|rule| Part {
                rule: rule.id.clone(),
                effect: rule.effect,
                say: say(rule, &surroundings, question),
            })
            .collect(),
        Err(_the_decision_says_it) => Vec::new(),
    };
    Explanation { decision, admitted: policies.admits(question.caller), parts }
}

fn say(rule: &crate::access::Rule, surroundings: &Surroundings, question: &Question<'_>) -> Say {
    let alone = |policy: &cedar_policy::Policy| {
        let set = PolicySet::from_policies([policy.clone()]).unwrap_or_default();
        ask(&set, surroundings, question, Needs::EVERYTHING, |_| 0)
    };
    if !rule.is_about(question.action.name()) {
        return Say::OutOfScope;
    }
    match alone(rule.policy()) {
        Decision::Permitted { .. } | Decision::Denied(Denial::Forbidden { .. }) => Say::Applies,
        Decision::Denied(Denial::Failed { cause, .. }) => Say::Failed(cause),
        Decision::Denied(Denial::NoGrant | Denial::Unanswerable(_)) => match rule.scope_alone() {
            Some(scope) if !matches!(alone(&scope), Decision::Denied(Denial::NoGrant)) => {
                Say::ConditionsDiffer
            }
            _ => Say::OutOfScope,
        },
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.decision {
            Decision::Permitted { rule } => writeln!(f, "permitted by the grant `{rule}`")?,
            Decision::Denied(denial) => writeln!(f, "denied: {denial}")?,
        }
        if !self.admitted {
            writeln!(
                f,
                "no grant names this caller at all: it is answered UNAUTHENTICATED, and nothing is recorded"
            )?;
        }
        for part in &self.parts {
            let applies = match part.effect {
                Effect::Permit => "permits",
                Effect::Forbid => "forbids",
            };
            match &part.say {
                Say::Applies => writeln!(f, "  {:<24} {applies} it", part.rule)?,
                Say::ConditionsDiffer => {
                    writeln!(f, "  {:<24} is about it, but its conditions do not hold", part.rule)?
                }
                Say::OutOfScope => {
                    writeln!(f, "  {:<24} is about other callers, actions or resources", part.rule)?
                }
                Say::Failed(cause) => writeln!(f, "  {:<24} cannot be evaluated: {cause}", part.rule)?,
            }
        }
        Ok(())
    }
}
