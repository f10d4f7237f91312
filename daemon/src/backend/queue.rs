//! The fair queue in front of every backend.
//!
//! Bounded in all and per caller, served round robin over the callers, urgent ones first, with deadlines. First come,
//! first served makes a light caller wait sixty times longer behind a heavy one. [`Fair`] is the pure machine; [`Gate`]
//! lets at most so many calls through at a time, in the order that the machine says, and knows how long a call takes
//! ([`Pace`]): a deadline shorter than that is refused before anything else, and a call whose deadline passes while it
//! waits is dropped before the device is asked.
//!
//! What this does not do: interrupt a call that a device already has.

mod fair;
mod gate;
mod pace;

use std::sync::Arc;
use std::time::Duration;

pub use fair::{Bounds, Fair, Full};
pub use gate::{Gate, Pass};
pub use pace::Pace;

use crate::clock::Monotonic;

/// A moment of the daemon's monotonic clock by which a caller wants its answer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Deadline(pub Monotonic);

impl Deadline {
    /// The moment `wait` after `now`.
    pub const fn after(now: Monotonic, wait: Duration) -> Self {
        Self(now.after(wait))
    }

    /// What is left of it; zero once it has passed.
    pub const fn left(self, now: Monotonic) -> Duration {
        self.0.since(now)
    }
}

/// Which calls go first. Within one priority all callers are served in turn.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Priority {
    /// Ceremonies and emergencies.
    Urgent,
    /// Callers.
    #[default]
    Normal,
    /// Work that can wait: re-signing, probes.
    Background,
}

/// Whose call it is, by when it must have begun, and how urgent it is.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The caller's id; calls with the same id share a place in the round.
    pub caller: Arc<str>,
    /// When the caller stops waiting, if ever.
    pub deadline: Option<Deadline>,
    /// How urgent.
    pub priority: Priority,
}

impl Turn {
    /// An ordinary turn without a deadline.
    pub fn of(caller: &str) -> Self {
        Self { caller: caller.into(), deadline: None, priority: Priority::Normal }
    }
}
