//! `countersign ceremony accept-clock`: an officer vouches for a clock that the daemon does not trust.
//!
//! Promises: nothing is signed for a clock that this machine's own contradicts, and nothing without `yes`.

use std::path::Path;
use std::time::Duration;

use ceremonies::act::{ActKind, Deed};
use serde_json::json;

use super::{consent, may_ask, protect, standing};
use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::exit::Exit;
use crate::people::calls;
use crate::people::desk::Desk;
use crate::people::text::{self, moment, seconds};

/// How far this machine's clock may be from the daemon's.
const APART: Duration = Duration::from_secs(60);

/// Shows what the daemon's clock says, asks, signs and brings it in.
///
/// # Errors
/// Where the clock is trusted, or is not what this machine's says; where it is refused, or there is no answer.
pub async fn accept(
    why: &str,
    yes: bool,
    key: &Path,
    desk: &mut Desk,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    protect::reason(why)?;
    desk.may(ActKind::AcceptClock, None)?;
    desk.holds(key, None)?;
    let genesis = desk.instance.genesis.clone();
    may_ask(&genesis, yes, screen)?;
    let state = desk.instance.clock.unwrap_or_default();
    if state.trusted {
        return Err(Complaint::failed("the daemon trusts its clock: there is nothing to accept"));
    }
    let (Some(wall), Some(used)) = (standing::at(state.wall.as_ref()), standing::at(state.used.as_ref()))
    else {
        return Err(Complaint::failed("the daemon does not say what its clock shows"));
    };
    let here = text::now();
    if !screen.is_json() {
        screen.headline(
            Tone::Warn,
            "The daemon's clock",
            "is not trusted, so nothing is approved, started or completed.",
        )?;
        screen.facts(&[
            ("shows", seconds(wall)),
            ("expected", format!("{}, from the log and the time that has passed since", moment(used, wall))),
            ("here", format!("{} on this machine", seconds(here))),
        ])?;
        screen.gap()?;
    }
    if wall.since(here).max(here.since(wall)) > APART {
        return Err(Complaint::failed(format!(
            "this machine's clock shows {}, and the daemon's {}: one of them is wrong, and nothing was signed",
            seconds(here),
            seconds(wall)
        ))
        .advise("put the wrong one right; a clock of the daemon that is right again is trusted again by itself"));
    }
    consent(&format!("Is {} right, as {}?", seconds(wall), desk.who()?), yes, screen)?;
    let signed = desk.sign(key, Deed::AcceptClock { clock: wall }, genesis.common(), why, None)?;
    let answer = calls::submit(&desk.connection, signed.to_wire(), None, desk.connection.patience()).await?;
    if screen.is_json() {
        screen.json(&json!({
            "clock": wall.to_string(),
            "log_index": answer.log_index,
            "act_sha256": signed.digest().to_string(),
        }))?;
        return Ok(Exit::Done);
    }
    screen.headline(
        Tone::Good,
        "accepted:",
        &format!("times go by the daemon's clock again, from record {} on", answer.log_index),
    )?;
    screen.facts(&[("act", signed.digest().to_string())])?;
    Ok(Exit::Done)
}
