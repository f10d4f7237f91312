//! The real `ssh-keygen`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `ssh-keygen` in a directory, without the agent of whoever runs the tests.
///
/// # Panics
/// If there is none.
pub fn ssh_keygen(directory: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new("ssh-keygen");
    command.args(arguments).current_dir(directory).env_remove("SSH_AUTH_SOCK");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("ssh-keygen cannot be run ({error}): install it (Debian: apt-get install openssh-client)")
    });
    // A child that does not read to the end has its reasons, and says them by its exit code.
    let _closed_early = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// What it wrote, if it went well.
///
/// # Panics
/// If it did not, with what it said.
#[track_caller]
pub fn done(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
