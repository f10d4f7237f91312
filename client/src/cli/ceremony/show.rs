//! `countersign ceremony show | list`.

use ceremonies::statement::{CeremonyId, Statement};
use proto::hash::Hash;
use serde_json::{Value, json};

use super::{amendment, grants, roster, standing, statement};
use crate::cli::complaint::Complaint;
use crate::cli::screen::Screen;
use crate::exit::Exit;
use crate::people::desk::Desk;
use crate::people::error::PeopleError;
use crate::people::instance::mode_name;
use crate::people::open::{Open, state_name};
use crate::people::text::{line, moment, plain};
use crate::people::{calls, text};

/// One ceremony: its statement, where it stands, and what came of it.
///
/// # Errors
/// Where there is none, or it is not what it says.
pub async fn one(id: CeremonyId, desk: &mut Desk, screen: &mut Screen) -> Result<Exit, Complaint> {
    let open = desk.ceremony(id).await?;
    if screen.is_json() {
        screen.json(&standing::document(&open.wire))?;
        return Ok(Exit::Done);
    }
    let now = text::now();
    statement::show(&open.statement, now, screen)?;
    roster::show(&open, &desk.instance, screen)?;
    grants::show(&open, screen)?;
    amendment::show(&open, &desk.instance, now, screen)?;
    statement::own_words(&open.statement, screen)?;
    standing::show(&open, &desk.instance, now, Vec::new(), screen)?;
    screen.gap()?;
    outcome(&open, screen)?;
    Ok(Exit::Done)
}

/// What an execution came to, and its words; nothing before one.
///
/// # Errors
/// Where the daemon names other deviations than it shows.
pub fn outcome(open: &Open, screen: &mut Screen) -> Result<(), Complaint> {
    let Some(outcome) = open.outcome().map_err(PeopleError::from)? else { return Ok(()) };
    screen.line("What the execution came to")?;
    let outputs: serde_json::Map<String, Value> = proto::canonical::from_slice(&open.wire.outputs)
        .map_err(|cause| Complaint::failed("the outputs cannot be read").because(cause.to_string()))?;
    let outputs = Value::Object(outputs);
    let mut facts = statement::facts_of(&outputs, text::now());
    facts.push(("sha256".to_owned(), outcome.outputs.to_string()));
    for act in open.deviations() {
        facts.push((
            "deviation".to_owned(),
            format!("{} ({}): {}", line(&act.person), act.log_index, plain(&act.reason)),
        ));
    }
    facts.extend(open.wire.parted.iter().map(|parted| ("deviation".to_owned(), standing::parted(parted))));
    if !facts.iter().any(|(label, _)| label == "deviation") {
        facts.push(("deviations".to_owned(), "none".to_owned()));
    }
    facts.push(("their digest".to_owned(), outcome.deviations.to_string()));
    let facts: Vec<(&str, String)> =
        facts.iter().map(|(label, fact)| (label.as_str(), fact.clone())).collect();
    screen.facts(&facts)?;
    screen.gap()?;
    statement::words("The words of these outputs, to be read aloud and compared:", &outcome.outputs, screen)?;
    if let Ok(manifest) = Hash::try_from(open.wire.manifest_sha256.as_slice()) {
        statement::words("The words of the transcript's manifest:", &manifest, screen)?;
    }
    Ok(())
}

/// Ceremonies, newest first.
///
/// # Errors
/// Where listing is refused or breaks.
pub async fn list(ended: bool, desk: &mut Desk, screen: &mut Screen) -> Result<Exit, Complaint> {
    let found = calls::list(&desk.connection, ended, desk.connection.patience(), |_| false).await?;
    if screen.is_json() {
        let documents: Vec<Value> = found.iter().map(standing::document).collect();
        screen.json(&json!({ "ceremonies": documents }))?;
        return Ok(Exit::Done);
    }
    if found.is_empty() {
        let which = if ended { "no ceremony" } else { "no open ceremony" };
        screen.line(&format!("There is {which}."))?;
        return Ok(Exit::Done);
    }
    for ceremony in &found {
        let state = ceremony.state();
        let word = format!("{:<9}", state_name(state));
        let statement = match Statement::parse(&ceremony.statement) {
            Ok(statement) => statement,
            // What one cannot be read must not hide the others.
            Err(cause) => {
                screen.line(&format!("{word}  {}  {}: {cause}", line(&ceremony.id), line(&ceremony.kind)))?;
                continue;
            }
        };
        let common = statement.common();
        let kind = format!("{}  {} ({})", common.ceremony, statement.kind(), mode_name(common));
        let word = screen.paint(standing::tone(state), &word);
        screen.line(&format!("{word}  {kind}"))?;
        let expires = moment(common.expires, text::now());
        screen.facts(&[("purpose", plain(common.purpose.as_str())), ("expires", expires)])?;
    }
    Ok(Exit::Done)
}
