//! `countersign ceremony run`: leads the operator through a ceremony, from the first approval to the last attestation.
//!
//! Promises: nothing is executed but by `yes`, typed while the ceremony is armed, after everything was checked again; a deviation is
//! recorded as it was typed. Leaving it at any moment changes nothing: the ceremony goes on without it.

use std::io::BufRead;
use std::path::Path;
use std::time::Duration;

use ceremonies::act::{ActKind, Deed, Outcome};
use ceremonies::statement::CeremonyId;
use proto::wire::v1;
use proto::wire::v1::CeremonyState;
use tokio::sync::mpsc;

use super::watch::Following;
use super::{amendment, grants, may_ask, protect, roster, show, standing, statement};
use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::clock;
use crate::exit::Exit;
use crate::people::desk::Desk;
use crate::people::duty::{self, Duty};
use crate::people::error::PeopleError;
use crate::people::instance::Stage;
use crate::people::open::{Open, has_ended, state_name};
use crate::people::text::{from_now, moment, now};
use crate::people::{calls, text};
use crate::refused::NoAnswer;
use crate::retry::Patience;

/// How often the clock is shown.
const MINUTE: Duration = Duration::from_secs(60);

const KEYS: &str = "Enter shows where it stands, `d TEXT` records a deviation, `q` leaves; the ceremony goes on without you.";

/// Leads.
///
/// # Errors
/// Where it cannot be followed, or what was signed is refused.
pub async fn run(
    id: CeremonyId,
    yes: bool,
    key: &Path,
    desk: &mut Desk,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let open = desk.ceremony(id).await?;
    may_ask(&open.statement, yes, screen)?;
    desk.may(ActKind::Execute, open.next.as_ref())?;
    desk.holds(key, open.next.as_ref())?;
    if !has_ended(&open.wire) {
        desk.check(&open.statement, stage(&open)).await?;
    }
    if !screen.is_json() {
        statement::show(&open.statement, now(), screen)?;
        roster::show(&open, &desk.instance, screen)?;
        grants::show(&open, screen)?;
        amendment::show(&open, &desk.instance, now(), screen)?;
        statement::own_words(&open.statement, screen)?;
        screen.line(KEYS)?;
    }
    let mut typed = lines(screen)?;
    let mut led = Led { id, yes, key, open, executed: false, shown: None };
    let mut following = Following::of(id);
    // The first thing is where it stands, whatever was typed before.
    let mut change = following.next(&desk.connection, screen).await?;
    let mut listening = true;
    loop {
        match change.take() {
            Some(wire) => led.changed(wire, desk, screen).await?,
            None if has_ended(&led.open.wire) => break,
            None => {}
        }
        if !listening && !yes && led.open.state() == CeremonyState::Armed {
            return Err(Complaint::failed("nothing was executed").because("nobody is there to type yes"));
        }
        let watch = screen.shows_bars();
        tokio::select! {
            biased;
            line = typed.recv(), if listening => match line {
                Some(line) if line.trim() == "q" => {
                    let state = state_name(led.open.state());
                    screen.line(&format!("Left. The ceremony is {state}; the same command goes on with it."))?;
                    return Ok(Exit::Done);
                }
                Some(line) => led.typed(line.trim(), desk, screen).await?,
                None => listening = false,
            },
            next = following.next(&desk.connection, screen) => {
                change = next?;
                if change.is_none() {
                    break;
                }
            }
            () = clock::pause(MINUTE), if watch => led.clock(screen)?,
        }
    }
    led.ended(screen)
}

fn stage(open: &Open) -> Stage {
    match open.state() {
        CeremonyState::Proposed | CeremonyState::Armed => Stage::Before,
        _ => Stage::After,
    }
}

/// What is typed, line by line, while other things happen. The thread ends with its input, or with the process.
fn lines(screen: &mut Screen) -> Result<mpsc::Receiver<String>, Complaint> {
    let (give, take) = mpsc::channel(16);
    let Some(mut answers) = screen.take_answers() else { return Ok(take) };
    let read = move || {
        let mut line = String::new();
        while answers.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            if give.blocking_send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("typed lines".to_owned())
        .spawn(read)
        .map_err(|cause| Complaint::failed("what is typed cannot be read").because(cause.to_string()))?;
    Ok(take)
}

/// A ceremony that is being led.
struct Led<'a> {
    id: CeremonyId,
    yes: bool,
    key: &'a Path,
    open: Open,
    executed: bool,
    /// Outputs and deviations that are on the screen already.
    shown: Option<Outcome>,
}

impl Led<'_> {
    async fn changed(
        &mut self,
        wire: v1::Ceremony,
        desk: &mut Desk,
        screen: &mut Screen,
    ) -> Result<(), Complaint> {
        self.open = Open::read(Some(wire), self.id, &desk.instance).map_err(PeopleError::from)?;
        if screen.is_json() {
            screen.json_line(&standing::document(&self.open.wire))?;
        } else {
            self.shows(desk, screen)?;
        }
        // Once: what a second start is for, a person decides.
        if self.yes && !self.executed && self.open.state() == CeremonyState::Armed {
            self.execute(desk, screen).await?;
        }
        Ok(())
    }

    async fn typed(&mut self, line: &str, desk: &mut Desk, screen: &mut Screen) -> Result<(), Complaint> {
        if let Some(what) = line.strip_prefix("d ") {
            let what = what.trim();
            let ended =
                protect::act(protect::Protective::Deviation, self.id, what, self.key, desk, screen).await;
            return tell(ended.map(drop), screen);
        }
        match line {
            "yes" if self.open.state() == CeremonyState::Armed => {
                let ended = self.execute(desk, screen).await;
                tell(ended, screen)
            }
            "yes" => {
                let state = state_name(self.open.state());
                Ok(screen.line(&format!("Nothing is executed: the ceremony is {state}."))?)
            }
            "" => {
                self.shown = None;
                self.shows(desk, screen)
            }
            _ => Ok(screen.line(KEYS)?),
        }
    }

    /// Checks everything again, signs `execute`, and waits for what comes of it.
    async fn execute(&mut self, desk: &mut Desk, screen: &mut Screen) -> Result<(), Complaint> {
        desk.refresh().await?;
        let again = desk.ceremony(self.id).await?;
        if again.digest != self.open.digest {
            return Err(PeopleError::Changed("it has another statement".to_owned()).into());
        }
        desk.check(&again.statement, Stage::Before).await?;
        let (deed, common) = (Deed::Execute { statement: again.digest }, again.statement.common());
        let signed = desk.sign(self.key, deed, common, "", again.next.as_ref())?;
        self.executed = true;
        if !screen.is_json() {
            screen.line("Executing. This may take minutes; nothing must be touched.")?;
        }
        let patience = Patience::of(desk.connection.settings().deadline.max(calls::EXECUTION));
        match calls::execute(&desk.connection, signed.to_wire(), patience).await {
            Ok(ceremony) => {
                self.open = Open::read(ceremony, self.id, &desk.instance).map_err(PeopleError::from)?;
                Ok(())
            }
            Err(refused @ NoAnswer::Refused(_)) => Err(Complaint::from(&refused)),
            // It may have started: the stream says what became of it.
            Err(unheard) => {
                Ok(screen.note(&format!("{unheard}; what became of it is shown as soon as it is known"))?)
            }
        }
    }

    /// What came of it, once; then where it stands, who is missing, and last, where the eye ends, what is next.
    fn shows(&mut self, desk: &Desk, screen: &mut Screen) -> Result<(), Complaint> {
        let open = &self.open;
        screen.gap()?;
        let outcome = open.outcome().map_err(PeopleError::from)?;
        if open.state() == CeremonyState::Executed && self.shown != outcome {
            show::outcome(open, screen)?;
            self.shown = outcome;
        }
        let mut facts = Vec::new();
        for (label, duties) in
            [("officers", [Duty::Approve, Duty::Approve]), ("witnesses", [Duty::Attest, Duty::AttestAfter])]
        {
            let waited = |person: &&ceremonies::roster::Person| {
                duty::of(&open.wire, &open.statement, person).is_some_and(|duty| duties.contains(&duty))
            };
            let names: Vec<String> = desk
                .instance
                .roster
                .people()
                .filter(waited)
                .map(|person| format!("{} ({})", person.name, person.id))
                .collect();
            if !names.is_empty() {
                facts.push((label, format!("can still act: {}", names.join(", "))));
            }
        }
        if !has_ended(&open.wire) {
            facts.push(("expires", moment(open.statement.common().expires, now())));
            facts.push(("next", self.next_step()));
        }
        standing::show(open, &desk.instance, now(), facts, screen)
    }

    fn next_step(&self) -> String {
        let id = self.id;
        match self.open.state() {
            CeremonyState::Proposed => format!(
                "have the sixteen words read aloud: everybody compares them with his own screen. Then\n  \
                 countersign approve {id}  (officers)\n  countersign attest {id}  (witnesses)"
            ),
            CeremonyState::Armed if self.executed => {
                "it is armed again: type yes to execute once more".to_owned()
            }
            CeremonyState::Armed => "look at the device and its serial; then type yes to execute".to_owned(),
            CeremonyState::Executing => "wait".to_owned(),
            CeremonyState::Executed => format!(
                "record every deviation now with `d TEXT`: attestations after it count anew. Then the witnesses of \
                 before\n  countersign attest {id}"
            ),
            CeremonyState::Waiting => format!(
                "wait, or leave: it comes into force by itself; officers and witnesses who are against it: \
                 countersign ceremony veto {id} --reason TEXT"
            ),
            CeremonyState::Indeterminate => {
                "it is not known what was done: leave everything as it is; only a ceremony of kind resolve leads on"
                    .to_owned()
            }
            _ => "wait: its transcript is closed".to_owned(),
        }
    }

    fn clock(&self, screen: &mut Screen) -> Result<(), Complaint> {
        let due = standing::at(self.open.wire.due.as_ref());
        let until = due.unwrap_or(self.open.statement.common().expires);
        let state = state_name(self.open.state());
        Ok(screen.note(&format!(
            "{state}; {} left ({})",
            text::length(until.since(now())),
            from_now(until, now())
        ))?)
    }

    fn ended(&self, screen: &mut Screen) -> Result<Exit, Complaint> {
        let state = self.open.state();
        if screen.is_json() {
            return Ok(if state == CeremonyState::Completed { Exit::Done } else { Exit::Failed });
        }
        screen.gap()?;
        if state != CeremonyState::Completed {
            let mut complaint = Complaint::failed(format!("the ceremony is {}", state_name(state)));
            if !self.open.wire.cause.is_empty() {
                complaint = complaint.because(text::plain(&self.open.wire.cause));
            }
            return Err(complaint.advise(format!("countersign ceremony show {}", self.id)));
        }
        screen.headline(Tone::Good, "completed:", &format!("ceremony {}. Next", self.id))?;
        screen.line(&format!("  countersign ceremony transcript {} --out DIR", self.id))?;
        Ok(Exit::Done)
    }
}

/// Says what went wrong and goes on: the person in front decides what to do about it.
fn tell(ended: Result<(), Complaint>, screen: &mut Screen) -> Result<(), Complaint> {
    match ended {
        Err(complaint) if !complaint.is_closed_pipe() => Ok(screen.complain(&complaint)?),
        ended => ended,
    }
}
