//! `countersignd anchor add`: one more place outside the database that keeps the newest checkpoint. Offline.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::record::{Actor, ActorKind, Body};

use super::{Failed, boot, reach, runtime};
use crate::backend::pkcs11::uri::Uri;
use crate::clock::Clock;
use crate::config::Config;
use crate::log::{self, Address, AnchorPlace, ControlDraft};

/// Makes the anchor, records it, and says what to write into the configuration.
pub(super) fn add(mut config: Config, place: &str, clock: Arc<dyn Clock>) -> Result<(), Failed> {
    let place = named(&config, place)?;
    // Its line may stand in the configuration already: then it is not what the log is held against now.
    let anchors = &mut config.log.settings.anchors;
    let configured = anchors.contains(&place);
    anchors.retain(|other| *other != place);
    let shared = Arc::clone(&clock);
    runtime()?.block_on(async move {
        log::vacant(&reach::log_settings(&config), &place, shared).await?;
        record(&config, &place, configured, clock).await
    })
}

/// What the command line names: something of which the configuration says how it is reached, or a file.
fn named(config: &Config, place: &str) -> Result<AnchorPlace, Failed> {
    if place.contains("://") {
        let address: Address = place.parse()?;
        return configured(config, &address.to_string(), "https", "ca = { file = \"…\" }");
    }
    if place.starts_with("pkcs11:") {
        let object: Uri = place.parse()?;
        return configured(config, &object.to_string(), "pkcs11", "backend = \"…\"");
    }
    let path: PathBuf = std::path::absolute(Path::new(place))?;
    if path.starts_with(&config.instance.state_directory) {
        return Err(Failed::new(
            "an anchor in the state directory is lost or rolled back with it: choose another disk",
        ));
    }
    Ok(AnchorPlace::File(path))
}

fn configured(config: &Config, name: &str, kind: &str, more: &str) -> Result<AnchorPlace, Failed> {
    let mut anchors = config.log.settings.anchors.iter();
    anchors.find(|anchor| anchor.is_off_host() && anchor.to_string() == name).cloned().ok_or_else(|| {
        Failed::new(format!(
            "how {name} is reached is not configured: add it to `anchors` in [log] first, and say this again:\n  \
             {{ {kind} = \"{name}\", {more} }}"
        ))
    })
}

async fn record(
    config: &Config,
    place: &AnchorPlace,
    configured: bool,
    clock: Arc<dyn Clock>,
) -> Result<(), Failed> {
    let booted = boot::open(config, clock)?;
    let name = place.to_string();
    let done = async {
        if booted.state.anchors().contains(&name) {
            return Err(Failed::new(format!(
                "{name} is an anchor of this log already: put back what it kept"
            )));
        }
        let actor =
            Actor { id: format!("unix:{}", rustix::process::getuid().as_raw()), kind: ActorKind::Operator };
        let draft = ControlDraft::new(booted.log.fresh()?, actor, Body::Anchor { place: name });
        // The anchor first: a record of one that could not be made could never be taken back.
        booted.log.make_anchor(place).await?;
        let appended = booted.log.control(draft).await?;
        say(place, configured, appended.index);
        Ok(())
    };
    let done = done.await;
    booted.log.close().await;
    done
}

#[expect(clippy::print_stdout, reason = "the answer of the task")]
fn say(place: &AnchorPlace, configured: bool, index: u64) {
    match place {
        AnchorPlace::File(path) if !configured => println!(
            "the anchor is recorded as entry {index}; add it to `anchors` in [log]:\n  {{ file = {path:?} }}"
        ),
        _ => println!("the anchor is recorded as entry {index}; it is in the configuration already"),
    }
}
