//! `countersign ceremony veto | abort | withdraw | deviation | suspend`: what protects, one person at a time. Nothing is asked.

use std::path::Path;

use ceremonies::act::{ActKind, Deed, LONGEST_REASON};
use ceremonies::person::PersonId;
use ceremonies::statement::CeremonyId;
use proto::hash::Hash;
use serde_json::json;

use super::standing;
use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::exit::Exit;
use crate::people::calls;
use crate::people::desk::Desk;
use crate::people::error::PeopleError;
use crate::people::open::{Open, state_name};
use crate::refused::NoAnswer;

/// An act about a ceremony that asks nothing.
#[derive(Clone, Copy, Debug)]
pub enum Protective {
    /// End an open ceremony.
    Veto,
    /// End an execution.
    Abort,
    /// Take back the act of this digest, or the newest one.
    Withdraw(Option<Hash>),
    /// Record what went otherwise.
    Deviation,
}

impl Protective {
    fn kind(self) -> ActKind {
        match self {
            Self::Veto => ActKind::Veto,
            Self::Abort => ActKind::Abort,
            Self::Withdraw(_) => ActKind::Withdraw,
            Self::Deviation => ActKind::Deviation,
        }
    }

    fn deed(self, open: &Open, person: &PersonId) -> Result<Deed, Complaint> {
        let statement = open.digest;
        Ok(match self {
            Self::Veto => Deed::Veto { statement },
            Self::Abort => Deed::Abort { statement },
            Self::Deviation => Deed::Deviation { statement },
            Self::Withdraw(act) => {
                Deed::Withdraw { act: act.map_or_else(|| newest(open, person), Ok)?, statement }
            }
        })
    }
}

/// The newest act of a person that can be taken back and was not.
fn newest(open: &Open, person: &PersonId) -> Result<Hash, Complaint> {
    let own = open.wire.acts.iter().rev().filter(|act| act.person == person.as_str());
    let mut own = own.take_while(|act| act.decision != "withdraw");
    let can_be =
        |decision: &str| matches!(decision, "approve" | "attest" | "attest-after" | "refuse" | "veto");
    own.find(|act| can_be(&act.decision)).and_then(|act| Hash::try_from(act.act_sha256.as_slice()).ok()).ok_or_else(|| {
        Complaint::failed(format!("`{person}` has no act in this ceremony that can be taken back"))
            .advise("name it with --act if it was taken back once and made again; `countersign ceremony show ID --output json` lists them")
    })
}

/// What must be right with a reason before anything is asked.
///
/// # Errors
/// Where it is empty or too long.
pub fn reason(text: &str) -> Result<(), Complaint> {
    if text.trim().is_empty() || text.len() > LONGEST_REASON {
        return Err(Complaint::usage(format!(
            "a reason has 1 to {LONGEST_REASON} bytes, this one has {}",
            text.len()
        )));
    }
    Ok(())
}

/// Signs it and brings it in.
///
/// # Errors
/// Where it is refused, or there is no answer.
pub async fn act(
    what: Protective,
    id: CeremonyId,
    why: &str,
    key: &Path,
    desk: &mut Desk,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    reason(why)?;
    let open = desk.ceremony(id).await?;
    desk.may(what.kind(), open.next.as_ref())?;
    desk.holds(key, open.next.as_ref())?;
    let deed = what.deed(&open, desk.who()?)?;
    let signed = desk.sign(key, deed, open.statement.common(), why, open.next.as_ref())?;
    let answer =
        calls::submit(&desk.connection, signed.to_wire(), Some(id), desk.connection.patience()).await?;
    let after = Open::read(answer.ceremony, id, &desk.instance).map_err(PeopleError::from)?;
    if screen.is_json() {
        let mut document = standing::document(&after.wire);
        document["act_sha256"] = json!(signed.digest().to_string());
        document["log_index"] = json!(answer.log_index);
        screen.json(&document)?;
        return Ok(Exit::Done);
    }
    let words = match what {
        Protective::Veto => "vetoed",
        Protective::Abort => "aborted",
        Protective::Withdraw(_) => "withdrawn",
        Protective::Deviation => "recorded",
    };
    screen.headline(
        Tone::Good,
        words,
        &format!("in record {}; the ceremony is {}", answer.log_index, state_name(after.state())),
    )?;
    screen.facts(&[("act", signed.digest().to_string())])?;
    Ok(Exit::Done)
}

/// Has the acts of a person count no more.
///
/// # Errors
/// Where it is refused, or there is no answer.
pub async fn suspend(
    whom: &str,
    why: &str,
    key: &Path,
    desk: &mut Desk,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    reason(why)?;
    let person: PersonId = whom.parse().map_err(|cause| Complaint::usage(format!("{cause}")))?;
    desk.may(ActKind::Suspend, None)?;
    if desk.instance.roster.person(&person).is_none() {
        return Err(PeopleError::Nobody(person).into());
    }
    desk.holds(key, None)?;
    let genesis = desk.instance.genesis.clone();
    let signed = desk.sign(key, Deed::Suspend { person: person.clone() }, genesis.common(), why, None)?;
    let answer = calls::submit(&desk.connection, signed.to_wire(), None, desk.connection.patience()).await;
    let (record, waits) = match answer {
        Ok(answer) => (Some(answer.log_index), answer.waits),
        // Made a moment ago, it can have been taken from nobody but us, and its answer was lost.
        Err(NoAnswer::Refused(refused))
            if refused.metadata.get("guard").is_some_and(|by| by == "replayed") =>
        {
            desk.refresh().await?;
            let record = desk.instance.suspended(&person);
            (record, record.is_none())
        }
        Err(refused) => return Err(refused.into()),
    };
    if screen.is_json() {
        screen.json(&json!({
            "person": person.as_str(),
            "suspended": !waits,
            "log_index": record,
            "act_sha256": signed.digest().to_string(),
        }))?;
        return Ok(Exit::Done);
    }
    let place = record.map_or_else(|| "a record".to_owned(), |record| format!("record {record}"));
    if waits {
        screen.headline(Tone::Warn, "recorded:", &format!("{person} is NOT suspended yet"))?;
        screen.facts(&[
            ("lacks", "another officer's word, because somebody is suspended already".to_owned()),
            ("do", format!("have another officer type: countersign ceremony suspend {person}")),
        ])?;
        return Ok(Exit::Done);
    }
    screen.headline(
        Tone::Good,
        "suspended:",
        &format!("the acts of {person} count no more, from {place} on"),
    )?;
    screen.facts(&[("stays", "until the next roster: decide by a roster.change who is in it".to_owned())])?;
    Ok(Exit::Done)
}
