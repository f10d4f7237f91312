//! Every kind of statement on a screen of 80 columns.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::Path;

use super::*;
use crate::cli::screen::Output;
use crate::cli::tests::{Paper, expect};
use crate::fixture::at;

fn golden() -> Vec<(String, Statement)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ceremonies/tests/golden/statements");
    let mut found: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let statement = Statement::parse(std::fs::read(&path).unwrap().trim_ascii_end()).unwrap();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), statement)
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(found.len(), ceremonies::statement::Kind::ALL.len());
    found
}

fn shown(statement: &Statement) -> String {
    let paper = Paper::new(Output::Table);
    show(statement, at(120), &mut paper.screen()).unwrap();
    paper.out()
}

/// Every value in a document that is not an object or a list, with its field.
fn leaves(field: &str, found: &Value, out: &mut Vec<(String, Value)>) {
    match found {
        Value::Object(fields) => fields.iter().for_each(|(field, found)| leaves(field, found, out)),
        Value::Array(items) => items.iter().for_each(|item| leaves(field, item, out)),
        leaf => out.push((field.to_owned(), leaf.clone())),
    }
}

#[test]
fn every_value_of_every_kind_is_shown() {
    for (name, statement) in golden() {
        let text = shown(&statement).split_whitespace().collect::<Vec<_>>().join(" ");
        let mut found = Vec::new();
        leaves("", &statement.to_value(), &mut found);
        for (field, leaf) in found {
            let said = value(&field, &leaf, at(120)).replace('\n', " ");
            assert!(text.contains(&said), "{name}: {field} is not shown as `{said}`:\n{text}");
        }
    }
}

#[test]
fn lines_fit_where_their_words_do() {
    for (name, statement) in golden() {
        for line in shown(&statement).lines().filter(|line| line.chars().count() > 80) {
            // A digest with its hash's name, a locator: one word, which is never broken.
            let words = line.split_whitespace().count();
            assert!(words <= 2, "{name}: {line}");
        }
    }
}

#[test]
fn a_changed_byte_is_seen() {
    let (_, statement) = golden().swap_remove(5);
    let mut other = statement.to_value();
    other["nonce"] = Value::from("5f".repeat(32));
    let other = Statement::parse(&proto::canonical::to_vec(&other).unwrap()).unwrap();
    assert_ne!(shown(&statement), shown(&other));
}

#[test]
fn statements_look_like_this() {
    for (name, statement) in golden() {
        if matches!(name.as_str(), "key-generate" | "genesis" | "roster-change" | "sign-break-glass") {
            expect(&format!("statement-{name}.txt"), &shown(&statement));
        }
    }
}
