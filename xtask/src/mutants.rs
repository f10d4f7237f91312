//! `cargo xtask test --mutants`: each rule of the session machine is taken away in turn, with all guards that keep it, and the
//! invariants over generated histories must notice; then each guard by itself, and some test must notice.
//!
//! The product has no code for this. A copy of its crates lies below cargo's target directory; there, each guard of the
//! table is an expression that the environment can exchange for another one. So one build serves all mutants, and each of
//! them is a run of the tests. A guard whose text is not found exactly once is an error: the table cannot rot.

mod copy;
mod rules;
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

/// How often a rule is shown to the histories, which are other ones each time: each time they must notice.
const RUNS: usize = 3;

/// A program of tests: its name, where it is, and which of its tests.
type Tests<'n> = (&'n str, PathBuf, &'n [&'n str]);

/// Copies, builds and runs. `Err` says what cannot be done or which guards nothing holds.
pub fn run() -> Result<(), String> {
    let mutants = table::read(table::TEXT)?;
    let rules = rules::read(rules::TEXT, &mutants)?;
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
        .collect::<Result<Vec<Tests<'_>>, String>>()?;
    if let Some(noticed) = noticed(&tests, &place, &[])? {
        return Err(format!("the tests of `{noticed}` fail without any mutant"));
    }
    let mut wrong = of_rules(&rules, &tests, &place)?;
    let missed = wrong.len();
    let (mut by_histories, mut by_tests, mut spare) = (0, 0, 0);
    for (number, mutant) in mutants.iter().enumerate() {
        let by = noticed(&tests, &place, &[number])?;
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
    println!("{} rules, {} of them noticed by generated histories alone", rules.len(), rules.len() - missed);
    println!(
        "{caught} caught, {by_histories} of them by generated histories; {spare} survive by design, {} wrong, of {}",
        wrong.len() - missed,
        mutants.len()
    );
    if wrong.is_empty() { Ok(()) } else { Err(format!("not as the tables say:\n{}", wrong.join("\n"))) }
}

/// Takes each rule away as a whole, and says which of them the generated histories did not notice every time.
fn of_rules(rules: &[rules::Rule], tests: &[Tests<'_>], place: &Path) -> Result<Vec<String>, String> {
    let histories: Vec<Tests<'_>> = tests.iter().filter(|(name, ..)| *name == HISTORIES).cloned().collect();
    let mut missed = Vec::new();
    for rule in rules {
        let mut times = 0;
        for _ in 0..RUNS {
            times += usize::from(noticed(&histories, place, &rule.guards)?.is_some());
        }
        let line = format!("{}: {}: noticed in {times} of {RUNS} runs", rule.invariant, rule.name);
        println!("{line}");
        if times < RUNS {
            missed.push(line);
        }
    }
    Ok(missed)
}

/// Which tests fail where these guards are away together, if any do.
fn noticed<'n>(tests: &[Tests<'n>], place: &Path, mutants: &[usize]) -> Result<Option<&'n str>, String> {
    for (name, program, arguments) in tests {
        let mut command = Command::new(program);
        // Which history fails is of no interest here, only that one does.
        command.args(*arguments).arg("--quiet").env("PROPTEST_MAX_SHRINK_ITERS", "0");
        let numbers: Vec<String> = mutants.iter().map(usize::to_string).collect();
        command.env(VARIABLE, numbers.join(","));
        command.current_dir(place.join("ceremonies")).stdin(Stdio::null());
        let output = command.output().map_err(|e| format!("cannot start `{}`: {e}", program.display()))?;
        if !output.status.success() {
            // A program that ran no test has noticed nothing.
            let text = String::from_utf8_lossy(&output.stdout);
            if !text.contains("test result: FAILED") {
                return Err(format!("`{name}` died under {mutants:?}: {}", output.status));
            }
            return Ok(Some(name));
        }
    }
    Ok(None)
}
