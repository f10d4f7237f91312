//! `countersign approve` and `countersign attest`: read in full, compare, answer, sign.
//!
//! Promises: everything that this machine can check is checked before the question is asked, and again before the key is used; whatever
//! changed while the person was reading is not signed.

pub(super) mod offline;

use std::path::{Path, PathBuf};

use ceremonies::act::{ActKind, Decision, Deed, Outcome};
use ceremonies::person::Role;
use ceremonies::roster::{Person, Roster};
use ceremonies::statement::{CeremonyId, Kind};
use ceremonies::words::Words;
use proto::hash::Hash;
use proto::wire::v1::CeremonyState;
use serde_json::{Value, json};

use super::args::connection::Connection as Flags;
use super::args::people::{Approve, Attest};
use super::ceremony::differences::{self, held_against, since, template};
use super::ceremony::{
    amendment, consent, grants, may_ask, online, roster, show as shown, standing, statement, succession,
};
use super::complaint::Complaint;
use super::online::places;
use super::screen::{Screen, Tone};
use crate::exit::Exit;
use crate::people::desk::{Desk, SignedAct};
use crate::people::error::PeopleError;
use crate::people::instance::{Instance, Stage};
use crate::people::open::{Open, state_name};
use crate::people::text::{now, records};
use crate::people::{calls, me};

/// What a person is asked for.
pub(super) struct Question<'a> {
    kind: ActKind,
    refuse: bool,
    reason: &'a str,
    template: Option<&'a Path>,
    yes: bool,
}

impl Question<'_> {
    fn decision(&self) -> Decision {
        if self.refuse { Decision::Refuse } else { Decision::Accept }
    }

    /// The act that answers it.
    fn deed(&self, statement: Hash, outcome: Option<Outcome>) -> Deed {
        match self.kind {
            ActKind::Attest => Deed::Attest { decision: self.decision(), outcome, statement },
            _ => Deed::Approve { decision: self.decision(), statement },
        }
    }

    /// What the person does, as the question says it.
    fn verb(&self) -> &'static str {
        match (self.refuse, self.kind) {
            (true, _) => "Refuse",
            (false, ActKind::Attest) => "Attest",
            (false, _) => "Approve",
        }
    }
}

/// Runs `approve`.
///
/// # Errors
/// What is wrong, or why nothing was signed.
pub fn approve(
    arguments: &Approve,
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let question = Question {
        kind: ActKind::Approve,
        refuse: arguments.refuse,
        reason: arguments.reason.as_deref().unwrap_or_default(),
        template: arguments.template.as_deref(),
        yes: arguments.yes,
    };
    run(&question, &arguments.what, flags, look, screen)
}

/// Runs `attest`.
///
/// # Errors
/// What is wrong, or why nothing was signed.
pub fn attest(
    arguments: &Attest,
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let question = Question {
        kind: ActKind::Attest,
        refuse: arguments.refuse,
        reason: arguments.reason.as_deref().unwrap_or_default(),
        template: None,
        yes: arguments.yes,
    };
    run(&question, &arguments.what, flags, look, screen)
}

fn run(
    question: &Question<'_>,
    what: &str,
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    if !question.reason.is_empty() && question.reason.trim().is_empty() {
        return Err(Complaint::usage("--reason says nothing"));
    }
    match what.parse::<CeremonyId>() {
        Ok(id) => {
            let places = places(flags, look)?;
            me::person(&places)?;
            let key = me::signing_key(&places)?;
            let story =
                async |mut desk: Desk, screen: &mut Screen| ask(question, id, &key, &mut desk, screen).await;
            online(flags, look, story, screen)
        }
        Err(_no_id) => offline::run(question, &PathBuf::from(what), flags, look, screen),
    }
}

/// Shows a ceremony, asks, signs, and brings the act in.
async fn ask(
    question: &Question<'_>,
    id: CeremonyId,
    key: &Path,
    desk: &mut Desk,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let template = question.template.map(template).transpose()?;
    let open = desk.ceremony(id).await?;
    may_ask(&open.statement, question.yes, screen)?;
    let person = desk.may(question.kind, open.next.as_ref())?;
    if question.kind == ActKind::Approve && !approves(&open, person, desk) {
        let (kind, id) = (open.statement.kind(), &person.id);
        return Err(Complaint::failed(format!("`{id}` is no officer, and officers approve a {kind}"))
            .advise(format!("a witness attests: countersign attest {}", open.statement.common().ceremony)));
    }
    desk.holds(key, open.next.as_ref())?;
    let outcome = outcome(question, &open)?;
    let time = now();
    check(question, &open, outcome, desk).await?;
    if let Some((_, template)) = &template
        && !question.refuse
    {
        held_against(template, &open.statement, time)?;
    }
    let last = desk.last_of_kind(&open.statement).await?;
    if !screen.is_json() {
        statement::show(&open.statement, time, screen)?;
        roster::show(&open, &desk.instance, screen)?;
        grants::show(&open, screen)?;
        amendment::show(&open, &desk.instance, time, screen)?;
        checked(question, &open, desk, template.is_some(), screen)?;
        since(last.as_ref(), &open.statement, time, screen)?;
        screen.gap()?;
        standing::show(&open, &desk.instance, time, Vec::new(), screen)?;
        screen.gap()?;
        match outcome {
            None => statement::own_words(&open.statement, screen)?,
            Some(_) => {
                let digest = open.statement.digest();
                statement::words(
                    "The words of the statement, as they were read aloud before:",
                    &digest,
                    screen,
                )?;
                shown::outcome(&open, screen)?;
            }
        }
    }
    consent(&format!("{} this as {}?", question.verb(), desk.who()?), question.yes, screen)?;
    // What was read is what is signed, over the newest head.
    desk.refresh().await?;
    let again = desk.ceremony(id).await?;
    if again.digest != open.digest {
        return Err(PeopleError::Changed("it has another statement".to_owned()).into());
    }
    if self::outcome(question, &again)? != outcome {
        return Err(PeopleError::Changed("there are other outputs or deviations".to_owned()).into());
    }
    check(question, &again, outcome, desk).await?;
    let deed = question.deed(open.digest, outcome);
    let signed = desk.sign(key, deed, open.statement.common(), question.reason, open.next.as_ref())?;
    let answer =
        calls::submit(&desk.connection, signed.to_wire(), Some(id), desk.connection.patience()).await?;
    let after = Open::read(answer.ceremony, id, &desk.instance).map_err(PeopleError::from)?;
    if screen.is_json() {
        let mut document = said(question, &open, &signed);
        document["log_index"] = json!(answer.log_index);
        document["state"] = json!(state_name(after.state()));
        document["differs_from_last"] = last
            .map_or(Value::Null, |last| differences::document(&differences::news(&open.statement, &last)));
        screen.json(&document)?;
        return Ok(Exit::Done);
    }
    let words = match (question.refuse, question.kind) {
        (true, _) => "refused",
        (false, ActKind::Attest) => "attested",
        (false, _) => "approved",
    };
    screen.headline(
        Tone::Good,
        words,
        &format!("in record {}; the ceremony is {}", answer.log_index, state_name(after.state())),
    )?;
    let mut facts = vec![("act", signed.digest().to_string())];
    facts.extend(after.wire.lacks.iter().map(|lack| ("lacks", crate::people::text::plain(lack))));
    screen.facts(&facts)?;
    Ok(Exit::Done)
}

/// Whether a person's approval can count at all: an officer's, of this roster or the next; for a compromise anybody's.
fn approves(open: &Open, person: &Person, desk: &Desk) -> bool {
    let officer = |roster: &Roster| roster.person(&person.id).is_some_and(|person| person.is(Role::Officer));
    open.statement.kind() == Kind::KeyCompromise
        || officer(&desk.instance.roster)
        || open.next.as_ref().is_some_and(officer)
}

/// What an attestation is about: nothing more than the statement before an execution, outputs and deviations after it.
fn outcome(question: &Question<'_>, open: &Open) -> Result<Option<Outcome>, Complaint> {
    match (open.state(), question.kind) {
        (CeremonyState::Proposed | CeremonyState::Armed, _) => Ok(None),
        (CeremonyState::Executed, ActKind::Attest) => {
            let outcome = open.outcome().map_err(PeopleError::from)?;
            let outcome = outcome
                .ok_or_else(|| Complaint::failed("it was executed, and the daemon shows no outputs"))?;
            Ok(Some(outcome))
        }
        (state, kind) => Err(Complaint::failed(format!(
            "the ceremony is {}: `{kind}` has no place there",
            state_name(state)
        ))
        .advise(format!("countersign ceremony show {}", open.statement.common().ceremony))),
    }
}

/// Whether it may be signed at all. A refusal may be about what does not fit.
async fn check(
    question: &Question<'_>,
    open: &Open,
    outcome: Option<Outcome>,
    desk: &Desk,
) -> Result<(), Complaint> {
    if question.refuse {
        return Ok(());
    }
    if open.statement.kind() == Kind::RosterChange && open.next.is_none() {
        return Err(Complaint::failed(
            "the daemon does not show the next roster, and nobody approves one unseen",
        )
        .advise("have it proposed anew with --document roster=FILE"));
    }
    let stage = if outcome.is_some() { Stage::After } else { Stage::Before };
    if stage == Stage::Before {
        succession::follows(&open.statement, &open.wire.documents, &desk.instance)?;
    }
    if stage == Stage::Before {
        amendment::follows(open, &desk.instance)?;
    }
    if open.statement.kind() == Kind::GrantChange && open.grants.is_none() {
        return Err(Complaint::failed(
            "the daemon does not show the next grants, and nobody approves them unseen",
        )
        .advise("have it proposed anew with --document grants=FILE"));
    }
    Ok(desk.check(&open.statement, stage).await?)
}

/// What was checked, so that the person need not.
fn checked(
    question: &Question<'_>,
    open: &Open,
    desk: &Desk,
    template: bool,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    if question.refuse {
        screen.note("whether it fits this instance was not checked: you refuse it")?;
        return Ok(screen.gap()?);
    }
    screen.headline(Tone::Good, "Checked", "by this machine:")?;
    let (common, instance) = (open.statement.common(), &desk.instance);
    let stage = if open.state() == CeremonyState::Executed { Stage::After } else { Stage::Before };
    let in_force = if Instance::pins(&open.statement, stage) {
        "mode, origin, instance, roster and guardrails are those that the statement names"
    } else {
        "mode, origin and instance are those that the statement names; roster and guardrails may have changed since"
    };
    let mut facts = vec![
        ("genesis", "is the one in your settings".to_owned()),
        (
            "log",
            format!(
                "{}; it extends what this machine has seen, and the statement's {}",
                records(instance.head.size),
                records(common.log.size)
            ),
        ),
        ("in force", in_force.to_owned()),
    ];
    if template {
        facts.push(("template", "says the same, as far as it says anything".to_owned()));
    }
    screen.facts(&facts)?;
    Ok(screen.gap()?)
}

/// What was signed, for programs.
fn said(question: &Question<'_>, open: &Open, signed: &SignedAct) -> Value {
    json!({
        "ceremony": open.statement.common().ceremony.to_string(),
        "act": question.kind.name(),
        "decision": if question.refuse { "refuse" } else { "accept" },
        "act_sha256": signed.digest().to_string(),
        "statement": open.statement.to_value(),
        "statement_sha256": open.digest.to_string(),
        "words": Words::of(&open.digest).lines(),
    })
}
