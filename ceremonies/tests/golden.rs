//! The golden acts and signatures: bytes that were stored once are read for ever, and read as the same.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::BTreeSet;
use std::path::Path;

use ceremonies::act::{Act, ActKind, Decision};
use ceremonies::ssh::key::{SshKey, SshKind};
use ceremonies::ssh::signature::SshSignature;

fn files(begin: &str) -> Vec<(String, Vec<u8>)> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/acts");
    let entries = std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .filter(|(name, _)| name.starts_with(begin))
        .collect();
    files.sort();
    files
}

#[test]
fn golden_acts_are_read_and_written_as_they_are() {
    let mut seen = BTreeSet::new();
    for (name, bytes) in files("act-") {
        let act = Act::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(act.encode().unwrap(), bytes, "{name}");
        seen.insert((act.deed.kind(), act.deed.decision() == Decision::Accept));
    }
    let accepted: Vec<ActKind> = seen.iter().filter(|(_, accepts)| *accepts).map(|(kind, _)| *kind).collect();
    assert_eq!(accepted, ActKind::ALL);
    assert!(seen.contains(&(ActKind::Approve, false)));
}

#[test]
fn golden_signatures_verify() {
    let [(_, message)] = &files("act-approve.json")[..] else { panic!("act-approve.json is missing") };
    let [(_, keys)] = &files("keys.txt")[..] else { panic!("keys.txt is missing") };
    let keys: Vec<SshKey> =
        std::str::from_utf8(keys).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    let mut kinds = BTreeSet::new();
    for (name, armor) in files("signature-") {
        let signature = SshSignature::parse(std::str::from_utf8(&armor).unwrap()).unwrap();
        assert_eq!(signature.verify("countersign.act.rehearsal.v1", message), Ok(()), "{name}");
        assert!(keys.contains(signature.key()), "{name}: its key is not in keys.txt");
        kinds.insert(signature.key().kind());
    }
    assert_eq!(kinds, SshKind::ALL.into());
}
