//! `countersign stop`: the shortest way from a decision to the daemon. Nothing is asked, presented or looked up before, but what a
//! person's signature needs: which instance it is for, and the key id of a version.

use std::path::Path;

use proto::hash::Hash;
use proto::wire::v1;
use proto::wire::v1::stop_target::Target;
use serde_json::json;

use super::args::connection::Connection as Flags;
use super::args::stopping::Stop;
use super::ceremony::protect;
use super::complaint::Complaint;
use super::screen::{Screen, Tone};
use super::{input, online};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::people::desk::SignedAct;
use crate::people::stopping::NoTerm;
use crate::people::{me, stopping};
use crate::stop::{LONGEST_REASON, stop, words};

/// Runs the command.
///
/// # Errors
/// What is wrong with it, or why nothing was stopped.
pub fn run(
    arguments: &Stop,
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let target = target(arguments)?;
    let length = arguments.reason.len();
    if !(1..=LONGEST_REASON).contains(&length) {
        return Err(Complaint::usage(format!("--reason has {length} bytes; expected 1 to {LONGEST_REASON}")));
    }
    if !arguments.sign {
        return online::run(flags, look, async |connection| {
            send(&connection, target, &arguments.reason, None, screen).await
        });
    }
    protect::reason(&arguments.reason)?;
    let places = online::places(flags, look)?;
    let (key, genesis) = (me::signing_key(&places)?, me::genesis(&places)?);
    online::run(flags, look, async |connection| {
        let act = signed(&connection, &target, &arguments.reason, &key, genesis).await?;
        send(&connection, target, &arguments.reason, Some(act), screen).await
    })
}

/// The stop as a person's act.
async fn signed(
    connection: &Connection,
    target: &Target,
    reason: &str,
    key: &Path,
    genesis: Hash,
) -> Result<SignedAct, Complaint> {
    let term = stopping::term(connection, target).await.map_err(|error| {
        let complaint = Complaint::failed("nothing was stopped").because(error.to_string());
        match (error, target) {
            (NoTerm::Call(error), _) => error.into(),
            (NoTerm::Denied(_), Target::Version(version)) => complaint
                .advise(format!("stop the whole key: countersign stop {} --sign --reason …", version.key)),
            _ => complaint.advise("stop the whole key, or --all"),
        }
    })?;
    Ok(stopping::sign(connection, genesis, key, term, reason).await?)
}

async fn send(
    connection: &Connection,
    target: Target,
    reason: &str,
    act: Option<SignedAct>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let wire = act.as_ref().map(SignedAct::to_wire);
    let answer = match stop(connection, target.clone(), reason, wire, connection.patience()).await {
        Ok(answer) => answer,
        // Made a moment ago, it can have been taken from nobody but us.
        Err(error) if act.is_some() && stopping::is_taken(&error) => {
            show_taken(&target, screen)?;
            return Ok(Exit::Done);
        }
        Err(error) => {
            let complaint = Complaint::from(error);
            if complaint.exit == Exit::Retry {
                return Err(complaint.advise(
                    "send it again at once: a stop that arrives twice stops once. It may already be in force",
                ));
            }
            return Err(complaint);
        }
    };
    show(&target, &answer, screen)?;
    Ok(if answer.volatile { Exit::Retry } else { Exit::Done })
}

/// The stop is in force, and the answer that said what still signs was lost.
fn show_taken(target: &Target, screen: &mut Screen) -> Result<(), Complaint> {
    let what = words(target);
    if screen.is_json() {
        screen.json(&json!({ "stopped": what, "answer_lost": true }))?;
        return Ok(());
    }
    screen.headline(
        Tone::Good,
        "stopped:",
        &format!("{what}; what still signs was said in an answer that was lost"),
    )?;
    screen.facts(&[
        ("see", "`countersign log search --kind incident.stopped`, or the same command again".to_owned()),
        ("stays", "until a ceremony lifts it; time never does".to_owned()),
    ])?;
    Ok(())
}

/// What is to be stopped.
fn target(arguments: &Stop) -> Result<Target, Complaint> {
    if let Some(text) = &arguments.key {
        let (key, version) = input::key_or_version(text)?;
        return Ok(match version {
            None => Target::Key(key.to_string()),
            Some(version) => Target::Version(v1::VersionName { key: key.to_string(), version }),
        });
    }
    if let Some(id) = &arguments.caller {
        return Ok(Target::Caller(id.clone()));
    }
    if let Some(issuer) = &arguments.issuer {
        return Ok(Target::Issuer(issuer.clone()));
    }
    if let Some(claim) = &arguments.claim {
        let (name, value) = input::pair("claim", claim)?;
        return Ok(Target::Claim(v1::Claim { name: name.to_owned(), value: value.to_owned() }));
    }
    if let Some(name) = &arguments.backend {
        return Ok(Target::Backend(name.clone()));
    }
    Ok(Target::All(true))
}

/// The first line says what is stopped and what still signs; everything else can wait.
fn show(target: &Target, answer: &v1::StopResponse, screen: &mut Screen) -> Result<(), Complaint> {
    let what = words(target);
    if screen.is_json() {
        let mut document = json!({
            "stopped": what,
            "pending": answer.pending,
            "volatile": answer.volatile,
            "everything": answer.everything,
            "still_signing": answer.still_signing,
            "withheld": answer.withheld,
        });
        if let Some(index) = answer.log_index {
            document["log_index"] = json!(index);
        }
        screen.json(&document)?;
        return Ok(());
    }
    let still = match answer.still_signing.as_slice() {
        [] => "nothing that this covers still signs".to_owned(),
        some => format!("STILL SIGNING: {}", some.join(", ")),
    };
    if answer.volatile {
        screen.headline(Tone::Bad, "stopped IN MEMORY ONLY:", &format!("{what}; {still}"))?;
    } else if answer.pending {
        screen.headline(Tone::Warn, "stopped, not yet in the log:", &format!("{what}; {still}"))?;
    } else {
        screen.headline(Tone::Good, "stopped:", &format!("{what}; {still}"))?;
    }
    let mut facts = Vec::new();
    match answer.log_index {
        Some(index) => facts.push(("record", format!("{index}; no released signature that this covers has a higher index"))),
        None if answer.volatile => facts.push((
            "record",
            "none: neither log nor stop file could be written, and a restart of the daemon loses the stop. Mend its disk \
             and send the stop again, or end the daemon and keep it from starting"
                .to_owned(),
        )),
        None => facts.push(("record", "none yet: the stop is in force and on the disk, and the log takes it as soon as it can be written".to_owned())),
    }
    if answer.everything {
        facts.push(("covers", "EVERYTHING: the stop file had no room for this stop alone".to_owned()));
    }
    if answer.withheld > 0 {
        facts.push((
            "withheld",
            format!("{} operations were under way; nobody gets their signatures", answer.withheld),
        ));
    }
    facts.push(("stays", "until a ceremony lifts it; time never does".to_owned()));
    screen.facts(&facts)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;
    use crate::cli::screen::Output;
    use crate::cli::tests::Paper;

    fn said(answer: &v1::StopResponse) -> String {
        let paper = Paper::new(Output::Table);
        let target = Target::Key("release/linux".into());
        show(&target, answer, &mut paper.screen()).unwrap();
        paper.out()
    }

    #[test]
    fn the_first_line_says_what_still_signs() {
        let answer = v1::StopResponse {
            log_index: Some(4712),
            still_signing: vec!["release/linux@4".into()],
            ..Default::default()
        };
        let text = said(&answer);
        let first = text.lines().next().unwrap();
        assert_eq!(first, "stopped: key release/linux; STILL SIGNING: release/linux@4");
    }

    #[test]
    fn a_stop_that_the_log_cannot_take_says_so_first() {
        let text = said(&v1::StopResponse { pending: true, withheld: 3, ..Default::default() });
        assert!(
            text.starts_with("stopped, not yet in the log: key release/linux; nothing that this covers"),
            "{text}"
        );
    }

    #[test]
    fn a_stop_that_a_restart_would_lose_says_so_first() {
        let text = said(&v1::StopResponse { pending: true, volatile: true, ..Default::default() });
        assert!(text.starts_with("stopped IN MEMORY ONLY: key release/linux"), "{text}");
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(words.join(" ").contains("a restart of the daemon loses the stop"), "{text}");
    }

    #[test]
    fn a_stop_for_which_there_was_no_room_says_that_it_stops_everything() {
        let text = said(&v1::StopResponse { pending: true, everything: true, ..Default::default() });
        assert!(text.contains("EVERYTHING"), "{text}");
    }
}
