//! A table of cases: what a policy should decide, written down beside it, and run at a desk or in CI.
//!
//! ```toml
//! [[case]]
//! name = "the linux builders sign team 3's images"
//! caller = "spiffe://example.org/ci/linux"
//! action = "sign"
//! key = "release/linux"
//! kind = "oci"
//! repository = "registry.example.org/team3/app"
//! expect = "permit"
//! rule = "team3-images"            # optional: and this rule decides
//! ```
//!
//! Further fields: `purpose`, `owner` of the key; `digests`, `subjects`, `predicate_type`, `annotations`; `issuer`, `claims`
//! of the caller; `target` of a stop, as `key:…`, `caller:…`, `issuer:…`, `claim:name=value`, `backend:…` or `all`.

use std::collections::BTreeMap;
use std::fmt;

use proto::algorithm::HashAlgorithm;
use proto::digest::{Digest, Digests};
use proto::name::KeyName;
use proto::purpose::{Kind, Purpose};
use proto::record::StopTarget;

use crate::access::explain::{Explanation, explain};
use crate::access::{Action, Caller, Decision, Facts, Policies, Question, Resource};
use crate::form::{self, Form, Problem};

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is about, for people.
    pub name: String,
    /// Who asks.
    pub caller: Caller,
    /// For what.
    pub action: Action,
    /// The key, where there is one.
    pub resource: Option<Resource>,
    /// The payload, for `sign`.
    pub facts: Option<Facts>,
    /// What should be decided.
    pub expect: Option<Expect>,
}

/// What should be decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expect {
    /// `permit` or `deny`.
    pub permit: bool,
    /// And by this rule.
    pub rule: Option<String>,
}

/// A case that was run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Whether what it expects was decided.
    pub holds: bool,
    /// What it expects.
    pub expect: Expect,
    /// What was decided, and why.
    pub explanation: Explanation,
}

/// Reads a table of cases.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str) -> Result<Vec<Case>, Vec<Problem>> {
    form::read(text, |form| {
        let cases = form.list("case", |form| {
            let name = form.required("name", "what the case is about");
            let expect = form.required::<String>("expect", "\"permit\" or \"deny\"");
            let rule = form.optional("rule");
            let expect = match expect.as_deref() {
                Some("permit") => Some(Expect { permit: true, rule }),
                Some("deny") => Some(Expect { permit: false, rule }),
                Some(other) => {
                    form.problem(format!("expect = \"{other}\": expected \"permit\" or \"deny\""));
                    None
                }
                None => None,
            };
            let case = question(form)?;
            Some(Case { name: name?, expect: Some(expect?), ..case })
        });
        if cases.is_empty() {
            form.problem("a table of cases needs at least one [[case]]");
        }
        Some(cases)
    })
}

/// Reads one question from the fields of a form: those of a case but `name`, `expect` and `rule`.
pub fn question(form: &mut Form<'_, '_>) -> Option<Case> {
    let caller = text(form, "caller", "the id of who asks", Caller::parse);
    let issuer = form.optional("issuer");
    let claims = form.or("claims", BTreeMap::new());
    let target: Option<String> = form.optional("target");
    let action = form.required::<String>("action", "the call, for instance \"sign\"");
    let action = action.and_then(|name| match read_action(&name, target.as_deref()) {
        Ok(action) => Some(action),
        Err(message) => {
            form.problem(message);
            None
        }
    });
    let kind = form.or("kind", Kind::Blob);
    let resource = resource(form, action.as_ref(), &kind);
    let facts = facts(form, kind);
    let facts = facts.filter(|_| action == Some(Action::Sign));
    let caller = Caller { issuer, claims, ..caller? };
    Some(Case { name: String::new(), caller, action: action?, resource, facts, expect: None })
}

fn text<T, E: fmt::Display>(
    form: &mut Form<'_, '_>,
    key: &'static str,
    what: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    let value: String = form.required(key, what)?;
    parse(&value).map_err(|error| form.problem_at(key, error.to_string())).ok()
}

const INVITES: &str = "action = \"invite\" needs the target that is invited, for instance \"caller:spiffe://example.org/ci/linux\"";

/// The action of this name; a stop needs a target, as [`read_target`] reads it, and an invitation one `caller:ID`.
///
/// # Errors
/// The sentence that says what was expected.
pub fn read_action(name: &str, target: Option<&str>) -> Result<Action, String> {
    match (name, target) {
        ("stop", Some(target)) => read_target(target).map(Action::Stop),
        ("invite", Some(target)) => match read_target(target)? {
            StopTarget::Caller(id) => {
                Caller::parse(&id).map(Action::Invite).map_err(|error| error.to_string())
            }
            _ => Err(INVITES.to_owned()),
        },
        ("invite", None) => Err(INVITES.to_owned()),
        ("stop", None) => Err("action = \"stop\" needs a target, for instance \"backend:hsm-a\"".to_owned()),
        (_, Some(_)) => Err("only the actions \"stop\" and \"invite\" have a target".to_owned()),
        (name, None) => Action::plain(name)
            .ok_or_else(|| format!("action = \"{name}\": expected one of {}", Action::NAMES.join(", "))),
    }
}

/// The target of a stop as text: `all`, `key:release/linux`, `key:release/linux@3`, `caller:…`, `issuer:…`,
/// `claim:name=value` or `backend:…`.
///
/// # Errors
/// The sentence that says the forms.
pub fn read_target(text: &str) -> Result<StopTarget, String> {
    let expected = || {
        format!(
            "`{text}` is nothing that can be stopped: expected all, key:NAME, key:NAME@VERSION, caller:ID, issuer:URL, \
             claim:NAME=VALUE or backend:NAME"
        )
    };
    if text == "all" {
        return Ok(StopTarget::All);
    }
    let (kind, value) = text.split_once(':').filter(|(_, value)| !value.is_empty()).ok_or_else(expected)?;
    Ok(match kind {
        "key" if value.contains('@') => {
            let name: proto::name::VersionName = value.parse().map_err(|error| format!("{error}"))?;
            StopTarget::Version { key: name.key, version: name.version }
        }
        "key" => StopTarget::Key(value.parse().map_err(|error| format!("{error}"))?),
        "caller" => StopTarget::Caller(value.to_owned()),
        "issuer" => StopTarget::Issuer(value.to_owned()),
        "claim" => {
            let (name, value) = value.split_once('=').ok_or_else(expected)?;
            StopTarget::Claim { name: name.to_owned(), value: value.to_owned() }
        }
        "backend" => StopTarget::Backend(value.to_owned()),
        _ => return Err(expected()),
    })
}

/// The key. Its purpose, where it is not given, is the kind that is asked for.
fn resource(form: &mut Form<'_, '_>, action: Option<&Action>, kind: &Kind) -> Option<Resource> {
    let named: Option<KeyName> = form.optional("key");
    let stopped = match action {
        Some(Action::Stop(StopTarget::Key(key) | StopTarget::Version { key, .. })) => Some(key.clone()),
        _ => None,
    };
    let purpose = form.optional("purpose");
    let owner = form.or("owner", String::new());
    let key = named.or(stopped)?;
    let implied = || Purpose::new([kind.clone()]).map_err(|error| form.problem(error.to_string())).ok();
    Some(Resource { key, purpose: purpose.or_else(implied)?, owner })
}

fn facts(form: &mut Form<'_, '_>, kind: Kind) -> Option<Facts> {
    let digests: Vec<String> = form.or("digests", Vec::new());
    let digests: Result<Vec<Digest>, _> = digests.iter().map(|digest| digest.parse()).collect();
    let digests = match digests {
        Ok(digests) if digests.is_empty() => Digests::from(Digest::of(HashAlgorithm::Sha256, b"")),
        Ok(digests) => Digests::new(digests).map_err(|error| form.problem(error.to_string())).ok()?,
        Err(error) => {
            form.problem(format!("digests: {error}"));
            return None;
        }
    };
    let annotations: BTreeMap<String, String> = form.or("annotations", BTreeMap::new());
    Some(Facts {
        kind,
        repository: form.optional("repository"),
        digests,
        predicate_type: form.optional("predicate_type"),
        subjects: form.or("subjects", Vec::new()),
        annotations: annotations.into_iter().collect(),
    })
}

impl Case {
    /// The question that it asks.
    pub const fn question(&self) -> Question<'_> {
        Question {
            caller: &self.caller,
            action: &self.action,
            resource: self.resource.as_ref(),
            facts: self.facts.as_ref(),
        }
    }

    /// Runs it; `None` where nothing is expected.
    pub fn run(&self, policies: &Policies) -> Option<Outcome> {
        let expect = self.expect.clone()?;
        let explanation = explain(policies, &self.question());
        let (permit, rule) = match &explanation.decision {
            Decision::Permitted { rule } => (true, Some(rule.as_str())),
            Decision::Denied(denial) => (false, denial.rule()),
        };
        let holds = permit == expect.permit && (expect.rule.is_none() || expect.rule.as_deref() == rule);
        Some(Outcome { name: self.name.clone(), holds, expect, explanation })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    const GRANTS: &str = r#"@id("images") permit(principal in Callers::"spiffe://example.org/ci", action == Action::"sign",
        resource in Keys::"release") when { context.kind == "oci" };
        @id("stops") permit(principal in Callers::"unix", action == Action::"stop", resource == Backend::"hsm-a");"#;

    const CASES: &str = r#"
[[case]]
name = "ci signs images"
caller = "spiffe://example.org/ci/linux"
action = "sign"
key = "release/linux"
kind = "oci"
expect = "permit"
rule = "images"

[[case]]
name = "ci signs no blobs"
caller = "spiffe://example.org/ci/linux"
action = "sign"
key = "release/linux"
kind = "blob"
expect = "deny"

[[case]]
name = "wrong on purpose"
caller = "unix:0"
action = "stop"
target = "backend:hsm-b"
expect = "permit"
"#;

    #[test]
    fn cases_are_run_and_those_that_fail_are_explained() {
        let policies = Policies::load("", GRANTS).unwrap();
        let outcomes: Vec<_> = parse(CASES).unwrap().iter().filter_map(|case| case.run(&policies)).collect();
        assert_eq!(outcomes.iter().map(|outcome| outcome.holds).collect::<Vec<_>>(), [true, true, false]);
        let text = outcomes[1].explanation.to_string();
        assert_eq!(
            text,
            "denied: no grant permits it\n  images                   is about it, but its conditions do not hold\n  \
             stops                    is about other callers, actions or resources\n"
        );
    }

    #[test]
    fn everything_that_is_wrong_is_said() {
        let wrong = "[[case]]\nname = \"a\"\ncaller = \"root\"\naction = \"sing\"\nexpct = \"permit\"\nexpect = \"perhaps\"\n";
        let problems: Vec<String> =
            parse(wrong).map(|_| ()).unwrap_err().iter().map(ToString::to_string).collect();
        assert!(problems.iter().any(|p| p.contains("`root` is no caller")), "{problems:#?}");
        assert!(problems.iter().any(|p| p.contains("expected one of sign, get-public-key")), "{problems:#?}");
        assert!(
            problems.iter().any(|p| p.contains("expct: unknown; did you mean `expect`?")),
            "{problems:#?}"
        );
        assert!(problems.iter().any(|p| p.contains("expected \"permit\" or \"deny\"")), "{problems:#?}");
        assert!(parse("").is_err());
    }

    #[test]
    fn targets_are_read() {
        for good in
            ["all", "key:a/b", "key:a@2", "caller:unix:0", "issuer:https://a", "claim:a=b", "backend:hsm"]
        {
            assert!(read_target(good).is_ok(), "{good}");
        }
        for bad in ["", "key:", "key:A", "key:a@0", "claim:a", "hsm", "host:a"] {
            assert!(read_target(bad).is_err(), "{bad}");
        }
    }
    #[test]
    fn an_invitation_is_of_a_caller() {
        let ci = "spiffe://example.org/ci/linux";
        let read = read_action("invite", Some(&format!("caller:{ci}")));
        assert_eq!(read, Ok(Action::Invite(Caller::parse(ci).unwrap())));
        for bad in [None, Some("all"), Some("key:a/b"), Some("caller:root")] {
            assert!(read_action("invite", bad).is_err(), "{bad:?}");
        }
        assert!(read_action("sign", Some("all")).is_err());
    }
}
