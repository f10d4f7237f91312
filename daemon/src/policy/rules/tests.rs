#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use ceremonies::access::{Decision, Facts};
use proptest::prelude::*;
use proto::algorithm::HashAlgorithm;
use proto::digest::Digest;
use proto::purpose::{Kind, Purpose};
use proto::reason::Reason;
use proto::record::StopTarget;

use super::*;
use crate::policy::facts::Resource;
use crate::policy::permit::{Approach, Why, decide};

fn key(name: &str) -> Resource {
    Resource {
        key: name.parse().unwrap(),
        purpose: Purpose::new([Kind::Blob, Kind::Oci]).unwrap(),
        owner: "a".into(),
    }
}

fn blob() -> Facts {
    Facts::new(Kind::Blob, Digest::of(HashAlgorithm::Sha256, b"x").into())
}

fn caller(id: &str) -> Arc<Caller> {
    Arc::new(Caller::parse(id).unwrap())
}

const GRANTS: &str = r#"
@id("own") permit(principal == Caller::"unix:1", action == Action::"sign", resource == Key::"a/b") when { context.kind == "blob" };
@id("any") permit(principal == Caller::"unix:2", action, resource);
"#;

#[test]
fn a_permit_says_what_was_decided_on_what() {
    let rules = Rules::load("", GRANTS, 7, 12).unwrap();
    let permit =
        decide(&rules, &caller("unix:1"), &Action::Sign, Some(&key("a/b")), Some(&blob()), 99).unwrap();
    assert_eq!(
        (permit.rule().as_ref(), permit.guardrails(), permit.grants(), permit.control()),
        ("own", 7, 12, 99)
    );
    assert_eq!((permit.caller().id.as_str(), permit.key().unwrap().as_str()), ("unix:1", "a/b"));
}

#[test]
fn refusals_say_the_reason_and_the_rule() {
    let forbid = "@id(\"no-stops\") forbid(principal, action == Action::\"stop\", resource);";
    let rules = Rules::load(forbid, GRANTS, 0, 0).unwrap();
    let stranger = decide(&rules, &caller("unix:3"), &Action::ReadLog, None, None, 0).unwrap_err();
    assert_eq!((stranger.why.clone(), stranger.reason()), (Why::NotAdmitted, Reason::Unauthenticated));
    let other =
        decide(&rules, &caller("unix:1"), &Action::Sign, Some(&key("a/c")), Some(&blob()), 0).unwrap_err();
    assert_eq!(other.refusal().to_string(), "POLICY_DENIED: `sign` with the key a/c: no grant permits it");
    let stop = decide(&rules, &caller("unix:2"), &Action::Stop(StopTarget::All), None, None, 0).unwrap_err();
    assert_eq!(stop.refusal().metadata.get("rule").map(String::as_str), Some("no-stops"));
    let facts = Facts { kind: Kind::X509, ..blob() };
    let purpose =
        decide(&rules, &caller("unix:2"), &Action::Sign, Some(&key("a")), Some(&facts), 0).unwrap_err();
    assert_eq!(purpose.reason(), Reason::PurposeMismatch);
    assert_eq!(
        purpose.to_string(),
        "`sign` with the key a: the key is for blob, oci, and the bytes are of kind x509"
    );
}

#[test]
fn a_changed_key_or_caller_is_not_answered_from_a_slice_of_before() {
    let grants = "@id(\"owned\") permit(principal in Callers::\"unix\", action == Action::\"list-keys\", resource) \
                  when { resource.owner == \"a\" && context.claims.hasTag(\"t\") };";
    let rules = Rules::load("", grants, 0, 0).unwrap();
    let with_claim = |claims: &[&str]| {
        let claims = claims.iter().map(|name| ((*name).to_owned(), String::new())).collect();
        Arc::new(Caller { claims, ..Caller::unix(1) })
    };
    let ask = |caller: Arc<Caller>, owner: &str| {
        let resource = Resource { owner: owner.into(), ..key("k") };
        decide(&rules, &caller, &Action::ListKeys, Some(&resource), None, 0).is_ok()
    };
    for _ in 0..2 {
        assert!(ask(with_claim(&["t"]), "a"));
        assert!(!ask(with_claim(&["t"]), "b"));
        assert!(!ask(with_claim(&[]), "a"));
    }
}

/// Rules that overlap in every way that slicing looks at.
fn any_rule(effect: &'static str) -> impl Strategy<Value = String> {
    let principal = prop::sample::select(vec![
        "principal == Caller::\"spiffe://e.org/ci/a\"",
        "principal in Callers::\"spiffe://e.org/ci\"",
        "principal in Callers::\"spiffe\"",
        "principal is Caller in Callers::\"spiffe://e.org/ops\"",
        "principal in Callers::\"unix\"",
        "principal == Caller::\"unix:1\"",
    ]);
    let action = prop::sample::select(vec![
        "action",
        "action == Action::\"sign\"",
        "action in [Action::\"sign\", Action::\"list-keys\"]",
        "action == Action::\"read-log\"",
        "action == Action::\"stop\"",
    ]);
    let resource = prop::sample::select(vec![
        "resource",
        "resource is Key",
        "resource == Key::\"r/a\"",
        "resource in Keys::\"r\"",
        "resource is Key in Keys::\"r/a\"",
        "resource == Instance::\"this\"",
        "resource in Callers::\"unix\"",
        "resource == Backend::\"b\"",
    ]);
    let condition = prop::sample::select(vec![
        "true",
        "true",
        "true",
        "principal.kind == \"spiffe\"",
        "context.claims.hasTag(\"t\")",
        "9223372036854775807 + 1 > 0",
        "principal has issuer",
    ]);
    let signing = prop::sample::select(vec![
        "context.kind == \"oci\"",
        "context has repository && context.repository like \"x/*\"",
        "context.annotations.hasTag(\"n\") && context.annotations.getTag(\"n\") == \"1\"",
        "context.subjects.contains(\"sha256:aa\")",
        "resource.purpose.contains(\"oci\")",
        "!(context has predicate_type)",
    ]);
    let plain = (principal.clone(), action, resource, condition)
        .prop_map(move |(p, a, r, c)| format!("{effect}({p}, {a}, {r}) when {{ {c} }};"));
    let sign = (
        principal,
        prop::sample::select(vec!["resource", "resource in Keys::\"r\"", "resource == Key::\"r/a\""]),
        signing,
    )
        .prop_map(move |(p, r, c)| format!("{effect}({p}, action == Action::\"sign\", {r}) when {{ {c} }};"));
    prop_oneof![plain, sign]
}

fn numbered(prefix: &str, rules: &[String]) -> String {
    rules.iter().enumerate().map(|(n, rule)| format!("@id(\"{prefix}{n}\") {rule}\n")).collect()
}

fn any_caller() -> impl Strategy<Value = Arc<Caller>> {
    let ids = vec![
        "spiffe://e.org/ci/a",
        "spiffe://e.org/ci/b",
        "spiffe://e.org/ops/x",
        "spiffe://f.org/ci",
        "unix:1",
        "unix:2",
        "dns:a.b",
    ];
    (prop::sample::select(ids), any::<bool>()).prop_map(|(id, claim)| {
        let claims = claim.then(|| ("t".to_owned(), "1".to_owned())).into_iter().collect();
        Arc::new(Caller { claims, ..Caller::parse(id).unwrap() })
    })
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let kinds = prop::sample::select(vec![Kind::Oci, Kind::Blob, Kind::Dsse("p".into())]);
    (kinds, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(kind, repository, subject, annotation)| Facts {
            repository: repository.then(|| "x/y".to_owned()),
            predicate_type: matches!(kind, Kind::Dsse(_)).then(|| "p".to_owned()),
            subjects: subject.then(|| "sha256:aa".to_owned()).into_iter().collect(),
            annotations: annotation.then(|| ("n".to_owned(), "1".to_owned())).into_iter().collect(),
            ..Facts::new(kind, Digest::of(HashAlgorithm::Sha256, b"x").into())
        },
    )
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => Just(Action::Sign),
        1 => Just(Action::ListKeys),
        1 => Just(Action::ReadLog),
        1 => Just(Action::Stop(StopTarget::All)),
        1 => Just(Action::Stop(StopTarget::Backend("b".into()))),
        1 => Just(Action::Stop(StopTarget::Caller("unix:1".into()))),
        1 => Just(Action::Stop(StopTarget::Key("r/a".parse().unwrap()))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Invariant: a slice decides as all rules do, by the same rule, first asked or asked again.
    #[test]
    fn a_slice_decides_as_all_rules_do(
        forbids in prop::collection::vec(any_rule("forbid"), 0..3),
        permits in prop::collection::vec(any_rule("permit"), 1..16),
        asked in prop::collection::vec(
            (any_caller(), any_action(), prop::sample::select(vec!["r/a", "r/b", "r", "o"]), any_facts()), 1..12),
    ) {
        let (forbids, permits) = (numbered("f", &forbids), numbered("p", &permits));
        // Rules that can never apply (a stop's resource for `sign`) are validation errors in some versions of Cedar.
        let Ok(rules) = Rules::load(&forbids, &permits, 0, 0) else { return Err(TestCaseError::reject("not valid")) };
        for _ in 0..2 {
            for (caller, action, name, facts) in &asked {
                let resource = key(name);
                let question = Question {
                    caller,
                    action,
                    resource: Some(&resource),
                    facts: (*action == Action::Sign).then_some(facts),
                };
                let whole = rules.policies().decide(&question);
                let permitted = matches!(whole, Decision::Permitted { .. });
                let approach = Approach::find(&rules, caller, action, Some(&resource), 0);
                let sliced = approach.map(|approach| {
                    let kind = facts.kind.clone();
                    approach.decide(question.facts.map(|facts| (&kind, || facts.clone())))
                });
                let sliced = match sliced {
                    Err(denied) | Ok(Err(denied)) => match denied.why {
                        Why::Policy(denial) => Decision::Denied(denial),
                        // No grant is for the caller, so none can permit it.
                        Why::NotAdmitted => {
                            prop_assert!(!permitted);
                            continue;
                        }
                        // The rules permit it; what the key is for comes after them.
                        Why::Purpose { .. } | Why::Elsewhere => {
                            prop_assert!(permitted);
                            continue;
                        }
                    },
                    Ok(Ok(permit)) => Decision::Permitted { rule: permit.rule().to_string() },
                };
                let same = match (&whole, &sliced) {
                    (Decision::Denied(Denial::Failed { rule: a, .. }), Decision::Denied(Denial::Failed { rule: b, .. })) => a == b,
                    (a, b) => a == b,
                };
                prop_assert!(same, "{question:?}: {whole:?} of all, {sliced:?} of the slice");
                prop_assert_eq!(rules.admits(caller), rules.policies().admits(caller));
            }
        }
    }
}
