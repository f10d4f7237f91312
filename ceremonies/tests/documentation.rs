//! The examples of the documentation are good, together.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use ceremonies::access::{Policies, cases};
use ceremonies::guardrails::Guardrails;

const PAGE: &str = include_str!("../../docs/access-policy.md");

/// The fenced block with this info string.
fn block(info: &str) -> &'static str {
    let begin = PAGE.split(&format!("```{info}\n")).nth(1).unwrap();
    begin.split("\n```").next().unwrap()
}

#[test]
fn the_examples_of_the_page_decide_as_its_cases_say() {
    let policies = Policies::load(block("cedar guardrails"), block("cedar grants")).unwrap();
    assert_eq!(policies.notes(), [""; 0]);
    let cases = cases::parse(block("toml cases")).unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let outcome = case.run(&policies).unwrap();
        assert!(outcome.holds, "{}: {}", outcome.name, outcome.explanation);
    }
    let guardrails = Guardrails::parse(block("toml guardrails")).unwrap();
    assert!(guardrails.caller_quotas.find("spiffe://example.org/ci/linux").is_some());
}
