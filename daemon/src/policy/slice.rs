//! Slices: the few rules that can concern one caller, action and key, ready to be asked.
//!
//! Cedar looks at every rule of the set that it is given. A slice holds only rules whose action, principal and resource
//! scope admit the question; every other rule's scope is false for it, so it neither permits, forbids nor errs, and leaving
//! it out changes nothing. The caller's and the key's entities are in the slice. Where no rule of it looks at the item
//! (kind, digests, annotations, …), its one decision is kept.
//!
//! Slices are kept for as long as the rules: a bounded table, emptied when it is full.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use cedar_policy::PolicySet;
use ceremonies::access::decide::{Surroundings, ask};
use ceremonies::access::{Decision, Denial, Needs, Question, Rule};

use crate::policy::caller::Caller;
use crate::policy::facts::{Action, Resource};

/// Most slices kept: some kilobytes each.
const MOST: usize = 4096;

/// The rules that can concern one caller, action and key.
pub(super) struct Slice {
    caller: Arc<Caller>,
    action: Action,
    resource: Option<Resource>,
    surroundings: Surroundings,
    rules: PolicySet,
    ids: Vec<String>,
    needs: Needs,
    always: Option<Decision>,
}

impl Slice {
    /// The slice of these rules, in the order of their files.
    pub(super) fn new<'r>(
        caller: &Arc<Caller>,
        question: &Question<'_>,
        surroundings: Surroundings,
        rules: impl Iterator<Item = &'r Rule>,
    ) -> Result<Self, Denial> {
        let mut ids = Vec::new();
        let mut needs = Needs::NOTHING;
        let mut set = PolicySet::new();
        for rule in rules {
            needs = needs.and(rule.needs());
            ids.push(rule.id.clone());
            let failed = |error: cedar_policy::PolicySetError| Denial::Failed {
                rule: rule.id.clone(),
                cause: error.to_string(),
            };
            set.add(rule.policy().clone()).map_err(failed)?;
        }
        let (action, resource) = (question.action.clone(), question.resource.cloned());
        let (caller, always) = (caller.clone(), None);
        let mut slice = Self { caller, action, resource, surroundings, rules: set, ids, needs, always };
        if !needs.differ_per_item() {
            let decision = slice.decide(question);
            // A question that cannot be put says nothing about the next one.
            if !matches!(decision, Decision::Denied(Denial::Unanswerable(_))) {
                slice.always = Some(decision);
            }
        }
        Ok(slice)
    }

    /// The decision, which is that of all rules.
    pub(super) fn decide(&self, question: &Question<'_>) -> Decision {
        let put = *question.action != Action::Sign || question.facts.is_some();
        match &self.always {
            Some(decision) if put => decision.clone(),
            _ => {
                let rank = |id: &str| self.ids.iter().position(|known| known == id).unwrap_or(usize::MAX);
                ask(&self.rules, &self.surroundings, question, self.needs, rank)
            }
        }
    }

    fn is_of(&self, caller: &Arc<Caller>, question: &Question<'_>) -> bool {
        (Arc::ptr_eq(&self.caller, caller) || self.caller == *caller)
            && self.action == *question.action
            && self.resource.as_ref() == question.resource
    }
}

/// The slices that were asked for.
pub(super) struct Slices {
    hasher: RandomState,
    kept: RwLock<HashMap<u64, Arc<Slice>>>,
    admitted: RwLock<HashMap<String, bool>>,
}

impl Default for Slices {
    fn default() -> Self {
        Self { hasher: RandomState::new(), kept: RwLock::default(), admitted: RwLock::default() }
    }
}

impl std::fmt::Debug for Slices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slices").finish_non_exhaustive()
    }
}

impl Slices {
    /// The slice of a question, made if it is not kept. Two questions with one hash take turns; each is compared.
    pub(super) fn find(
        &self,
        caller: &Arc<Caller>,
        question: &Question<'_>,
        make: impl FnOnce() -> Result<Slice, Denial>,
    ) -> Result<Arc<Slice>, Denial> {
        let key = question.resource.map(|resource| &resource.key);
        let hash = self.hasher.hash_one((question.action.name(), &caller.id, key));
        let found = self.kept.read().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned();
        if let Some(slice) = found.filter(|slice| slice.is_of(caller, question)) {
            return Ok(slice);
        }
        let slice = Arc::new(make()?);
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(hash, slice.clone());
        Ok(slice)
    }

    /// Whether a caller is admitted, by its id: grants' scopes name nothing else of it.
    pub(super) fn admits(&self, caller: &Caller, find: impl FnOnce() -> bool) -> bool {
        let known = self.admitted.read().unwrap_or_else(PoisonError::into_inner).get(&caller.id).copied();
        known.unwrap_or_else(|| {
            let admitted = find();
            let mut all = self.admitted.write().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= MOST {
                all.clear();
            }
            all.insert(caller.id.clone(), admitted);
            admitted
        })
    }
}
