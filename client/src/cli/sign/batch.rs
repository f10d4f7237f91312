//! Many files: one request for as many as fit, a bar while it lasts, one result for each.
//!
//! Promises: files are read when their request is due, so memory holds at most one request; what was signed is written even when
//! others failed; the exit code is the worst of all.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::write::{Targets, Written};
use super::{Common, explain, message, notes};
use crate::cli::args::signing::Sign;
use crate::cli::complaint::Complaint;
use crate::cli::input;
use crate::cli::progress::Progress;
use crate::cli::screen::{Screen, Tone};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::sign::Signer;
use crate::sign::check::Signed;
use crate::sign::order::{Order, fitting};

/// One file of the batch.
struct Item {
    position: usize,
    path: PathBuf,
    size: u64,
    targets: Targets,
}

/// What became of the files.
#[derive(Default)]
struct Tally {
    signed: usize,
    failed: Vec<(PathBuf, Complaint)>,
    documents: Vec<Value>,
}

/// Runs the command over many files.
///
/// # Errors
/// What is wrong with the command or the names; failures of single files are listed.
pub async fn run(
    sign: &Sign,
    common: &Common,
    mut connection: Connection,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let items = items(sign)?;
    connection.trail()?;
    connection.greet(connection.patience()).await?;
    let total = items.len();
    let progress = Progress::over(screen, total as u64, "signing");
    let mut tally = Tally::default();
    let mut rest = items.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(fitting(rest.iter().map(|item| item.size)));
        rest = later;
        request(sign, common, now, total, &mut connection, &mut tally, screen).await?;
        progress.more(now.len() as u64);
    }
    drop(progress);
    report(&tally, total, sign, screen)
}

/// All files with their names, looked at before anything is sent.
fn items(sign: &Sign) -> Result<Vec<Item>, Complaint> {
    if sign.out.as_deref() == Some(Path::new("-")) {
        return Err(Complaint::usage("the signatures of many files cannot all go to standard output")
            .advise("leave --out away, or give a directory"));
    }
    for (flag, directory) in [("out", &sign.out), ("receipt", &sign.receipt)] {
        if let Some(directory) = directory.as_ref().filter(|directory| !directory.is_dir()) {
            return Err(Complaint::usage(format!(
                "--{flag} {} is not a directory, as many files need",
                directory.display()
            )));
        }
    }
    let mut items: Vec<Item> = Vec::new();
    for (position, path) in sign.files.iter().enumerate() {
        let size = input::open(path)?.metadata()?.len();
        let targets = Targets::of_file(sign, path)?;
        if let Some(twin) = items.iter().find(|item| item.targets.signature() == targets.signature()) {
            return Err(Complaint::usage(format!(
                "{} and {} would both get the same signature file",
                twin.path.display(),
                path.display()
            )));
        }
        items.push(Item { position, path: path.clone(), size, targets });
    }
    Ok(items)
}

/// One request and its results.
async fn request(
    sign: &Sign,
    common: &Common,
    items: &[Item],
    total: usize,
    connection: &mut Connection,
    tally: &mut Tally,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    let mut orders: Vec<Order> = Vec::new();
    let mut ordered: Vec<&Item> = Vec::new();
    for item in items {
        match message(&item.path).and_then(|input| common.order(input, item.position, total)) {
            Ok(order) => {
                orders.push(order);
                ordered.push(item);
            }
            Err(complaint) => tally.failed.push((item.path.clone(), complaint)),
        }
    }
    let patience = connection.patience();
    if sign.validate_only {
        for (item, order) in ordered.into_iter().zip(orders) {
            match Signer::new(connection, None).would_sign(&order, patience).await {
                Ok(_versions) => tally.signed += 1,
                Err(error) => tally.failed.push((item.path.clone(), explain(error, &order))),
            }
        }
        return Ok(());
    }
    let results = Signer::new(connection, common.pinned.clone()).sign_batch(orders.clone(), patience).await;
    for ((item, order), result) in ordered.into_iter().zip(orders).zip(results) {
        let written = match result {
            Ok(signed) => item.targets.write(&signed, sign.force).map(|written| (signed, written)),
            Err(error) => Err(explain(error, &order)),
        };
        match written {
            Ok((signed, written)) => {
                tally.signed += 1;
                tell(item, &signed, &written, tally, screen)?;
            }
            Err(complaint) => tally.failed.push((item.path.clone(), complaint)),
        }
    }
    Ok(())
}

fn tell(
    item: &Item,
    signed: &Signed,
    written: &Written,
    tally: &mut Tally,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    if screen.is_json() {
        tally.documents.push(super::document(signed, written, &item.path.display().to_string()));
        return Ok(());
    }
    if !signed.lost.is_empty() || !signed.degraded.is_empty() {
        notes(signed, screen)?;
    }
    Ok(())
}

/// Says what became of all files. The complaint of each kind is told once, with the files that it concerns.
fn report(tally: &Tally, total: usize, sign: &Sign, screen: &mut Screen) -> Result<Exit, Complaint> {
    let worst = tally.failed.iter().map(|(_, complaint)| complaint.exit).max_by_key(|exit| match exit {
        // A file that can be signed later does not hide one that cannot.
        Exit::Done => 0,
        Exit::Retry => 1,
        Exit::Usage => 2,
        Exit::Failed => 3,
    });
    if screen.is_json() {
        let failed: Vec<Value> = tally
            .failed
            .iter()
            .map(|(path, complaint)| {
                let mut document = complaint.document();
                document["input"] = json!(path);
                document
            })
            .collect();
        screen.json(&json!({ "signed": tally.documents, "failed": failed }))?;
        return Ok(worst.unwrap_or(Exit::Done));
    }
    let done = if sign.validate_only { "would be signed" } else { "signed" };
    let tone = if tally.failed.is_empty() { Tone::Good } else { Tone::Warn };
    screen.headline(tone, done, &format!("{} of {total} files", tally.signed))?;
    let mut told: Vec<&str> = Vec::new();
    for (path, complaint) in &tally.failed {
        if told.contains(&complaint.what.as_str()) {
            continue;
        }
        told.push(&complaint.what);
        let alike = tally.failed.iter().filter(|(_, other)| other.what == complaint.what).count();
        let mut first = complaint.clone();
        let others = if alike > 1 { format!(" and {} more", alike - 1) } else { String::new() };
        first.more.insert(0, ("file".to_owned(), format!("{}{others}", path.display())));
        screen.complain(&first)?;
    }
    Ok(worst.unwrap_or(Exit::Done))
}
