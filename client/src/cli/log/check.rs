//! `countersign log verify`: a receipt, an exported range or a whole exported log, offline.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use proto::proof::keys::LogKeys;
use proto::proof::receipt::Receipt;
use proto::wire::v1;
use serde_json::json;

use crate::cli::args::connection::Connection as Flags;
use crate::cli::args::log::VerifyFile;
use crate::cli::complaint::Complaint;
use crate::cli::online::places;
use crate::cli::progress::Progress;
use crate::cli::screen::{Screen, Tone};
use crate::cli::{input, records};
use crate::exit::Exit;
use crate::log::audit::{Audited, audit};

/// The first bytes of a receipt.
const RECEIPT: &[u8] = b"c2sp.org/tlog-proof@v1";
/// A receipt is a leaf of at most 65,535 bytes in base64, a path and a checkpoint.
const LARGEST_RECEIPT: u64 = 4 * 1024 * 1024;

/// Runs the command.
///
/// # Errors
/// What is wrong with the file: then nothing in it is proven.
pub fn run(
    arguments: &VerifyFile,
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let trusted = input::log_keys(&places(flags, look)?, arguments.log_keys.as_deref())?;
    let source: Box<dyn Read> = if arguments.file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(input::open(&arguments.file)?)
    };
    let mut source = BufReader::with_capacity(1024 * 1024, source);
    let name = arguments.file.display().to_string();
    let unreadable =
        |cause: std::io::Error| Complaint::usage(format!("{name} cannot be read")).because(cause.to_string());
    let is_receipt = source.fill_buf().map_err(unreadable)?.starts_with(RECEIPT);
    if is_receipt {
        let mut text = String::new();
        source.take(LARGEST_RECEIPT).read_to_string(&mut text).map_err(unreadable)?;
        return receipt(&text, &trusted.keys, &name, screen);
    }
    export(source, &trusted.keys, &name, screen)
}

fn receipt(text: &str, keys: &LogKeys, name: &str, screen: &mut Screen) -> Result<Exit, Complaint> {
    let receipt: Receipt = text.parse().map_err(|cause| {
        Complaint::failed(format!("NOT VERIFIED: {name} is not a receipt")).because(format!("{cause}"))
    })?;
    let verified =
        receipt.verify_by(keys).map_err(|cause| Complaint::from(crate::verify::NotVerified::from(cause)))?;
    let checkpoint = verified.checkpoint();
    let record = v1::Record {
        log_index: verified.index(),
        leaf: verified.leaf().to_vec().into(),
        detail: Vec::new().into(),
    };
    if screen.is_json() {
        let mut document = records::document(&record);
        document["verified"] = json!(true);
        document["origin"] = json!(checkpoint.origin);
        document["size"] = json!(checkpoint.size);
        screen.json(&document)?;
        return Ok(Exit::Done);
    }
    screen.headline(Tone::Good, "VERIFIED", name)?;
    screen.facts(&[(
        "proven",
        format!(
            "{} holds this record among the {} that its log key signed:",
            checkpoint.origin, checkpoint.size
        ),
    )])?;
    records::show(&record, screen)?;
    screen.facts(&[(
        "not proven",
        "that any signature in your hands is the one of this record: `countersign verify --receipt` checks that".to_owned(),
    )])?;
    Ok(Exit::Done)
}

fn export(source: impl BufRead, keys: &LogKeys, name: &str, screen: &mut Screen) -> Result<Exit, Complaint> {
    let mut progress: Option<Progress> = None;
    let audited = audit(source, keys, |header, _done| {
        progress.get_or_insert_with(|| Progress::over(screen, header.end - header.start, "checking")).more(1);
    });
    drop(progress);
    let audited = audited?;
    let exit = if audited.findings.is_empty() { Exit::Done } else { Exit::Failed };
    if screen.is_json() {
        screen.json(&document(&audited, name))?;
        return Ok(exit);
    }
    show(&audited, name, screen)?;
    Ok(exit)
}

fn counts<K: std::fmt::Display>(counts: impl IntoIterator<Item = (K, u64)>) -> String {
    counts.into_iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

fn show(audited: &Audited, name: &str, screen: &mut Screen) -> Result<(), Complaint> {
    let Audited { checkpoint, start, end, .. } = audited;
    if audited.findings.is_empty() {
        screen.headline(Tone::Good, "VERIFIED", name)?;
    } else {
        let number = audited.findings.len() as u64 + audited.unlisted;
        screen.headline(
            Tone::Bad,
            "WRONG",
            &format!(
                "{name}: the records are the log's own, and {number} things in them are not as they should be"
            ),
        )?;
    }
    let which = if audited.is_whole() {
        format!("all {end} records")
    } else {
        format!("records {start} to {}", end.saturating_sub(1))
    };
    let mut facts = vec![(
        "proven",
        format!(
            "these are {which} of {}, in the tree of {} that its log key signed",
            checkpoint.origin, checkpoint.size
        ),
    )];
    facts.extend(audited.last.map(|last| ("until", last.to_string())));
    facts.push(("kinds", counts(audited.kinds.iter().map(|(kind, count)| (kind, *count)))));
    if !audited.outcomes.is_empty() {
        facts.push(("signatures", counts(audited.outcomes.iter().map(|(outcome, count)| (outcome, *count)))));
    }
    if audited.findings.is_empty() {
        facts.push((
            "checked",
            "chain of control records, operation numbers, times, stops, details".to_owned(),
        ));
    }
    if !audited.open.is_empty() {
        let numbers: Vec<String> = audited.open.iter().take(10).map(ToString::to_string).collect();
        facts.push((
            "open",
            format!("operation numbers {} have no record yet, and may still get one", numbers.join(", ")),
        ));
    }
    if audited.without_detail > 0 {
        facts.push((
            "not checked",
            format!(
                "stops by caller, claim and backend for {} records: their details are not in the file",
                audited.without_detail
            ),
        ));
    }
    if !audited.is_whole() {
        facts.push((
            "not checked",
            format!("what lies before record {start} and after record {}", end.saturating_sub(1)),
        ));
    }
    screen.facts(&facts)?;
    for finding in &audited.findings {
        let place = finding.index.map_or_else(|| "log".to_owned(), |index| format!("record {index}"));
        screen.headline(Tone::Bad, &format!("{place}:"), &finding.words)?;
    }
    if audited.unlisted > 0 {
        screen.line(&format!("and {} more", audited.unlisted))?;
    }
    Ok(())
}

fn document(audited: &Audited, name: &str) -> serde_json::Value {
    let findings: Vec<serde_json::Value> = audited
        .findings
        .iter()
        .map(|finding| match finding.index {
            Some(index) => json!({ "index": index, "words": finding.words }),
            None => json!({ "words": finding.words }),
        })
        .collect();
    json!({
        "file": name,
        "verified": audited.findings.is_empty(),
        "origin": audited.checkpoint.origin,
        "size": audited.checkpoint.size,
        "start": audited.start,
        "end": audited.end,
        "whole": audited.is_whole(),
        "kinds": audited.kinds,
        "outcomes": audited.outcomes,
        "open_numbers": audited.open,
        "without_detail": audited.without_detail,
        "findings": findings,
        "unlisted": audited.unlisted,
    })
}
