//! `countersign ceremony submit`: acts that were signed elsewhere, brought in byte for byte as they are.

use std::path::{Path, PathBuf};

use ceremonies::act::{Act, Deed};
use ceremonies::statement::{CeremonyId, Statement};
use proto::hash::Hash;
use serde_json::{Value, json};

use crate::cli::complaint::Complaint;
use crate::cli::input;
use crate::cli::screen::{Screen, Tone};
use crate::exit::Exit;
use crate::files::with_ending;
use crate::people::calls;
use crate::people::desk::{Desk, SignedAct};
use crate::people::open::state_name;

/// The largest signature file that is read.
const LARGEST_SIGNATURE: u64 = 8 * 1024;

/// Reads all of them, then brings them in, one by one.
///
/// # Errors
/// What is wrong with a file, before any is sent; the first that is refused.
pub async fn run(paths: &[PathBuf], desk: &mut Desk, screen: &mut Screen) -> Result<Exit, Complaint> {
    let mut acts = Vec::new();
    for path in paths {
        let (signed, act) = read(path)?;
        let about = about(&act, desk).await?;
        let next = match about {
            Some(id) => desk.ceremony(id).await?.next,
            None => None,
        };
        let verified = desk.verify(&signed, next.as_ref());
        let person = verified.map_err(|error| Complaint::from(error).in_file(path))?;
        acts.push((path, signed, act, about, person));
    }
    let mut documents: Vec<Value> = Vec::new();
    for (path, signed, act, about, person) in acts {
        let patience = desk.connection.patience();
        let answer = calls::submit(&desk.connection, signed.to_wire(), about, patience)
            .await
            .map_err(|error| Complaint::from(&error).in_file(path))?;
        let state = answer.ceremony.as_ref().map(|ceremony| state_name(ceremony.state()));
        if screen.is_json() {
            documents.push(json!({
                "file": path,
                "person": person.as_str(),
                "act": act.deed.kind().name(),
                "act_sha256": signed.digest().to_string(),
                "log_index": answer.log_index,
                "state": state,
            }));
            continue;
        }
        let kind = act.deed.kind();
        screen.headline(
            Tone::Good,
            "taken:",
            &format!("{kind} of {person}, in record {}", answer.log_index),
        )?;
        if let Some(state) = state {
            screen.facts(&[("ceremony", format!("is {state}"))])?;
        }
    }
    if screen.is_json() {
        screen.json(&json!({ "acts": documents }))?;
    }
    Ok(Exit::Done)
}

/// An act and the signature beside it.
fn read(path: &Path) -> Result<(SignedAct, Act), Complaint> {
    let document = input::file(path, ceremonies::act::LARGEST as u64)?;
    let signature = input::text(&with_ending(path, ".sig"), LARGEST_SIGNATURE)?;
    let act = Act::parse(&document).map_err(|cause| {
        Complaint::failed(format!("{} is no act", path.display()))
            .because(cause.to_string())
            .advise("give it exactly as it was written and signed")
    })?;
    let elsewhere = match &act.deed {
        Deed::Propose { .. } => Some("countersign ceremony propose FILE, which brings the statement too"),
        Deed::Execute { .. } => Some("countersign ceremony run ID"),
        Deed::Stop { .. } => Some("countersign stop"),
        _ => None,
    };
    if let Some(command) = elsewhere {
        let kind = act.deed.kind();
        return Err(Complaint::usage(format!(
            "{} is an act of kind {kind}, which goes in by another call",
            path.display()
        ))
        .advise(command));
    }
    Ok((SignedAct { document, signature }, act))
}

/// The open ceremony that an act is about, by the digest of its statement.
async fn about(act: &Act, desk: &Desk) -> Result<Option<CeremonyId>, Complaint> {
    let Some(digest) = act.deed.statement() else { return Ok(None) };
    let is_it = |ceremony: &proto::wire::v1::Ceremony| Hash::of(&ceremony.statement) == digest;
    let found = calls::list(&desk.connection, false, desk.connection.patience(), is_it).await?;
    let statement =
        found.last().filter(|last| is_it(last)).and_then(|last| Statement::parse(&last.statement).ok());
    Ok(statement.map(|statement| statement.common().ceremony))
}
