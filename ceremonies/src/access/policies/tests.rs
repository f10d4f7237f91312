#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use proto::algorithm::HashAlgorithm;
use proto::digest::Digest;
use proto::purpose::{Kind, Purpose};
use proto::record::StopTarget;

use super::*;
use crate::access::{Action, Facts, Resource};

const GUARDRAILS: &str = r#"
@id("no-blind-signing") forbid(principal, action == Action::"sign", resource) when { context.kind == "digest" };
@id("releases-from-ci") forbid(principal, action == Action::"sign", resource in Keys::"release")
  unless { principal in Callers::"spiffe://example.org/ci" };
"#;

const GRANTS: &str = r#"
@id("team3-images")
permit(principal in Callers::"spiffe://example.org/ci", action == Action::"sign", resource in Keys::"release")
when { context.kind == "oci" && context has repository && context.repository like "registry.example.org/team3/*" };
@id("linux-blobs")
permit(principal == Caller::"spiffe://example.org/ci/linux", action == Action::"sign", resource == Key::"release/linux")
when { context.kind == "blob" && context.annotations.hasTag("branch") && context.annotations.getTag("branch") == "main" };
@id("local-operators")
permit(principal in Callers::"unix", action, resource);
@id("detector")
permit(principal == Caller::"spiffe://example.org/detector", action == Action::"stop", resource in Callers::"spiffe://example.org/ci");
@id("team4-invites")
permit(principal == Caller::"spiffe://example.org/admin", action == Action::"invite", resource in Callers::"spiffe://example.org/ci/team4");
"#;

fn key(name: &str) -> Resource {
    let purpose = Purpose::new([Kind::Oci, Kind::Blob]).unwrap();
    Resource { key: name.parse().unwrap(), purpose, owner: "release team".into() }
}

fn facts(kind: Kind) -> Facts {
    Facts::new(kind, Digest::of(HashAlgorithm::Sha256, b"x").into())
}

fn ask_all(caller: &str, action: &Action, resource: Option<&Resource>, facts: Option<&Facts>) -> Decision {
    let caller = Caller::parse(caller).unwrap();
    let policies = Policies::load(GUARDRAILS, GRANTS).unwrap();
    policies.decide(&Question { caller: &caller, action, resource, facts })
}

fn permitted(rule: &str) -> Decision {
    Decision::Permitted { rule: rule.into() }
}

#[test]
fn a_grant_permits_what_it_says_and_nothing_else() {
    let linux = key("release/linux");
    let mut image = facts(Kind::Oci);
    let ask = |caller, facts: &Facts| ask_all(caller, &Action::Sign, Some(&linux), Some(facts));
    assert_eq!(ask("spiffe://example.org/ci/mac", &image), Decision::Denied(Denial::NoGrant));
    image.repository = Some("registry.example.org/team3/app".into());
    assert_eq!(ask("spiffe://example.org/ci/mac", &image), permitted("team3-images"));
    image.repository = Some("registry.example.org/team4/app".into());
    assert_eq!(ask("spiffe://example.org/ci/mac", &image), Decision::Denied(Denial::NoGrant));
    assert_eq!(
        ask("spiffe://example.org/cicd", &image),
        Decision::Denied(Denial::Forbidden { rule: "releases-from-ci".into() })
    );
}

#[test]
fn annotations_reach_the_rules_that_ask_for_them() {
    let linux = key("release/linux");
    let mut blob = facts(Kind::Blob);
    let ask =
        |facts: &Facts| ask_all("spiffe://example.org/ci/linux", &Action::Sign, Some(&linux), Some(facts));
    assert_eq!(ask(&blob), Decision::Denied(Denial::NoGrant));
    blob.annotations.insert("branch".into(), "main".into());
    assert_eq!(ask(&blob), permitted("linux-blobs"));
}

#[test]
fn a_guardrail_wins_over_every_grant() {
    let other = key("other");
    let ask = |kind| ask_all("unix:0", &Action::Sign, Some(&other), Some(&facts(kind)));
    assert_eq!(ask(Kind::Blob), permitted("local-operators"));
    assert_eq!(ask(Kind::Digest), Decision::Denied(Denial::Forbidden { rule: "no-blind-signing".into() }));
}

#[test]
fn the_right_to_invite_is_of_the_callers_who_are_invited() {
    let invite = |by, caller| ask_all(by, &Action::Invite(Caller::parse(caller).unwrap()), None, None);
    let admin = "spiffe://example.org/admin";
    assert_eq!(invite(admin, "spiffe://example.org/ci/team4/build"), permitted("team4-invites"));
    for other in ["spiffe://example.org/ci/team5", "spiffe://example.org/ci/team42", admin] {
        assert_eq!(invite(admin, other), Decision::Denied(Denial::NoGrant), "{other}");
    }
    assert_eq!(invite("spiffe://example.org/ci/team4", admin), Decision::Denied(Denial::NoGrant));
    // A grant that names no action permits everything else.
    assert_eq!(invite("unix:0", admin), Decision::Denied(Denial::NoGrant));
    assert_eq!(ask_all("unix:0", &Action::ReadLog, None, None), permitted("local-operators"));
    assert_eq!(ask_all("unix:0", &Action::Stop(StopTarget::All), None, None), permitted("local-operators"));
}

#[test]
fn inviting_is_permitted_where_a_grant_names_it_and_forbidden_by_rules_that_name_nothing() {
    let invite = Action::Invite(Caller::parse("spiffe://example.org/ci").unwrap());
    let caller = Caller::unix(0);
    let question = Question { caller: &caller, action: &invite, resource: None, facts: None };
    let unix = "principal in Callers::\"unix\"";
    for (guardrails, grant, expected) in [
        ("", format!("permit({unix}, action, resource)"), Decision::Denied(Denial::NoGrant)),
        // Not a condition: a scope is what people look at.
        (
            "",
            format!("permit({unix}, action, resource) when {{ principal.id == \"unix:0\" }}"),
            Decision::Denied(Denial::NoGrant),
        ),
        ("", format!("permit({unix}, action == Action::\"invite\", resource)"), permitted("a")),
        (
            "",
            format!("permit({unix}, action in [Action::\"stop\", Action::\"invite\"], resource)"),
            permitted("a"),
        ),
        (
            "@id(\"nobody\") forbid(principal, action, resource);",
            format!("permit({unix}, action == Action::\"invite\", resource)"),
            Decision::Denied(Denial::Forbidden { rule: "nobody".into() }),
        ),
    ] {
        let policies = Policies::load(guardrails, &format!("@id(\"a\") {grant};")).unwrap();
        assert_eq!(policies.decide(&question), expected, "{grant}");
        let explained = crate::access::explain::explain(&policies, &question);
        assert_eq!(explained.decision, expected, "{grant}");
        let applies = explained
            .parts
            .iter()
            .any(|part| part.rule == "a" && part.say == crate::access::explain::Say::Applies);
        assert_eq!(applies, expected != Decision::Denied(Denial::NoGrant), "{grant}");
    }
}

#[test]
fn the_right_to_stop_may_be_limited_by_target() {
    let stop = |target| ask_all("spiffe://example.org/detector", &Action::Stop(target), None, None);
    assert_eq!(stop(StopTarget::Caller("spiffe://example.org/ci/linux".into())), permitted("detector"));
    assert_eq!(
        stop(StopTarget::Caller("spiffe://example.org/other".into())),
        Decision::Denied(Denial::NoGrant)
    );
    assert_eq!(stop(StopTarget::All), Decision::Denied(Denial::NoGrant));
    assert_eq!(stop(StopTarget::Backend("hsm-a".into())), Decision::Denied(Denial::NoGrant));
    for target in
        [StopTarget::All, StopTarget::Backend("hsm-a".into()), StopTarget::Issuer("https://a".into())]
    {
        assert_eq!(ask_all("unix:0", &Action::Stop(target), None, None), permitted("local-operators"));
    }
}

#[test]
fn questions_without_their_key_or_payload_are_denied() {
    for action in [Action::Sign, Action::GetPublicKey, Action::Stop(StopTarget::Key("a".parse().unwrap()))] {
        let decision = ask_all("unix:0", &action, None, Some(&facts(Kind::Blob)));
        assert!(matches!(decision, Decision::Denied(Denial::Unanswerable(_))), "{action}: {decision:?}");
    }
    let decision = ask_all("unix:0", &Action::Sign, Some(&key("a")), None);
    assert!(matches!(decision, Decision::Denied(Denial::Unanswerable(_))), "{decision:?}");
}

#[test]
fn an_error_denies_even_where_another_grant_permits() {
    // Passes validation, overflows when it is evaluated.
    let overflow = r#"@id("broken") permit(principal == Caller::"unix:0", action, resource)
        when { 9223372036854775807 + 1 > 0 };"#;
    let policies = Policies::load("", &format!("{GRANTS}{overflow}")).unwrap();
    let caller = Caller::unix(0);
    let question = Question { caller: &caller, action: &Action::ReadLog, resource: None, facts: None };
    match policies.decide(&question) {
        Decision::Denied(Denial::Failed { rule, cause }) => {
            assert!(rule == "broken" && cause.contains("overflow"), "{cause}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_caller_that_no_grant_is_for_is_not_admitted() {
    let policies = Policies::load(GUARDRAILS, GRANTS).unwrap();
    let admits = |id: &str| policies.admits(&Caller::parse(id).unwrap());
    assert!(
        admits("unix:1000")
            && admits("spiffe://example.org/ci/anything")
            && admits("spiffe://example.org/detector")
    );
    assert!(
        !admits("spiffe://example.org/other")
            && !admits("dns:build.example.org")
            && !admits("spiffe://example.com/ci")
    );
    assert!(!Policies::load(GUARDRAILS, "").unwrap().admits(&Caller::unix(0)));
}

#[test]
fn what_check_refuses() {
    let refuse = |guardrails: &str, grants: &str, expected: &str| {
        let problems = Policies::load(guardrails, grants).map(|_| ()).unwrap_err();
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|problem| problem.contains(expected)), "expected {expected:?} in {said:#?}");
    };
    let unix = r#"principal in Callers::"unix""#;
    refuse("", "permit(principal", "grants: line 1: ");
    refuse("\n\nforbid(principal, action, resource) when;", "", "guardrails: line 3: ");
    refuse("", &format!("permit({unix}, action, resource);"), "grants: rule 1: needs an id");
    refuse("", &format!("@id(\"a b\") permit({unix}, action, resource);"), "grants: rule 1: needs an id");
    refuse(
        "@id(\"a\") permit(principal, action, resource);",
        "",
        "guardrails: line 1: a: guardrails only forbid",
    );
    refuse(
        "",
        &format!("@id(\"a\") forbid({unix}, action, resource);"),
        "grants: line 1: a: grants only permit",
    );
    refuse(
        "",
        "@id(\"a\") permit(principal, action, resource);",
        "grants: line 1: a: a grant says whom it is for",
    );
    refuse(
        "",
        "@id(\"a\") permit(principal is Caller, action, resource);",
        "grants: line 1: a: a grant says whom it is for",
    );
    refuse(
        "@id(\"a\") forbid(principal, action, resource);",
        &format!("@id(\"a\") permit({unix}, action, resource);"),
        "grants: line 1: a: the id is given twice",
    );
    refuse("", &format!("@id(\"a\") permit({unix}, action == Action::\"sing\", resource);"), "sing");
    refuse(
        "",
        &format!(
            "@id(\"a\") permit({unix}, action == Action::\"sign\", resource) when {{ context.knd == \"a\" }};"
        ),
        "knd",
    );
    refuse(
        "",
        &format!(
            "@id(\"a\") permit({unix}, action == Action::\"sign\", resource) when {{ context.kind == 1 }};"
        ),
        "a: ",
    );
    refuse(
        "",
        &format!(
            "@id(\"a\") permit({unix}, action == Action::\"sign\", resource) when {{ context.repository == \"a\" }};"
        ),
        "repository",
    );
    refuse(
        "",
        &format!(
            "@id(\"a\") permit({unix}, action == Action::\"sign\", resource) when {{ context.claims.getTag(\"a\") == \"b\" }};"
        ),
        "a: ",
    );
    refuse("", "@id(\"a\") permit(principal == ?principal, action, resource);", "templates");
}

#[test]
fn a_rule_that_is_wrong_is_named_with_its_line() {
    let grants = format!("{GRANTS}\n@id(\"late\")\npermit(principal, action, resource);");
    let line = 1 + grants.lines().position(|line| line.contains("late")).unwrap();
    let problems = Policies::load("", &grants).map(|_| ()).unwrap_err();
    assert_eq!(
        (problems.len(), problems[0].problem.line, problems[0].problem.place.as_str()),
        (1, Some(line), "late")
    );
}

#[test]
fn several_problems_are_said_at_once() {
    let problems = Policies::load(
        "@id(\"a\") permit(principal, action, resource);",
        "permit(principal, action, resource);\npermit(principal, action, resource);",
    );
    assert_eq!(problems.map(|_| ()).unwrap_err().len(), 3);
}
