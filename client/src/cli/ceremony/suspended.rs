//! Showing whose acts count no more, and whose shall not: it must be seen by everybody who decides something.

use ceremonies::person::PersonId;
use ceremonies::roster::Roster;
use proto::wire::v1::Suspension;
use serde_json::{Value, json};

use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::people::instance::Instance;
use crate::people::text::line;

fn by(own: &Suspension) -> String {
    own.by.iter().map(|person| line(person)).collect::<Vec<_>>().join(" and ")
}

/// One fact about each, with its label.
#[must_use]
pub fn facts(instance: &Instance) -> Vec<(&'static str, String)> {
    let said = |own: &Suspension| match own.log_index {
        Some(index) => ("suspended", format!("{} (record {index}, by {})", line(&own.person), by(own))),
        None => ("accused", format!("{} (by {}; it takes another officer)", line(&own.person), by(own))),
    };
    instance.suspensions.iter().map(said).collect()
}

/// Everybody, to whoever looks what waits for him.
///
/// # Errors
/// As the output gives them.
pub fn show(instance: &Instance, person: &PersonId, screen: &mut Screen) -> Result<(), Complaint> {
    if let Some(index) = instance.suspended(person) {
        screen.note(&format!(
            "YOU ARE SUSPENDED since record {index}: no act of yours counts, until a roster.change"
        ))?;
    }
    for own in instance.suspensions.iter().filter(|own| own.person != person.as_str()) {
        let (whom, by) = (line(&own.person), by(own));
        match own.log_index {
            Some(index) => screen.note(&format!("{whom} is suspended since record {index}, by {by}"))?,
            None => screen.note(&format!(
                "{by} would suspend {whom}, which takes another officer: `countersign ceremony suspend {whom}`"
            ))?,
        }
    }
    Ok(())
}

/// Those whose acts would count again under the next roster.
///
/// # Errors
/// As the output gives them.
pub fn restored(instance: &Instance, next: &Roster, screen: &mut Screen) -> Result<(), Complaint> {
    let stays = |own: &&Suspension| next.people().any(|person| person.id.as_str() == own.person);
    let suspended = instance.suspensions.iter().filter(|own| own.log_index.is_some()).filter(stays);
    let facts: Vec<(&str, String)> = suspended
        .map(|own| ("counts again", format!("{}, suspended by {}", line(&own.person), by(own))))
        .collect();
    if facts.is_empty() {
        return Ok(());
    }
    screen.headline(
        Tone::Bad,
        "Suspended people stay in it:",
        "their acts count again when it is in force",
    )?;
    screen.facts(&facts)?;
    Ok(screen.gap()?)
}

/// For programs.
#[must_use]
pub fn document(instance: &Instance) -> Value {
    let one = |own: &Suspension| json!({ "person": own.person, "by": own.by, "log_index": own.log_index });
    instance.suspensions.iter().map(one).collect()
}
