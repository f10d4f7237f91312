//! A throw-away SoftHSM token per call, a slow wire, and faults. For tests, the demo and the bench only.
//!
//! [`Token::create`] makes a token in a directory of its own, with its own `softhsm2.conf`, so that any number of tests
//! run side by side. SoftHSM reads its configuration from `SOFTHSM2_CONF`, which is set for child processes only: this
//! process never maps the module. Directories lie in memory (`/dev/shm`) where that exists, because key generation on a
//! disk waits for it.
//!
//! [`Wire`] is a second module in front of the first, which makes the wire slow and fails as it is told to.
//!
//! Needs the packages `softhsm2` and `opensc` (and a C compiler for [`Wire`]); errors say so.

mod token;
mod wire;

use std::path::PathBuf;
use std::process::Command;

pub use token::{Shape, Token};
pub use wire::Wire;

/// The token cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// SoftHSM is not installed.
    #[error("libsofthsm2.so is in none of {0}: install SoftHSM (Debian: apt-get install softhsm2 opensc)")]
    NoModule(String),
    /// A tool is not installed.
    #[error("{tool} cannot be run ({cause}): install it (Debian: apt-get install softhsm2 opensc gcc)")]
    NoTool {
        /// The program.
        tool: &'static str,
        /// The system's word.
        cause: std::io::Error,
    },
    /// A tool failed.
    #[error("{tool} failed: {said}")]
    Failed {
        /// The program.
        tool: &'static str,
        /// What it wrote.
        said: String,
    },
    /// A file or directory could not be changed.
    #[error("{what}: {cause}")]
    File {
        /// What was tried.
        what: &'static str,
        /// The system's word.
        cause: std::io::Error,
    },
    /// `softhsm2-util --show-slots` does not list the token just made.
    #[error("the token {0} is not among the slots that softhsm2-util shows")]
    NotShown(String),
}

const PLACES: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// The path of SoftHSM's module on this machine.
///
/// # Errors
/// If it is in none of the usual places.
pub fn module() -> Result<PathBuf, TokenError> {
    let found = PLACES.iter().map(PathBuf::from).find(|path| path.exists());
    found.ok_or_else(|| TokenError::NoModule(PLACES.join(", ")))
}

fn run(tool: &'static str, command: &mut Command) -> Result<String, TokenError> {
    let output = command.output().map_err(|cause| TokenError::NoTool { tool, cause })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(TokenError::Failed { tool, said: text(&output.stdout) + &text(&output.stderr) })
    }
}

fn file<T>(what: &'static str, result: std::io::Result<T>) -> Result<T, TokenError> {
    result.map_err(|cause| TokenError::File { what, cause })
}
