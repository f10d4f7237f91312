//! Keys at 80 columns.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use super::*;
use crate::cli::screen::Output;
use crate::cli::tests::{Paper, expect};

fn version(number: u32, state: v1::VersionState, backend: &str) -> v1::KeyVersion {
    v1::KeyVersion {
        key: "release/linux".to_owned(),
        version: number,
        key_id: vec![u8::try_from(number).unwrap(); 32],
        algorithm: v1::Algorithm::EcdsaP256Sha256 as i32,
        state: state as i32,
        backend: backend.to_owned(),
        state_log_index: 40 + u64::from(number),
        valid_from: (number == 2).then_some(prost_types::Timestamp { seconds: 1_795_237_200, nanos: 0 }),
        ..Default::default()
    }
}

fn keys() -> Vec<v1::Key> {
    vec![
        v1::Key {
            name: "release/linux".to_owned(),
            state: v1::RingState::Overlap as i32,
            versions: vec![
                version(2, v1::VersionState::Active, "hsm-a"),
                version(1, v1::VersionState::Retiring, "software"),
            ],
            purpose: vec![
                "blob".to_owned(),
                "dsse:https://slsa.dev/provenance/v1".to_owned(),
                "x509".to_owned(),
            ],
            owner: "team3".to_owned(),
        },
        v1::Key {
            name: "release/mac".to_owned(),
            state: v1::RingState::Halted as i32,
            versions: vec![version(7, v1::VersionState::Suspended, "hsm-a")],
            purpose: vec!["oci".to_owned()],
            owner: "team3".to_owned(),
        },
        v1::Key { name: "later/kind".to_owned(), state: 99, ..Default::default() },
    ]
}

#[test]
fn lists_and_single_keys_fit_80_columns() {
    let paper = Paper::new(Output::Table);
    let mut screen = paper.screen();
    list(&keys(), "", &mut screen).unwrap();
    screen.line("").unwrap();
    show(&keys()[0], &mut screen).unwrap();
    list(&[], "none/", &mut screen).unwrap();
    expect("keys.txt", &paper.out());
    assert!(paper.out().lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn programs_get_every_version() {
    let paper = Paper::new(Output::Json);
    list(&keys(), "", &mut paper.screen()).unwrap();
    let document: Value = serde_json::from_str(&paper.out()).unwrap();
    assert_eq!(document["keys"][0]["versions"][1]["state"], "retiring");
    assert_eq!(document["keys"][0]["versions"][0]["valid_from"], "2026-11-21T05:00:00.000000Z");
    assert_eq!(document["keys"][2]["state"], "state 99");
}
