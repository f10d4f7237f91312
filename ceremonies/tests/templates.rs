//! The ready statements of `ceremonies/statements`: each is read by the product's own reader, becomes a statement that the shipped
//! rules accept and that can be held, says where something is to be filled in, and differs between the environments where it must.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use ceremonies::genesis::Mode;
use ceremonies::outputs;
use ceremonies::rules::Rules;
use ceremonies::statement::template::{Day, Template};
use ceremonies::statement::{Kind, Log, Statement, Target, Version};
use proto::hash::Hash;

const ENVIRONMENTS: [&str; 3] = ["sandbox", "staging", "production"];

/// Kinds that can be held, genesis by files: whatever is held has a ready statement, but for `log.recover`, of which everything but
/// words for the day follows from what is left of a log.
fn kinds() -> Vec<Kind> {
    let held = |kind: &&Kind| **kind == Kind::Genesis || STATED.contains(kind);
    Kind::ALL.iter().filter(held).copied().collect()
}

/// Those that a daemon takes; that there is no other is held by `every_kind_that_can_be_held_is_ready`.
const STATED: &[Kind] = &[
    Kind::KeyGenerate,
    Kind::KeyAdopt,
    Kind::KeyResume,
    Kind::StopLift,
    Kind::KeyDestroy,
    Kind::RosterChange,
    Kind::PolicyChange,
    Kind::GrantChange,
    Kind::Resolve,
    Kind::BackendRebind,
    Kind::LogRekey,
];

/// Those whose ready statements follow as soon as they can be held.
const LATER: &[Kind] = &[Kind::ClockReset];

fn path(environment: &str, kind: Kind) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("statements").join(environment);
    directory.join(format!("{}.toml", kind.name().replace('.', "-")))
}

/// The text; where the target follows from a roster, with the target of one.
fn text(environment: &str, kind: Kind) -> String {
    let path = path(environment, kind);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if !matches!(kind, Kind::RosterChange | Kind::PolicyChange) {
        return text;
    }
    assert!(
        !text.lines().any(|line| line.starts_with("[target")),
        "its target follows from what it brings along"
    );
    if kind == Kind::PolicyChange {
        let next = Hash::of(b"next guardrails");
        return format!(
            "{text}\n[target]\nguardrails = {{ version = 2, sha256 = \"{next}\" }}\nloosens = true\n"
        );
    }
    let target = "added = [\"dora\"]\nchanged = []\nquorum = { approvals = 3, officers = 5, witnesses = 2 }\nremoved = [\"carol\"]";
    let (roster, proof) = (Hash::of(b"next"), Hash::of(b"proof"));
    format!(
        "{text}\n[target]\n{target}\nproofs = [\"{proof}\"]\nroster = {{ version = 3, sha256 = \"{roster}\" }}\n"
    )
}

fn template(environment: &str, kind: Kind) -> Template {
    Template::parse(&text(environment, kind)).unwrap_or_else(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{environment} {kind}:\n{}", problems.join("\n"))
    })
}

/// What the daemon fills in: an instance of five officers, three of whom must approve.
fn statement(template: &Template) -> Statement {
    let kind = template.target.kind();
    let genesis = kind == Kind::Genesis;
    let version = |version| Version { sha256: Hash::of(b"in force"), version };
    let origin = match template.mode {
        Mode::Production => "example.org",
        Mode::Rehearsal => "rehearsal.example.org",
    };
    let quorum = Rules::default().rule(&template.target).quorum(3, 5);
    let day = Day {
        ceremony: [0xa7; 16].into(),
        guardrails: version(1),
        initiator: "oskar".parse().unwrap(),
        instance: "example.org".parse().unwrap(),
        justification: Some("it is time".parse().unwrap()),
        log: Log {
            origin: origin.parse().unwrap(),
            root: Hash::of(if genesis { b"" } else { b"root" }),
            size: if genesis { 0 } else { 42 },
        },
        nonce: [0x5e; 32].into(),
        not_before: "2026-11-21T05:00:00.000000Z".parse().unwrap(),
        quorum,
        roster: version(if genesis { 1 } else { 2 }),
        ticket: Some("OPS-4711".parse().unwrap()),
    };
    template.fill(day).unwrap_or_else(|error| panic!("{kind}: {error}"))
}

#[test]
fn each_becomes_a_statement_that_the_rules_accept() {
    for environment in ENVIRONMENTS {
        for kind in kinds() {
            let template = template(environment, kind);
            assert_eq!(template.target.kind(), kind);
            let statement = statement(&template);
            Rules::default()
                .judge(&statement, 3, 5)
                .unwrap_or_else(|why| panic!("{environment} {kind}: {why}"));
            if kind != Kind::Genesis {
                outputs::can_be_held(&statement).unwrap();
            }
            let day = |said| environment == "sandbox" || kind == Kind::Genesis || said;
            assert!(
                day(template.justification.is_none() && template.ticket.is_none()),
                "they are of the day"
            );
        }
    }
}

#[test]
fn every_kind_that_can_be_held_is_ready() {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/statements");
    for kind in Kind::ALL {
        let kept =
            std::fs::read_to_string(golden.join(format!("{}.json", kind.name().replace('.', "-")))).unwrap();
        let mut statement = Statement::parse(kept.trim_end().as_bytes()).unwrap();
        if *kind == Kind::KeyAdopt {
            // The golden one is planned; what can be held is not.
            statement = self::statement(&template("sandbox", *kind));
        }
        let (held, ready) = (outputs::can_be_held(&statement).is_ok(), STATED.contains(kind));
        assert!(
            held == ready || LATER.contains(kind),
            "{kind}: can be held {held}, has a ready statement {ready}"
        );
    }
    for environment in ENVIRONMENTS {
        let directory = path(environment, Kind::Genesis);
        let found = std::fs::read_dir(directory.parent().unwrap()).unwrap();
        let found: BTreeSet<PathBuf> = found.map(|entry| entry.unwrap().path()).collect();
        let wanted: BTreeSet<PathBuf> = kinds().into_iter().map(|kind| path(environment, kind)).collect();
        assert_eq!(found, wanted);
    }
}

#[test]
fn environments_differ_where_they_must() {
    let all = |check: fn(&Template) -> bool, environment| {
        kinds().into_iter().all(|kind| check(&template(environment, kind)))
    };
    assert!(all(|of| of.mode == Mode::Rehearsal && of.environment.as_str() == "rehearsal", "sandbox"));
    assert!(all(|of| of.mode == Mode::Production && of.environment.as_str() == "staging", "staging"));
    assert!(all(|of| of.mode == Mode::Production && of.environment.as_str() == "production", "production"));
    assert!(all(|of| of.lives <= Duration::from_secs(72 * 3600), "sandbox"));
    let genesis = |environment| match template(environment, Kind::Genesis).target {
        Target::Genesis(genesis) => (genesis.allow_software_officer_keys, genesis.allow_software_backend),
        other => panic!("{other:?}"),
    };
    // FIDO tokens alone, and keys in a device alone.
    assert_eq!(genesis("production"), (false, false));
    assert_eq!(genesis("staging"), (true, false));
    assert_eq!(genesis("sandbox"), (true, true));
    for environment in ["staging", "production"] {
        for kind in [Kind::KeyGenerate, Kind::KeyAdopt] {
            let template = template(environment, kind);
            let key = template.target.arrival().unwrap();
            assert_ne!(key.backend.as_str(), "software", "{environment}");
            assert!(key.serial.is_some(), "{environment}: the device is named");
        }
    }
    let unproven = |environment| match template(environment, Kind::KeyAdopt).target {
        Target::KeyAdopt(adopt) => adopt.unproven.len(),
        other => panic!("{other:?}"),
    };
    assert!(unproven("production") > unproven("staging"));
}

/// Values that nobody means, which are there so that the file is read.
const EMPTY: [&str; 10] = [
    "000000000000000000000000",
    "ffffffffffffffffffffffff",
    "\"0000\"",
    "\"0001\"",
    "none/yet",
    "none yet",
    "nobody yet",
    "object=none",
    "example.org/none",
    "+AQAAAAAAAAAAAA",
];

#[test]
fn whatever_is_to_be_filled_in_is_marked_and_what_is_read_aloud_fits_its_line() {
    for environment in ENVIRONMENTS {
        for kind in kinds() {
            let text = std::fs::read_to_string(path(environment, kind)).unwrap();
            assert!(text.starts_with("# "), "{environment} {kind}: says what it is");
            for line in text.lines() {
                let empty = EMPTY.iter().any(|value| line.contains(value)) && !line.starts_with('#');
                assert!(!empty || line.contains("# FILL IN"), "{environment} {kind}: {line}");
                assert!(line.chars().count() <= 130, "{environment} {kind}: {line}");
            }
            assert!(text.contains("# FILL IN"), "{environment} {kind}: nothing is of the day");
        }
    }
}
