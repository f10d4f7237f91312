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
mod channel;
mod cpu;
mod fsync;
mod load;
mod pki;
mod raw;
mod requests;
mod rounds;

use clap::Parser;

use arguments::{Arguments, Role};

fn main() {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::Ceiling { directory }) => ceiling::serve(&directory),
        Some(Role::Raw(raw)) => raw::run(&raw),
        None => {}
    }
}
