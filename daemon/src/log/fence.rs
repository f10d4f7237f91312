//! The fence: what is stopped and what was touched, in the terms that seals require.
//!
//! The set of standing stops is shared: a stop is in it, and so in force, before it is in the log. The writer looks at it
//! inside the transaction of every seal, once more before the replies of that transaction leave, and the edge may look
//! again ([`super::Log::covers`]). What was touched is only the writer's business.
//!
//! Invariant: between raising a stop and the lift of its record, every look finds it; held by
//! `every_interleaving_keeps_what_the_log_promises` and
//! `nothing_is_released_above_a_stop_nor_handed_out_after_its_answer`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use proto::operation::OperationId;
use proto::reason::Reason;
use proto::record::{ControlRecord, Lift};
use proto::term::Term;

/// A stop in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StandingStop {
    /// What is stopped.
    pub term: Term,
    /// The stop's record; absent while it is not in the log yet.
    pub index: Option<u64>,
    /// The stop's operation.
    pub operation: OperationId,
}

impl StandingStop {
    /// What a caller is told.
    pub fn reason(&self) -> Reason {
        self.term.stopped_reason()
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct StopSet(HashMap<Term, Vec<(OperationId, Option<u64>)>>);

impl StopSet {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn covers(&self, terms: &[Term]) -> Option<StandingStop> {
        if self.0.is_empty() {
            return None;
        }
        std::iter::once(&Term::All).chain(terms).find_map(|term| {
            let (operation, index) = self.0.get(term)?.first()?;
            Some(StandingStop { term: term.clone(), index: *index, operation: *operation })
        })
    }

    pub(super) fn raise(&mut self, operation: OperationId, index: Option<u64>, terms: &[Term]) {
        for term in terms {
            let standing = self.0.entry(term.clone()).or_default();
            match standing.iter_mut().find(|(known, _)| *known == operation) {
                Some(known) => known.1 = index.or(known.1),
                None => standing.push((operation, index)),
            }
        }
    }

    fn retain(&mut self, keep: impl Fn(&Term, &(OperationId, Option<u64>)) -> bool) {
        self.0.retain(|term, standing| {
            standing.retain(|stop| keep(term, stop));
            !standing.is_empty()
        });
    }

    fn lift(&mut self, lift: &Lift) {
        self.retain(|term, (_, index)| *index != Some(lift.index) || !lift.terms.contains(term));
    }

    /// What a control record changes.
    pub(super) fn apply(&mut self, index: u64, record: &ControlRecord) {
        record.lifts.iter().for_each(|lift| self.lift(lift));
        self.raise(record.operation, Some(index), &record.stops);
    }
}

/// The shared set of standing stops.
#[derive(Debug, Default)]
pub(super) struct Fence {
    set: ArcSwap<StopSet>,
    changing: Mutex<()>,
    withheld: AtomicU32,
}

impl Fence {
    pub(super) fn now(&self) -> arc_swap::Guard<Arc<StopSet>> {
        self.set.load()
    }

    fn change(&self, change: impl FnOnce(&mut StopSet)) {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut set = StopSet::clone(&self.set.load());
        change(&mut set);
        crate::measure::stops_standing(set.0.values().map(Vec::len).sum());
        self.set.store(Arc::new(set));
    }

    /// In force from here on, before it is in the log.
    pub(super) fn raise(&self, operation: OperationId, terms: &[Term]) {
        self.change(|set| set.raise(operation, None, terms));
    }

    /// A control record that came to nothing: only one that was raised and never kept anywhere.
    pub(super) fn withdraw(&self, operation: OperationId) {
        self.change(|set| set.retain(|_, stop| *stop != (operation, None)));
    }

    /// A control record is durable.
    pub(super) fn apply(&self, index: u64, record: &ControlRecord) {
        if !record.stops.is_empty() || !record.lifts.is_empty() {
            self.change(|set| set.apply(index, record));
        }
    }

    /// Begins anew from the log's history. Stops that are not in the log yet stay in force.
    pub(super) fn rebuild<'a>(&self, history: impl Iterator<Item = (u64, &'a ControlRecord)>) {
        self.change(|set| {
            let mut fresh = StopSet::default();
            let mut logged = std::collections::HashSet::new();
            for (index, record) in history {
                fresh.apply(index, record);
                logged.insert(record.operation);
            }
            for (term, standing) in &set.0 {
                for (operation, index) in standing {
                    if index.is_none() && !logged.contains(operation) {
                        fresh.raise(*operation, None, std::slice::from_ref(term));
                    }
                }
            }
            *set = fresh;
        });
    }

    /// Counts operations that a stop withheld.
    pub(super) fn count_withheld(&self, operations: u32) {
        self.withheld.fetch_add(operations, Ordering::Relaxed);
    }

    pub(super) fn withheld(&self) -> u32 {
        self.withheld.load(Ordering::Relaxed)
    }
}

/// The newest control record that touched each term. A stop and its lift touch too: a permit from before is decided again.
#[derive(Clone, Debug, Default)]
pub(super) struct Touches {
    terms: HashMap<Term, u64>,
    newest: u64,
}

impl Touches {
    pub(super) fn apply(&mut self, index: u64, record: &ControlRecord) {
        let lifted = record.lifts.iter().flat_map(|lift| &lift.terms);
        for term in record.touches.iter().chain(&record.stops).chain(lifted) {
            self.terms.insert(term.clone(), index);
            self.newest = index;
        }
    }

    /// The newest control record above `saw` that touches any of the terms.
    pub(super) fn since(&self, saw: u64, terms: &[Term]) -> Option<u64> {
        if self.newest <= saw {
            return None;
        }
        let named = std::iter::once(&Term::All).chain(terms);
        let newest = named.filter_map(|term| self.terms.get(term)).max()?;
        (*newest > saw).then_some(*newest)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn key(name: &str) -> Term {
        Term::Key(name.parse().unwrap())
    }

    fn operation(n: u64) -> OperationId {
        OperationId::new(n, [0; 10])
    }

    #[test]
    fn a_stop_is_in_force_before_it_is_logged_and_until_it_is_lifted() {
        let fence = Fence::default();
        fence.raise(operation(1), &[key("a")]);
        let standing = fence.now().covers(&[key("b"), key("a")]).unwrap();
        assert_eq!((standing.index, standing.reason()), (None, Reason::KeySuspended));
        assert_eq!(fence.now().covers(&[key("b")]), None);
        fence.change(|set| set.raise(operation(1), Some(7), &[key("a")]));
        assert_eq!(fence.now().covers(&[key("a")]).unwrap().index, Some(7));
        fence.change(|set| set.lift(&Lift { index: 6, terms: vec![key("a")] }));
        assert!(fence.now().covers(&[key("a")]).is_some(), "another record's lift");
        fence.change(|set| set.lift(&Lift { index: 7, terms: vec![key("a")] }));
        assert_eq!(fence.now().covers(&[key("a")]), None);
    }

    #[test]
    fn everything_covers_whatever_is_required_and_rebuilding_keeps_what_is_not_logged() {
        let fence = Fence::default();
        fence.raise(operation(1), &[Term::All]);
        assert_eq!(fence.now().covers(&[]).unwrap().reason(), Reason::AllStopped);
        fence.rebuild(std::iter::empty());
        assert!(fence.now().covers(&[key("a")]).is_some());
        fence.withdraw(operation(1));
        assert!(fence.now().covers(&[key("a")]).is_none());
    }
}
