//! The product's own programs, built from this working copy.
//!
//! `cargo xtask test` builds them once and names their directory; a test that is run by hand builds them itself, so that
//! it never judges a program older than the code.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::process::Process;

/// The variable that names the directory of programs that are known to be fresh.
pub const VARIABLE: &str = "COUNTERSIGN_BINARIES";

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    if let Some(directory) = std::env::var_os(VARIABLE) {
        return directory.into();
    }
    // …/target/debug/deps/test-0123 lies two below the programs.
    let directory = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--workspace", "--bins"]);
    build.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    let _said = Process::output(build);
    directory
});

/// The path of a program, `countersignd` or `countersign`, built if need be.
///
/// # Panics
/// If it cannot be built, or there is no such program.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let path = DIRECTORY.join(name);
    assert!(path.is_file(), "{} was not built", path.display());
    path
}
