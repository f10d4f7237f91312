//! Statements: the golden file of every kind, and everything that a statement can be refused for, each by its own error.
//!
//! Golden files are not rewritten by a switch on purpose: a changed one is a changed format, to be edited by hand.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod statements {
    pub mod samples;
}

use std::path::PathBuf;

use ceremonies::birth::BirthNames;
use ceremonies::genesis::Mode;
use ceremonies::rules::{HardLimit, Rules, Unruly};
use ceremonies::statement::{Common, Kind, LARGEST, Quorum, Statement, StatementError, Target, UnknownKind};
use ceremonies::words::Words;
use proptest::prelude::*;
use proto::hash::Hash;
use proto::term::Term;
use statements::samples::{common, is_by_quorum, person, statement, target, time, version};

fn golden(kind: Kind) -> PathBuf {
    let name = format!("{}.json", kind.name().replace('.', "-"));
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/statements").join(name)
}

#[test]
fn every_kind_is_written_as_its_golden_file() {
    for kind in Kind::ALL {
        let (statement, path) = (statement(*kind), golden(*kind));
        let written = statement.encode();
        let kept = std::fs::read(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; the bytes are\n{}", path.display(), String::from_utf8_lossy(&written))
        });
        // The file ends with a line feed, the statement does not.
        assert_eq!(
            String::from_utf8_lossy(&kept),
            format!("{}\n", String::from_utf8(written.clone()).unwrap())
        );
        assert_eq!(Statement::parse(&written).unwrap(), statement, "{kind}");
        assert_eq!((statement.kind(), statement.digest()), (*kind, Hash::of(&written)));
    }
    let files = std::fs::read_dir(golden(Kind::Genesis).parent().unwrap()).unwrap().count();
    assert_eq!(files, Kind::ALL.len());
}

#[test]
fn the_names_and_words_of_a_generated_key_follow_from_its_statement() {
    let statement = statement(Kind::KeyGenerate);
    let names = BirthNames::of(&statement);
    assert_eq!(names.label, "cer-a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7");
    // The first 40 digits of `sha256sum` of the golden file without its line feed.
    let digest = statement.digest().to_string();
    let id: String = names.id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((id.as_str(), &*digest), (&digest[..40], DIGEST));
    assert_eq!(Words::of(&statement.digest()).to_string(), WORDS);
}

const DIGEST: &str = "2b9a5c933fb93a8ac196fe241a4c963c802ea728c61c577e1f81a41ce4877169";
const WORDS: &str =
    "clog spray cave legal neck earth alien thank\ncatch sponsor cereal jungle actual fatal perfect seminar";

/// What becomes of a good statement's text after one change.
fn changed(kind: Kind, from: &str, to: &str) -> StatementError {
    let text = String::from_utf8(statement(kind).encode()).unwrap();
    assert!(text.contains(from), "`{from}` is not in {text}");
    Statement::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err()
}

fn generate(from: &str, to: &str) -> StatementError {
    changed(Kind::KeyGenerate, from, to)
}

#[test]
fn more_bytes_than_allowed_are_not_read() {
    let error = Statement::parse(&vec![b' '; LARGEST + 1]).unwrap_err();
    assert_eq!(error, StatementError::Size(LARGEST + 1));
}

#[test]
fn what_is_no_json_is_refused() {
    for bad in [&b""[..], b"{", b"\xff", b"{\"a\":\"\xff\"}", b"{}x", b"nul", &[b'['; 5000]] {
        assert!(matches!(Statement::parse(bad), Err(StatementError::Json(_))), "{bad:?}");
    }
    assert_eq!(Statement::parse(b"[]"), Err(StatementError::NotAnObject));
}

#[test]
fn a_key_given_twice_is_refused_at_every_depth() {
    let twice = |key: &str| StatementError::DuplicateKey(key.to_owned());
    assert_eq!(generate("\"kind\":", "\"kind\":\"key.adopt\",\"kind\":"), twice("kind"));
    assert_eq!(generate("\"backend\":", "\"backend\":\"hsm-b\",\"backend\":"), twice("backend"));
    assert_eq!(generate("\"size\":", "\"size\":1,\"size\":"), twice("size"));
    // Written with an escape it is the same key.
    assert_eq!(generate("\"kind\":", "\"k\\u0069nd\":\"key.adopt\",\"kind\":"), twice("kind"));
}

#[test]
fn the_same_value_in_another_form_is_refused() {
    for (from, to) in [
        ("{\"ceremony\"", "{ \"ceremony\""),
        ("\"kind\":", "\"k\\u0069nd\":"),
        ("OPS-4711", "OPS\\u002d4711"),
        ("\"ticket\":\"OPS-4711\"}", "\"ticket\":\"OPS-4711\"}\n"),
    ] {
        assert_eq!(generate(from, to), StatementError::NotCanonical, "{to}");
    }
    let moved = generate(",\"ticket\":\"OPS-4711\"}", "}").to_string();
    assert!(moved.contains("`ticket` is missing"), "{moved}");
    let text = String::from_utf8(statement(Kind::KeyGenerate).encode()).unwrap();
    let text =
        text.replacen(",\"ticket\":\"OPS-4711\"}", "}", 1).replacen('{', "{\"ticket\":\"OPS-4711\",", 1);
    assert_eq!(Statement::parse(text.as_bytes()), Err(StatementError::NotCanonical));
}

#[test]
fn null_floats_and_large_numbers_are_refused() {
    for (to, what) in [
        ("null", "null"),
        ("42.0", "floating point number"),
        ("4.2e1", "floating point number"),
        ("9007199254740992", "integer beyond 2^53 - 1"),
    ] {
        assert_eq!(
            generate("\"size\":42", &format!("\"size\":{to}")),
            StatementError::Forbidden(what.to_owned())
        );
    }
}

#[test]
fn another_schema_and_unknown_kinds_are_refused_as_such() {
    let newer = generate("countersign.statement.v0", "countersign.statement.v9");
    assert_eq!(newer, StatementError::Schema("countersign.statement.v9".into()));
    assert!(newer.to_string().contains("use a newer version"));
    let unknown = generate("\"key.generate\"", "\"key.import\"");
    assert_eq!(unknown, StatementError::Kind(UnknownKind("key.import".into())));
    assert_eq!(unknown.to_string(), "`key.import` is no kind of ceremony that this version knows");
}

/// An object without one of its fields; the others stay in their order.
fn without(object: &serde_json::Value, name: &str) -> serde_json::Value {
    let fields = object.as_object().unwrap().iter().filter(|(field, _)| *field != name);
    serde_json::Value::Object(fields.map(|(field, value)| (field.clone(), value.clone())).collect())
}

#[test]
fn every_field_must_be_there() {
    let parse = |value: &serde_json::Value| Statement::parse(&serde_json::to_vec(value).unwrap());
    for kind in Kind::ALL {
        let good: serde_json::Value = serde_json::from_slice(&statement(*kind).encode()).unwrap();
        for name in good.as_object().unwrap().keys() {
            let error = parse(&without(&good, name)).unwrap_err();
            assert_eq!(error, StatementError::Missing { place: name.clone() }, "{kind}");
        }
        let optional = ["held", "inventory", "serial"];
        for name in good["target"].as_object().unwrap().keys() {
            let mut less = good.clone();
            less["target"] = without(&good["target"], name);
            match parse(&less) {
                Err(error) => assert_eq!(error, StatementError::Missing { place: format!("target.{name}") }),
                Ok(_) => assert!(optional.contains(&name.as_str()), "{kind}: {name}"),
            }
        }
    }
}

#[test]
fn unknown_fields_are_refused_at_every_depth() {
    let unknown = |place: &str| StatementError::Unknown { place: place.to_owned(), kind: Kind::KeyGenerate };
    assert_eq!(
        generate("\"ticket\":\"OPS-4711\"}", "\"ticket\":\"OPS-4711\",\"urgent\":true}"),
        unknown("urgent")
    );
    assert_eq!(
        generate("\"version\":1},\"ticket\"", "\"version\":1,\"wrap\":true},\"ticket\""),
        unknown("target.wrap")
    );
    let nested = generate("\"size\":42", "\"size\":42,\"tree\":1");
    assert!(
        matches!(&nested, StatementError::Value { place, message } if place == "log" && message.contains("`tree`"))
    );
    // Parameters of one kind are unknown to another.
    let error = generate("\"key.generate\"", "\"key.adopt\"");
    assert_eq!(error, StatementError::Unknown { place: "target.extractable".into(), kind: Kind::KeyAdopt });
}

#[test]
fn values_out_of_range_say_what_was_expected() {
    for (from, to, place, expected) in [
        ("\"ceremony\":\"a7", "\"ceremony\":\"A7", "ceremony", "32 lower-case hexadecimal digits"),
        ("\"nonce\":\"5e", "\"nonce\":\"", "nonce", "64 lower-case hexadecimal digits"),
        ("\"environment\":\"sandbox\"", "\"environment\":\"Sandbox\"", "environment", "lower-case letters"),
        (
            "\"expires\":\"2026-11-24T05:00:00.000000Z\"",
            "\"expires\":\"2026-11-24T05:00:00Z\"",
            "expires",
            "six digits",
        ),
        ("\"initiator\":\"ada\"", "\"initiator\":\"\"", "initiator", "person"),
        ("\"size\":42", "\"size\":-1", "log", "invalid value"),
        ("\"approvals\":3", "\"approvals\":70000", "quorum", "invalid value"),
        ("\"mode\":\"rehearsal\"", "\"mode\":\"drill\"", "mode", "drill"),
        ("\"ticket\":\"OPS-4711\"", "\"ticket\":\"OPS\u{202e}4711\"", "ticket", "U+202E"),
        ("\"extractable\":false", "\"extractable\":true", "target", "always false"),
        ("ecdsa-p256-sha256", "ecdsa-p192-sha1", "target", "ecdsa-p192-sha1"),
        ("release/linux", "release//linux", "target", "segment"),
        ("[\"blob\",\"oci\"]", "[]", "target", "at least one purpose"),
        ("\"version\":1},", "\"version\":-1},", "target", "invalid value"),
        ("\"standby\":false", "\"standby\":\"false\"", "target", "invalid type"),
    ] {
        match generate(from, to) {
            StatementError::Value { place: found, message } => {
                assert!(found == place && message.contains(expected), "{to}: `{found}`: {message}");
            }
            other => panic!("{to}: {other}"),
        }
    }
}

/// What becomes of the parts of a good statement after a change.
fn with(kind: Kind, change: impl FnOnce(&mut Common, &mut Target)) -> StatementError {
    let (mut common, mut target) = (common(kind), target(kind));
    change(&mut common, &mut target);
    Statement::new(common, target).unwrap_err()
}

#[test]
fn rehearsal_and_production_cannot_be_mixed_up() {
    let production = with(Kind::KeyGenerate, |common, _| common.mode = Mode::Production);
    assert!(matches!(production, StatementError::Mode { mode: Mode::Production, .. }));
    let rehearsal =
        with(Kind::KeyGenerate, |common, _| common.log.origin = "log.example.org".parse().unwrap());
    assert!(
        matches!(&rehearsal, StatementError::Mode { mode: Mode::Rehearsal, origin } if origin.as_str() == "log.example.org")
    );
    assert!(rehearsal.to_string().contains("begin with `rehearsal.`"));
    let mut good = common(Kind::KeyGenerate);
    (good.mode, good.log.origin) = (Mode::Production, "log.example.org".parse().unwrap());
    assert!(Statement::new(good, target(Kind::KeyGenerate)).is_ok());
}

#[test]
fn a_statement_is_open_for_a_while_and_not_for_long() {
    let never = with(Kind::KeyGenerate, |common, _| common.expires = common.not_before);
    assert!(matches!(never, StatementError::NeverOpen { .. }));
    let long = with(Kind::KeyGenerate, |common, _| {
        common.expires =
            common.not_before.later(ceremonies::rules::LONGEST + std::time::Duration::from_micros(1));
    });
    assert!(long.to_string().contains("more than the 30d that no guardrails can exceed"), "{long}");
}

#[test]
fn no_statement_lives_longer_than_the_rule_of_its_kind_or_has_another_quorum() {
    let rules = Rules::default();
    for kind in Kind::ALL {
        let judged = |change: fn(&mut Common)| {
            let mut common = common(*kind);
            change(&mut common);
            Statement::new(common, target(*kind)).map(|statement| rules.judge(&statement, 3, 5))
        };
        assert!(judged(|_| {}).unwrap().is_ok(), "{kind}");
        let second = std::time::Duration::from_secs(1);
        let most = rules.of(*kind).expires;
        assert_eq!(
            judged(|common| common.expires = common.expires.later(std::time::Duration::from_secs(1))),
            Ok(Err(Unruly::Lives { kind: *kind, most, lives: most + second }))
        );
        let more = judged(|common| common.quorum.witnesses += 1).unwrap().unwrap_err();
        assert!(
            matches!(more, Unruly::Quorum { asked, said, .. } if said.witnesses == asked.witnesses + 1),
            "{kind}"
        );
        if is_by_quorum(*kind) {
            let fewer = judged(|common| common.quorum.approvals -= 1).unwrap();
            assert!(matches!(fewer, Err(Unruly::Quorum { .. })), "{kind}");
        }
    }
}

#[test]
fn hard_limits_hold_whatever_the_guardrails_say() {
    let quorum = |kind, approvals, officers, witnesses| {
        with(kind, |common, _| common.quorum = Quorum { approvals, officers, witnesses })
    };
    let refused = |kind, broken| StatementError::Quorum { kind, broken };
    assert_eq!(quorum(Kind::KeyGenerate, 1, 5, 2), refused(Kind::KeyGenerate, HardLimit::Approvals(1)));
    assert_eq!(quorum(Kind::KeyGenerate, 3, 5, 0), refused(Kind::KeyGenerate, HardLimit::Witnesses));
    let spare = HardLimit::Spare { approvals: 5, officers: 5 };
    assert_eq!(quorum(Kind::RosterChange, 5, 5, 2), refused(Kind::RosterChange, spare));
    assert_eq!(quorum(Kind::GrantChange, 1, 5, 0), refused(Kind::GrantChange, HardLimit::TwoPersons(1)));
    assert_eq!(
        quorum(Kind::Genesis, 3, 5, 2),
        refused(Kind::Genesis, HardLimit::All { approvals: 3, officers: 5 })
    );
}

/// A rule between fields that is broken by a change, with the field that the error names.
macro_rules! broken {
    ($($name:ident: $kind:ident at $place:literal, |$common:ident, $target:pat_param| $change:expr;)*) => {
        $(#[test]
        fn $name() {
            let error = with(Kind::$kind, |$common, target| match target {
                Target::$kind($target) => $change,
                other => panic!("{other:?}"),
            });
            match &error {
                StatementError::Rule { place, expected } => assert!(*place == $place && !expected.is_empty(), "{error}"),
                _ => panic!("{error}"),
            }
        })*
    };
}

broken! {
    genesis_has_an_empty_log: Genesis at "log", |common, _| common.log.size = 1;
    genesis_names_the_first_roster: Genesis at "roster.version", |common, _| common.roster.version = 2;
    genesis_names_the_first_guardrails: Genesis at "guardrails.version", |common, _| common.guardrails.version = 2;
    genesis_names_its_own_log_key: Genesis at "target.log_key",
        |_common, genesis| genesis.log_key = "rehearsal.example.com+0a1b2c3d+AbCd".parse().unwrap();
    after_genesis_the_log_is_not_empty: KeyGenerate at "log.size", |common, _| common.log.size = 0;
    rosters_begin_with_one: KeyGenerate at "roster.version", |common, _| common.roster.version = 0;
    guardrails_begin_with_one: KeyGenerate at "guardrails.version", |common, _| common.guardrails.version = 0;
    key_versions_begin_with_one: KeyGenerate at "target.version", |_common, key| key.version = 0;
    a_standby_has_no_activation: KeyGenerate at "target.activation", |_common, key| key.standby = true;
    an_adopted_key_has_something_unproven: KeyAdopt at "target.unproven", |_common, key| key.unproven.clear();
    a_successor_is_later: KeyRotate at "target.successor", |_common, plan| plan.successor = plan.version;
    a_key_is_published_before_it_signs: KeyRotate at "target.activate", |_common, plan| plan.activate = time("23T04:59");
    an_overlap_is_not_empty: KeyRotate at "target.retire", |_common, plan| plan.retire = plan.activate;
    a_standby_is_another_version: KeyRotateEmergency at "target.successor", |_common, plan| plan.successor = 2;
    a_compromise_is_not_of_the_future: KeyCompromise at "target.since",
        |common, key| key.since = common.expires.later(std::time::Duration::from_secs(1));
    a_held_head_is_of_this_log: KeyCompromise at "target.held", |_common, key| key.held.as_mut().unwrap().size = 43;
    a_resumed_version_counts_from_one: KeyResume at "target.version", |_common, key| key.version = Some(0);
    a_lift_lifts_something: StopLift at "target.terms", |_common, lift| lift.terms.clear();
    a_lift_is_of_no_key: StopLift at "target.terms",
        |_common, lift| lift.terms = vec![Term::Key("release/linux".parse().unwrap())];
    rosters_have_no_gaps: RosterChange at "target.roster.version", |_common, change| change.roster.version = 4;
    nobody_is_added_twice: RosterChange at "target.added", |_common, change| change.added.push(person("ivy"));
    nobody_is_added_and_removed: RosterChange at "target", |_common, change| change.removed = vec![person("ivy")];
    proofs_are_sorted: RosterChange at "target.proofs", |_common, change| change.proofs.push(change.proofs[0]);
    guardrails_have_no_gaps: PolicyChange at "target.guardrails.version",
        |_common, change| change.guardrails = version(5, "next guardrails");
    a_policy_change_changes: PolicyChange at "target.guardrails.sha256",
        |common, change| change.guardrails.sha256 = common.guardrails.sha256;
    a_grant_change_changes: GrantChange at "target.grants", |_common, change| change.grants = change.replaces;
    break_glass_lists_digests: SignBreakGlass at "target.digests", |_common, signing| signing.digests.clear();
    break_glass_lists_none_twice: SignBreakGlass at "target.digests",
        |_common, signing| signing.digests.push(signing.digests[0].clone());
    an_exception_has_another_owner: SignBreakGlass at "target.owner", |_common, signing| signing.owner = person("ben");
    no_ceremony_resolves_itself: Resolve at "target.ceremony", |common, resolve| resolve.ceremony = common.ceremony;
    a_rebind_has_another_serial: BackendRebind at "target.serial", |_common, rebind| rebind.serial = rebind.replaces.clone();
    a_rebind_has_keys: BackendRebind at "target.keys", |_common, rebind| rebind.keys.clear();
    a_clock_is_reset_to_earlier: ClockReset at "target.mark", |_common, reset| reset.mark = reset.replaces;
    a_log_key_is_the_logs: LogRekey at "target.log_key", |_common, rekey| rekey.log_key = "other+0a1b2c3d+EfGh".parse().unwrap();
    a_log_key_is_whole: LogRekey at "target.log_key",
        |_common, rekey| rekey.log_key = "rehearsal.example.org+0a1b2c3d+EfGh".parse().unwrap();
    a_rekey_changes_the_key: LogRekey at "target.log_key", |_common, rekey| rekey.log_key = rekey.replaces.clone();
    a_recovered_log_has_another_origin: LogRecover at "target.origin",
        |common, recover| recover.origin = common.log.origin.clone();
    a_recovered_rehearsal_is_a_rehearsal: LogRecover at "target.origin",
        |_common, recover| recover.origin = "log.example.org".parse().unwrap();
    a_recovered_log_has_its_own_key: LogRecover at "target.log_key",
        |common, recover| recover.log_key = format!("{}+0a1b2c3d+EfGh", common.log.origin).parse().unwrap();
    a_recovered_log_replaces_the_lost_logs_key: LogRecover at "target.replaces",
        |_common, recover| recover.replaces = recover.log_key.clone();
    a_recovered_log_had_a_record: LogRecover at "target.last.size", |_common, recover| recover.last.size = 0;
}

proptest! {
    /// Whatever is changed in a statement's bytes, it is refused, or it is another statement in its one form.
    #[test]
    fn no_two_byte_strings_are_the_same_statement(kind in 0..Kind::ALL.len(), at: prop::sample::Index, with: Vec<u8>, length in 0usize..4) {
        let good = statement(Kind::ALL[kind]);
        let mut bytes = good.encode();
        let at = at.index(bytes.len());
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, with);
        if let Ok(read) = Statement::parse(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        prop_assert!(Statement::parse(&bytes).is_err());
    }
}
