//! `countersignd`: the daemon's command line. Everything it does is in the library.

use std::process::ExitCode;

use clap::Parser;
use daemon::app::{self, Arguments};

fn main() -> ExitCode {
    app::run(Arguments::parse())
}
