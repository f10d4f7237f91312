#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use proto::hash::Hash;

use super::*;

const TEXT: &str = r#"
kind = "key.generate"
mode = "rehearsal"
environment = "sandbox"
lives = "72h"
purpose = "first key for Linux releases"
justification = "The Linux team starts to release."

[target]
activation = "at-completion"
algorithm = "ecdsa-p256-sha256"
backend = "hsm-a"
extractable = false
key = "release/linux"
owner = "release team"
purpose = ["blob", "oci"]
retirement = "Rotated yearly."
standby = false
version = 1
"#;

fn day() -> Day {
    let version = Version { sha256: Hash::of(b"document"), version: 1 };
    Day {
        ceremony: CeremonyId::from([1; 16]),
        guardrails: version,
        initiator: "ada".parse().unwrap(),
        instance: "signing.example.org".parse().unwrap(),
        justification: None,
        log: Log { origin: "rehearsal.example.org".parse().unwrap(), root: Hash::of(b"root"), size: 7 },
        nonce: Nonce::from([2; 32]),
        not_before: "2026-11-21T05:00:00.000000Z".parse().unwrap(),
        quorum: Quorum { approvals: 2, officers: 3, witnesses: 2 },
        roster: version,
        ticket: Some("OPS-4711".parse().unwrap()),
    }
}

#[test]
fn a_template_becomes_a_statement_on_its_day() {
    let template = Template::parse(TEXT).unwrap();
    let statement = template.fill(day()).unwrap();
    assert_eq!(statement.kind(), Kind::KeyGenerate);
    assert_eq!(statement.common().expires.to_string(), "2026-11-24T05:00:00.000000Z");
    assert_eq!(statement.common().justification.as_str(), "The Linux team starts to release.");
    assert_eq!(Statement::parse(&statement.encode()).unwrap(), statement);
    assert_eq!(template.differs(&statement), []);
    let error = template.fill(Day { ticket: None, ..day() }).unwrap_err();
    assert_eq!(error, StatementError::Missing { place: "ticket".into() });
    let production = Log { origin: "log.example.org".parse().unwrap(), ..day().log };
    assert!(matches!(template.fill(Day { log: production, ..day() }), Err(StatementError::Mode { .. })));
}

#[test]
fn what_differs_from_the_template_and_from_the_last_one_is_said() {
    let template = Template::parse(TEXT).unwrap();
    let first = template.fill(day()).unwrap();
    let Target::KeyGenerate(mut key) = first.target().clone() else { panic!() };
    key.version = 2;
    let mut common = first.common().clone();
    common.purpose = "second key for Linux releases".parse().unwrap();
    common.nonce = Nonce::from([3; 32]);
    common.expires = common.not_before.later(Duration::from_secs(3600));
    let second = Statement::new(common, Target::KeyGenerate(key)).unwrap();
    let paths =
        |differences: Vec<Difference>| differences.into_iter().map(|found| found.path).collect::<Vec<_>>();
    assert_eq!(paths(template.differs(&second)), ["lives", "purpose", "target.version"]);
    let since = second.differs_from(&first);
    let news: Vec<Difference> = since.iter().filter(|found| !found.is_routine()).cloned().collect();
    assert_eq!(paths(since), ["expires", "nonce", "purpose", "target.version"]);
    assert_eq!(paths(news), ["purpose", "target.version"]);
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_line() {
    let text = r#"
kind = "key.generate"
mode = "drill"
environment = "Sandbox"
lives = "31d"
purpos = "first key"

[target]
activation = "someday"
algorithm = "ecdsa-p256-sha256"
backend = "hsm-a"
extractable = true
key = "release//linux"
standby = false
colour = "blue"
"#;
    let problems: Vec<String> = Template::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
    for (problem, expected) in problems.iter().zip([
        "purpose: is missing: what for, in one line",
        "line 3: mode: unknown variant `drill`",
        "line 4: environment: expected a name of lower-case letters, digits, `.` and `-`",
        "line 5: lives: expected more than nothing and at most 30d",
        "line 6: purpos: unknown; did you mean `purpose`?",
        "line 9: target.activation: unknown variant `someday`",
        "line 12: target.extractable: here this is always false",
        "line 13: target.key: `` is no segment of a key name",
        "line 15: target.colour: unknown; expected one of: activation, algorithm",
    ]) {
        assert!(problem.starts_with(expected), "{problem}\nis not\n{expected}\nin {problems:#?}");
    }
    // Without its kind nothing can be said of the target.
    let problems = Template::parse(&TEXT.replace("key.generate", "key.import")).unwrap_err();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["line 2: kind: `key.import` is no kind of ceremony that this version knows"]);
}
