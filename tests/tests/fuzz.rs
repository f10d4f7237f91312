//! The fuzz targets, on stable Rust: seeds, bent seeds and random bytes, a bounded number of each.
//!
//! `BOLERO_RANDOM_ITERATIONS` runs more of them; a failure prints the seed that `BOLERO_RANDOM_SEED` runs again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use tests::fuzz::change::{self, Numbers};
use tests::fuzz::{TARGETS, Target, config, transcript, uri};

/// How to make an input: which seed, which other one, and what to change in it.
type Recipe = (u8, u8, Vec<Numbers>);

/// How often each target is asked: those that ask Cedar, read whole configurations or check signatures are slow.
const fn iterations(target: &Target) -> usize {
    match target.name.as_bytes() {
        b"grants" | b"transcript" => 300,
        b"config" | b"guardrails" => 2000,
        _ => 10_000,
    }
}

fn input(target: &Target, seeds: &[Vec<u8>], (seed, other, changes): &Recipe) -> Vec<u8> {
    // One past the seeds is nothing at all: then the changes are the bytes.
    let mut bytes = seeds.get(usize::from(*seed) % (seeds.len() + 1)).cloned().unwrap_or_default();
    let other = &seeds[usize::from(*other) % seeds.len()];
    for &numbers in changes.iter().take(6) {
        change::apply(&mut bytes, numbers, target.words, other);
    }
    bytes
}

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("no target {name}"))
}

macro_rules! driven {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            let target = target(stringify!($name));
            let seeds = (target.seeds)();
            bolero::check!().with_iterations(iterations(target)).with_type::<Recipe>().for_each(|recipe| {
                (target.one)(&input(target, &seeds, recipe));
            });
            bolero::check!().with_iterations(iterations(target) / 10).for_each(|bytes: &[u8]| {
                (target.one)(bytes);
            });
        })*

        /// What this file drives.
        const DRIVEN: &[&str] = &[$(stringify!($name)),*];
    };
}

driven! {
    request payload record detail json note receipt uri host_request host_reply config guardrails grants anchor act
    sshsig outputs transcript carried
}

#[test]
fn every_target_is_driven_and_lies_in_its_file() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names(DRIVEN), names(&targets));
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fuzz");
    let mut files: BTreeSet<String> = std::fs::read_dir(place)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    // What the targets share.
    assert!(files.remove("change") && files.remove("frame"));
    assert_eq!(files, names(&targets));
}

#[test]
fn every_seed_is_read() {
    for target in TARGETS {
        for seed in (target.seeds)() {
            assert!((target.one)(&seed), "{}: not read: {}", target.name, String::from_utf8_lossy(&seed));
        }
    }
}

#[test]
fn bent_seeds_are_read_sometimes_and_refused_sometimes() {
    // Fixed recipes: a corpus or a way of bending that reaches nothing would make every other test here vacuous.
    for target in TARGETS {
        let seeds = (target.seeds)();
        let recipe = |at: u16| {
            let [low, high] = at.to_le_bytes();
            let numbers = (low % 9, at.wrapping_mul(257), at.wrapping_mul(31), low ^ high ^ 0x41);
            (low, high.wrapping_add(low), vec![numbers])
        };
        let count = if target.name == "grants" { 60 } else { 300 };
        let read = (0..count).filter(|at| (target.one)(&input(target, &seeds, &recipe(*at)))).count();
        assert!(read > 0, "{}: nothing that is bent is read", target.name);
        assert!(read < usize::from(count), "{}: everything is read", target.name);
    }
}

#[test]
fn a_secret_in_the_place_of_its_reference_is_refused() {
    assert!(!config::fuzz_one(config::careless().as_bytes()));
}

#[test]
fn a_uri_that_would_be_too_long_when_written_is_refused() {
    let long = format!("pkcs11:token={}", ":".repeat(2000));
    assert!(!uri::fuzz_one(long.as_bytes()));
}

#[test]
fn whoever_has_the_log_key_completes_what_he_changed() {
    assert!(transcript::fuzz_one(b"\x01README.md\x02believe me"), "the completion is not believed");
    assert!(!transcript::fuzz_one(b"\x01control.jsonl"), "there is nothing to complete");
}

#[test]
fn a_label_may_say_what_an_attribute_must_not() {
    assert!(uri::fuzz_one(b"pkcs11:token=relea%3Dpin-value%3D1234"));
    assert!(!uri::fuzz_one(b"pkcs11:token=a;pin-value=1234"));
}
