//! Habits that a look at the tokens can hold: where unsafe code, the clock, tonic and IO may be; nothing unfinished.

use super::source::{Source, Token, caught, clean, reads, root, written};

/// The one crate that may have `unsafe`; its own test `counted` holds how many times.
const UNSAFE: &str = "daemon/pkcs11-call";

/// Where `unsafe` stands outside its one crate.
fn unsafe_code(files: &[Source]) -> Vec<String> {
    find(files.iter().filter(|file| !file.within(UNSAFE)), |tokens, at| {
        tokens[at].is("unsafe").then_some("unsafe code")
    })
}

/// The system's clocks are read in `clock` alone.
fn clock(files: &[Source]) -> Vec<String> {
    let bound = |file: &&Source| {
        (file.within("daemon/src") || file.within("ceremonies")) && !file.within("daemon/src/clock")
    };
    find(files.iter().filter(bound), |tokens, at| {
        let read = ["SystemTime", "Instant"].iter().any(|name| reads(tokens, at, &[name, ":", ":", "now"]));
        read.then_some("reads the system's clock outside `clock`")
    })
}

/// `rpc` alone knows tonic.
fn tonic(files: &[Source]) -> Vec<String> {
    let bound = |file: &&Source| file.within("daemon/src") && !file.within("daemon/src/rpc");
    find(files.iter().filter(bound), |tokens, at| {
        let name = tokens[at].name()?;
        (name == "tonic" || name.starts_with("tonic_")).then_some("imports tonic outside `rpc`")
    })
}

/// What decides does nothing else: no files, network, processes or runtime in the pure modules.
fn pure(files: &[Source]) -> Vec<String> {
    let bound = |file: &&Source| {
        ["ceremonies/src", "daemon/src/keys", "daemon/src/policy"].iter().any(|place| file.within(place))
    };
    find(files.iter().filter(bound), |tokens, at| {
        let effect = ["fs", "net", "process", "thread", "env"]
            .iter()
            .any(|name| reads(tokens, at, &["std", ":", ":", name]))
            || ["tokio", "rusqlite", "cryptoki"].iter().any(|name| reads(tokens, at, &[name, ":", ":"]));
        effect.then_some("does something in a module that only decides")
    })
}

/// Nothing half done, no test left out.
fn unfinished(files: &[Source]) -> Vec<String> {
    find(files.iter(), |tokens, at| {
        if ["todo", "unimplemented"].iter().any(|name| reads(tokens, at, &[name, "!"])) {
            return Some("is not finished");
        }
        reads(tokens, at, &["#", "[", "ignore"]).then_some("leaves a test out")
    })
}

/// Every `allow` and `expect` of a lint says why.
fn reasons(files: &[Source]) -> Vec<String> {
    find(files.iter(), |tokens, at| {
        let lint = ["allow", "expect"].iter().any(|name| reads(tokens, at, &["[", name, "("]));
        let end = tokens[at..].iter().position(|token| token.mark(']'))?;
        let said = tokens[at..at + end].iter().any(|token| token.is("reason"));
        (lint && !said).then_some("switches a lint off without a reason")
    })
}

fn find<'a>(
    files: impl Iterator<Item = &'a Source>,
    rule: impl Fn(&[Token], usize) -> Option<&'static str>,
) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let tokens = file.tokens();
        for at in 0..tokens.len() {
            if let Some(complaint) = rule(&tokens, at) {
                complaints.push(format!("{}:{}: {complaint}", file.path, tokens[at].line));
            }
        }
    }
    complaints
}

#[test]
fn unsafe_code_is_in_one_place() {
    clean(&unsafe_code(&written()));
    for manifest in ["proto", "ceremonies", "daemon", "client", "softhsm", "tests", "xtask"] {
        let text = std::fs::read_to_string(root().join(manifest).join("Cargo.toml")).unwrap();
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{manifest}/Cargo.toml leaves the workspace's lints"
        );
    }
}

#[test]
fn unsafe_code_elsewhere_is_noticed() {
    let bad = Source::example("daemon/src/secret.rs", "// unsafe\nfn f() { unsafe { g() } }");
    caught(&unsafe_code(&[bad]), "daemon/src/secret.rs:2: unsafe code");
    clean(&unsafe_code(&[Source::example("daemon/pkcs11-call/src/lib.rs", "fn f() { unsafe { g() } }")]));
}

#[test]
fn the_system_clock_is_read_in_one_place() {
    clean(&clock(&written()));
}

#[test]
fn a_clock_read_elsewhere_is_noticed() {
    let bad = Source::example("daemon/src/log/batch.rs", "fn f() { let t = std::time::Instant::now(); }");
    caught(&clock(&[bad]), "reads the system's clock");
    let bad =
        Source::example("ceremonies/src/act.rs", "use std::time::SystemTime;\nfn f() { SystemTime::now(); }");
    caught(&clock(&[bad]), "ceremonies/src/act.rs:2");
    clean(&clock(&[Source::example("daemon/src/clock.rs", "fn f() { Instant::now(); }")]));
}

#[test]
fn rpc_alone_imports_tonic() {
    clean(&tonic(&written()));
}

#[test]
fn tonic_elsewhere_is_noticed() {
    caught(
        &tonic(&[Source::example("daemon/src/sign.rs", "use tonic::Status;")]),
        "imports tonic outside `rpc`",
    );
    caught(
        &tonic(&[Source::example("daemon/src/web.rs", "use tonic_types::ErrorDetails;")]),
        "imports tonic",
    );
    clean(&tonic(&[Source::example("daemon/src/rpc/status.rs", "use tonic::Status;")]));
}

#[test]
fn what_decides_does_nothing_else() {
    clean(&pure(&written()));
}

#[test]
fn an_effect_in_a_pure_module_is_noticed() {
    caught(
        &pure(&[Source::example("daemon/src/policy/rules.rs", "fn f() { std::fs::read(p) }")]),
        "only decides",
    );
    caught(&pure(&[Source::example("ceremonies/src/act.rs", "use tokio::sync::watch;")]), "only decides");
    clean(&pure(&[Source::example("daemon/src/log/anchor.rs", "fn f() { std::fs::read(p) }")]));
}

#[test]
fn nothing_is_half_done() {
    clean(&unfinished(&written()));
}

#[test]
fn what_is_half_done_is_noticed() {
    caught(&unfinished(&[Source::example("client/src/a.rs", "fn f() { todo!() }")]), "is not finished");
    caught(
        &unfinished(&[Source::example("client/src/a.rs", "fn f() { unimplemented!() }")]),
        "is not finished",
    );
    caught(
        &unfinished(&[Source::example("client/src/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}")]),
        "leaves a",
    );
}

#[test]
fn lints_are_switched_off_with_a_reason() {
    clean(&reasons(&written()));
}

#[test]
fn a_lint_switched_off_without_a_reason_is_noticed() {
    caught(
        &reasons(&[Source::example("a.rs", "#![allow(clippy::unwrap_used)]\nfn f() {}")]),
        "without a reason",
    );
    clean(&reasons(&[Source::example("a.rs", "#[allow(dead_code, reason = \"shown\")]\nfn f() {}")]));
}
