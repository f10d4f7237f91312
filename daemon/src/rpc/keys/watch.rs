//! Watching keys: the state of each, then each change in the order of the log.
//!
//! The stream folds the control records itself, one after the other, so that no change is skipped, however fast they
//! come. Policy is asked at each change on a snapshot at least as new; a caller that no grant admits any more is told so
//! and the stream ends.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::{Stream, stream};
use proto::reason::Reason;
use proto::refusal::Refusal;
use proto::wire::v1;
use tonic::Status;

use super::{convert, may};
use crate::keys::fold::State;
use crate::keys::ring::Ring;
use crate::log::Controls;
use crate::policy::caller::Caller;
use crate::policy::facts::Action;
use crate::rpc::services::Services;
use crate::rpc::status;

type Event = Result<v1::WatchKeysResponse, Status>;

struct Watch {
    services: Arc<Services>,
    caller: Arc<Caller>,
    prefix: String,
    controls: Controls,
    state: State,
    ready: VecDeque<v1::WatchKeysResponse>,
    ended: bool,
}

/// The stream of one watcher.
pub fn begin(
    services: Arc<Services>,
    caller: Arc<Caller>,
    prefix: String,
) -> impl Stream<Item = Event> + Send + 'static {
    // Subscribed before the snapshot is taken: what is in both is skipped by its index.
    let controls = services.log.controls();
    let snapshot = services.keyring.snapshot();
    let mut watch = Watch {
        services,
        caller,
        prefix,
        controls,
        state: snapshot.state().clone(),
        ready: VecDeque::new(),
        ended: false,
    };
    let log_index = snapshot.control();
    let shown = |ring: &&Ring| watch.matches(ring) && may(&snapshot, &watch.caller, ring, &Action::WatchKeys);
    let present: VecDeque<_> = snapshot
        .state()
        .rings()
        .filter(shown)
        .map(|ring| v1::WatchKeysResponse { key: Some(convert::key(ring)), log_index, synced: false })
        .chain([v1::WatchKeysResponse { key: None, log_index, synced: true }])
        .collect();
    watch.ready = present;
    stream::unfold(watch, Watch::next)
}

impl Watch {
    fn matches(&self, ring: &Ring) -> bool {
        ring.name().as_str().starts_with(&self.prefix)
    }

    async fn next(mut self) -> Option<(Event, Self)> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                return Some((Ok(event), self));
            }
            if let Err(refusal) = self.follow().await {
                self.ended = true;
                return Some((Err(status::of(&refusal)), self));
            }
        }
    }

    /// Waits for the next control record and makes ready what it changed.
    async fn follow(&mut self) -> Result<(), Refusal> {
        let control = self.controls.next().await;
        if control.index <= self.state.head().index {
            return Ok(());
        }
        let before = self.state.clone();
        self.state.apply(control.index, control.hash, &control.record, control.detail.as_deref()).map_err(
            |why| {
                Refusal::new(
                    Reason::LogUnavailable,
                    format!("control record {} cannot be followed: {why}", control.index),
                )
            },
        )?;
        let snapshot = self.services.keyring.at_least(control.index).await;
        if !snapshot.admits(&self.caller) {
            return Err(Refusal::new(Reason::Unauthenticated, "no grant admits the caller any more"));
        }
        let changed = self.state.rings().filter(|ring| before.ring(ring.name()) != Some(*ring));
        let shown = changed
            .filter(|ring| self.matches(ring) && may(&snapshot, &self.caller, ring, &Action::WatchKeys))
            .map(|ring| v1::WatchKeysResponse {
                key: Some(convert::key(ring)),
                log_index: control.index,
                synced: true,
            });
        self.ready = shown.collect();
        Ok(())
    }
}
