//! The rules in force, indexed for questions.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cedar_policy::EntityUid;
use ceremonies::access::decide::Surroundings;
use ceremonies::access::policies::RuleProblem;
use ceremonies::access::rule::{Scope, holders_of_caller};
use ceremonies::access::{Denial, Effect, Policies, Question};

use crate::policy::caller::Caller;
use crate::policy::facts::{Action, Resource};
use crate::policy::slice::{Slice, Slices};

/// Guardrails and grants in force, with the index that finds the few rules that can concern a question.
#[derive(Debug)]
pub struct Rules {
    policies: Policies,
    /// Per action: positions of rules by their scopes.
    index: HashMap<&'static str, HashMap<Scopes, Vec<usize>>>,
    granted_to: HashSet<EntityUid>,
    slices: Slices,
    guardrails: u64,
    grants: u64,
}

/// What a rule's principal and resource must be; `None` for anything.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Scopes {
    principal: Option<EntityUid>,
    resource: Option<EntityUid>,
}

impl Rules {
    /// Reads both texts: the guardrails' `forbid` rules and the grants. `guardrails_index` and `grants_index` are the
    /// records that put them in force.
    ///
    /// # Errors
    /// Everything that is wrong with either.
    pub fn load(
        guardrails: &str,
        grants: &str,
        guardrails_index: u64,
        grants_index: u64,
    ) -> Result<Self, Vec<RuleProblem>> {
        Ok(Self::of(Policies::load(guardrails, grants)?, guardrails_index, grants_index))
    }

    /// Rules that were read before, put in force by these records.
    pub fn of(policies: Policies, guardrails_index: u64, grants_index: u64) -> Self {
        let mut index: HashMap<_, HashMap<_, Vec<usize>>> = HashMap::new();
        let mut granted_to = HashSet::new();
        let named = |scope: &Scope| match scope {
            Scope::Any => None,
            Scope::Within(id) => Some(id.clone()),
        };
        for (position, rule) in policies.rules().iter().enumerate() {
            let scopes = Scopes { principal: named(rule.principal()), resource: named(rule.resource()) };
            if rule.effect == Effect::Permit {
                granted_to.extend(scopes.principal.clone());
            }
            for action in Action::NAMES.into_iter().filter(|action| rule.is_about(action)) {
                index.entry(action).or_default().entry(scopes.clone()).or_default().push(position);
            }
        }
        let slices = Slices::default();
        Self { policies, index, granted_to, slices, guardrails: guardrails_index, grants: grants_index }
    }

    /// Whether some grant is for this caller.
    pub fn admits(&self, caller: &Caller) -> bool {
        self.slices.admits(caller, || {
            holders_of_caller(caller).iter().any(|holder| self.granted_to.contains(holder))
        })
    }

    /// The rules as they were read.
    pub const fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Index of the record that put the guardrails in force.
    pub const fn guardrails(&self) -> u64 {
        self.guardrails
    }

    /// Index of the record that put the grants in force.
    pub const fn grants(&self) -> u64 {
        self.grants
    }

    /// The slice of those rules that can concern this caller, action and key.
    ///
    /// # Errors
    /// Where no question of this kind can be put.
    pub(super) fn slice_of(
        &self,
        caller: &Arc<Caller>,
        action: &Action,
        resource: Option<&Resource>,
    ) -> Result<Arc<Slice>, Denial> {
        let question = Question { caller, action, resource, facts: None };
        // Stops and invitations are rare, and what they name is endless.
        if matches!(action, Action::Stop(_) | Action::Invite(_)) {
            return self.slice(caller, &question).map(Arc::new);
        }
        self.slices.find(caller, &question, || self.slice(caller, &question))
    }

    fn slice(&self, caller: &Arc<Caller>, question: &Question<'_>) -> Result<Slice, Denial> {
        let surroundings = Surroundings::of(question).map_err(Denial::Unanswerable)?;
        let mut positions: Vec<usize> = Vec::new();
        if let Some(scopes) = self.index.get(question.action.name()) {
            let anything = || std::iter::once(None);
            let resources: Vec<_> =
                anything().chain(surroundings.resources().into_iter().map(Some)).collect();
            for principal in anything().chain(surroundings.principals().into_iter().map(Some)) {
                for resource in &resources {
                    let here = Scopes { principal: principal.clone(), resource: resource.clone() };
                    positions.extend(scopes.get(&here).into_iter().flatten());
                }
            }
        }
        positions.sort_unstable();
        let rules = positions.into_iter().map(|position| &self.policies.rules()[position]);
        Slice::new(caller, question, surroundings, rules)
    }
}

#[cfg(test)]
mod tests;
