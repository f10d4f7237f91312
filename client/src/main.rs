//! `countersign`: the command line of those who ask for signatures and check them.

use std::process::ExitCode;

fn main() -> ExitCode {
    client::cli::run(std::env::args_os()).into()
}
