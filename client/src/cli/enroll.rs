//! `countersign invite | enroll`: client certificates by a token that is good once.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::args::connection::Connection as Flags;
use super::args::enroll::{Enroll, Invite};
use super::ceremony::standing;
use super::complaint::Complaint;
use super::online;
use super::screen::{Screen, Tone};
use crate::connection::{CallError, Connection};
use crate::enroll::{Fresh, certificate_pem, invite};
use crate::exit::Exit;
use crate::files::{self, Planned, with_ending};
use crate::people::text;
use crate::refused::NoAnswer;

/// A token is 52 characters; this is far more than anyone pastes.
const LARGEST: u64 = 4_096;

/// Invites.
///
/// # Errors
/// What is wrong with the name, or why nobody was invited.
pub fn invite_one(
    arguments: &Invite,
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let valid_for = arguments
        .valid_for
        .parse::<ceremonies::form::Period>()
        .map_err(|cause| Complaint::usage(format!("--valid-for: {cause}")))?
        .duration();
    online::run(flags, look, async |connection| invited(arguments, valid_for, &connection, screen).await)
}

async fn invited(
    arguments: &Invite,
    valid_for: Duration,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let caller = &arguments.caller;
    let answer = invite(connection, caller, Some(valid_for), connection.patience()).await?;
    let expires = standing::at(answer.expires.as_ref());
    if screen.is_json() {
        screen.json(&json!({
            "caller": caller,
            "token": answer.token,
            "expires": expires.map(|time| time.to_string()),
            "log_index": answer.log_index,
        }))?;
        return Ok(Exit::Done);
    }
    screen.headline(Tone::Good, "invited", &format!("{caller}, in record {}", answer.log_index))?;
    let good = expires
        .map_or_else(|| "once".to_owned(), |time| format!("once, until {}", text::moment(time, text::now())));
    screen.facts(&[
        ("token", answer.token.clone()),
        ("good", good),
        ("there", format!("countersign enroll {}", answer.token)),
        ("then", "what it may do is for the grants to say; `countersign stop --caller` ends it".to_owned()),
    ])?;
    Ok(Exit::Done)
}

/// Makes a key, exchanges the token, and writes both files.
///
/// # Errors
/// Where the files are there already, the token is no good, or nothing was answered.
pub fn enroll(
    arguments: &Enroll,
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let token = match arguments.token.as_str() {
        "-" => {
            let mut text = String::new();
            let read = std::io::stdin().take(LARGEST).read_to_string(&mut text);
            read.map_err(|cause| Complaint::failed("the token cannot be read").because(cause.to_string()))?;
            text.trim().to_owned()
        }
        token => token.to_owned(),
    };
    let (certificate, key) = (with_ending(&arguments.out, ".pem"), with_ending(&arguments.out, ".key"));
    files::look_ahead(&[certificate.clone(), key.clone()], false)?;
    let fresh = Fresh::make()
        .map_err(|cause| Complaint::failed("no key could be made").because(cause.to_string()))?;
    online::run(flags, look, async |connection| {
        // Before the token is used up: a disk that takes no key must not cost an invitation.
        secret(&key, &fresh.pem())?;
        let ended = exchanged(arguments, &token, &fresh, &connection, &certificate, &key, screen).await;
        if ended.is_err() && !certificate.exists() {
            // A key without its certificate is worth nothing, and the next attempt makes another.
            let _gone = std::fs::remove_file(&key);
        }
        ended
    })
}

async fn exchanged(
    arguments: &Enroll,
    token: &str,
    fresh: &Fresh,
    connection: &Connection,
    certificate: &Path,
    key: &Path,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let answer = fresh.enroll(connection, token, connection.patience()).await.map_err(unheard)?;
    if let Some(expected) = arguments.expect.as_ref().filter(|expected| **expected != answer.caller) {
        return Err(Complaint::failed(format!(
            "the invitation was for `{}`, and you expected `{expected}`",
            text::line(&answer.caller)
        ))
        .because("the certificate was issued, and was not written")
        .advise("ask who invited you, and have that caller stopped if nobody knows of it"));
    }
    let pem = certificate_pem(&answer.certificate);
    files::write(&[Planned { path: certificate.to_owned(), content: pem.into_bytes() }], false)?;
    let ends = standing::at(answer.not_after.as_ref());
    if screen.is_json() {
        screen.json(&json!({
            "caller": answer.caller,
            "certificate": certificate,
            "key": key,
            "not_after": ends.map(|time| time.to_string()),
            "log_index": answer.log_index,
        }))?;
        return Ok(Exit::Done);
    }
    let caller = text::line(&answer.caller);
    screen.headline(Tone::Good, "enrolled", &format!("as {caller}, in record {}", answer.log_index))?;
    let line = |name: &str, path: &Path| format!("{name} = \"{}\"", whole(path).display());
    let mut facts =
        vec![("certificate", certificate.display().to_string()), ("key", key.display().to_string())];
    facts.extend(ends.map(|time| ("good until", text::moment(time, text::now()))));
    facts.push(("settings", format!("{}\n{}", line("certificate", certificate), line("key", key))));
    screen.facts(&facts)?;
    Ok(Exit::Done)
}

fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_unknown| path.to_owned())
}

/// Whether the token was used is not known where nothing was heard.
fn unheard(error: CallError) -> Complaint {
    let lost = matches!(
        &error,
        CallError::NoAnswer(NoAnswer::Unreachable(_) | NoAnswer::Late { .. } | NoAnswer::Unusable(_))
    );
    let complaint = Complaint::from(error);
    if !lost {
        return complaint;
    }
    complaint.advise(
        "try the same token again; if it says INVITATION_USED, the answer was lost on its way: have somebody invite you anew",
    )
}

/// Writes a private key that nobody else may read.
fn secret(path: &Path, text: &str) -> Result<(), Complaint> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|cause| {
        Complaint::failed(format!("{} cannot be written", path.display()))
            .because(cause.to_string())
            .advise("choose another place with --out; the invitation was not used")
    })
}
