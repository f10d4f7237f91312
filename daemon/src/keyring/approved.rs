//! What ceremonies put in force, as the log has it: guardrails, the files that they name, and grants.
//!
//! Promises: whatever the log names as made by a ceremony is read from the detail of that ceremony's proposal, where everybody
//! who approved it has seen it, and is held against the logged digest; so no file beside the log decides, a copy of the
//! log is a copy of the rules, and nothing is lost with a directory. The configured files are used where no ceremony
//! made others, and there they must be those that the log names.

use std::collections::BTreeMap;
use std::path::Path;

use proto::canonical;
use proto::hash::Hash;
use proto::record::ControlDetail;
use proto::record::ceremony::document;

use super::rules::{Loaded, RulesError, brought, text_of};
use crate::keys::fold::{InForce, State};
use crate::log::Log;

/// What is in force by the log, where ceremonies made it; the configured files where none did. `configured` is what was read
/// of them, `grants` the path of the one that is read again where the other one cannot be.
///
/// # Errors
/// [`RulesError`]; of the configured files only where they decide.
pub async fn approved(
    log: &Log,
    state: &State,
    configured: Result<Loaded, RulesError>,
    grants: &Path,
) -> Result<Loaded, RulesError> {
    let mut details = BTreeMap::new();
    for index in [state.guardrails().proposed, state.grants().proposed].into_iter().flatten() {
        let read = log.record(index).await.map_err(|error| error.to_string());
        details.insert(index, read.map(|stored| stored.detail));
    }
    from_details(state, configured, grants, |index| details.get(&index).cloned().unwrap_or(Ok(None)))
}

/// The same, where `read` gives the details of records.
///
/// # Errors
/// [`RulesError`]; of the configured files only where they decide.
pub fn from_details(
    state: &State,
    configured: Result<Loaded, RulesError>,
    grants: &Path,
    read: impl Fn(u64) -> Result<Option<Vec<u8>>, String>,
) -> Result<Loaded, RulesError> {
    let (guardrails, of_grants) = (state.guardrails(), state.grants());
    let made_grants = match of_grants.proposed {
        Some(index) => Some(text(&read, "the grants", of_grants, index, document::GRANTS)?.0),
        None => None,
    };
    let Some(index) = guardrails.proposed else {
        let configured = configured?;
        return match made_grants {
            Some(text) if configured.grants != of_grants.sha256 => {
                aside("grants", of_grants.sha256);
                configured.with_grants(&text)
            }
            _ => Ok(configured),
        };
    };
    let is_configured = configured.as_ref().is_ok_and(|loaded| loaded.guardrails == guardrails.sha256);
    if !is_configured {
        aside("guardrails", guardrails.sha256);
    }
    // What a log has of a lost one is in its record 0, as it was in force there.
    let name = if index == 0 { document::GUARDRAILS } else { document::NEXT_GUARDRAILS };
    let (next, documents) = text(&read, "the guardrails", guardrails, index, name)?;
    let grants = match (made_grants, configured) {
        (Some(text), _) => text,
        (None, Ok(configured)) => configured.grants_text,
        (None, Err(_broken)) => text_of(grants)?,
    };
    Loaded::of(next, grants, |named| brought(named, &documents))
}

fn aside(what: &str, in_force: Hash) {
    tracing::warn!(
        %in_force,
        "the configured {what} file is not the one in force, and is not used: a ceremony put another one in its place; \
         bring the file up to date, so that people find in it what counts"
    );
}

/// The document that a ceremony put in force, and all that its proposal brought.
fn text(
    read: &impl Fn(u64) -> Result<Option<Vec<u8>>, String>,
    what: &'static str,
    in_force: InForce,
    index: u64,
    name: &str,
) -> Result<(String, BTreeMap<String, String>), RulesError> {
    let lost = |cause: String| RulesError::Lost { what, index, cause };
    let detail = read(index).map_err(lost)?.ok_or_else(|| lost("it has no detail".to_owned()))?;
    let detail: ControlDetail = canonical::from_slice(&detail).map_err(|error| lost(error.to_string()))?;
    let documents: BTreeMap<String, String> =
        detail.documents.iter().map(|(name, text)| (name.to_owned(), text.clone())).collect();
    let text = documents.get(name).filter(|text| Hash::of(text.as_bytes()) == in_force.sha256).cloned();
    let text = text.ok_or_else(|| lost(format!("`{name}` is missing, or has another digest")))?;
    Ok((text, documents))
}
