//! `countersign log prove`: a receipt, checked, for keeping; and the detail that says who asked.

use serde_json::json;

use crate::cli::args::log::Prove;
use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::connection::Connection;
use crate::files::{self, Planned};
use crate::log::prove::{Which, detail_of, operation_of, receipt_of};

/// Fetches, checks, and writes what was asked for.
///
/// # Errors
/// What is wrong with the command, or why nothing is proven.
pub async fn run(
    arguments: &Prove,
    connection: &mut Connection,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    let which = which(&arguments.record)?;
    let names: Vec<_> = [&arguments.out, &arguments.detail].into_iter().flatten().cloned().collect();
    files::look_ahead(&names, arguments.force)?;
    let proven = receipt_of(connection, which, connection.patience()).await?;
    let mut planned = Vec::new();
    if let Some(path) = &arguments.out {
        planned.push(Planned { path: path.clone(), content: proven.receipt.to_string().into_bytes() });
    }
    if let Some(path) = &arguments.detail {
        planned.push(Planned { path: path.clone(), content: detail_of(connection, &proven.verified).await? });
    }
    files::write(&planned, arguments.force)?;
    let verified = &proven.verified;
    if screen.is_json() {
        return Ok(screen.json(&json!({
            "index": verified.index(),
            "origin": verified.checkpoint().origin,
            "size": verified.checkpoint().size,
            "operation": operation_of(verified.leaf()),
            "receipt": proven.receipt.to_string(),
        }))?);
    }
    screen.headline(
        Tone::Good,
        "proven",
        &format!("record {} is in {}", verified.index(), verified.checkpoint().origin),
    )?;
    let mut facts = vec![(
        "by",
        format!(
            "an inclusion proof that leads to the tree of {} records that the log key signed",
            verified.checkpoint().size
        ),
    )];
    facts.extend(operation_of(verified.leaf()).map(|operation| ("operation", operation)));
    facts.extend(arguments.out.as_ref().map(|path| ("receipt", path.display().to_string())));
    facts.extend(arguments.detail.as_ref().map(|path| ("detail", path.display().to_string())));
    screen.facts(&facts)?;
    if arguments.out.is_none() {
        screen.note("nothing was written: --out FILE keeps the receipt")?;
    }
    Ok(())
}

/// An index, or an operation id of 32 digits.
fn which(text: &str) -> Result<Which, Complaint> {
    if let Ok(operation) = text.parse() {
        return Ok(Which::Operation(operation));
    }
    text.parse().map(Which::Index).map_err(|_neither| {
        Complaint::usage(format!("`{text}` names no record: expected an index like 4711, or an operation id of 32 hexadecimal digits"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_or_an_operation_names_a_record() {
        assert!(matches!(which("4711"), Ok(Which::Index(4711))));
        assert!(matches!(which("019aa3c0de7f7abc8def0123456789ab"), Ok(Which::Operation(_))));
        assert!(which("019aa3").is_err() && which("-1").is_err() && which("").is_err());
    }
}
