//! The guardrails document: what only a quorum changes.
//!
//! One TOML file. It names other files (forbid rules, client CAs) each with its SHA-256, so that the one digest that the
//! log holds, that of this file's bytes, pins everything: a file that was edited without its line here is refused.
//!
//! ```toml
//! [forbid]                                    # rules that no grant overrides; may be absent
//! file = "forbid.cedar"                       # paths are relative to this file
//! sha256 = "…"
//!
//! [[client_ca]]                               # who may vouch for callers' certificates
//! file = "clients.pem"
//! sha256 = "…"
//!
//! [log]
//! leaves = "private"                          # or "public": then entry bundles are served over HTTP
//! record_claims = ["repository_id"]           # claims that records may hold; names of people are not among them by default
//!
//! [quota.caller."spiffe://example.org/ci/*"]  # each caller that fits for itself; the longest pattern wins
//! rate = "50/s"
//! burst = 100
//! total = 100000
//! window = "24h"
//!
//! [quota.key."release/*"]                     # each key that fits for itself
//! rate = "500/s"
//!
//! [ceremony."key.generate"]                   # how ceremonies of a kind are held; what is not said is as shipped
//! witnesses = 3
//! expires = "48h"                             # longest life of a statement
//! approval_age = "12h"                        # how old an approval or attestation may be when it is used
//! vetoes = 1                                  # how many people's vetoes end it: 1 or 2
//!
//! [ceremony.resolve]
//! officers = 3                                # only where a kind counts officers, and not the roster's quorum
//! ```
//!
//! Windows join with the life of a key. Trust anchors of identity are client authorities alone: `[[spiffe_bundle]]` and
//! `[[oidc_issuer]]` are refused by name.

pub mod quota;

use std::collections::BTreeSet;

use proto::hash::Hash;
use quota::{Quota, QuotaTable};

use crate::form::{self, Form, Problem};
use crate::rules::Rules;

/// What only a quorum changes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Guardrails {
    /// The file of `forbid` rules.
    pub forbid: Option<Named>,
    /// Files of certificates that vouch for callers.
    pub client_cas: Vec<Named>,
    /// Whether leaves may be read by everybody.
    pub leaves_public: bool,
    /// Claims that records may hold.
    pub record_claims: BTreeSet<String>,
    /// Quotas of callers, by patterns of their ids.
    pub caller_quotas: QuotaTable,
    /// Quotas of keys, by patterns of their names.
    pub key_quotas: QuotaTable,
    /// How each kind of ceremony is held.
    pub rules: Rules,
}

/// A file that is named with its digest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named {
    /// Path, relative to the guardrails file.
    pub file: String,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
}

/// A named file is not the one that was named.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{file} has SHA-256 {found}, the guardrails name {expected}: put the named file back, or change the guardrails"
)]
pub struct Differs {
    /// The file.
    pub file: String,
    /// What the guardrails say.
    pub expected: Hash,
    /// What it has.
    pub found: Hash,
}

impl Named {
    /// Whether these are the bytes that were named.
    ///
    /// # Errors
    /// [`Differs`], with both digests.
    pub fn check(&self, bytes: &[u8]) -> Result<(), Differs> {
        let found = Hash::of(bytes);
        if found == self.sha256 {
            Ok(())
        } else {
            Err(Differs { file: self.file.clone(), expected: self.sha256, found })
        }
    }
}

impl Guardrails {
    /// Reads the document.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        form::read(text, |form| {
            let forbid = form.optional_section("forbid", named);
            let client_cas = form.list("client_ca", named);
            for (key, why) in TO_COME {
                form.refuse(key, why);
            }
            let log = form.optional_section("log", log).unwrap_or_default();
            let quotas =
                form.optional_section("quota", |form| Some((quotas(form, "caller"), quotas(form, "key"))));
            let (caller_quotas, key_quotas) = quotas.unwrap_or_default();
            let (leaves_public, record_claims) = log;
            let rules = Rules::read(form);
            Some(Self { forbid, client_cas, leaves_public, record_claims, caller_quotas, key_quotas, rules })
        })
    }
}

/// Trust anchors of identity that this version does not know. Their names are kept for them; guardrails that have one are refused,
/// because a daemon that ignored it would believe others than people decided.
const TO_COME: [(&str, &str); 2] = [
    (
        "oidc_issuer",
        "this version knows no OIDC issuers and takes no tokens: callers come with a certificate of a [[client_ca]], or by the local \
         socket",
    ),
    (
        "spiffe_bundle",
        "this version reads no SPIFFE bundles: name the authorities of the trust domain as [[client_ca]]; a caller's SPIFFE id is that \
         of his certificate",
    ),
];

fn named(form: &mut Form<'_, '_>) -> Option<Named> {
    let file: Option<String> = form.required("file", "the path, relative to the guardrails file");
    let sha256 = form.required("sha256", "SHA-256 of the file (sha256sum)");
    if file.as_deref().is_some_and(str::is_empty) {
        form.problem("the path is empty");
        return None;
    }
    Some(Named { file: file?, sha256: sha256? })
}

fn log(form: &mut Form<'_, '_>) -> Option<(bool, BTreeSet<String>)> {
    let known = |leaves: &String| leaves == "private" || leaves == "public";
    let leaves = form.checked("leaves", "private".to_owned(), known, "\"private\" or \"public\"");
    Some((leaves == "public", form.or("record_claims", BTreeSet::new())))
}

fn quotas(form: &mut Form<'_, '_>, of: &'static str) -> QuotaTable {
    let table = form.named(of, |pattern, form| {
        if pattern.is_empty() || pattern.trim_end_matches('*').contains('*') || pattern.ends_with("**") {
            form.problem(format!(
                "`{pattern}` is no pattern: expected a whole name, or a beginning and one `*` at its end"
            ));
        }
        Quota::read(form)
    });
    QuotaTable::new(table)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use std::time::Duration;

    use super::*;
    use crate::rules::{Officers, Rule};
    use crate::statement::Kind;

    const TEXT: &str = r#"
[forbid]
file = "forbid.cedar"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
[[client_ca]]
file = "clients.pem"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
[log]
leaves = "public"
record_claims = ["repository_id"]
[quota.caller."spiffe://example.org/*"]
rate = "50/s"
burst = 100
[quota.caller."*"]
total = 10
window = "24h"
[quota.key."release/*"]
rate = "500/s"
[ceremony."key.generate"]
witnesses = 3
expires = "48h"
[ceremony.resolve]
officers = 3
vetoes = 2
approval_age = "90m"
"#;

    #[test]
    fn a_good_document_is_read() {
        let guardrails = Guardrails::parse(TEXT).unwrap();
        let forbid = guardrails.forbid.unwrap();
        assert_eq!((forbid.file.as_str(), forbid.check(b"")), ("forbid.cedar", Ok(())));
        assert!(forbid.check(b"x").unwrap_err().to_string().starts_with("forbid.cedar has SHA-256 2d711642"));
        assert!(guardrails.leaves_public && guardrails.record_claims.contains("repository_id"));
        assert_eq!(guardrails.client_cas.len(), 1);
        let of = |id: &str| guardrails.caller_quotas.find(id).unwrap();
        assert_eq!(of("spiffe://example.org/a").rate.unwrap().burst.get(), 100);
        assert_eq!(of("unix:0").total.unwrap().count, 10);
        assert!(guardrails.key_quotas.find("other").is_none());
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let shipped = Rules::default();
        let generate = Rule { witnesses: 3, expires: hours(48), ..shipped.of(Kind::KeyGenerate) };
        assert_eq!(guardrails.rules.of(Kind::KeyGenerate), generate);
        let resolve = Rule {
            officers: Officers::Count(3),
            vetoes: 2,
            approval_age: hours(3) / 2,
            ..shipped.of(Kind::Resolve)
        };
        assert_eq!(guardrails.rules.of(Kind::Resolve), resolve);
        let others = |kind: &&Kind| ![Kind::KeyGenerate, Kind::Resolve].contains(kind);
        for kind in Kind::ALL.iter().filter(others) {
            assert_eq!(guardrails.rules.of(*kind), shipped.of(*kind));
        }
    }

    proptest::proptest! {
        /// Whatever is changed in a document, reading it ends with a document or with problems.
        #[test]
        fn a_damaged_document_is_read_or_refused(at in 0..TEXT.len(), length in 0usize..40, with in ".{0,12}") {
            let end = (at + length).min(TEXT.len());
            let damaged = format!("{}{with}{}", &TEXT[..at], &TEXT[end..]);
            if let Err(problems) = Guardrails::parse(&damaged) {
                proptest::prop_assert!(!problems.is_empty());
                let lines = damaged.lines().count().max(1) + 1;
                proptest::prop_assert!(problems.iter().all(|p| !p.message.is_empty() && p.line.is_none_or(|line| line <= lines)));
            }
        }
    }

    #[test]
    fn an_empty_document_is_one_without_exceptions() {
        assert_eq!(Guardrails::parse("").unwrap(), Guardrails::default());
    }

    #[test]
    fn rules_below_the_hard_limits_are_said_with_their_lines() {
        let text = r#"
[ceremony."key.generate"]
officers = 2
witnesses = 0
expires = "31d"
vetoes = 3
[ceremony."grant.change"]
officers = 1
approval_age = "25h"
[ceremony.resolve]
officers = 70000
quorum = 2
[ceremony.key.rotate]
witnesses = 1
"#;
        let problems: Vec<String> =
            Guardrails::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "line 3: ceremony.\"key.generate\".officers: is no number of this kind: who approves it is fixed, and how many a quorum are, the roster says",
                "line 4: ceremony.\"key.generate\": at least one witness must attest",
                "line 5: ceremony.\"key.generate\": it may last 31d, expected more than nothing and at most 30d",
                "line 6: ceremony.\"key.generate\": 3 vetoes stop it, expected 1 or 2",
                "line 8: ceremony.\"grant.change\": at least two distinct persons must act, 1 would be enough here",
                "line 9: ceremony.\"grant.change\": an approval may be 25h old, expected more than nothing and at most what the statement lives",
                "line 11: ceremony.resolve.officers: invalid value: integer `70000`, expected u16",
                "line 12: ceremony.resolve.quorum: unknown; expected one of: officers, witnesses, expires, approval_age, vetoes",
                "line 13: ceremony.key: `key` is no kind of ceremony that this version knows; kinds are quoted, for instance [ceremony.\"key.generate\"]",
            ]
        );
    }

    #[test]
    fn anchors_that_this_version_does_not_know_are_refused_by_name() {
        let text = r#"
[[client_ca]]
file = "clients.pem"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

[[spiffe_bundle]]
file = "bundle.json"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

[[oidc_issuer]]
url = "https://token.actions.githubusercontent.com"
"#;
        let problems: Vec<String> =
            Guardrails::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
        let [bundle, issuer] = &problems[..] else { panic!("{problems:#?}") };
        assert!(
            bundle.starts_with("line 6: spiffe_bundle: this version reads no SPIFFE bundles: name"),
            "{bundle}"
        );
        assert!(issuer.starts_with("line 10: oidc_issuer: this version knows no OIDC issuers"), "{issuer}");
        // A misspelt key is not taken for one of them.
        let problems = Guardrails::parse("[[spiffe_bundles]]\n").unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            "line 1: spiffe_bundles: unknown; expected one of: forbid, client_ca, log, quota, ceremony"
        );
    }

    #[test]
    fn everything_that_is_wrong_is_said() {
        let text = r#"
[forbid]
file = ""
sha256 = "E3"
[log]
leaves = "open"
[quota.caller."a*b"]
rate = "fast"
[quota.key."a"]
burst = 3
total = 5
[quotas]
"#;
        let problems: Vec<String> =
            Guardrails::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "line 2: forbid: the path is empty",
                "line 4: forbid.sha256: expected 64 lower-case hexadecimal digits",
                "line 6: log.leaves: expected \"private\" or \"public\"",
                "line 7: quota.caller.\"a*b\": `a*b` is no pattern: expected a whole name, or a beginning and one `*` at its end",
                "line 8: quota.caller.\"a*b\".rate: `fast` is no rate: expected a whole number per s, m or h, for instance \"50/s\"",
                "line 9: quota.key.a: `burst` needs a `rate`",
                "line 9: quota.key.a: `total` and `window` go together",
                "line 12: quotas: unknown; did you mean `quota`?",
            ]
        );
    }
}
