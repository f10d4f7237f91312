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
use proto::algorithm::HashAlgorithm;
use proto::digest::Digest;
use proto::purpose::Kind;

use crate::policy::caller::Caller;
use crate::policy::facts::{Action, Facts, Resource};

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
    always: Option<Always>,
}

/// The decision of a slice of which no rule looks at the item.
pub(super) enum Always {
    /// By the grant with this id.
    Permitted(Arc<str>),
    /// No.
    Denied(Denial),
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
            // Any payload will do, since no rule looks at it.
            let facts = Facts::new(Kind::Digest, Digest::of(HashAlgorithm::Sha256, b"").into());
            slice.always = match slice.decide(&Question { facts: Some(&facts), ..*question }) {
                Decision::Permitted { rule } => Some(Always::Permitted(rule.into())),
                // A question that cannot be put says nothing about the next one.
                Decision::Denied(Denial::Unanswerable(_)) => None,
                Decision::Denied(denial) => Some(Always::Denied(denial)),
            };
        }
        Ok(slice)
    }

    /// The one decision, where no rule looks at the item.
    pub(super) const fn always(&self) -> Option<&Always> {
        self.always.as_ref()
    }

    /// The decision on one item, which is that of all rules.
    pub(super) fn decide(&self, question: &Question<'_>) -> Decision {
        let rank = |id: &str| self.ids.iter().position(|known| known == id).unwrap_or(usize::MAX);
        ask(&self.rules, &self.surroundings, question, self.needs, rank)
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
