//! `countersign ceremony new`: today's statement of a template, held against the template before it is written.

use std::path::{Path, PathBuf};

use ceremonies::act::ActKind;
use ceremonies::person::PersonId;
use ceremonies::statement::template::Template;
use ceremonies::statement::{Line, Prose, Statement};
use proto::wire::v1;
use serde_json::json;

use super::differences::{held_against, since, template, understood};
use super::{amendment, statement, succession};
use crate::cli::args::ceremony::New;
use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::exit::Exit;
use crate::files::{self, Planned};
use crate::people::desk::Desk;
use crate::people::error::PeopleError;
use crate::people::instance::Stage;
use crate::people::{calls, text};

/// Drafts, compares, shows and writes.
///
/// # Errors
/// What is wrong with the template, or with what the daemon made of it.
pub async fn run(new: &New, desk: &mut Desk, screen: &mut Screen) -> Result<Exit, Complaint> {
    let brought = succession::brought(&new.succession, &desk.instance)?;
    let amended = amendment::brought(&new.amendment)?;
    let filled = |witnesses| match (&brought, &amended) {
        (None, None) => template(&new.template),
        (Some(brought), _) => {
            let text = brought.filled(&new.template, &desk.instance, witnesses)?;
            understood(&new.template, text)
        }
        (None, Some(amended)) => understood(&new.template, amended.filled(&new.template, &desk.instance)?),
    };
    let initiator: PersonId = match &new.initiator {
        Some(id) => id.parse().map_err(|cause| Complaint::usage(format!("--initiator: {cause}")))?,
        None => desk.who()?.clone(),
    };
    if let Some(out) = &new.out {
        files::look_ahead(std::slice::from_ref(out), false)?;
    }
    if desk.instance.roster.person(&initiator).is_none() {
        return Err(PeopleError::Nobody(initiator).into());
    }
    if desk.who().is_ok_and(|person| *person == initiator) {
        desk.may(ActKind::Propose, None)?;
    }
    let mut witnesses = None;
    let (template, bytes, made) = loop {
        let (source, mut template) = filled(witnesses)?;
        change(&mut template, new)?;
        let request = v1::DraftStatementRequest {
            template: source,
            initiator: initiator.to_string(),
            justification: new.justification.clone().unwrap_or_default(),
            ticket: new.ticket.clone().unwrap_or_default(),
            not_before: None,
        };
        let bytes = calls::draft(&desk.connection, request, desk.connection.patience()).await?;
        let made = Statement::parse(&bytes).map_err(PeopleError::from)?;
        // The guardrails say how many witnesses a change takes, by this roster and by the next.
        let asked = made.common().quorum.witnesses;
        if brought.is_none() || witnesses.is_some() || asked == succession::WITNESSES {
            break (template, bytes, made);
        }
        witnesses = Some(asked);
    };
    let now = text::now();
    held_against(&template, &made, now)?;
    if made.common().initiator != initiator {
        let found = &made.common().initiator;
        return Err(Complaint::failed(format!(
            "the daemon's statement is `{found}`'s to propose, and {initiator} was asked for"
        ))
        .because("nothing was written")
        .advise("tell the operators: this does not happen by accident"));
    }
    desk.refresh().await?;
    desk.check(&made, Stage::Before).await?;
    if let Some(brought) = &brought {
        brought.fits(&made, &desk.instance)?;
    }
    let amended = amended.map(|amended| amended.fits(&made, &desk.instance)).transpose()?;
    let path = new.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.json", made.common().ceremony)));
    let last = desk.last_of_kind(&made).await?;
    if !screen.is_json() {
        statement::show(&made, now, screen)?;
        if let Some(amended) = &amended {
            amendment::undecided(amended, screen)?;
        }
        since(last.as_ref(), &made, now, screen)?;
        screen.gap()?;
        statement::own_words(&made, screen)?;
    }
    files::write(&[Planned { path: path.clone(), content: bytes }], false)?;
    if screen.is_json() {
        screen.json(&json!({
            "file": path,
            "ceremony": made.common().ceremony.to_string(),
            "statement_sha256": made.digest().to_string(),
        }))?;
        return Ok(Exit::Done);
    }
    screen.headline(
        Tone::Good,
        "written",
        &format!("to {}: nothing is recorded or proposed yet", path.display()),
    )?;
    screen.facts(&[
        ("template", "says the same, as far as it says anything".to_owned()),
        ("next", next(new, &path)),
    ])?;
    Ok(Exit::Done)
}

/// What the command line says in place of the template.
fn change(template: &mut Template, new: &New) -> Result<(), Complaint> {
    if let Some(ticket) = &new.ticket {
        let line = ticket.parse::<Line>().map_err(|cause| Complaint::usage(format!("--ticket: {cause}")))?;
        template.ticket = Some(line);
    }
    if let Some(text) = &new.justification {
        let prose =
            text.parse::<Prose>().map_err(|cause| Complaint::usage(format!("--justification: {cause}")))?;
        template.justification = Some(prose);
    }
    Ok(())
}

/// The command that comes next.
fn next(new: &New, path: &Path) -> String {
    let mut command = format!("countersign ceremony propose {}", path.display());
    if let Some(roster) = &new.succession.roster {
        command.push_str(&format!(" --roster {}", roster.display()));
    }
    if let Some(guardrails) = &new.amendment.guardrails {
        command.push_str(&format!(" --guardrails {}", guardrails.display()));
    }
    for proof in &new.succession.proof {
        command.push_str(&format!(" --proof {}", proof.display()));
    }
    command
}
