//! `countersign ceremony propose`: opens a ceremony with a statement that was made and read.

use std::collections::BTreeMap;
use std::path::Path;

use ceremonies::act::{ActKind, Deed};
use ceremonies::statement::Statement;
use proto::hash::Hash;
use serde_json::json;

use super::{amendment, consent, may_ask, standing, statement, statement_file, succession};
use crate::cli::args::ceremony::Propose;
use crate::cli::complaint::Complaint;
use crate::cli::input;
use crate::cli::screen::{Screen, Tone};
use crate::exit::Exit;
use crate::people::desk::Desk;
use crate::people::error::PeopleError;
use crate::people::instance::Stage;
use crate::people::open::Open;
use crate::people::{calls, text};

/// Largest document that goes with a proposal.
const LARGEST: u64 = 192 * 1024;

/// Shows, asks, signs and proposes.
///
/// # Errors
/// What is wrong with the statement, or why it was not opened.
pub async fn run(
    propose: &Propose,
    key: &Path,
    desk: &mut Desk,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let (bytes, made) = statement_file(&propose.statement)?;
    let mut documents = documents(&propose.document, &made)?;
    if let Some(brought) = succession::brought(&propose.succession, &desk.instance)? {
        brought.fits(&made, &desk.instance)?;
        documents.extend(brought.documents);
    }
    let mut amended = None;
    if let Some(brought) = amendment::brought(&propose.amendment)? {
        amended = Some(brought.fits(&made, &desk.instance)?);
        documents.extend(brought.documents);
    }
    may_ask(&made, propose.yes, screen)?;
    desk.may(ActKind::Propose, None)?;
    desk.holds(key, None)?;
    let (common, digest) = (made.common(), Hash::of(&bytes));
    let person = desk.who()?.clone();
    if common.initiator != person {
        return Err(Complaint::failed(format!(
            "the statement is `{}`'s to propose, and you are `{person}`",
            common.initiator
        ))
        .advise("have its initiator propose it, or make one of your own with `countersign ceremony new`"));
    }
    desk.check(&made, Stage::Before).await?;
    if !screen.is_json() {
        statement::show(&made, text::now(), screen)?;
        if let Some(amended) = &amended {
            amendment::undecided(amended, screen)?;
        }
        statement::own_words(&made, screen)?;
    }
    consent(&format!("Propose this as {person}?"), propose.yes, screen)?;
    desk.refresh().await?;
    desk.check(&made, Stage::Before).await?;
    let signed = desk.sign(key, Deed::Propose { statement: digest }, common, "", None)?;
    let patience = desk.connection.patience();
    let answer = calls::propose(&desk.connection, bytes, signed.to_wire(), documents, patience).await?;
    let open = Open::read(answer, common.ceremony, &desk.instance).map_err(PeopleError::from)?;
    if screen.is_json() {
        let mut document = standing::document(&open.wire);
        document["act_sha256"] = json!(signed.digest().to_string());
        screen.json(&document)?;
        return Ok(Exit::Done);
    }
    screen.headline(
        Tone::Good,
        "proposed",
        &format!("in record {}: {}", open.wire.proposed, common.ceremony),
    )?;
    screen.facts(&[
        ("officers", format!("countersign approve {}", common.ceremony)),
        ("witnesses", format!("countersign attest {}", common.ceremony)),
        ("operator", format!("countersign ceremony run {}", common.ceremony)),
    ])?;
    Ok(Exit::Done)
}

/// The documents on the command line, each of which the statement must name by its digest.
fn documents(named: &[String], statement: &Statement) -> Result<BTreeMap<String, Vec<u8>>, Complaint> {
    let target = statement.to_value()["target"].to_string();
    let mut documents = BTreeMap::new();
    for pair in named {
        let (name, path) = input::pair("document", pair)?;
        let content = input::file(Path::new(path), LARGEST)?;
        let found = Hash::of(&content);
        if !target.contains(&found.to_string()) {
            return Err(PeopleError::Document { name: name.to_owned(), found }.into());
        }
        if documents.insert(name.to_owned(), content).is_some() {
            return Err(Complaint::usage(format!("--document names `{name}` twice")));
        }
    }
    Ok(documents)
}
