//! The lanes, and how a batch is taken from them.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Orders;
use super::jobs::{ControlJob, Jobs, OwedJob, PlainJob, SealJob, Work};
use crate::log::error::LogError;
use crate::log::intent::Closure;

/// What the writer waits for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Waits {
    /// It works.
    #[default]
    Nothing,
    /// Anything at all.
    Work,
    /// Company for what is in the lanes.
    Company,
}

#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) controls: VecDeque<ControlJob>,
    pub(super) owed: Vec<OwedJob>,
    pub(super) closures: VecDeque<Closure>,
    pub(super) ends: VecDeque<SealJob>,
    pub(super) work: VecDeque<Work>,
    pub(super) last: VecDeque<PlainJob>,
    pub(super) forget: Option<(Vec<(String, String)>, i64)>,
    pub(super) truncated: Vec<oneshot::Sender<Result<(), LogError>>>,
    pub(super) orders: Orders,
    pub(super) count: usize,
    pub(super) bytes: usize,
    /// What the writer waits for.
    pub(super) waits: Waits,
    /// How long everybody in the lanes may wait for company; no time, where somebody is in a hurry.
    pub(super) patience: Option<Duration>,
    /// Operations that came since the last batch was taken.
    pub(super) came: usize,
    /// The writer has ended: nobody would answer.
    pub(super) dead: bool,
}

impl Lanes {
    pub(super) fn idle(&self) -> bool {
        self.controls.is_empty()
            && self.owed.is_empty()
            && self.closures.is_empty()
            && self.ends.is_empty()
            && self.work.is_empty()
            && self.last.is_empty()
            && self.forget.is_none()
            && self.orders == Orders::default()
    }

    pub(super) fn batch(&mut self, most: usize, bytes: usize) -> Jobs {
        let controls = self.controls.drain(..).collect();
        let mut jobs = Jobs { controls, owed: std::mem::take(&mut self.owed), ..Jobs::default() };
        let first = jobs.controls.len() + jobs.owed.len();
        let mut room = Room { count: most.saturating_sub(first), bytes };
        while room.is_left()
            && let Some(job) = self.ends.pop_front()
        {
            room.take(job.size());
            jobs.seals.push(job);
        }
        while room.is_left()
            && let Some(closure) = self.closures.pop_front()
        {
            room.take((1, 0));
            jobs.closures.push(closure);
        }
        while room.is_left()
            && let Some(work) = self.work.pop_front()
        {
            let size = work.size();
            match work {
                Work::Intend(job) => jobs.intends.push(job),
                Work::Seal(job) => jobs.seals.push(job),
                Work::Plain(job) => jobs.plains.push(job),
            }
            self.taken(&mut room, size);
        }
        while room.is_left()
            && let Some(job) = self.last.pop_front()
        {
            self.taken(&mut room, job.size());
            jobs.plains.push(job);
        }
        jobs.forget = self.forget.take();
        // What is left has waited for one commit already.
        self.patience = (!self.idle()).then_some(Duration::ZERO);
        self.came = 0;
        jobs
    }

    fn taken(&mut self, room: &mut Room, size: (usize, usize)) {
        room.take(size);
        self.count = self.count.saturating_sub(size.0);
        self.bytes = self.bytes.saturating_sub(size.1);
    }
}

/// What a batch may still take.
struct Room {
    count: usize,
    bytes: usize,
}

impl Room {
    fn is_left(&self) -> bool {
        self.count > 0 && self.bytes > 0
    }

    fn take(&mut self, size: (usize, usize)) {
        self.count = self.count.saturating_sub(size.0);
        self.bytes = self.bytes.saturating_sub(size.1);
    }
}
