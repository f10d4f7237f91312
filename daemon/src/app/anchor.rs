//! `countersignd anchor add`: one more place outside the database that keeps the newest checkpoint. Offline.

use std::path::Path;
use std::sync::Arc;

use proto::record::{Actor, ActorKind, Body};

use super::{Failed, boot, runtime};
use crate::clock::Clock;
use crate::config::Config;
use crate::log::ControlDraft;

/// Makes the anchor, records it, and says what to write into the configuration.
pub(super) fn add(config: &Config, path: &Path, clock: Arc<dyn Clock>) -> Result<(), Failed> {
    let path = std::path::absolute(path)?;
    if path.starts_with(&config.instance.state_directory) {
        return Err(Failed::new(
            "an anchor in the state directory is lost or rolled back with it: choose another disk",
        ));
    }
    if path.exists() {
        return Err(Failed::new(format!("{} is there already", path.display())));
    }
    runtime()?.block_on(record(config, &path, clock))
}

async fn record(config: &Config, path: &Path, clock: Arc<dyn Clock>) -> Result<(), Failed> {
    let booted = boot::open(config, clock)?;
    let place = format!("file:{}", path.display());
    let done = async {
        if booted.state.anchors().contains(&place) {
            return Err(Failed::new(format!("{place} is an anchor of this log already: put its file back")));
        }
        let actor =
            Actor { id: format!("unix:{}", rustix::process::getuid().as_raw()), kind: ActorKind::Operator };
        let draft = ControlDraft::new(booted.log.fresh()?, actor, Body::Anchor { place: place.clone() });
        let appended = booted.log.control(draft).await?;
        booted.log.make_anchor(path)?;
        say(path, appended.index);
        Ok(())
    };
    let done = done.await;
    booted.log.close().await;
    done
}

#[expect(clippy::print_stdout, reason = "the answer of the task")]
fn say(path: &Path, index: u64) {
    println!(
        "the anchor is recorded as entry {index}; add it to `anchors` in [log]:\n  {{ file = {:?} }}",
        path
    );
}
