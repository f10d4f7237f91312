//! What happens by itself as time passes.
//!
//! Each minute, refusals that were counted instead of recorded are summed up in the log, the ages of keys are measured, the
//! officers who have acted lately are counted, and open ceremonies are carried on: those whose time is over end, and what follows
//! by itself is done. One that waits for a backend is tried again within seconds.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior};

use crate::council::Council;
use crate::denials::Denials;
use crate::sign::Signer;

/// How soon what waits for a backend is tried again.
const SOON: Duration = Duration::from_secs(3);

/// Minutes after which it is said again that few officers have acted.
const DAY: u64 = 24 * 60;

/// Ticks until it is aborted.
pub async fn run(signer: Arc<Signer>, denials: Arc<Denials>, council: Arc<Council>) {
    // Side by side: what is carried on may wait for a device.
    tokio::join!(tidy_up(&signer, &denials), carry_on(&council), count_officers(&council));
}

async fn tidy_up(signer: &Signer, denials: &Denials) {
    let mut minute = every(Duration::from_secs(60));
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

/// Counts who has acted, and says once a day where they are few: the first time at the start of the daemon.
async fn count_officers(council: &Council) {
    let mut minute = every(Duration::from_secs(60));
    for minutes in 0_u64.. {
        minute.tick().await;
        let officers = council.officers();
        if officers.is_few() && minutes.is_multiple_of(DAY) {
            tracing::warn!(
                acted = officers.acted,
                wanted = officers.wanted,
                "few officers have acted in 180 days: see who can be reached, and change the roster while enough can sign"
            );
        }
    }
}

/// The first time is the start of the daemon, which serves meanwhile.
async fn carry_on(council: &Council) {
    let (mut minute, mut soon) = (every(Duration::from_secs(60)), every(SOON));
    loop {
        tokio::select! {
            _ = minute.tick() => council.carry_on().await,
            _ = soon.tick() => {
                if council.has_work_left() {
                    council.carry_on().await;
                }
            }
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
