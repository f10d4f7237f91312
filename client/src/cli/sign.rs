//! `countersign sign`.
//!
//! First everything that can be wrong with the command and its files, then the names that will be written, then the daemon. What it
//! answers is checked before a byte is written; a batch writes each file's signature when its request is answered.

mod batch;
mod write;

use std::collections::BTreeMap;

use proto::name::KeyName;
use proto::proof::encoding::SignatureEncoding;
use proto::proof::public_key::PublicKey;
use serde_json::{Value, json};

use super::args::signing::{EncodingName, Sign};
use super::complaint::Complaint;
use super::input;
use super::screen::{Screen, Tone};
use crate::connection::Connection;
use crate::dsse;
use crate::exit::Exit;
use crate::image::Image;
use crate::request_id;
use crate::sign::check::Signed;
use crate::sign::order::{Input, LARGEST_MESSAGE, Order};
use crate::sign::{SignError, Signer};
use write::Targets;

/// What every order of one command shares.
struct Common {
    key: KeyName,
    annotations: BTreeMap<String, String>,
    encoding: SignatureEncoding,
    request_id: Option<String>,
    pinned: Option<PublicKey>,
}

impl Common {
    fn read(sign: &Sign) -> Result<Self, Complaint> {
        if sign.key.contains('@') {
            return Err(Complaint::usage(format!(
                "`{}` names a version: sign names a key, whose active version signs",
                sign.key
            )));
        }
        if let Some(id) = &sign.request_id {
            request_id::check(id)?;
        }
        Ok(Self {
            key: input::key(&sign.key)?,
            annotations: input::annotations("annotation", &sign.annotations)?,
            encoding: match sign.encoding {
                EncodingName::Der => SignatureEncoding::Der,
                EncodingName::Fixed => SignatureEncoding::Fixed,
            },
            request_id: sign.request_id.clone(),
            pinned: sign.public_key.as_deref().map(input::public_key).transpose()?,
        })
    }

    fn order(&self, input: Input, position: usize, items: usize) -> Result<Order, Complaint> {
        let request_id = match &self.request_id {
            Some(id) => request_id::of_item(id, position, items),
            None => request_id::fresh().map_err(|cause| Complaint::failed(cause.to_string()))?,
        };
        request_id::check(&request_id)?;
        Ok(Order {
            key: self.key.clone(),
            input,
            annotations: self.annotations.clone(),
            encoding: self.encoding,
            request_id,
        })
    }
}

/// Runs the command.
///
/// # Errors
/// What is wrong with it, or why nothing was signed.
pub async fn run(sign: &Sign, mut connection: Connection, screen: &mut Screen) -> Result<Exit, Complaint> {
    let common = Common::read(sign)?;
    if sign.files.len() > 1 {
        return batch::run(sign, &common, connection, screen).await;
    }
    let input = single_input(sign)?;
    let targets = Targets::of_one(sign)?;
    let order = common.order(input, 0, 1)?;
    connection.trail()?;
    let patience = connection.patience();
    if sign.validate_only {
        return validate(&order, &mut connection, screen).await;
    }
    connection.greet(patience).await?;
    let signed = Signer::new(&mut connection, common.pinned).sign(order.clone(), patience).await;
    let signed = signed.map_err(|error| explain(error, &order))?;
    let written = targets.write(&signed, sign.force)?;
    answer(&signed, &written, &what(sign), screen)?;
    Ok(Exit::Done)
}

/// The one input of a command that signs one thing.
fn single_input(sign: &Sign) -> Result<Input, Complaint> {
    if let Some(path) = sign.files.first() {
        return message(path);
    }
    if let Some(text) = &sign.image {
        let image: Image = text.parse()?;
        return Ok(Input::Image {
            image,
            annotations: input::annotations("image-annotation", &sign.image_annotations)?,
        });
    }
    if let Some(text) = &sign.dsse {
        let (payload_type, path) = dsse::split(text)
            .ok_or_else(|| Complaint::usage(format!("--dsse `{text}`: expected TYPE:FILE, for instance application/vnd.in-toto+json:statement.json")))?;
        let payload = input::file(path.as_ref(), LARGEST_MESSAGE as u64)?;
        return Ok(Input::Dsse { payload_type: payload_type.to_owned(), payload });
    }
    Ok(Input::Digests(input::digests(&sign.digest)?))
}

/// A file as a message, if it is not too large for one.
fn message(path: &std::path::Path) -> Result<Input, Complaint> {
    let size = input::open(path)?.metadata()?.len();
    if size > LARGEST_MESSAGE as u64 {
        return Err(Complaint::usage(format!(
            "{} has {size} bytes; the daemon looks at messages of at most 4 MiB ({LARGEST_MESSAGE} bytes)",
            path.display()
        ))
        .advise(format!(
            "sign its digest with a key of purpose `digest`: countersign sign KEY --digest sha256:$(sha256sum {} | cut -d' ' -f1) --out {0}.sig",
            path.display()
        )));
    }
    Ok(Input::Message(input::file(path, LARGEST_MESSAGE as u64)?))
}

/// What is being signed, in a word for people.
fn what(sign: &Sign) -> String {
    match (sign.files.first(), &sign.image, &sign.dsse) {
        (Some(path), _, _) => path.display().to_string(),
        (_, Some(image), _) => image.clone(),
        (_, _, Some(dsse)) => dsse.clone(),
        _ => sign.digest.join(" "),
    }
}

async fn validate(
    order: &Order,
    connection: &mut Connection,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let patience = connection.patience();
    let versions = Signer::new(connection, None)
        .would_sign(order, patience)
        .await
        .map_err(|error| explain(error, order))?;
    let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
    if screen.is_json() {
        screen.json(&json!({ "would_sign": true, "versions": names }))?;
        return Ok(Exit::Done);
    }
    let by = if names.is_empty() { order.key.to_string() } else { names.join(" and ") };
    screen.headline(Tone::Good, "would be signed", &format!("by {by}; nothing was signed or recorded"))?;
    Ok(Exit::Done)
}

/// Adds to a complaint how the same signature is fetched later, where it may have been made.
fn explain(error: SignError, order: &Order) -> Complaint {
    let complaint = Complaint::from(error);
    if complaint.exit == Exit::Retry {
        let mut complaint = complaint;
        complaint.more.push(("request".to_owned(), order.request_id.clone()));
        return complaint.advise(format!(
            "with --request-id {} a finished signature is fetched, not made twice",
            order.request_id
        ));
    }
    complaint
}

/// Says what was signed, and where it is.
fn answer(
    signed: &Signed,
    written: &write::Written,
    what: &str,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    if let Some(bytes) = &written.to_stdout {
        notes(signed, screen)?;
        screen.raw(bytes)?;
        return Ok(());
    }
    if screen.is_json() {
        screen.json(&document(signed, written, what))?;
        return notes(signed, screen);
    }
    screen.headline(Tone::Good, "signed", what)?;
    let mut facts = Vec::new();
    for one in &signed.signatures {
        facts.push(("by", format!("{} ({})", one.version, one.algorithm)));
    }
    let checkpoint = signed.proven.verified.checkpoint();
    facts.push((
        "record",
        format!("{} of {} in {}", signed.proven.verified.index(), checkpoint.size, checkpoint.origin),
    ));
    facts.push(("operation", signed.operation.clone()));
    for path in &written.signatures {
        facts.push(("signature", path.display().to_string()));
    }
    if written.signatures.is_empty() {
        facts.push(("signature", written.base64.join("\n")));
    }
    facts.extend(written.payload.iter().map(|path| ("signed bytes", path.display().to_string())));
    facts.extend(written.receipt.iter().map(|path| ("receipt", path.display().to_string())));
    screen.facts(&facts)?;
    notes(signed, screen)
}

/// What the reader should know beside the answer.
fn notes(signed: &Signed, screen: &mut Screen) -> Result<(), Complaint> {
    if signed.replayed {
        screen.note(&format!(
            "this is the result of an earlier request with the id {}; nothing new was signed",
            signed.request_id
        ))?;
    }
    for lost in &signed.lost {
        screen.note(&format!(
            "the log does not know how request {lost} ended; it was signed anew under {}. An unused signature may exist in the backend",
            signed.request_id
        ))?;
    }
    if !signed.degraded.is_empty() {
        screen.note(&format!("the retiring version did not sign: {}", signed.degraded))?;
    }
    Ok(())
}

/// The same for programs.
fn document(signed: &Signed, written: &write::Written, what: &str) -> Value {
    let checkpoint = signed.proven.verified.checkpoint();
    let signatures: Vec<Value> = signed
        .signatures
        .iter()
        .zip(&written.base64)
        .enumerate()
        .map(|(number, (one, base64))| {
            let mut signature = json!({
                "key": one.version.key.to_string(),
                "version": one.version.version,
                "key_id": one.key_id.to_string(),
                "algorithm": one.algorithm.name(),
                "value": base64,
            });
            if let Some(path) = written.signatures.get(number) {
                signature["file"] = json!(path);
            }
            signature
        })
        .collect();
    let mut document = json!({
        "input": what,
        "signatures": signatures,
        "operation": signed.operation,
        "request": signed.request_id,
        "replayed": signed.replayed,
        "log": {
            "index": signed.proven.verified.index(),
            "origin": checkpoint.origin,
            "size": checkpoint.size,
        },
        "receipt": signed.proven.receipt.to_string(),
    });
    if let Some(path) = &written.receipt {
        document["receipt_file"] = json!(path);
    }
    if let Some(path) = &written.payload {
        document["signed_bytes_file"] = json!(path);
    }
    if !signed.degraded.is_empty() {
        document["degraded"] = json!(signed.degraded);
    }
    document
}
