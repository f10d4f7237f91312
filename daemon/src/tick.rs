//! What happens by itself as time passes.
//!
//! Each minute, refusals that were counted instead of recorded are summed up in the log, the ages of keys are measured,
//! and open ceremonies are carried on: those whose time is over end, and what follows by itself is done. One that waits for a
//! backend is tried again within seconds.

use std::sync::Arc;
use std::time::Duration;

use crate::council::Council;
use crate::denials::Denials;
use crate::sign::Signer;

/// How soon what waits for a backend is tried again.
const SOON: Duration = Duration::from_secs(3);

/// Ticks until it is aborted.
pub async fn run(signer: Arc<Signer>, denials: Arc<Denials>, council: Arc<Council>) {
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    minute.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut soon = tokio::time::interval(SOON);
    soon.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = minute.tick() => {}
            _ = soon.tick() => {
                if council.has_work_left() {
                    council.carry_on().await;
                }
                continue;
            }
        }
        signer.measure_ages();
        council.carry_on().await;
        match denials.summarise().await {
            Ok(0) => {}
            Ok(recorded) => tracing::info!(recorded, "refusals were summed up"),
            Err(error) => tracing::warn!(%error, "refusals could not be summed up"),
        }
    }
}
