//! `countersign ceremony transcript`: the files of a completed ceremony, for whoever checks it offline.

use std::path::Path;

use ceremonies::statement::CeremonyId;
use proto::wire::v1::CeremonyState;
use serde_json::json;

use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::connection::CallError;
use crate::exit::Exit;
use crate::people::calls;
use crate::people::desk::Desk;
use crate::people::error::PeopleError;
use crate::people::open::state_name;
use crate::people::transcript::Writing;

/// Fetches and writes.
///
/// # Errors
/// Where there is none yet, or it cannot be written.
pub async fn run(
    id: CeremonyId,
    out: &Path,
    desk: &mut Desk,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let open = desk.ceremony(id).await?;
    if open.state() != CeremonyState::Completed {
        let state = state_name(open.state());
        return Err(Complaint::failed(format!(
            "the ceremony is {state}, and a transcript is of a completed one"
        ))
        .advise(format!("countersign ceremony watch {id}")));
    }
    if open.wire.completed.is_none() {
        return Err(Complaint::new(
            Exit::Retry,
            "the ceremony is completed, and its transcript is not closed yet",
        )
        .advise("try again in a moment"));
    }
    let mut writing = Writing::begin(out).map_err(PeopleError::from)?;
    let mut stream = calls::transcript(&desk.connection, id).await?;
    while let Some(piece) = stream.message().await.map_err(CallError::from)? {
        writing.take(&piece).map_err(PeopleError::from)?;
    }
    let (files, bytes) = writing.finish(&open.wire.manifest_sha256).map_err(PeopleError::from)?;
    if screen.is_json() {
        screen.json(&json!({ "directory": out, "files": files, "bytes": bytes }))?;
        return Ok(Exit::Done);
    }
    screen.headline(Tone::Good, "written", &format!("{files} files to {}", out.display()))?;
    screen.facts(&[
        ("manifest", hex::encode(&open.wire.manifest_sha256)),
        ("proven", "nothing but that the manifest is the one that the daemon names: its README says how to check the rest".to_owned()),
    ])?;
    Ok(Exit::Done)
}
