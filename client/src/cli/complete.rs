//! `countersign completion SHELL`.

use clap::CommandFactory;

use super::args::Arguments;
use super::complaint::Complaint;
use super::screen::Screen;
use crate::exit::Exit;

/// Prints the completion script.
///
/// # Errors
/// Where it cannot be written.
pub fn run(shell: clap_complete::Shell, screen: &mut Screen) -> Result<Exit, Complaint> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "countersign", &mut script);
    screen.raw(&script)?;
    Ok(Exit::Done)
}
