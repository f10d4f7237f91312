//! `countersign verify`: offline, and in plain words what was proven and what was not.

use std::path::Path;

use proto::algorithm::Algorithm;
use proto::proof::receipt::Receipt;
use serde_json::json;

use super::args::connection::Connection as Flags;
use super::args::signing::Verify;
use super::complaint::Complaint;
use super::input;
use super::online::places;
use super::screen::{Screen, Tone};
use crate::dsse;
use crate::exit::Exit;
use crate::files::with_ending;
use crate::image::Image;
use crate::verify::signature_file::LARGEST;
use crate::verify::{Claim, Content, ExpectedKey, Verdict, WithReceipt, verify};

/// The longest detail: that of a control record.
const LARGEST_DETAIL: u64 = 256 * 1024;
/// A receipt is a leaf of at most 65,535 bytes in base64, a path and a checkpoint.
const LARGEST_RECEIPT: u64 = 4 * 1024 * 1024;

/// Runs the command.
///
/// # Errors
/// What is wrong with it, or what does not fit together.
pub fn run(
    arguments: &Verify,
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let key = input::public_key(&arguments.key)?;
    let signature = input::file(&arguments.signature, LARGEST as u64)?;
    let content = content(arguments)?;
    let algorithm = arguments.algorithm.as_deref().map(algorithm).transpose()?;
    let receipt = arguments.receipt.as_deref().map(receipt).transpose()?;
    let log_keys = match &receipt {
        Some(_) => Some(input::log_keys(&places(flags, look)?, arguments.log_keys.as_deref())?.keys),
        None => None,
    };
    let detail = arguments.detail.as_deref().map(|path| input::file(path, LARGEST_DETAIL)).transpose()?;
    let expected = arguments.expect_key.as_deref().map(input::key_or_version).transpose()?;
    let expected = expected.map(|(key, version)| ExpectedKey { key, version });
    let with = match (&receipt, &log_keys) {
        (Some(receipt), Some(log_keys)) => Some(WithReceipt {
            receipt,
            log_keys,
            key: expected.as_ref(),
            detail: detail.as_deref(),
            caller: arguments.expect_caller.as_deref(),
        }),
        _ => None,
    };
    let claim = Claim { key: &key, algorithm, signature: &signature, content: &content, receipt: with };
    let verdict = verify(&claim)?;
    show(&verdict, arguments, &content, screen)?;
    Ok(Exit::Done)
}

fn algorithm(text: &str) -> Result<Algorithm, Complaint> {
    text.parse().map_err(|cause: proto::algorithm::UnknownAlgorithm| {
        let names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
        Complaint::usage(cause.to_string()).advise(format!("known are {}", names.join(", ")))
    })
}

fn receipt(path: &Path) -> Result<Receipt, Complaint> {
    let text = input::text(path, LARGEST_RECEIPT)?;
    text.parse().map_err(|cause| {
        Complaint::failed(format!("NOT VERIFIED: {} is not a receipt", path.display()))
            .because(format!("{cause}"))
    })
}

/// What was signed, from whatever the command names.
fn content(arguments: &Verify) -> Result<Content, Complaint> {
    if let Some(path) = &arguments.file {
        return input::content(path);
    }
    if let Some(text) = &arguments.image {
        let image: Image = text.parse()?;
        let path = arguments.payload.clone().unwrap_or_else(|| with_ending(&arguments.signature, ".payload"));
        if arguments.payload.is_none() && !path.exists() {
            return Err(Complaint::usage(format!(
                "the signed bytes of {image} are needed, and {} does not exist",
                path.display()
            ))
            .advise("give the file that `countersign sign --image` wrote with --payload FILE"));
        }
        let document = input::file(&path, LARGEST_RECEIPT)?;
        image
            .is_subject_of(&document)
            .map_err(|cause| Complaint::failed(format!("NOT VERIFIED: {cause}")))?;
        return Ok(Content::Bytes(document));
    }
    if let Some(text) = &arguments.dsse {
        let (payload_type, path) = dsse::split(text)
            .ok_or_else(|| Complaint::usage(format!("--dsse `{text}`: expected TYPE:FILE")))?;
        let payload = match input::content(path.as_ref())? {
            Content::Bytes(payload) => payload,
            Content::Digests(_) => {
                return Err(Complaint::usage(format!("{path} is too large for a DSSE payload")));
            }
        };
        return Ok(Content::Bytes(dsse::pae(payload_type, &payload)));
    }
    let texts: Vec<String> = arguments.digest.iter().cloned().collect();
    Ok(Content::Digests(input::digests(&texts)?))
}

/// What was signed, in a word for people.
fn subject(arguments: &Verify) -> String {
    match (&arguments.file, &arguments.image, &arguments.dsse, &arguments.digest) {
        (Some(path), ..) => path.display().to_string(),
        (_, Some(text), ..) | (_, _, Some(text), _) | (.., Some(text)) => text.clone(),
        _ => String::new(),
    }
}

/// What a verdict proves, and what it does not.
fn sentences(verdict: &Verdict, arguments: &Verify, content: &Content) -> (Vec<String>, Vec<String>) {
    let (mut proven, mut open) = (Vec::new(), Vec::new());
    let over = match (&arguments.image, content) {
        (Some(_), _) => "a document that names exactly this image",
        (_, Content::Bytes(_)) => "exactly these bytes",
        (_, Content::Digests(_)) => "bytes with exactly this digest",
    };
    proven.push(format!(
        "the key in {} signed {over} ({}, key id {})",
        arguments.key.display(),
        verdict.algorithm,
        verdict.key_id
    ));
    match &verdict.logged {
        None => {
            open.push("that the signature is in a log: give --receipt and --log-key".to_owned());
            open.push("when it was made, and whether the key was stopped then".to_owned());
        }
        Some(logged) => {
            let checkpoint = &logged.checkpoint;
            proven.push(format!(
                "the log {} holds it as record {}, released by {}: the inclusion proof leads to a tree of {} records that the log key signed",
                checkpoint.origin, logged.index, logged.version, checkpoint.size
            ));
            let clock = match logged.record.time.clock {
                Some(_) => " by a clock that the daemon did not trust then",
                None => " by the daemon's clock",
            };
            proven
                .push(format!("the record says that it was sealed at {}{clock}", logged.record.time.sealed));
            match (&logged.caller, &arguments.expect_caller) {
                (Some(caller), Some(_)) => proven.push(format!(
                    "{} asked for it, as the record's detail says and as was expected",
                    caller.id
                )),
                (Some(caller), None) => {
                    proven.push(format!("{} asked for it, as the record's detail says", caller.id))
                }
                (None, _) => open.push(
                    "who asked for it: give --detail, and --expect-caller to insist on somebody".to_owned(),
                ),
            }
            open.push("whether the key was stopped or declared compromised after that record".to_owned());
            open.push(
                "that everybody sees the same log: compare its checkpoints with others who keep them"
                    .to_owned(),
            );
        }
    }
    open.push(format!("that {} is the key to trust: that is for you to know", arguments.key.display()));
    (proven, open)
}

fn show(
    verdict: &Verdict,
    arguments: &Verify,
    content: &Content,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    let (proven, open) = sentences(verdict, arguments, content);
    if screen.is_json() {
        let mut document = json!({
            "verified": true,
            "input": subject(arguments),
            "key_id": verdict.key_id.to_string(),
            "algorithm": verdict.algorithm.name(),
            "proven": proven,
            "not_proven": open,
        });
        if verdict.algorithm.is_ecdsa() {
            document["encoding"] = json!(verdict.encoding.name());
        }
        if let Some(logged) = &verdict.logged {
            document["log"] = json!({
                "origin": logged.checkpoint.origin,
                "size": logged.checkpoint.size,
                "index": logged.index,
                "key": logged.version.key.to_string(),
                "version": logged.version.version,
                "sealed": logged.record.time.sealed.to_string(),
                "operation": logged.record.operation.to_string(),
            });
            if let Some(caller) = &logged.caller {
                document["log"]["caller"] = json!(caller.id);
            }
        }
        screen.json(&document)?;
        return Ok(());
    }
    screen.headline(Tone::Good, "VERIFIED", &subject(arguments))?;
    let facts: Vec<(&str, String)> = proven
        .into_iter()
        .map(|words| ("proven", words))
        .chain(open.into_iter().map(|words| ("not proven", words)))
        .collect();
    screen.facts(&facts)?;
    Ok(())
}
