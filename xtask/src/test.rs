//! `cargo xtask test`: what must hold before a change is merged, in one run and one exit code.

use crate::run::{self, cargo, shown};
use crate::step::Steps;
use crate::tally::Tally;
use crate::tools;

const TASK: &str = "cargo xtask test";

/// Runs every step and prints the closing lines. Returns whether all passed.
///
/// Without the tools nothing else can pass, so those two end the run; after them every step runs.
pub fn run(full: bool) -> bool {
    let mut steps = Steps::default();
    if !steps.step("tools", tools::debian) || !steps.step("cargo-deny", tools::cargo_deny) {
        return steps.close(TASK);
    }
    steps.step("format", || shown(cargo(&["fmt", "--all", "--check"])));
    steps.step("lints", || {
        shown(cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
    steps.step("bans, licences, sources", || {
        shown(cargo(&["deny", "--locked", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))
    });
    steps.counted("tests", || tests(&["test", "--locked", "--workspace", "--no-fail-fast"], full));
    // Apart, because `cargo test` runs no benches; each part once, so that it can still be measured.
    steps.step("parts of the bench", || {
        shown(cargo(&["test", "--locked", "--workspace", "--bench", "parts"]))
    });
    // Apart, because it builds the protobuf compiler, which nothing else needs.
    steps.counted("generated code is up to date", || {
        tests(&["test", "--locked", "--package", "xtask", "--features", "codegen", "generate::"], full)
    });
    if full {
        steps.step("documentation", || {
            let mut doc = cargo(&["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"]);
            doc.env("RUSTDOCFLAGS", "-D warnings");
            shown(doc)
        });
    }
    steps.close(TASK)
}

/// Runs tests with cargo and counts them by their binaries' closing lines. A full run repeats what is a matter of chance
/// as often as it must hold; every other run, a few times.
fn tests(arguments: &[&str], full: bool) -> (Result<(), String>, Option<Tally>) {
    let mut tally = Tally::default();
    let mut test = cargo(arguments);
    // The tests start the product's programs: cargo has built them beside the tests by then.
    match run::target_directory() {
        Ok(directory) => test.env("COUNTERSIGN_BINARIES", directory.join("debug")),
        Err(why) => return (Err(why), None),
    };
    if full {
        test.env("COUNTERSIGN_FULL", "1");
    }
    let mut outcome = run::watched(test, |line| tally.line(line));
    if outcome.is_err() && tally.failed == 0 {
        // A binary that did not compile or died has no closing line, and must not look like none.
        tally.failed = 1;
    }
    if outcome.is_ok() && tally.passed == 0 {
        outcome = Err("no test ran".to_owned());
    }
    (outcome, Some(tally))
}
