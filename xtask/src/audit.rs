//! `cargo xtask audit`: known vulnerabilities among the dependencies.
//!
//! Apart from `test`, because the answer changes from day to day and the database is a git repository that not every
//! network reaches.

use crate::run::{cargo, shown};
use crate::step::Steps;
use crate::tools;

/// Asks the RustSec database about every dependency. Returns whether it answered and knows of nothing.
pub fn run() -> bool {
    println!("This fetches https://github.com/rustsec/advisory-db with git; without a network it fails.");
    let mut steps = Steps::default();
    if steps.step("cargo-deny", tools::cargo_deny) {
        steps.step("advisories", || shown(cargo(&["deny", "--locked", "check", "advisories"])));
    }
    steps.close("cargo xtask audit")
}
