//! Pages that are made from what the programs themselves say: metrics and manual pages.
//!
//! The tests that compare them make them again when they are told to: they are built with daemon and client, which this
//! toolbox would otherwise have to be.

use crate::run::{cargo, shown};

/// Makes the pages again.
///
/// # Errors
/// A sentence that says that the build or a test failed; cargo has said why.
pub fn write() -> Result<(), String> {
    // The whole workspace, so that nothing is built with other features than for `cargo xtask test`.
    let mut tests = cargo(&["test", "--quiet", "--locked", "--workspace"]);
    tests.args(["--test", "docs", "--test", "metrics_page", "--", "up_to_date"]);
    tests.env("UPDATE_DOCS", "1");
    shown(tests)?;
    println!("made docs/metrics.md and docs/man");
    Ok(())
}
