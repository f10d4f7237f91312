//! The toolbox of the repository: `cargo xtask generate`.
#![allow(clippy::print_stdout, reason = "a command line tool speaks on standard output")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod generate;

/// The toolbox of the repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the checked-in code of the protobuf messages again.
    Generate,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Generate => generate::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
