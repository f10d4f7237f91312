//! The toolbox: `cargo xtask …` runs what people and CI run on this repository.
//!
//! Each subcommand does one real thing and says which commands it starts. Nothing here is part of the product.
#![allow(clippy::print_stdout, reason = "a tool for people: its output is its purpose")]

mod audit;
mod bench;
mod ceremony;
mod demo;
mod errors;
mod generate;
mod instance;
mod mutants;
mod pages;
mod rehearse;
mod run;
mod step;
mod tally;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The command line of `cargo xtask`.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// The main job on real input: a key born in a ceremony, a signed file and image, verified, logged, stopped.
    Demo {
        /// Leave the instance running, with everything in this directory.
        #[arg(long, value_name = "DIR")]
        keep: Option<std::path::PathBuf>,
    },
    /// A key's ceremony on SoftHSM with throw-away SSH keys for its people, and a transcript that verifies.
    Rehearse {
        /// Where everything goes; it must be empty or not there.
        directory: std::path::PathBuf,
    },
    /// Everything that must be green before a change is merged: tools, format, lints, bans, tests, generated code.
    Test {
        /// Also repeat what is a matter of chance as often as it must hold (kills, stops, cancelled requests, histories), hold
        /// measured times to their bars, build the documentation of every item and refuse broken links.
        #[arg(long)]
        full: bool,
        /// Nothing but this: take each rule and each guard of the ceremonies' session machine away, and see that tests notice.
        #[arg(long, conflicts_with = "full")]
        mutants: bool,
    },
    /// Look the dependencies up in the RustSec advisory database (fetched with git; needs a network).
    Audit,
    /// Measure the release daemon against ceilings measured in the same run. Takes a while; not part of CI.
    Bench(bench::Bench),
    /// Make what is checked in and made from something else again: code of the protobuf messages, docs/errors.md,
    /// docs/metrics.md, docs/man.
    Generate,
}

/// Runs the task. A task that fails has said why; what it returns as `Err` is said here.
fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test { mutants: true, .. } => mutants::run().map(|()| true),
        Task::Test { full, mutants: false } => Ok(test::run(full)),
        Task::Demo { keep } => demo::run(keep),
        Task::Rehearse { directory } => rehearse::run(&directory),
        Task::Audit => Ok(audit::run()),
        Task::Bench(bench) => bench::run(&bench).map(|()| true),
        // Built with the protobuf compiler, this is the inner run of the one that does the rest.
        Task::Generate if cfg!(feature = "codegen") => generate::run().map(|()| true),
        Task::Generate => {
            generate::run().and_then(|()| errors::write()).and_then(|()| pages::write()).map(|()| true)
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// The title of what comes next, in a task that shows several things.
fn heading(text: &str) {
    println!("\n\u{2500}\u{2500} {text}");
}
