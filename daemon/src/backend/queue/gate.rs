//! Lets at most so many calls through at a time, in the order that the fair queue says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Bounds, Fair, Pace, Turn};
use crate::backend::Failure;
use crate::clock::{Clock, Monotonic};
use crate::measure::{self, Stage, Waiting};

/// A full queue is not searched for callers that went away more often than this.
const SWEEP: Duration = Duration::from_millis(20);

type Waiter = oneshot::Sender<Result<Pass, Failure>>;

/// A backend's gate.
pub struct Gate {
    backend: String,
    waiting: Waiting,
    limit: usize,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    fair: Fair<Waiter>,
    running: usize,
    pace: Pace,
    /// When places of callers that went away were last looked for.
    swept: Option<Monotonic>,
}

/// The right to one call. Dropping it lets the next one in.
pub struct Pass {
    gate: Arc<Gate>,
    since: Monotonic,
    handed_on: bool,
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pass").field("backend", &self.gate.backend).finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate for `limit` calls at a time.
    pub fn new(backend: &str, limit: usize, bounds: Bounds, clock: Arc<dyn Clock>) -> Arc<Self> {
        let state = State { fair: Fair::new(bounds), running: 0, pace: Pace::default(), swept: None };
        let waiting = Waiting::before(backend);
        Arc::new(Self {
            backend: backend.to_owned(),
            waiting,
            limit: limit.max(1),
            clock,
            state: Mutex::new(state),
        })
    }

    /// Whether a call would be let in to wait now.
    ///
    /// # Errors
    /// [`Failure::Late`] and [`Failure::Busy`], as [`Self::enter`] would say.
    pub fn admits(&self, turn: &Turn) -> Result<(), Failure> {
        let now = self.clock.monotonic();
        let mut state = self.locked();
        self.refuse_hopeless(turn, &state, now)?;
        self.make_room(&mut state, turn, now)
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`Failure::Late`] where the deadline is shorter than the backend takes, or passes while the call waits;
    /// [`Failure::Busy`] where the queue is full for this caller. In each case nothing was done.
    pub async fn enter(self: &Arc<Self>, turn: &Turn) -> Result<Pass, Failure> {
        let now = self.clock.monotonic();
        let answer = {
            let mut state = self.locked();
            self.refuse_hopeless(turn, &state, now)?;
            if state.running < self.limit && state.fair.is_empty() {
                state.running += 1;
                return Ok(self.pass(now));
            }
            self.wait_in(&mut state, turn, now)?
        };
        let left = turn.deadline.map_or(Duration::MAX, |deadline| deadline.left(now));
        let passed = || Failure::Late {
            what: "the deadline passed while the call waited for its turn".to_owned(),
            at_admission: false,
        };
        // A pass that is granted in the moment the deadline passes is dropped with the receiver and goes on.
        let pass = match tokio::time::timeout(left, answer).await {
            Ok(Ok(granted)) => granted,
            Ok(Err(_)) | Err(_) => Err(passed()),
        };
        measure::stage(Stage::Queue, self.clock.monotonic().since(now));
        pass
    }

    /// About how long another such call would wait for its turn: nothing, where that is less than one call takes.
    pub fn delay(&self, turn: &Turn) -> Duration {
        let now = self.clock.monotonic();
        let state = self.locked();
        let rounds = self.rounds(state.fair.before(turn));
        state.pace.median(now).map_or(Duration::ZERO, |usual| usual.saturating_mul(rounds))
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.locked().fair.len()
    }

    fn refuse_hopeless(&self, turn: &Turn, state: &State, now: Monotonic) -> Result<(), Failure> {
        let (Some(deadline), Some(usual)) = (turn.deadline, state.pace.median(now)) else { return Ok(()) };
        let left = deadline.left(now);
        if left >= usual {
            return Ok(());
        }
        Err(Failure::Late {
            what: format!(
                "the backend usually takes {} µs and the deadline leaves {} µs",
                usual.as_micros(),
                left.as_micros()
            ),
            at_admission: true,
        })
    }

    fn wait_in(
        &self,
        state: &mut State,
        turn: &Turn,
        now: Monotonic,
    ) -> Result<oneshot::Receiver<Result<Pass, Failure>>, Failure> {
        self.make_room(state, turn, now)?;
        let (waiter, answer) = oneshot::channel();
        let offered = state.fair.offer(turn, waiter).map_err(|(_waiter, _full)| self.busy(state, now));
        self.waiting.set(state.fair.len());
        offered.map(|()| answer)
    }

    fn make_room(&self, state: &mut State, turn: &Turn, now: Monotonic) -> Result<(), Failure> {
        if state.fair.has_room(turn).is_ok() {
            return Ok(());
        }
        // Callers that went away hold places; only now is it worth looking for them, and not with every refusal.
        if state.swept.is_none_or(|swept| now.since(swept) >= SWEEP) {
            state.swept = Some(now);
            state.fair.remove(oneshot::Sender::is_closed);
        }
        state.fair.has_room(turn).map_err(|_full| self.busy(state, now))
    }

    fn busy(&self, state: &State, now: Monotonic) -> Failure {
        let usual = state.pace.median(now).unwrap_or(Duration::from_millis(5));
        let rounds = self.rounds(state.fair.len()).saturating_add(1);
        let retry_after =
            usual.saturating_mul(rounds).clamp(Duration::from_millis(10), Duration::from_secs(30));
        Failure::Busy { retry_after }
    }

    /// How often all places are taken anew before so many calls have had theirs.
    fn rounds(&self, calls: usize) -> u32 {
        u32::try_from(calls / self.limit).unwrap_or(u32::MAX)
    }

    fn pass(self: &Arc<Self>, since: Monotonic) -> Pass {
        Pass { gate: self.clone(), since, handed_on: false }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is consistent between any two statements that can panic (none can).
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call ended: its place goes to whoever is next and still there.
    fn release(self: &Arc<Self>, since: Monotonic) {
        let now = self.clock.monotonic();
        let mut ended = true;
        loop {
            let mut late = Vec::new();
            let next = {
                let mut state = self.locked();
                if std::mem::take(&mut ended) {
                    state.pace.record(now.since(since), now);
                }
                let next = state.fair.next(now, &mut late);
                if next.is_none() {
                    state.running -= 1;
                }
                if next.is_some() || !late.is_empty() {
                    self.waiting.set(state.fair.len());
                }
                next
            };
            for waiter in late {
                let what = "the deadline passed while the call waited for its turn".to_owned();
                // Whoever does not wait any more does not need the answer.
                let _gone = waiter.send(Err(Failure::Late { what, at_admission: false }));
            }
            let Some(waiter) = next else { return };
            match waiter.send(Ok(self.pass(now))) {
                Ok(()) | Err(Err(_)) => return,
                // It went away: its pass comes back and must not release again, which is what this loop does.
                Err(Ok(mut pass)) => pass.handed_on = true,
            }
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.handed_on {
            self.gate.release(self.since);
        }
    }
}

#[cfg(test)]
mod tests;
