//! The pure machine: who is next.
//!
//! Invariant: between two turns of one caller, every other caller of the same priority that waits all the while gets one;
//! nothing is served that is past its deadline, lost or served twice; the bounds hold. Held by the model test
//! `nothing_is_lost_served_twice_or_late_and_bounds_hold` and by `every_caller_that_waits_gets_one_turn_before_anybody_gets_two`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{Deadline, Priority, Turn};
use crate::clock::Monotonic;

/// How many calls may wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// In all.
    pub total: usize,
    /// Of one caller.
    pub per_caller: usize,
}

/// A bound is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Full {
    /// The whole queue.
    Total,
    /// This caller's part of it.
    Caller,
}

#[derive(Debug)]
struct Waiting<T> {
    item: T,
    deadline: Option<Deadline>,
}

/// One priority: callers in the order of their next turn, each with its calls in the order of arrival.
#[derive(Debug)]
struct Round<T> {
    order: VecDeque<Arc<str>>,
    lanes: HashMap<Arc<str>, VecDeque<Waiting<T>>>,
}

/// Calls that wait, and who is next.
#[derive(Debug)]
pub struct Fair<T> {
    bounds: Bounds,
    rounds: [Round<T>; 3],
    counts: HashMap<Arc<str>, usize>,
    total: usize,
}

impl<T> Fair<T> {
    /// An empty queue.
    pub fn new(bounds: Bounds) -> Self {
        let round = || Round { order: VecDeque::new(), lanes: HashMap::new() };
        Self { bounds, rounds: [round(), round(), round()], counts: HashMap::new(), total: 0 }
    }

    /// How many wait.
    pub const fn len(&self) -> usize {
        self.total
    }

    /// Whether nothing waits.
    pub const fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Whether another call of this caller may wait.
    ///
    /// # Errors
    /// The bound that is reached.
    pub fn has_room(&self, turn: &Turn) -> Result<(), Full> {
        if self.total >= self.bounds.total {
            return Err(Full::Total);
        }
        if self.waiting(turn) >= self.bounds.per_caller {
            return Err(Full::Caller);
        }
        Ok(())
    }

    /// How many calls that wait now have their turn before another one of this caller, at most: all that are more urgent, and
    /// a round for each call of its own, and one more, in which everybody has a turn.
    pub fn before(&self, turn: &Turn) -> usize {
        let place = Self::place(turn.priority);
        let urgent: usize =
            self.rounds[..place].iter().flat_map(|round| round.lanes.values()).map(VecDeque::len).sum();
        let rounds = self.waiting(turn) + 1;
        self.total.min(urgent + rounds.saturating_mul(self.rounds[place].order.len()))
    }

    fn waiting(&self, turn: &Turn) -> usize {
        self.counts.get(&turn.caller).copied().unwrap_or(0)
    }

    /// Puts a call at the end of its caller's lane.
    ///
    /// # Errors
    /// The call back, with the bound that is reached.
    pub fn offer(&mut self, turn: &Turn, item: T) -> Result<(), (T, Full)> {
        if let Err(full) = self.has_room(turn) {
            return Err((item, full));
        }
        self.counts.insert(turn.caller.clone(), self.waiting(turn) + 1);
        self.total += 1;
        let round = &mut self.rounds[Self::place(turn.priority)];
        let lane = round.lanes.entry(turn.caller.clone()).or_default();
        if lane.is_empty() {
            round.order.push_back(turn.caller.clone());
        }
        lane.push_back(Waiting { item, deadline: turn.deadline });
        Ok(())
    }

    /// The next call. Calls past their deadline that stand before it are moved to `late`; they cost nobody a turn.
    pub fn next(&mut self, now: Monotonic, late: &mut Vec<T>) -> Option<T> {
        for place in 0..self.rounds.len() {
            while let Some(caller) = self.rounds[place].order.pop_front() {
                let mut found = None;
                while let Some(waiting) = self.pop(place, &caller) {
                    if waiting.deadline.is_some_and(|deadline| deadline.0 <= now) {
                        late.push(waiting.item);
                    } else {
                        found = Some(waiting.item);
                        break;
                    }
                }
                let round = &mut self.rounds[place];
                if round.lanes.get(&caller).is_some_and(VecDeque::is_empty) {
                    round.lanes.remove(&caller);
                } else {
                    round.order.push_back(caller);
                }
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// Takes out every call for which `gone` holds.
    pub fn remove(&mut self, gone: impl Fn(&T) -> bool) {
        for round in &mut self.rounds {
            for (caller, lane) in &mut round.lanes {
                let before = lane.len();
                lane.retain(|waiting| !gone(&waiting.item));
                let removed = before - lane.len();
                self.total -= removed;
                if let Some(count) = self.counts.get_mut(caller) {
                    *count -= removed;
                }
            }
            round.lanes.retain(|_, lane| !lane.is_empty());
            let lanes = &round.lanes;
            round.order.retain(|caller| lanes.contains_key(caller));
        }
        self.counts.retain(|_, count| *count > 0);
    }

    fn pop(&mut self, place: usize, caller: &Arc<str>) -> Option<Waiting<T>> {
        let waiting = self.rounds[place].lanes.get_mut(caller)?.pop_front()?;
        self.total -= 1;
        if let Some(count) = self.counts.get_mut(caller) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(caller);
            }
        }
        Some(waiting)
    }

    const fn place(priority: Priority) -> usize {
        match priority {
            Priority::Urgent => 0,
            Priority::Normal => 1,
            Priority::Background => 2,
        }
    }
}

#[cfg(test)]
mod tests;
