//! Who may import whom inside the daemon.
//!
//! ```text
//! 7  main → app → config → telemetry, drain
//! 6  rpc · web · tick
//! 5b council · incident · enroll · publish · audit
//! 5a sign
//! 4b denials
//! 4a keyring
//! 3  backend · log
//! 2  store
//! 1b room
//! 1a keys · policy · clock · secret · measure · trace · ahead · random
//! ```
//!
//! A module imports lower layers only, never a sibling of its own. The first segment of every `crate::` path is held
//! against the table, and no chain of `super::` may climb past it.

use super::source::{Piece, Source, Token, caught, clean, reads, written};

/// Each top-level module with its height.
const TABLE: &[(&str, u32)] = &[
    ("app", 72),
    // Above whoever owns settings, telemetry's among them: it composes them.
    ("config", 71),
    ("telemetry", 70),
    ("drain", 70),
    ("rpc", 60),
    ("web", 60),
    ("tick", 60),
    ("council", 52),
    ("incident", 52),
    ("enroll", 52),
    ("publish", 52),
    ("audit", 52),
    ("sign", 51),
    ("denials", 42),
    ("keyring", 41),
    ("backend", 30),
    ("log", 30),
    ("store", 20),
    ("room", 11),
    ("keys", 10),
    ("policy", 10),
    ("clock", 10),
    ("secret", 10),
    ("measure", 10),
    ("trace", 10),
    ("ahead", 10),
    ("random", 10),
];

fn height(module: &str) -> Option<u32> {
    TABLE.iter().find(|(name, _)| *name == module).map(|(_, height)| *height)
}

/// Complaints about every import that the table does not allow, and every module that it does not know.
fn complaints(files: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let Some(inside) = file.path.strip_prefix("daemon/src/") else { continue };
        let inside = inside.trim_end_matches(".rs");
        let segments: Vec<&str> = inside.split('/').collect();
        let own = segments[0];
        let tokens = file.tokens();
        if own == "lib" {
            for name in modules(&tokens).filter(|name| height(name).is_none()) {
                complaints.push(format!("{}: module `{name}` is not in the layer table", file.path));
            }
        } else if own == "main" {
            // The binary sees the library from outside, as `daemon::`, and has the whole of it below it.
            for at in (0..tokens.len()).filter(|&at| reads(&tokens, at, &["daemon", ":", ":"])) {
                for (name, line) in firsts(&tokens, at + 3).filter(|(name, _)| height(name).is_none()) {
                    complaints
                        .push(format!("{}:{line}: `daemon::{name}` is not in the layer table", file.path));
                }
            }
        } else if let Some(mine) = height(own) {
            imports(file, &tokens, own, mine, &mut complaints);
            climbs(file, &tokens, segments.len(), &mut complaints);
        } else {
            complaints.push(format!("{}: module `{own}` is not in the layer table", file.path));
        }
    }
    complaints
}

fn imports(file: &Source, tokens: &[Token], own: &str, mine: u32, complaints: &mut Vec<String>) {
    for at in (0..tokens.len()).filter(|&at| reads(tokens, at, &["crate", ":", ":"])) {
        for (name, line) in firsts(tokens, at + 3).filter(|(name, _)| *name != own) {
            let why = match height(name) {
                None => "which is not in the layer table".to_owned(),
                Some(other) if other == mine => "a sibling of its own layer".to_owned(),
                Some(other) if other > mine => "a layer above it".to_owned(),
                Some(_) => continue,
            };
            complaints.push(format!("{}:{line}: `{own}` imports `crate::{name}`, {why}", file.path));
        }
    }
}

/// `super::super::…` that leaves the top-level module says by the back door what `crate::` may not.
fn climbs(file: &Source, tokens: &[Token], depth: usize, complaints: &mut Vec<String>) {
    // Which open braces belong to `mod name { … }`.
    let mut braces = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at].piece {
            Piece::Mark('{') => braces.push(at >= 2 && tokens[at - 2].is("mod")),
            Piece::Mark('}') => {
                braces.pop();
            }
            Piece::Name(name) if name == "super" => {
                let start = at;
                let mut supers = 1;
                while reads(tokens, at + 1, &[":", ":", "super"]) {
                    supers += 1;
                    at += 3;
                }
                let depth = depth + braces.iter().filter(|&&module| module).count();
                // `pub(super)` climbs as well, but imports nothing.
                if supers >= depth && reads(tokens, at + 1, &[":", ":"]) {
                    let line = tokens[start].line;
                    complaints
                        .push(format!("{}:{line}: `super::` leaves the module: write `crate::`", file.path));
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// The first segments of the path or of the group that begins at `at`.
fn firsts(tokens: &[Token], at: usize) -> impl Iterator<Item = (&str, usize)> {
    let mut found = Vec::new();
    if tokens.get(at).is_some_and(|token| token.mark('{')) {
        let mut depth = 0;
        let mut first = true;
        for token in &tokens[at..] {
            match &token.piece {
                Piece::Mark('{') => depth += 1,
                Piece::Mark('}') => depth -= 1,
                Piece::Mark(',') if depth == 1 => first = true,
                Piece::Name(name) if depth == 1 && first => {
                    found.push((name.as_str(), token.line));
                    first = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    } else if let Some(token) = tokens.get(at) {
        found.extend(token.name().map(|name| (name, token.line)));
    }
    found.into_iter()
}

/// The modules that a file declares.
pub fn modules(tokens: &[Token]) -> impl Iterator<Item = &str> {
    tokens.windows(2).filter(|pair| pair[0].is("mod")).filter_map(|pair| pair[1].name())
}

#[test]
fn the_daemon_keeps_its_layers() {
    let files = written();
    assert!(files.iter().any(|file| file.path == "daemon/src/lib.rs"));
    clean(&complaints(&files));
}

#[test]
fn an_import_from_above_is_noticed() {
    let bad = Source::example("daemon/src/log/writer.rs", "use std::sync::Arc;\nuse crate::sign::Signer;");
    caught(&complaints(&[bad]), "daemon/src/log/writer.rs:2: `log` imports `crate::sign`, a layer above it");
}

#[test]
fn an_import_from_a_sibling_is_noticed_also_inside_a_group_and_a_macro() {
    let bad =
        Source::example("daemon/src/log.rs", "use crate::{clock::Clock, store, backend::{self, Failure}};");
    caught(&complaints(&[bad]), "`log` imports `crate::backend`, a sibling");
    let bad = Source::example("daemon/src/keys/fold.rs", "fn f() { assert!(crate::policy::open()); }");
    caught(&complaints(&[bad]), "`keys` imports `crate::policy`, a sibling");
}

#[test]
fn lower_layers_and_the_own_module_are_allowed() {
    let good = Source::example(
        "daemon/src/sign/admit.rs",
        "use crate::{keyring::Keyring, log::Log, sign::Reply}; pub(crate) fn f() { super::g(); } // crate::rpc",
    );
    clean(&complaints(&[good]));
    let good = Source::example("daemon/src/app.rs", "use crate::{config::Config, rpc, web};");
    clean(&complaints(&[good]));
}

#[test]
fn a_module_that_the_table_does_not_know_is_noticed() {
    caught(&complaints(&[Source::example("daemon/src/lib.rs", "pub mod log;\nmod extra;")]), "`extra`");
    caught(
        &complaints(&[Source::example("daemon/src/extra/a.rs", "")]),
        "module `extra` is not in the layer table",
    );
    caught(&complaints(&[Source::example("daemon/src/sign.rs", "use crate::Extra;")]), "`crate::Extra`");
    caught(
        &complaints(&[Source::example("daemon/src/main.rs", "use daemon::extra::run;")]),
        "`daemon::extra`",
    );
}

#[test]
fn climbing_out_of_a_module_is_noticed() {
    let bad = Source::example("daemon/src/log/writer.rs", "use super::super::backend;");
    caught(&complaints(&[bad]), "leaves the module");
    let good = Source::example(
        "daemon/src/log/writer.rs",
        "mod tests { use super::super::Log; pub(super) fn f() {} }",
    );
    clean(&complaints(&[good]));
    let bad = Source::example("daemon/src/log.rs", "fn f() { { super::sign::g() } }");
    caught(&complaints(&[bad]), "leaves the module");
}
