//! What may lie at the top of the repository, and that no file knows the machine it was written on.

use super::source::{Source, caught, clean, files, root};

/// Everything that a reader finds at the top; more than this and nobody finds anything.
const TOP: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "ceremonies",
    "client",
    "clippy.toml",
    "daemon",
    "deny.toml",
    "docs",
    "proto",
    "rustfmt.toml",
    "softhsm",
    "tests",
    "xtask",
];

/// What a working copy has besides: git's own, and what `.gitignore` names.
const BESIDE: &[&str] = &[".git", "target"];

fn top(entries: &[String]) -> Vec<String> {
    let mut complaints: Vec<String> = entries
        .iter()
        .filter(|name| !TOP.contains(&name.as_str()) && !BESIDE.contains(&name.as_str()))
        .map(|name| format!("`{name}` has no place at the top of the repository"))
        .collect();
    let missing = TOP.iter().filter(|name| !entries.iter().any(|entry| entry == *name));
    complaints.extend(missing.map(|name| format!("`{name}` is missing")));
    complaints
}

/// Paths of some machine. Written in two parts, so that this file does not hold them.
const MACHINE: &[(&str, &str)] =
    &[("/roo", "t/"), ("/hom", "e/"), ("/wor", "k/"), ("shared/", "design"), ("shared/", "reference")];

fn machine(files: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.path != "Cargo.lock") {
        for (at, line) in file.text.lines().enumerate() {
            for (one, two) in MACHINE {
                let path = format!("{one}{two}");
                let found = line.match_indices(&path).any(|(start, _)| {
                    // `target/work/` is a path of ours, and `https://host/home/` an address.
                    !line[..start].ends_with(|c: char| c.is_alphanumeric() || "._-~}$".contains(c))
                });
                if found {
                    complaints.push(format!("{}:{}: `{path}` is a path of some machine", file.path, at + 1));
                }
            }
        }
    }
    complaints
}

#[test]
fn the_top_holds_what_it_should() {
    let entries: Vec<String> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    clean(&top(&entries));
}

#[test]
fn a_stray_or_missing_entry_is_noticed() {
    let all: Vec<String> = TOP.iter().map(|name| (*name).to_owned()).collect();
    clean(&top(&all));
    caught(&top(&[all.clone(), vec!["notes.txt".to_owned()]].concat()), "`notes.txt` has no place");
    caught(&top(&all[1..]), "`.cargo` is missing");
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    clean(&machine(&files()));
}

#[test]
fn a_path_of_a_machine_is_noticed() {
    let bad = format!("see {}me/notes", "/roo".to_owned() + "t/");
    caught(&machine(&[Source::example("docs/a.md", &bad)]), "docs/a.md:1");
    let good = format!("https://example.org{}me", "/hom".to_owned() + "e/");
    clean(&machine(&[Source::example("docs/a.md", &good)]));
}
