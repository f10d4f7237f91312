//! `countersign log redact`.

use serde_json::json;

use crate::cli::args::log::Redact;
use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::connection::Connection;
use crate::log::redact::redact;

/// Erases the details one after the other, and says after each that it is gone: what was erased stays erased if a later
/// one is refused.
///
/// # Errors
/// Why the first one that was refused was.
pub async fn run(arguments: &Redact, connection: &Connection, screen: &mut Screen) -> Result<(), Complaint> {
    for index in &arguments.indices {
        let recorded = redact(connection, *index, &arguments.reason, connection.patience()).await?;
        if screen.is_json() {
            screen.json(&json!({ "erased": index, "record": recorded }))?;
        } else {
            screen.headline(Tone::Strong, "erased", &format!("the detail of record {index}"))?;
            screen.facts(&[("record", recorded.to_string())])?;
        }
    }
    Ok(())
}
