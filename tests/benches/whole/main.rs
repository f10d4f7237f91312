//! `cargo xtask bench`: what a signature costs, held against what it must cost at least on this machine, in this run.
//!
//! Ceilings (echo, sign, sign + verify over the same gRPC and mTLS; a raw `C_SignInit`/`C_Sign` loop; fdatasync) are
//! measured by this binary, in turns with the real `countersignd`, so that ratios mean something where absolute figures do
//! not. Client and server share the machine; their CPU is told apart by process. Every cell is measured in several rounds
//! and shown as median [low–high]. A round in which the disk's fdatasync moved by more than twice, or in which other
//! programs took a tenth of the machine, is measured again, and marked if it stays so.
//!
//! It does not decide what is good enough (the bars are written beside each cell), does not tune the daemon, and makes no
//! figure up: what was not measured has no cell.
#![allow(clippy::print_stdout, reason = "a tool for people: its output is its purpose")]
#![allow(clippy::unwrap_used, reason = "a bench that meets a surprise ends there, with a panic")]

mod arguments;
mod ceiling;
mod cells;
mod channel;
mod check;
mod cpu;
mod fsync;
mod instance;
mod load;
mod people;
mod pki;
mod prefill;
mod raw;
mod report;
mod requests;
mod rounds;
mod stage;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Role};
use stage::Stage;

/// That of the daemon, so that a ceiling has no other advantage than what it leaves out.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.role {
        Some(Role::Ceiling { directory }) => {
            ceiling::serve(directory);
            Ok(true)
        }
        Some(Role::Raw(raw)) => {
            raw::run(raw);
            Ok(true)
        }
        None => bench(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("the bench ended: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, or reads what was measured; shows it. Whether every bar holds.
fn bench(arguments: &Arguments) -> Result<bool, String> {
    let cells = match &arguments.from {
        Some(file) => report::read(file)?,
        None => cells::measure(&mut Stage::of(arguments), &arguments.only)?,
    };
    report::show(arguments, &cells)
}
