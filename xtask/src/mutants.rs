//! `cargo xtask test --mutants`: each guard of the session machine is taken away in turn, and some test must notice.
//!
//! The product has no code for this. A copy of its crates lies below cargo's target directory; there, each guard of the
//! table is an expression that the environment can exchange for another one. So one build serves all mutants, and each of
//! them is a run of the tests. A guard whose text is not found exactly once is an error: the table cannot rot.

mod copy;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{bench, run};

/// Names the mutant that a run of the tests is about.
const VARIABLE: &str = "COUNTERSIGN_MUTANT";

/// What notices, in this order: the generated histories first, so that it is known how much they hold by themselves.
const TESTS: [(&str, &[&str]); 3] = [(HISTORIES, &[]), ("session", &[]), ("ceremonies", &["session::"])];

/// The invariants over generated histories.
const HISTORIES: &str = "properties";

/// Copies, builds and runs. `Err` says what cannot be done or which guards nothing holds.
pub fn run() -> Result<(), String> {
    let mutants = table::read(table::TEXT)?;
    let target = run::target_directory()?;
    let place = target.join("mutants");
    copy::write(run::root(), &place, &mutants)?;
    let mut build = run::cargo(&["test", "--offline", "--package", "ceremonies", "--no-run", "--lib"]);
    build.args(["--test", "session", "--test", "properties"]);
    build.current_dir(&place).env("CARGO_TARGET_DIR", &target);
    let programs = bench::built(build)?;
    let program = |name: &str| {
        let found = programs.iter().find(|(own, _)| own == name).map(|(_, path)| path.clone());
        found.ok_or_else(|| format!("cargo did not say where it put `{name}`"))
    };
    let tests = TESTS
        .iter()
        .map(|(name, arguments)| Ok((*name, program(name)?, *arguments)))
        .collect::<Result<Vec<_>, String>>()?;
    if let Some(noticed) = noticed(&tests, &place, None)? {
        return Err(format!("the tests of `{noticed}` fail without any mutant"));
    }
    let (mut by_histories, mut by_tests, mut spare, mut wrong) = (0, 0, 0, Vec::new());
    for (number, mutant) in mutants.iter().enumerate() {
        let by = noticed(&tests, &place, Some(number))?;
        let said = match (by, &mutant.spare) {
            (Some(by), None) => {
                *if by == HISTORIES { &mut by_histories } else { &mut by_tests } += 1;
                format!("caught by {by}")
            }
            (None, Some(reason)) => {
                spare += 1;
                format!("survives, as it must: {reason}")
            }
            (None, None) => "SURVIVES".to_owned(),
            (Some(by), Some(_)) => format!("CAUGHT by {by}, and the table says that nothing notices"),
        };
        let line = format!("{}: {}: {said}", mutant.file, mutant.guards);
        println!("{line}");
        if said.starts_with(['S', 'C']) {
            wrong.push(line);
        }
    }
    let caught = by_histories + by_tests;
    println!(
        "{caught} caught, {by_histories} of them by generated histories; {spare} survive by design, {} wrong, of {}",
        wrong.len(),
        mutants.len()
    );
    if wrong.is_empty() { Ok(()) } else { Err(format!("not as the table says:\n{}", wrong.join("\n"))) }
}

/// Which tests fail under a mutant, if any does.
fn noticed<'n>(
    tests: &[(&'n str, PathBuf, &[&str])],
    place: &Path,
    mutant: Option<usize>,
) -> Result<Option<&'n str>, String> {
    for (name, program, arguments) in tests {
        let mut command = Command::new(program);
        // Which history fails is of no interest here, only that one does.
        command.args(*arguments).arg("--quiet").env("PROPTEST_MAX_SHRINK_ITERS", "0");
        if let Some(mutant) = mutant {
            command.env(VARIABLE, mutant.to_string());
        }
        command.current_dir(place.join("ceremonies")).stdin(Stdio::null());
        let output = command.output().map_err(|e| format!("cannot start `{}`: {e}", program.display()))?;
        if !output.status.success() {
            // A program that ran no test has noticed nothing.
            let text = String::from_utf8_lossy(&output.stdout);
            if !text.contains("test result: FAILED") {
                return Err(format!("`{name}` died under mutant {mutant:?}: {}", output.status));
            }
            return Ok(Some(name));
        }
    }
    Ok(None)
}
