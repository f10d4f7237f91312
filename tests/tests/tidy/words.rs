//! Names that say nothing are refused, machines have their diagram, invariants name their test.

use super::layers::modules;
use super::source::{Source, caught, clean, written};

const EMPTY: &[&str] = &["common", "util", "utils", "helper", "helpers", "manager", "managers", "misc"];

/// Modules whose name says nothing, and `mod.rs` files.
fn names(files: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let tokens = file.tokens();
        let path = file.path.trim_end_matches(".rs").split('/');
        let mut bad: Vec<&str> = path.chain(modules(&tokens)).filter(|name| EMPTY.contains(name)).collect();
        bad.dedup();
        for name in bad {
            complaints.push(format!("{}: a module called `{name}` says nothing", file.path));
        }
        if file.path.ends_with("/mod.rs") {
            complaints.push(format!("{}: write `foo.rs` beside `foo/`, not `mod.rs`", file.path));
        }
    }
    complaints
}

/// A machine without its diagram: a file with an `enum …State`, or one named `ring.rs`.
fn diagrams(files: &[Source]) -> Vec<String> {
    let machine = |file: &&Source| {
        file.path.ends_with("/ring.rs")
            || file
                .tokens()
                .windows(2)
                .any(|pair| pair[0].is("enum") && pair[1].name().is_some_and(|name| name.ends_with("State")))
    };
    let product = |file: &&Source| !file.within("tests") && !file.within("xtask");
    files
        .iter()
        .filter(product)
        .filter(machine)
        .filter(|file| !file.text.contains("```text"))
        .map(|file| format!("{}: a machine without its diagram (```text in the doc comment)", file.path))
        .collect()
}

/// Invariants whose sentence names no test that there is: a function, or a file of tests.
fn invariants(files: &[Source]) -> Vec<String> {
    let mut functions = std::collections::BTreeSet::new();
    for file in files {
        for pair in file.tokens().windows(2).filter(|pair| pair[0].is("fn")) {
            functions.extend(pair[1].name().map(str::to_owned));
        }
    }
    let known = |word: &str| {
        functions.contains(word.rsplit("::").next().unwrap_or(word))
            || (word.contains("tests/") && files.iter().any(|file| file.path.ends_with(word)))
    };
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| !file.within("tests/tests/tidy")) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            if !comment(line).is_some_and(|text| text.trim_start_matches("* ").starts_with("Invariant:")) {
                continue;
            }
            let paragraph: Vec<&str> =
                lines[at..].iter().map_while(|line| comment(line).filter(|text| !text.is_empty())).collect();
            let paragraph = paragraph.join(" ");
            let named = paragraph.split('`').skip(1).step_by(2).any(known);
            // The comment of a test is about that test.
            let next =
                lines[at..].iter().find(|line| comment(line).is_none()).map_or("", |line| line.trim_start());
            let own =
                next.starts_with("#[test]") || (next.starts_with("fn ") && file.text.contains("proptest! {"));
            if !named && !own {
                complaints.push(format!(
                    "{}:{}: an invariant that names no test that exists",
                    file.path,
                    at + 1
                ));
            }
        }
    }
    complaints
}

/// The text of a line that is a comment.
fn comment(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("//").map(|text| text.trim_start_matches(['/', '!']).trim())
}

#[test]
fn modules_have_names_that_say_something() {
    clean(&names(&written()));
}

#[test]
fn an_empty_name_is_noticed() {
    caught(&names(&[Source::example("client/src/util.rs", "")]), "`util`");
    caught(&names(&[Source::example("client/src/helpers/time.rs", "")]), "`helpers`");
    caught(&names(&[Source::example("client/src/lib.rs", "mod common;")]), "`common`");
    caught(&names(&[Source::example("client/src/log/mod.rs", "")]), "not `mod.rs`");
    clean(&names(&[Source::example("client/src/utilisation.rs", "")]));
}

#[test]
fn machines_have_their_diagram() {
    clean(&diagrams(&written()));
}

#[test]
fn a_machine_without_a_diagram_is_noticed() {
    caught(
        &diagrams(&[Source::example("daemon/src/keys/state.rs", "enum VersionState { Active }")]),
        "diagram",
    );
    caught(&diagrams(&[Source::example("daemon/src/keys/ring.rs", "struct Ring;")]), "diagram");
    let drawn = "//! ```text\n//! a → b\n//! ```\nenum VersionState { Active }";
    clean(&diagrams(&[Source::example("daemon/src/keys/state.rs", drawn)]));
}

#[test]
fn invariants_name_their_test() {
    clean(&invariants(&written()));
}

#[test]
fn an_invariant_without_a_test_is_noticed() {
    let bad = "//! Invariant: numbers have no gaps\n//! (held by `no_gaps`).\n\nfn f() {}";
    caught(&invariants(&[Source::example("a.rs", bad)]), "a.rs:1: an invariant");
    let good = "//! Invariant: numbers have no gaps\n//! (held by `tests::no_gaps`).\n\nfn no_gaps() {}";
    clean(&invariants(&[Source::example("a.rs", good)]));
    let good = "/// Invariant: numbers have no gaps.\n#[test]\nfn no_gaps() {}";
    clean(&invariants(&[Source::example("a.rs", good)]));
    let bad = "//! Invariant: counted by `tests/count.rs`.";
    caught(
        &invariants(&[Source::example("a.rs", bad), Source::example("tests/counts.rs", "")]),
        "an invariant",
    );
    clean(&invariants(&[Source::example("a.rs", bad), Source::example("a/tests/count.rs", "")]));
}
