//! `countersign log head | tail | search | keys | prove | verify | export | redact`.

mod check;
mod export;
mod keys;
mod prove;
mod redact;
mod search;

use proto::proof::keys::LogKeys;
use proto::proof::note::Verifier;
use serde_json::json;

use super::args::connection::Connection as Flags;
use super::args::log::{LogCommand, Tail};
use super::complaint::Complaint;
use super::online;
use super::records;
use super::screen::{Screen, Tone};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::log::read::{Range, Records, head};
use crate::seen::Seen;

/// Runs the command.
///
/// # Errors
/// What is wrong with it, or why there is no answer.
pub fn run(
    command: &LogCommand,
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    match command {
        LogCommand::Verify(file) => check::run(file, flags, look, screen),
        other => online::run(flags, look, |connection| ask(other, connection, screen)),
    }
}

async fn ask(
    command: &LogCommand,
    mut connection: Connection,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    connection.trail()?;
    connection.greet(connection.patience()).await?;
    match command {
        LogCommand::Head => show_head(&mut connection, screen).await?,
        LogCommand::Tail(tail) => show_tail(tail, &mut connection, screen).await?,
        LogCommand::Search(search) => search::run(search, &connection, screen).await?,
        LogCommand::Keys(keys) => keys::run(keys, &mut connection, screen).await?,
        LogCommand::Prove(prove) => prove::run(prove, &mut connection, screen).await?,
        LogCommand::Export(export) => export::run(export, &mut connection, screen).await?,
        LogCommand::Redact(redact) => redact::run(redact, &connection, screen).await?,
        // Handled offline, before a connection was opened.
        LogCommand::Verify(_) => {}
    }
    Ok(Exit::Done)
}

async fn show_head(connection: &mut Connection, screen: &mut Screen) -> Result<(), Complaint> {
    let before = connection.trail()?.newest().cloned();
    let seen = head(connection, connection.patience()).await?;
    let checkpoint = &seen.checkpoint;
    if screen.is_json() {
        let mut document = json!({
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": checkpoint.root.to_string(),
            "checkpoint": seen.text,
        });
        if let Some((index, hash)) = checkpoint.control {
            document["control"] = json!({ "index": index, "leaf_hash": hash.to_string() });
        }
        return Ok(screen.json(&document)?);
    }
    screen.headline(Tone::Strong, &checkpoint.origin, &format!("{} records", checkpoint.size))?;
    let mut facts = vec![("root", checkpoint.root.to_string())];
    if let Some((index, _)) = checkpoint.control {
        facts.push(("control", format!("record {index} is the newest that changes what may be signed")));
    }
    let keys = connection.trail()?.keys();
    if keys.count() > 1 {
        facts.push((
            "log key",
            format!("{}, {} after the trusted one", keys.newest(), later(keys, connection.trail()?.key())),
        ));
    }
    facts.push(("proven", standing(before.as_ref(), &seen)));
    Ok(screen.facts(&facts)?)
}

/// How many keys the newest one is after the trusted one.
fn later(keys: &LogKeys, trusted: &Verifier) -> usize {
    keys.iter().rev().position(|key| key == trusted).unwrap_or_default()
}

/// How this head stands to what was seen before.
fn standing(before: Option<&Seen>, now: &Seen) -> String {
    match before {
        None => "signed by the log key; it is the first checkpoint seen here, and is remembered from now on"
            .to_owned(),
        Some(before) if before.checkpoint.size == now.checkpoint.size => {
            "signed by the log key, and the same as seen before".to_owned()
        }
        Some(before) => {
            format!("signed by the log key, and extends the {} records seen before", before.checkpoint.size)
        }
    }
}

async fn show_tail(tail: &Tail, connection: &mut Connection, screen: &mut Screen) -> Result<(), Complaint> {
    let size = head(connection, connection.patience()).await?.checkpoint.size;
    let start = size.saturating_sub(tail.lines);
    if start == size && !tail.follow {
        return Ok(());
    }
    let end = if tail.follow { None } else { Some(size) };
    let mut records = Records::of(connection, Range { start, end, follow: tail.follow });
    while let Some(record) = records.next().await? {
        records::show(&record, screen)?;
    }
    Ok(())
}
