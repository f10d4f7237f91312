//! `countersignd backup`: a copy of the log while the daemon runs, verified, ending at a checkpoint.

use std::path::Path;

use super::{Failed, log_key};
use crate::config::Config;
use crate::log;

/// Copies the log and prints the checkpoint that the copy ends at.
#[expect(clippy::print_stdout, reason = "the answer of the task")]
pub(super) fn run(config: &Config, directory: &Path) -> Result<(), Failed> {
    if directory.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failed::new(format!(
            "{} is not empty: choose a directory that is empty or not there",
            directory.display()
        )));
    }
    let signers = log_key::signers(&config.log)?;
    let done = log::copy(&config.instance.state_directory, directory, &signers, |_, _| {})?;
    println!("{} records are in {}, verified up to this checkpoint:\n", done.size, directory.display());
    print!("{}", done.checkpoint);
    Ok(())
}
