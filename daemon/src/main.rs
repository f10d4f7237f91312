//! `countersignd`: the daemon's command line and its allocator. Everything it does is in the library.

use std::process::ExitCode;

use clap::Parser;
use daemon::app::{self, Arguments};
use tikv_jemallocator::Jemalloc;

/// Replies are allocated by one thread and freed by another, over which the system's allocator contends (decision 0145).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    app::run(Arguments::parse())
}
