//! The command line: arguments in, answers and complaints out.
//!
//! Promises: nothing is printed but through [`screen::Screen`]; every failure becomes a [`complaint::Complaint`] with what happened,
//! why and what to do, and an exit code. Each command is one file that reads like its story.

pub mod approve;
pub mod args;
pub mod ceremony;
pub mod complaint;
pub mod complete;
pub mod enroll;
pub mod inbox;
pub mod input;
pub mod keys;
pub mod log;
pub mod man;
pub mod online;
pub mod policy;
pub mod progress;
pub mod records;
pub mod screen;
pub mod sign;
pub mod stop;
pub mod table;
pub mod verify;
pub mod wrap;

use std::ffi::OsString;
use std::io::{self, Write};

use clap::Parser;

use crate::exit::Exit;
use args::{Arguments, Command};
use screen::Screen;

/// Runs one command of this process and says how it ended.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers; everything else was not understood.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            // Where even this cannot be written there is nobody to tell.
            let _written = error.print();
            return exit;
        }
    };
    let look = |name: &str| std::env::var(name).ok();
    let mut screen = Screen::of_process(arguments.output, look);
    execute(&arguments, &mut screen, &look)
}

/// Runs one command on a screen.
pub fn execute(arguments: &Arguments, screen: &mut Screen, look: &dyn Fn(&str) -> Option<String>) -> Exit {
    let flags = &arguments.connection;
    let ended = match &arguments.command {
        Command::Sign(sign) => online::run(flags, look, |connection| sign::run(sign, connection, screen)),
        Command::Verify(verify) => verify::run(verify, flags, look, screen),
        Command::Stop(stop) => stop::run(stop, flags, look, screen),
        Command::Keys(keys) => {
            online::run(flags, look, |connection| keys::run(&keys.what, connection, screen))
        }
        Command::Log(log) => log::run(&log.what, flags, look, screen),
        Command::Inbox => inbox::inbox(flags, look, screen),
        Command::Approve(approve) => approve::approve(approve, flags, look, screen),
        Command::Attest(attest) => approve::attest(attest, flags, look, screen),
        Command::Ceremony(ceremony) => ceremony::run(&ceremony.what, flags, look, screen),
        Command::Invite(invite) => enroll::invite_one(invite, flags, look, screen),
        Command::Enroll(arguments) => enroll::enroll(arguments, flags, look, screen),
        Command::Policy(policy) => policy::run(&policy.what, screen),
        Command::Completion(completion) => complete::run(completion.shell, screen),
        Command::Man(manual) => man::run(manual, screen),
    };
    match ended {
        Ok(exit) => exit,
        Err(complaint) if complaint.is_closed_pipe() => Exit::Done,
        Err(complaint) => {
            // Where standard error is closed there is nobody to tell; the exit code still says it.
            let _written = screen.complain(&complaint).and_then(|()| io::stderr().flush());
            complaint.exit
        }
    }
}

#[cfg(test)]
mod tests;
