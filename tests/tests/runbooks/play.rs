//! Carrying a page out.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use tests::PATIENCE;
use tests::binaries::program;

use crate::given::Given;
use crate::page::{Block, Page, Typed, missing};

/// Where variables last from block to block.
const VARIABLES: &str = "variables";

/// Carries it out, block by block.
#[track_caller]
pub fn play(page: &Page, mut given: Given) {
    let names = page.variables();
    let mut said: Vec<(String, String)> = Vec::new();
    let mut ran = 0;
    for block in page.blocks() {
        match block {
            Block::NotRun { .. } => said.clear(),
            Block::See { lines, line } => {
                for (who, said) in &said {
                    if let Some(line_of) = missing(&lines, said) {
                        panic!("{}:{line}: {who} does not see `{line_of}` but:\n{said}", page.name);
                    }
                }
            }
            Block::Run { by, typed, fails, script, line } => {
                said.clear();
                for who in by {
                    let script = given.service(&script);
                    let mut command = command(&given, &who, &script, &names);
                    let (ended, text) = talk(&mut command, &typed);
                    let place = format!("{}:{line}, {who}", page.name);
                    assert_eq!(ended, !fails, "{place}:\n{script}\nsaid:\n{text}");
                    ran += 1;
                    said.push((who, text));
                }
            }
        }
    }
    assert!(ran > 0);
    given.ends_well();
}

/// A shell of this person with this script.
fn command(given: &Given, who: &str, script: &str, names: &std::collections::BTreeSet<String>) -> Command {
    let scratch = given.scratch();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let keep = format!(
        "for name in {}; do if [ -n \"${{!name+set}}\" ]; then declare -p \"$name\"; fi; done > {VARIABLES}",
        names.join(" ")
    );
    let script = format!("set -euo pipefail\ntouch {VARIABLES}\n. ./{VARIABLES}\n{script}\n{keep}\n");
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).current_dir(scratch).envs(given.settings());
    let programs = program("countersign").parent().map(Path::to_owned).unwrap();
    let path = std::env::var("PATH").unwrap();
    command
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("HOME", scratch.join("homes").join(who));
    command.env_remove("SSH_AUTH_SOCK").env("LC_ALL", "C.UTF-8");
    command.env(
        "STATEMENTS",
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("ceremonies/statements/sandbox"),
    );
    if who != "host" {
        command.env("COUNTERSIGN_PERSON", who);
        command.env("COUNTERSIGN_SIGNING_KEY", given.keys().join(who));
    }
    command.env("COUNTERSIGN_STATE", scratch.join(format!("seen-{who}")));
    command
}

#[derive(Default)]
struct Heard {
    text: Mutex<(String, usize)>,
    news: Condvar,
}

fn listen(mut stream: impl Read + Send + 'static, heard: &Arc<Heard>) {
    let heard = Arc::clone(heard);
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut bytes) {
            heard.text.lock().unwrap().0.push_str(&String::from_utf8_lossy(&bytes[..read]));
            heard.news.notify_all();
        }
        heard.text.lock().unwrap().1 += 1;
        heard.news.notify_all();
    });
}

/// Runs it and types. Whether it succeeded, and all that it said.
fn talk(command: &mut Command, typed: &[Typed]) -> (bool, String) {
    let input = if typed.is_empty() { Stdio::null() } else { Stdio::piped() };
    let mut child = command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let heard = Arc::new(Heard::default());
    listen(child.stdout.take().unwrap(), &heard);
    listen(child.stderr.take().unwrap(), &heard);
    let end = Instant::now() + PATIENCE;
    let mut seen = 0;
    let until = |reached: &mut dyn FnMut(&str, usize) -> bool| {
        let mut guard = heard.text.lock().unwrap();
        while !reached(&guard.0, guard.1) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain; it said:\n{}", guard.0);
            guard = heard.news.wait_timeout(guard, left).unwrap().0;
        }
    };
    if let Some(mut keyboard) = child.stdin.take() {
        for Typed { text, after } in typed {
            if let Some(word) = after {
                until(&mut |said, ended| {
                    let found = said[seen..].find(word.as_str()).map(|at| seen + at + word.len());
                    seen = found.unwrap_or(seen);
                    found.is_some() || ended == 2
                });
            }
            // One that has ended says so itself.
            let _broken = keyboard.write_all(format!("{text}\n").as_bytes());
        }
        // What waits for more is left alone with it until it ends.
        until(&mut |_, ended| ended == 2);
    }
    let ended = child.wait().unwrap();
    until(&mut |_, ended| ended == 2);
    (ended.success(), heard.text.lock().unwrap().0.clone())
}
