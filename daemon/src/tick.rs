//! What happens by itself as time passes.
//!
//! Each minute, refusals that were counted instead of recorded are summed up in the log, and the ages of keys are measured.

use std::sync::Arc;
use std::time::Duration;

use crate::denials::Denials;
use crate::sign::Signer;

/// Ticks until it is aborted.
pub async fn run(signer: Arc<Signer>, denials: Arc<Denials>) {
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    minute.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        minute.tick().await;
        signer.measure_ages();
        match denials.summarise().await {
            Ok(0) => {}
            Ok(recorded) => tracing::info!(recorded, "refusals were summed up"),
            Err(error) => tracing::warn!(%error, "refusals could not be summed up"),
        }
    }
}
