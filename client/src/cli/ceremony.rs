//! `countersign ceremony …`, and what `inbox`, `approve` and `attest` share with it.
//!
//! Promises: what is missing in the settings is said before anything is asked; nothing is signed that takes consent and was not shown
//! in full and answered with `yes`. Vetoes, aborts, withdrawals, deviations and suspensions only protect: they ask nothing.

pub mod amendment;
mod clock;
pub mod differences;
mod draft;
pub mod grants;
mod propose;
pub(super) mod protect;
pub mod roster;
mod run;
pub mod show;
pub mod standing;
pub mod statement;
mod submit;
pub mod succession;
pub mod suspended;
mod transcript;
mod verify;
mod watch;

use std::path::Path;

use ceremonies::genesis::Mode;
use ceremonies::statement::{CeremonyId, Statement};

use super::approve::offline as by_file;
use super::args::ceremony::CeremonyCommand;
use super::args::connection::Connection as Flags;
use super::complaint::Complaint;
use super::online::{self, places};
use super::screen::Screen;
use crate::exit::Exit;
use crate::people::desk::Desk;
use crate::people::me;
use crate::settings::Setting;
use protect::Protective;

/// Runs the command.
///
/// # Errors
/// What is wrong with it, or why there is no answer.
pub fn run(
    command: &CeremonyCommand,
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    use CeremonyCommand as C;
    let offline = |directory: &Path, screen: &mut Screen| {
        verify::run(directory, me::genesis(&places(flags, look)?)?, screen)
    };
    // The one command that needs neither a daemon nor a person.
    if let C::Verify { directory } = command {
        return offline(directory, screen);
    }
    if let C::Veto(veto) = command
        && veto.what.parse::<CeremonyId>().is_err()
    {
        protect::reason(&veto.reason)?;
        return by_file::veto(Path::new(&veto.what), &veto.reason, flags, look, screen);
    }
    let key = match command {
        C::New(_) | C::Show(_) | C::List { .. } | C::Submit { .. } | C::Watch(_) | C::Transcript { .. } => {
            None
        }
        _signs => {
            let places = places(flags, look)?;
            me::person(&places)?;
            Some(me::signing_key(&places)?)
        }
    };
    let story = async |mut desk: Desk, screen: &mut Screen| {
        let desk = &mut desk;
        match (command, key.as_deref()) {
            (C::New(new), _) => draft::run(new, desk, screen).await,
            (C::Show(one), _) => show::one(one.id, desk, screen).await,
            (C::List { ended }, _) => show::list(*ended, desk, screen).await,
            (C::Submit { acts }, _) => submit::run(acts, desk, screen).await,
            (C::Watch(one), _) => watch::run(one.id, desk, screen).await,
            (C::Transcript { id, out }, _) => transcript::run(*id, out, desk, screen).await,
            (C::Prove(prove), Some(key)) => succession::prove(prove, key, desk, screen),
            (C::Propose(propose), Some(key)) => propose::run(propose, key, desk, screen).await,
            (C::Run { id, yes }, Some(key)) => run::run(*id, *yes, key, desk, screen).await,
            (C::Suspend { whom, reason }, Some(key)) => {
                protect::suspend(whom, reason, key, desk, screen).await
            }
            (C::AcceptClock { reason, yes }, Some(key)) => {
                clock::accept(reason, *yes, key, desk, screen).await
            }
            (C::Veto(veto), Some(key)) => {
                let id =
                    veto.what.parse::<CeremonyId>().map_err(|cause| Complaint::usage(cause.to_string()))?;
                protect::act(Protective::Veto, id, &veto.reason, key, desk, screen).await
            }
            (C::Abort(because), Some(key)) => {
                protect::act(Protective::Abort, because.id, &because.reason, key, desk, screen).await
            }
            (C::Withdraw(withdraw), Some(key)) => {
                let what = Protective::Withdraw(withdraw.act);
                protect::act(what, withdraw.id, &withdraw.reason, key, desk, screen).await
            }
            (C::Deviation { id, text }, Some(key)) => {
                protect::act(Protective::Deviation, *id, text, key, desk, screen).await
            }
            (C::Verify { directory }, _) => offline(directory, screen),
            (_signs, None) => Err(me::MeError::Missing(Setting::SigningKey).into()),
        }
    };
    online(flags, look, story, screen)
}

/// Runs a command at a desk: settings, connection, the instance held against its genesis.
///
/// # Errors
/// The command's complaint, or one about settings, connection or instance.
pub fn online<F>(
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    command: F,
    screen: &mut Screen,
) -> Result<Exit, Complaint>
where
    F: AsyncFnOnce(Desk, &mut Screen) -> Result<Exit, Complaint>,
{
    let places = places(flags, look)?;
    // Whoever only reads need not be anybody; whoever signs was asked for his name before.
    let person = match me::person(&places) {
        Err(me::MeError::Missing(_)) => None,
        person => Some(person?),
    };
    let genesis = me::genesis(&places)?;
    online::run(flags, look, async |connection| {
        let desk = Desk::open(connection, person, genesis).await?;
        command(desk, screen).await
    })
}

/// Whether it may be signed without asking, or asked at all; said before anything is shown.
///
/// # Errors
/// `--yes` in production; a question that nobody could read.
pub fn may_ask(statement: &Statement, yes: bool, screen: &Screen) -> Result<(), Complaint> {
    if yes && statement.common().mode == Mode::Production {
        return Err(Complaint::usage("--yes is for rehearsals: this ceremony is a production one, and its statement is read by a person")
            .advise("leave --yes away, read what is shown, and type yes"));
    }
    if !yes && screen.is_json() {
        return Err(Complaint::usage("with --output json nobody reads the statement before it is signed")
            .advise("leave --output json away; in a rehearsal, add --yes"));
    }
    Ok(())
}

/// Asks for consent, typed in full.
///
/// # Errors
/// Where the answer is anything else; nothing was signed then.
pub fn consent(question: &str, yes: bool, screen: &mut Screen) -> Result<(), Complaint> {
    if yes {
        return Ok(());
    }
    let answer = screen.ask(&format!("{question} Type yes in full, or anything else to leave it:"))?;
    if answer == "yes" {
        return Ok(());
    }
    let said = if answer.is_empty() { "nothing was typed" } else { "the answer was not `yes`" };
    Err(Complaint::failed("nothing was signed").because(said).advise("the same command asks again"))
}

/// Reads a statement from a file, with its bytes.
///
/// # Errors
/// Where it cannot be read or is none.
pub fn statement_file(path: &Path) -> Result<(Vec<u8>, Statement), Complaint> {
    let bytes = super::input::file(path, ceremonies::statement::LARGEST as u64)?;
    let statement = Statement::parse(&bytes).map_err(|cause| {
        Complaint::failed(format!("{} is no statement", path.display())).because(cause.to_string()).advise(
            "give the file exactly as `countersign ceremony new` wrote it: a blank more is another document",
        )
    })?;
    Ok((bytes, statement))
}

#[cfg(all(test, unix))]
mod tests;
