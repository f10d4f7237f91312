//! What the documentation prints works: every command line of ours in it parses by the programs' own grammar.
//!
//! Whole lines are those of fenced `sh` blocks; of commands that are mentioned inside a sentence, the subcommands are
//! checked. Whether a command does what the page says is not checked here.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "docs/man.rs"]
mod man;

use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser as _};

/// A program of ours: its name, its grammar, and whether it takes a whole line.
struct Program {
    name: &'static str,
    grammar: clap::Command,
    parse: fn(&[String]) -> Result<(), clap::Error>,
}

fn programs() -> [Program; 2] {
    [
        Program {
            name: "countersign",
            grammar: client::cli::args::Arguments::command(),
            parse: |words| client::cli::args::Arguments::try_parse_from(words).map(drop),
        },
        Program {
            name: "countersignd",
            grammar: daemon::app::Arguments::command(),
            parse: |words| daemon::app::Arguments::try_parse_from(words).map(drop),
        },
    ]
}

/// The pages, with their paths from the root.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut paths: Vec<PathBuf> = ["README.md", "SECURITY.md", "CHANGELOG.md"].map(PathBuf::from).into();
    for directory in ["docs", "docs/decisions", "ceremonies/runbooks", "ceremonies/statements"] {
        let entries = root.join(directory).read_dir().unwrap().map(|entry| entry.unwrap().file_name());
        paths.extend(entries.map(|name| Path::new(directory).join(name)));
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(root.join(&path)).unwrap())).collect()
}

/// The commands of `sh` blocks, each with the number of its first line; a `\` at the end of a line continues it.
fn commands(page: &str) -> Vec<(usize, String)> {
    let mut commands: Vec<(usize, String)> = Vec::new();
    let (mut inside, mut continued) = (false, false);
    for (at, line) in page.lines().enumerate() {
        if let Some(language) = line.strip_prefix("```") {
            // A runbook says behind it who runs the block.
            inside = matches!(language.split(' ').next(), Some("sh" | "bash"));
            continued = false;
            continue;
        }
        if !inside {
            continue;
        }
        let text = line.trim_end_matches('\\');
        match commands.last_mut() {
            Some((_, command)) if continued => command.push_str(text),
            _ => commands.push((at + 1, text.to_owned())),
        }
        continued = text.len() < line.len();
    }
    commands
}

/// The words of a command, as a shell would split them, up to whatever ends it.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in command.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '|' | ';' | '>' | '&') => break,
            (None, '#') if words.last().is_some_and(String::is_empty) => break,
            (None, ' ') => words.push(String::new()),
            (_, other) => words.last_mut().unwrap().push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The command with an id where a runbook has the variable of one.
fn filled(command: &str) -> String {
    let id = "a7".repeat(16);
    command.replace("$ID", &id).replace("$BIRTH", &id).replace("$MODE", "rehearsal")
}

/// Command lines that the programs do not understand.
fn misunderstood(page: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (line, command) in commands(page) {
        let words = words(&filled(&command));
        for program in
            programs().iter().filter(|program| words.first().is_some_and(|word| word == program.name))
        {
            if let Err(error) = (program.parse)(&words) {
                complaints.push(format!("{line}: `{command}`: {error}"));
            }
        }
    }
    complaints
}

/// Mentioned commands whose subcommands there are not.
fn unknown(page: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, line) in page.lines().enumerate() {
        for mentioned in line.split('`').skip(1).step_by(2) {
            let words = words(mentioned);
            for program in
                programs().iter().filter(|program| words.first().is_some_and(|word| word == program.name))
            {
                let mut command = &program.grammar;
                for word in &words[1..] {
                    let plain = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
                    if !plain || word.starts_with('-') || command.get_subcommands().next().is_none() {
                        break;
                    }
                    match command.find_subcommand(word) {
                        Some(subcommand) => command = subcommand,
                        None => {
                            complaints.push(format!("{}: `{mentioned}`: there is no `{word}`", at + 1));
                            break;
                        }
                    }
                }
            }
        }
    }
    complaints
}

/// The names that a page's headings have as targets of links: lower case, spaces as `-`, other signs left out.
fn anchors(page: &str) -> Vec<String> {
    let mut inside = false;
    let headings = page.lines().filter(|line| {
        inside ^= line.starts_with("```");
        !inside && line.starts_with('#')
    });
    headings
        .map(|heading| {
            let kept =
                heading.trim_start_matches('#').trim().chars().filter_map(|character| match character {
                    ' ' => Some('-'),
                    '-' | '_' => Some(character),
                    other => other.is_alphanumeric().then(|| other.to_ascii_lowercase()),
                });
            kept.collect()
        })
        .collect()
}

/// The path without `..`.
fn whole(path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(whole.pop()),
            part => whole.push(part),
        }
    }
    whole
}

/// Links to headings that there are not, of the page at `path` among `pages`.
fn astray(path: &Path, page: &str, pages: &[(PathBuf, String)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for target in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let Some((file, heading)) = target.split_once('#').filter(|(file, _)| !file.contains("://")) else {
            continue;
        };
        let file = if file.is_empty() { path.to_owned() } else { whole(&path.with_file_name(file)) };
        let there = pages.iter().find(|(other, _)| *other == file).map(|(_, text)| anchors(text));
        if !there.is_some_and(|anchors| anchors.iter().any(|anchor| anchor == heading)) {
            complaints.push(format!("`{target}` leads to no heading"));
        }
    }
    complaints
}

#[test]
fn links_to_headings_lead_somewhere() {
    let pages = pages();
    let all = |(path, page): &(PathBuf, String)| {
        let complaints = astray(path, page, &pages);
        complaints.into_iter().map(|complaint| format!("{}: {complaint}", path.display())).collect::<Vec<_>>()
    };
    let complaints: Vec<String> = pages.iter().flat_map(all).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_link_to_no_heading_is_noticed() {
    let page = "# A page, with `code`\n```sh\n# no heading\n```\n[a](#a-page-with-code) [b](b.md#part)";
    let pages = [("docs/a.md".into(), page.to_owned()), ("docs/b.md".into(), "## Other\n".to_owned())];
    assert_eq!(anchors(page), ["a-page-with-code"]);
    assert_eq!(astray(Path::new("docs/a.md"), page, &pages), ["`b.md#part` leads to no heading"]);
    assert_eq!(astray(Path::new("rooms/c.md"), "[b](../docs/b.md#other)", &pages), [""; 0]);
}

#[test]
fn every_command_in_the_documentation_is_understood() {
    let pages = pages();
    let all: usize = pages.iter().map(|(_, page)| commands(page).len()).sum();
    assert!(all > 30, "only {all} commands were found: the pages are looked for in the wrong place");
    let complaints: Vec<String> = pages
        .iter()
        .flat_map(|(path, page)| {
            let all = misunderstood(page).into_iter().chain(unknown(page));
            all.map(move |complaint| format!("{}:{complaint}", path.display()))
        })
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_command_that_there_is_not_is_noticed() {
    let page = "```sh\ncountersign sign k file --enconding der\ncountersign keys list | head\n```\n";
    let complaints = misunderstood(page);
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].starts_with("2: `countersign sign k file --enconding der`"), "{complaints:?}");
    assert_eq!(misunderstood("```sh\ncountersign stop a \\\n  --reason 'two words' # why\n```").len(), 0);
    assert_eq!(misunderstood("```text\ncountersign nothing\n```").len(), 0);
    assert_eq!(misunderstood("```sh as=ada types=yes\ncountersign approve \"$ID\" --no\n```").len(), 1);
    assert_eq!(misunderstood("```sh as=ada\ncountersign ceremony show \"$ID\"\n```").len(), 0);
    assert_eq!(
        unknown("`countersign policy check`, `countersignd anchor add`, `countersign sign KEY`").len(),
        0
    );
    assert_eq!(unknown("say `countersignd log archive`").len(), 1);
}
