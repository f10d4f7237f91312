//! Whole commands of people, with real keys and `ssh-keygen`, against a fake daemon that decides by the real machine.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod lead;
mod offline;
mod refusals;
mod stopping;
mod ways;

use std::io::{BufReader, Cursor};

use clap::Parser;
use proto::hash::Hash;

use crate::cli::args::Arguments;
use crate::cli::screen::Output;
use crate::cli::tests::Paper;
use crate::clock::still::set_wall;
use crate::exit::Exit;
use crate::fake::Daemon;
use crate::fixture::at;

pub(super) const TEMPLATE: &str = r#"
kind = "key.generate"
mode = "rehearsal"
environment = "sandbox"
lives = "72h"
purpose = "first key for Linux releases"
justification = "The Linux team starts to release."
ticket = "OPS-4711"

[target]
activation = "at-completion"
algorithm = "ecdsa-p256-sha256"
backend = "hsm-a"
extractable = false
key = "release/linux"
owner = "release team"
purpose = ["blob", "oci"]
retirement = "Rotated yearly; destroyed 30 days after its end."
serial = "SN-0123"
standby = false
version = 1
"#;

pub(super) const ID: &str = "a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7";

/// A daemon with people and a template, two minutes after its genesis.
pub(super) fn room() -> Daemon {
    let daemon = Daemon::with_people();
    daemon.state().log.wait(119);
    set_wall(at(120).microseconds());
    std::fs::write(daemon.path("template.toml"), TEMPLATE).unwrap();
    crate::fixture::people::key(daemon.directory.path(), "eve");
    daemon
}

/// One in which a ceremony is open.
pub(super) fn opened() -> Daemon {
    let daemon = room();
    done(&daemon, "ada", "ceremony new @template.toml -o @s.json", "");
    done(&daemon, "ada", "ceremony propose @s.json", "yes\n");
    daemon
}

/// One in which it is armed.
pub(super) fn armed() -> Daemon {
    let daemon = opened();
    for (person, verb) in [("ada", "approve"), ("bob", "approve"), ("wim", "attest"), ("wes", "attest")] {
        done(&daemon, person, &format!("{verb} {ID}"), "yes\n");
    }
    daemon
}

/// What a command came to.
pub(super) struct Said {
    pub exit: Exit,
    pub out: String,
    pub err: String,
}

/// The words of a line; `'` holds several together, `@` before a name is the daemon's directory.
fn words(daemon: &Daemon, line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, piece) in line.split('\'').enumerate() {
        if number % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    let place = daemon.directory.path().display().to_string();
    let placed = |word: &String| match word.split_once('@') {
        Some((front, name)) if front.is_empty() || front.ends_with('=') => format!("{front}{place}/{name}"),
        _ => word.clone(),
    };
    words.iter().map(placed).collect()
}

/// Runs a command as a person who answers.
pub(super) fn run_in(daemon: &Daemon, output: Output, person: &str, line: &str, answers: &str) -> Said {
    let mut all = vec!["countersign".to_owned()];
    all.extend(words(daemon, line));
    let (key, genesis) = {
        let state = daemon.state();
        (state.log.key().to_string(), state.council.as_ref().unwrap().genesis.digest())
    };
    for (flag, value) in [
        ("--address", format!("unix:{}", daemon.path("sock").display())),
        ("--log-key", key),
        ("--state", daemon.path(&format!("state-{person}")).display().to_string()),
        ("--deadline", "20s".to_owned()),
        ("--person", person.to_owned()),
        ("--signing-key", daemon.path(person).display().to_string()),
        ("--genesis-sha256", genesis.to_string()),
    ] {
        if !all.iter().any(|word| word == flag) {
            all.extend([flag.to_owned(), value]);
        }
    }
    let arguments = Arguments::try_parse_from(all).unwrap();
    let paper = Paper::new(output);
    let answers = BufReader::new(Cursor::new(answers.as_bytes().to_vec()));
    let mut screen = paper.screen().answered_by(Box::new(answers));
    let exit = crate::cli::execute(&arguments, &mut screen, &|_| None);
    Said { exit, out: paper.out(), err: paper.err() }
}

pub(super) fn run(daemon: &Daemon, person: &str, line: &str, answers: &str) -> Said {
    run_in(daemon, Output::Table, person, line, answers)
}

/// Runs a command that does what it should.
pub(super) fn done(daemon: &Daemon, person: &str, line: &str, answers: &str) -> String {
    let said = run(daemon, person, line, answers);
    assert_eq!(said.exit, Exit::Done, "{line}: {}\n{}", said.out, said.err);
    said.out
}

/// Runs a command that must be refused, and gives its complaint on one line.
pub(super) fn refused(daemon: &Daemon, person: &str, line: &str, answers: &str) -> String {
    let said = run(daemon, person, line, answers);
    assert!(matches!(said.exit, Exit::Failed | Exit::Usage), "{line}: {}\n{}", said.out, said.err);
    flat(&said.err)
}

/// A text without its line breaks.
pub(super) fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A screen without what is another one each time: digests and their words, and the directory.
pub(super) fn faded(daemon: &Daemon, text: &str) -> String {
    let place = daemon.directory.path().display().to_string();
    let line = |line: &str| {
        let lower = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase());
        if line.starts_with("    ")
            && line.split_whitespace().count() == 8
            && line.split_whitespace().all(lower)
        {
            return "    (eight words)".to_owned();
        }
        let word = |word: &str| {
            let is_hex = word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
            // The same digits in a statement are the same in each run.
            let fixed = Hash::of(b"").to_string() == word || word.starts_with("a7a7");
            if is_hex && !fixed { "(64 digits)".to_owned() } else { word.replace(&place, "DIR") }
        };
        line.split(' ').map(word).collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}
