//! The directory that shows what was left of the old log, by files: written by the draft, read by whoever completes.

use std::collections::BTreeMap;
use std::path::Path;

use ceremonies::transcript::{Files as Evidence, Governs, recovery};
use proto::record::Body;

use super::super::init::{Files, InitError};
use crate::app::Failed;
use crate::council::{Ending, endings_of, forebears};
use crate::keys::fold::State;
use crate::log::{Known, Remains};
use proto::canonical;
use proto::record::ControlDetail;
use proto::record::ceremony::document;

/// Where it is in the new log's directory.
pub(super) const DIRECTORY: &str = "recovery";

/// What is left of the old log, and the newest checkpoint of it that anyone knows.
pub(super) fn of(remains: &Remains, state: &State, known: &Known) -> Result<Evidence, Failed> {
    let mut control = Vec::new();
    let mut details = BTreeMap::new();
    for line in &remains.history {
        let stored = remains.record(line.index)?;
        if line.index == 0 || matches!(line.record.body, Body::Suspend(_) | Body::Clock(_)) {
            let lacking = || Failed::new(format!("record {} has no detail", line.index));
            details.insert(line.index, stored.detail.ok_or_else(lacking)?);
        }
        control.push((line.index, stored.leaf));
    }
    let made = made(remains, state)?;
    let known = (known.text.clone(), &known.ends[..]);
    Ok(recovery::evidence(control, details, remains.checkpoint.clone(), known, &made)?)
}

/// The transcripts of the ceremonies that made rosters, guardrails and log keys.
fn made(remains: &Remains, state: &State) -> Result<BTreeMap<Governs, Evidence>, Failed> {
    let lost = |index| Failed::new(format!("record {index} does not say where its transcript ends"));
    let end = Ending::at(&remains.checkpoint, &remains.keys).ok_or_else(|| lost(0))?;
    let mut endings = BTreeMap::new();
    for index in endings_of(state, &end) {
        let detail = remains.record(index)?.detail.ok_or_else(|| lost(index))?;
        let detail: ControlDetail = canonical::from_slice(&detail)?;
        let checkpoint = detail.documents.find(document::CHECKPOINT).ok_or_else(|| lost(index))?;
        endings.insert(index, Ending::at(checkpoint, &remains.keys).ok_or_else(|| lost(index))?);
    }
    let ends = remains.key_ends()?;
    let forebears = forebears(state, &end, &ends, |index| endings.get(&index).cloned());
    let forebears = forebears
        .ok_or_else(|| Failed::new("a ceremony that made a roster, guardrails or a log key is not known"))?;
    Ok(remains.made(&forebears)?)
}

/// Writes it.
pub(super) fn write(files: &Files, evidence: &Evidence) -> Result<(), InitError> {
    evidence.iter().try_for_each(|(path, bytes)| files.write(&format!("{DIRECTORY}/{path}"), bytes))
}

/// Reads it.
pub(super) fn read(directory: &Path) -> Result<Evidence, Failed> {
    let mut found = Evidence::new();
    let mut waiting = vec![(directory.to_owned(), String::new())];
    while let Some((place, inside)) = waiting.pop() {
        let failed = |error: std::io::Error| Failed::new(format!("{}: {error}", place.display()));
        for entry in std::fs::read_dir(&place).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = format!("{inside}{}", entry.file_name().to_string_lossy());
            match entry.file_type().map_err(failed)?.is_dir() {
                true => waiting.push((entry.path(), format!("{path}/"))),
                false => {
                    found.insert(path, std::fs::read(entry.path()).map_err(failed)?);
                }
            }
        }
    }
    Ok(found)
}
