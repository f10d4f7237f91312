//! Access rules, guardrails' and grants': read or refused with everything that is wrong. What is read permits nobody whom no
//! grant admits, a guardrail never permits, and a rule that decided is one of the files'.

use ceremonies::access::{Action, Caller, Decision, Effect, Facts, Policies, Question, Resource};
use proto::algorithm::HashAlgorithm;
use proto::digest::Digest;
use proto::purpose::{Kind, Purpose};

/// Words of rules.
pub const WORDS: &[&str] = &[
    "permit (principal, action, resource);",
    "forbid (principal, action, resource);",
    "@id(\"a\")\n",
    "principal == Caller::\"unix:0\"",
    "principal in Callers::\"spiffe\"",
    "action == Action::\"sign\"",
    "resource in Keys::\"release\"",
    "when { context.kind == \"oci\" }",
    "unless { true }",
    "?principal",
    "||",
    "like \"*\"",
    "\0",
];

/// Both files of a small instance, the guardrails before a zero byte.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let forbid = "@id(\"no-blind\")\nforbid (principal, action == Action::\"sign\", resource)\nwhen { context.kind == \"digest\" };\n";
    let grants = "@id(\"builders\")\npermit (principal in Callers::\"spiffe://example.org/ci\", action == Action::\"sign\", resource in Keys::\"release\");\n\
                  @id(\"operator\")\npermit (principal == Caller::\"unix:0\", action, resource);\n";
    vec![format!("{forbid}\0{grants}").into_bytes(), grants.as_bytes().to_vec(), b"\0".to_vec()]
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let (guardrails, grants) = text.split_once('\0').unwrap_or(("", text));
    let policies = match Policies::load(guardrails, grants) {
        Ok(policies) => policies,
        Err(problems) => {
            assert!(!problems.is_empty() && problems.iter().all(|found| !found.problem.message.is_empty()));
            let lines = guardrails.lines().count().max(grants.lines().count()) + 1;
            assert!(problems.iter().all(|found| found.problem.line.is_none_or(|line| line <= lines)), "{problems:?}");
            return false;
        }
    };
    let key = Resource {
        key: "release/linux".parse().unwrap(),
        purpose: Purpose::new([Kind::Blob]).unwrap(),
        owner: "release".into(),
    };
    let facts = Facts::new(Kind::Blob, Digest::of(HashAlgorithm::Sha256, b"x").into());
    for caller in ["spiffe://example.org/ci/linux", "spiffe://nobody.invalid/x", "dns:build.example.org", "unix:0"] {
        let caller = Caller::parse(caller).unwrap();
        let question =
            Question { caller: &caller, action: &Action::Sign, resource: Some(&key), facts: Some(&facts) };
        if let Decision::Permitted { rule } = policies.decide(&question) {
            assert!(policies.admits(&caller), "{} is permitted by {rule} and admitted by none", caller.id);
            let found = policies.rules().iter().find(|known| known.id == rule);
            let found = found.unwrap_or_else(|| panic!("`{rule}` is no rule"));
            assert_eq!(found.effect, Effect::Permit);
            assert!(grants.contains(&format!("@id(\"{rule}\")")) || !rule.is_ascii(), "{rule} is not of the grants");
        }
    }
    true
}
