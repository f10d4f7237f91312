//! `countersign inbox`: what waits for this person.

use ceremonies::person::PersonId;
use ceremonies::roster::Roster;
use ceremonies::statement::{CeremonyId, Statement};
use proto::time::Time;
use proto::wire::v1;
use serde_json::{Value, json};

use super::args::connection::Connection as Flags;
use super::ceremony::{amendment, online, standing, suspended};
use super::complaint::Complaint;
use super::online::places;
use super::screen::{Screen, Tone};
use crate::exit::Exit;
use crate::people::desk::Desk;
use crate::people::duty::{self, Duty};
use crate::people::error::PeopleError;
use crate::people::instance::{Instance, mode_name};
use crate::people::open::{Open, Unusable};
use crate::people::text::{moment, plain};
use crate::people::{calls, me, text};

/// Runs the command.
///
/// # Errors
/// What is missing in the settings, or why there is no answer.
pub fn inbox(
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    me::person(&places(flags, look)?)?;
    online(flags, look, run, screen)
}

/// Looks through the open ceremonies for those that lack this person's act.
///
/// # Errors
/// Where the person is nobody of the roster, or there is no answer.
async fn run(desk: Desk, screen: &mut Screen) -> Result<Exit, Complaint> {
    let found = calls::list(&desk.connection, false, desk.connection.patience(), |_| false).await?;
    let person = desk.who()?;
    let mut waiting = Vec::new();
    let mut is_somebody = desk.instance.roster.person(person).is_some();
    for listed in &found {
        // Lists have no acts, and who attested before is in them.
        let open = match listed.id.parse::<CeremonyId>() {
            Ok(id) => desk.ceremony(id).await,
            Err(_no_id) => Err(Unusable::Empty.into()),
        };
        match open {
            Ok(open) => {
                is_somebody |= open.next.as_ref().is_some_and(|next| next.person(person).is_some());
                if let Some(duty) = waits(&open, &desk.instance.roster, person) {
                    let changes = amendment::listed(&open, &desk.instance, text::now());
                    waiting.push(Waiting { ceremony: open.wire, statement: open.statement, duty, changes });
                }
            }
            Err(PeopleError::Unusable(cause)) => {
                // One that cannot be read must not hide the others.
                let id = text::line(&listed.id);
                screen.note(&format!("ceremony {id} cannot be read, and may wait for you: {cause}"))?;
            }
            Err(other) => return Err(other.into()),
        }
    }
    if !is_somebody {
        return Err(PeopleError::Nobody(person.clone()).into());
    }
    show(&waiting, &desk.instance, person, text::now(), screen)?;
    Ok(Exit::Done)
}

/// A ceremony that waits for this person.
struct Waiting {
    ceremony: v1::Ceremony,
    statement: Statement,
    duty: Duty,
    /// What a `policy.change` makes looser and tighter, and when.
    changes: Vec<(&'static str, String)>,
}

/// What a ceremony waits for from somebody of this roster, or of the next one, whose officers approve it too.
fn waits(open: &Open, roster: &Roster, person: &PersonId) -> Option<Duty> {
    let by = |roster: &Roster| duty::of(&open.wire, &open.statement, roster.person(person)?);
    let joins = || open.next.as_ref().and_then(by).filter(|duty| *duty == Duty::Approve);
    by(roster).or_else(joins)
}

fn show(
    waiting: &[Waiting],
    instance: &Instance,
    person: &PersonId,
    now: Time,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    if screen.is_json() {
        let entry = |Waiting { ceremony, duty, changes, .. }: &Waiting| {
            let mut document = standing::document(ceremony);
            document["duty"] = json!(duty.words());
            if !changes.is_empty() {
                let lines = changes.iter().map(|(label, text)| format!("{label}: {text}"));
                document["changes"] = lines.collect();
            }
            document
        };
        let waiting: Vec<Value> = waiting.iter().map(entry).collect();
        let suspensions = suspended::document(instance);
        let document = json!({ "person": person.as_str(), "suspensions": suspensions, "waiting": waiting });
        return Ok(screen.json(&document)?);
    }
    suspended::show(instance, person, screen)?;
    if waiting.is_empty() {
        return Ok(screen.line(&format!("Nothing waits for {person}."))?);
    }
    for (number, Waiting { ceremony, statement, duty, changes }) in waiting.iter().enumerate() {
        if number > 0 {
            screen.gap()?;
        }
        let common = statement.common();
        let kind = statement.kind().name();
        let mode = mode_name(common).to_uppercase();
        screen.headline(Tone::Strong, kind, &format!("({mode}): {}", plain(common.purpose.as_str())))?;
        let mut facts = vec![("you", duty.words().to_owned())];
        facts.extend(changes.iter().cloned());
        facts.extend(ceremony.lacks.iter().map(|lack| ("lacks", plain(lack))));
        match standing::at(ceremony.due.as_ref()) {
            Some(due) if matches!(duty, Duty::AttestAfter | Duty::Object) => {
                facts.push(("until", moment(due, now)))
            }
            _ => facts.push(("expires", moment(common.expires, now))),
        }
        let reason = if *duty == Duty::Object { " --reason TEXT" } else { "" };
        facts.push(("do", format!("{} {}{reason}", duty.command(), common.ceremony)));
        screen.facts(&facts)?;
    }
    Ok(())
}
