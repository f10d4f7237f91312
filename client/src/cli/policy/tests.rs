//! Policies that hold, and what is said of those that do not.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;

use clap::Parser;
use proto::hash::Hash;

use super::*;
use crate::cli::args::Arguments;
use crate::cli::screen::Output;
use crate::cli::tests::{Paper, expect};

const GRANTS: &str = r#"
@id("team3-images") permit(principal in Callers::"spiffe://example.org/ci", action == Action::"sign",
    resource in Keys::"release") when { context.kind == "oci" };
"#;
const FORBID: &str = r#"
@id("no-mallory") forbid(principal == Caller::"spiffe://example.org/ci/mallory", action, resource);
"#;
const CASES: &str = r#"
[[case]]
name = "builders sign images"
caller = "spiffe://example.org/ci/linux"
action = "sign"
key = "release/linux"
kind = "oci"
expect = "permit"
rule = "team3-images"

[[case]]
name = "mallory does not"
caller = "spiffe://example.org/ci/mallory"
action = "sign"
key = "release/linux"
kind = "oci"
expect = "deny"
rule = "no-mallory"
"#;

struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { directory: tempfile::tempdir().unwrap() };
        desk.put("grants.cedar", GRANTS);
        desk.put("forbid.cedar", FORBID);
        desk.put(
            "guardrails.toml",
            &format!("[forbid]\nfile = \"forbid.cedar\"\nsha256 = \"{}\"\n", Hash::of(FORBID.as_bytes())),
        );
        desk.put("cases.toml", CASES);
        desk
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).unwrap();
    }

    /// Runs a command; `@` is the desk's directory.
    fn run(&self, line: &str, output: Output) -> (Exit, String, String) {
        let line = line.replace('@', &format!("{}/", self.directory.path().display()));
        let arguments =
            Arguments::try_parse_from(std::iter::once("countersign").chain(line.split_whitespace())).unwrap();
        let paper = Paper::new(output);
        let exit = crate::cli::execute(&arguments, &mut paper.screen(), &|_| None);
        (exit, paper.out(), paper.err())
    }
}

const FILES: &str = "--guardrails @guardrails.toml --grants @grants.cedar";

#[test]
fn a_valid_policy_is_counted() {
    let (exit, out, err) = Desk::new().run(&format!("policy check {FILES}"), Output::Table);
    assert_eq!((exit, out.as_str(), err.as_str()), (Exit::Done, "valid: 1 grants, 1 guardrails\n", ""));
}

#[test]
fn every_problem_is_told() {
    let desk = Desk::new();
    desk.put("grants.cedar", "@id(\"a\") permit(principal, action, resource);");
    let (exit, _, err) = desk.run(&format!("policy check {FILES}"), Output::Table);
    assert_eq!(exit, Exit::Failed, "{err}");
    assert!(err.contains("grants: "), "{err}");
    desk.put("grants.cedar", GRANTS);
    desk.put("forbid.cedar", "");
    let (exit, _, err) = desk.run(&format!("policy check {FILES}"), Output::Table);
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("forbid.cedar has SHA-256"), "{err}");
    let (exit, _, err) = desk.run("policy check --grants @none.cedar", Output::Table);
    assert_eq!(exit, Exit::Usage, "{err}");
}

#[test]
fn cases_that_fail_are_explained() {
    let desk = Desk::new();
    let (exit, out, _) = desk.run(&format!("policy test {FILES} @cases.toml"), Output::Table);
    assert_eq!(exit, Exit::Done, "{out}");
    desk.put("cases.toml", &CASES.replace("\"deny\"\nrule = \"no-mallory\"", "\"permit\""));
    let (exit, out, _) = desk.run(&format!("policy test {FILES} @cases.toml"), Output::Table);
    assert_eq!(exit, Exit::Failed);
    expect("policy-test.txt", &out);
}

#[test]
fn the_rule_that_decides_is_named() {
    let desk = Desk::new();
    let ask = "--caller spiffe://example.org/ci/linux --key release/linux --kind";
    let (exit, out, _) = desk.run(&format!("policy explain {FILES} {ask} oci"), Output::Table);
    assert_eq!(exit, Exit::Done);
    assert!(out.starts_with("permitted by the grant `team3-images`"), "{out}");
    let (exit, out, _) = desk.run(&format!("policy explain {FILES} {ask} blob"), Output::Json);
    assert_eq!(exit, Exit::Done);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["permitted"], false);
    assert_eq!(document["rules"][1]["says"], "conditions-differ");
    let (exit, _, err) = desk.run(&format!("policy explain {FILES} --caller root"), Output::Table);
    assert_eq!(exit, Exit::Usage, "{err}");
    assert!(err.contains("`root` is no caller"), "{err}");
}
