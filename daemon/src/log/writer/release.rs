//! Releasing a durable batch: everyone is told, after one more look at what is stopped.

use std::sync::Arc;

use proto::reason::Reason;
use proto::record::Outcome;

use super::Open;
use crate::log::batch::{Batch, IntentFate, SealFate};
use crate::log::fence::StopSet;
use crate::log::handover::HandOver;
use crate::log::index::Handed;
use crate::log::intent::{Intended, Intent};
use crate::log::queue::{IntendItem, Jobs};
use crate::log::seal::{Prepared, Released, Sealed};
use crate::log::shared::Shared;
use crate::log::watch::Appended;
use proto::proof::frontier::Edge;

/// What the replies of one batch have in common.
struct Leaving<'a> {
    edge: Edge<'a>,
    checkpoint: Arc<str>,
    /// Taken before the last look, so that a stop either is seen by that look or waits for this guard.
    guard: HandOver,
    stops: Arc<StopSet>,
    shared: &'a Shared,
    batch: &'a Batch,
}

/// Sends every reply. The frontier has not settled yet: it still holds the paths of the batch.
pub(super) fn release(open: &Open, shared: &Shared, jobs: Jobs, batch: Batch) {
    let guard = shared.barrier.guard();
    let leaving = Leaving {
        edge: open.frontier.edge(),
        checkpoint: Arc::clone(&open.head.checkpoint),
        guard,
        stops: Arc::clone(&shared.fence.now()),
        shared,
        batch: &batch,
    };
    let appended = |row: usize| Appended { index: batch.first + row as u64, hash: batch.rows[row].hash };
    // Whoever waited may have gone; the record stands.
    for (row, job) in jobs.controls.into_iter().enumerate() {
        if let Some(reply) = job.reply {
            let _gone = reply.send(Ok(appended(row)));
        }
    }
    for (job, row) in jobs.owed.into_iter().zip(batch.owed..) {
        if let Some(reply) = job.reply {
            let _gone = reply.send(Ok(appended(row)));
        }
    }
    let mut handed = Vec::new();
    for (job, fates) in jobs.seals.into_iter().zip(&batch.seals) {
        let results =
            job.items.into_iter().zip(fates).map(|(item, fate)| Ok(leaving.seal(item, fate, &mut handed)));
        let _gone = job.reply.send(Ok(results.collect()));
    }
    shared.following.hand(handed);
    for (job, row) in jobs.plains.into_iter().zip(batch.plain..) {
        let _gone = job.reply.send(Ok(appended(row)));
    }
    for (job, fates) in jobs.intends.into_iter().zip(&batch.intends) {
        let results = job.items.into_iter().zip(fates).map(|(item, fate)| Ok(leaving.intent(item, fate)));
        if let Err(Ok(unheard)) = job.reply.send(Ok(results.collect())) {
            // Nobody was given these intents.
            for intended in unheard {
                if let Ok(Intended::Intent(intent)) = intended {
                    shared.queue.close(intent.unused());
                }
            }
        }
    }
}

impl Leaving<'_> {
    fn seal(&self, item: Prepared, fate: &SealFate, handed: &mut Vec<Handed>) -> Sealed {
        let (row, withheld) = match fate {
            SealFate::Touched(control) => {
                return Sealed::Touched { seal: Box::new(item.seal), control: *control };
            }
            SealFate::Leaf(row, withheld) => (*row, withheld.clone()),
            SealFate::Replay(earlier) => return Sealed::Replay(*earlier),
            SealFate::Gone => {
                item.seal.intent.into_iter().for_each(Intent::end);
                return Sealed::Gone;
            }
        };
        let index = self.batch.first + row as u64;
        let stopped = self.stopped(&item);
        let kept = item.releasing().count();
        let seal = item.seal;
        seal.intent.into_iter().for_each(Intent::end);
        let hash = self.batch.rows[row].hash;
        handed.push(Handed { index, hash, found: item.found });
        if !stopped.is_empty() || kept == 0 {
            let held_back = u32::from(!stopped.is_empty());
            self.shared.fence.count_withheld(held_back);
            return Sealed::Withheld { index, reasons: withheld.into_iter().chain(stopped).collect() };
        }
        let row = &self.batch.rows[row];
        Sealed::Released(Box::new(Released {
            index,
            leaf: row.leaf.clone(),
            leaf_hash: row.hash,
            size: self.edge.size(),
            path: self.edge.path(index).expect("the leaves of a batch are on the edge until it settles"),
            checkpoint: Arc::clone(&self.checkpoint),
            withheld,
            guard: self.guard.clone(),
        }))
    }

    /// Signatures that are in the record as released, and that a stop covers by now.
    fn stopped(&self, item: &Prepared) -> Vec<(usize, Reason)> {
        let look = |(position, requires): (usize, &crate::log::seal::Requires)| {
            Some((position, self.stops.covers(&requires.terms)?.reason()))
        };
        item.releasing().filter_map(look).collect()
    }

    fn intent(&self, item: IntendItem, fate: &IntentFate) -> Intended {
        match fate {
            IntentFate::Replay(earlier) => Intended::Replay(*earlier),
            IntentFate::Number(number) => {
                let draft = item.draft;
                debug_assert!(draft.record.signatures.iter().all(|entry| entry.outcome == Outcome::Unknown));
                let request = draft.request.map(|request| (draft.caller, request.id));
                self.shared.queue.opened(1);
                let intent = Intent::new(*number, draft.operation, request, &self.shared.queue);
                Intended::Intent(intent.holding(item.hold))
            }
        }
    }
}
