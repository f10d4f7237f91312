//! What is looser and what is tighter, place by place, and what no composition can do.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::rules::SHIPPED;

fn guardrails(text: &str) -> Whole {
    Whole { guardrails: Guardrails::parse(text).unwrap(), forbid: String::new() }
}

fn forbids(rules: &str) -> Whole {
    Whole { guardrails: Guardrails::default(), forbid: rules.to_owned() }
}

/// What is said of a change, and the whole in a word.
fn said(before: &Whole, after: &Whole) -> (Vec<String>, &'static str) {
    let changes = between(before, after);
    let word = match (changes.is_empty(), changes.iter().any(|change| change.loosens)) {
        (true, _) => "same",
        (false, true) => "looser",
        (false, false) => "tighter",
    };
    (changes.iter().map(ToString::to_string).collect(), word)
}

/// Each pair of texts, what is said of the way there, and in a word of the way there and back.
#[track_caller]
fn there_and_back(before: &Whole, after: &Whole, lines: &[&str], there: &str, back: &str) {
    let (found, word) = said(before, after);
    assert_eq!((found.iter().map(String::as_str).collect::<Vec<_>>(), word), (lines.to_vec(), there));
    assert_eq!(said(after, before).1, back);
    assert_eq!(said(before, before), (vec![], "same"));
}

#[test]
fn rules_of_ceremonies() {
    let with = |kind: &str, field: &str| guardrails(&format!("[ceremony.\"{kind}\"]\n{field}\n"));
    let shipped = guardrails("");
    let cases = [
        (
            "key.generate",
            "witnesses = 1",
            "ceremony.\"key.generate\".witnesses: 1 instead of 2 (fewer witnesses must attest)",
            "looser",
            "tighter",
        ),
        (
            "resolve",
            "officers = 3",
            "ceremony.\"resolve\".officers: 3 instead of 2 (more officers must approve)",
            "tighter",
            "looser",
        ),
        (
            "grant.change",
            "expires = \"48h\"",
            "ceremony.\"grant.change\".expires: 2d instead of 1d (a statement is open for longer)",
            "looser",
            "tighter",
        ),
        (
            "policy.change",
            "approval_age = \"12h\"",
            "ceremony.\"policy.change\".approval_age: 12h instead of 1d (approvals count for less long)",
            "tighter",
            "looser",
        ),
        (
            "key.generate",
            "vetoes = 2",
            "ceremony.\"key.generate\".vetoes: 2 instead of 1 (more people must veto it to end it)",
            "looser",
            "tighter",
        ),
        // Two are shipped so that no one person keeps a stop; both ways somebody can do more alone.
        (
            "key.resume",
            "vetoes = 1",
            "ceremony.\"key.resume\".vetoes: 1 instead of 2 (one person alone can keep what this kind mends as it is)",
            "looser",
            "looser",
        ),
    ];
    for (kind, field, line, there, back) in cases {
        there_and_back(&shipped, &with(kind, field), &[line], there, back);
    }
    // As shipped, written out, is no change.
    there_and_back(&shipped, &with("key.generate", "witnesses = 2"), &[], "same", "same");
}

#[test]
fn rules_that_forbid() {
    let one = "@id(\"one\")\nforbid (principal, action == Action::\"sign\", resource) when { context.kind == \"oci\" };\n";
    let spaced = "// a comment\n@id(\"one\") forbid(principal,action==Action::\"sign\",resource) when {context.kind==\"oci\"};";
    let two = format!("{one}@id(\"two\")\nforbid (principal, action == Action::\"sign\", resource);\n");
    there_and_back(&forbids(one), &forbids(spaced), &[], "same", "same");
    let (found, word) = said(&forbids(one), &forbids(&two));
    assert_eq!((found.len(), word), (1, "tighter"));
    assert!(
        found[0].starts_with("forbid \"two\": ")
            && found[0].ends_with("instead of nothing (one more rule forbids)")
    );
    assert_eq!(said(&forbids(&two), &forbids(one)).1, "looser");
    let edited = one.replace("oci", "blob");
    for (before, after) in [(one, edited.as_str()), (edited.as_str(), one)] {
        let (found, word) = said(&forbids(before), &forbids(after));
        assert_eq!((found.len(), word), (1, "looser"));
        assert!(found[0].ends_with("(a rule that forbids is another one)"), "{found:?}");
    }
    // Another name is another rule: records name it.
    let (found, word) = said(&forbids(one), &forbids(&one.replace("one", "uno")));
    assert_eq!((found.len(), word), (2, "looser"));
}

#[test]
fn authorities_and_readers() {
    let named =
        |sha256: &str| format!("[[client_ca]]\nfile = \"ca.pem\"\nsha256 = \"{}\"\n", sha256.repeat(64));
    let (a, b) = (guardrails(&named("a")), guardrails(&(named("a") + &named("b"))));
    assert_eq!((said(&a, &b).1, said(&b, &a).1), ("looser", "tighter"));
    assert_eq!(said(&a, &guardrails(&named("c"))).1, "looser", "another one in its place");
    let moved = guardrails(&named("a").replace("ca.pem", "clients/ca.pem"));
    assert_eq!(said(&a, &moved).1, "same", "the file is the same one");
    let (private, public) = (guardrails(""), guardrails("[log]\nleaves = \"public\"\n"));
    assert_eq!((said(&private, &public).1, said(&public, &private).1), ("looser", "looser"));
    let claims = guardrails("[log]\nrecord_claims = [\"repository_id\"]\n");
    assert_eq!((said(&private, &claims).1, said(&claims, &private).1), ("looser", "looser"));
}

#[test]
fn quotas_of_every_name_that_there_can_be() {
    let q = |text: &str| guardrails(text);
    let all = q("[quota.key.\"*\"]\nrate = \"10/s\"\n");
    there_and_back(
        &q(""),
        &all,
        &["quota.key.\"*\": 10 in 1s, 10 at once instead of nothing (less may be asked for)"],
        "tighter",
        "looser",
    );
    // The same for fewer names, said in more words.
    let more = q("[quota.key.\"*\"]\nrate = \"10/s\"\n[quota.key.\"a/*\"]\nrate = \"10/s\"\n");
    there_and_back(&all, &more, &[], "same", "same");
    // A longer pattern takes its names out of the shorter one's.
    let hole = q("[quota.key.\"*\"]\nrate = \"10/s\"\n[quota.key.\"a/*\"]\ntotal = 5\nwindow = \"1h\"\n");
    assert_eq!(
        (said(&all, &hole).1, said(&hole, &all).1),
        ("looser", "looser"),
        "they bound different things"
    );
    let both = q(
        "[quota.key.\"*\"]\nrate = \"10/s\"\n[quota.key.\"a/*\"]\nrate = \"9/s\"\ntotal = 5\nwindow = \"1h\"\n",
    );
    assert_eq!((said(&all, &both).1, said(&both, &all).1), ("tighter", "looser"));
    let name = q("[quota.key.\"a/*\"]\nrate = \"9/s\"\n[quota.key.\"a/b\"]\nrate = \"20/s\"\n");
    assert_eq!(said(&q("[quota.key.\"a/*\"]\nrate = \"9/s\"\n"), &name).1, "looser");
    // The same speed in other units is the same; a burst is not.
    let minute = q("[quota.caller.\"*\"]\nrate = \"60/m\"\nburst = 1\n");
    let second = q("[quota.caller.\"*\"]\nrate = \"1/s\"\n");
    there_and_back(&minute, &second, &[], "same", "same");
    let burst = q("[quota.caller.\"*\"]\nrate = \"60/m\"\n");
    assert_eq!((said(&second, &burst).1, said(&burst, &second).1), ("looser", "tighter"));
    // As many in a shorter window may be more in a longer one.
    let day = q("[quota.key.\"*\"]\ntotal = 100\nwindow = \"24h\"\n");
    let hour = q("[quota.key.\"*\"]\ntotal = 10\nwindow = \"1h\"\n");
    assert_eq!((said(&day, &hour).1, said(&hour, &day).1), ("looser", "looser"));
}

/// A document, of few enough values that two often agree.
fn documents() -> impl Strategy<Value = Whole> {
    let quota = prop_oneof![
        Just(String::new()),
        (1..4u32, 1..4u32).prop_map(|(rate, burst)| format!("rate = \"{rate}/s\"\nburst = {burst}\n")),
        (1..4u32, 1..3u32).prop_map(|(total, hours)| format!("total = {total}\nwindow = \"{hours}h\"\n")),
        (1..3u32, 1..3u32)
            .prop_map(|(rate, total)| format!("rate = \"{rate}/s\"\ntotal = {total}\nwindow = \"1h\"\n")),
    ];
    let quotas =
        prop::collection::btree_map(prop::sample::select(vec!["*", "a*", "ab*", "ab", "b"]), quota, 0..4);
    let kinds =
        prop::sample::subsequence(vec!["key.generate", "resolve", "grant.change", "key.resume"], 0..3);
    let rule = (0..3u16, 1..4u64, 1..3u16);
    let rules = prop::sample::subsequence(vec!["one", "two", "three"], 0..3);
    let cas = prop::sample::subsequence(vec!["a", "b", "c"], 0..3);
    (quotas, kinds, rule, rules, cas, any::<bool>()).prop_map(|(quotas, kinds, rule, rules, cas, edited)| {
        let mut text = String::new();
        for ca in cas {
            let _ = write!(text, "[[client_ca]]\nfile = \"{ca}\"\nsha256 = \"{}\"\n", ca.repeat(64));
        }
        for (pattern, quota) in quotas.into_iter().filter(|(_, quota)| !quota.is_empty()) {
            let _ = write!(text, "[quota.key.\"{pattern}\"]\n{quota}");
        }
        for kind in kinds {
            let (witnesses, hours, vetoes) = rule;
            let _ = write!(
                text,
                "[ceremony.\"{kind}\"]\nwitnesses = {}\nexpires = \"{}h\"\napproval_age = \"{hours}h\"\nvetoes = {vetoes}\n",
                witnesses + 1,
                hours + 10
            );
        }
        let forbid = |id: &str| {
            let kind = if edited && id == "two" { "oci" } else { "blob" };
            format!("@id(\"{id}\")\nforbid (principal, action == Action::\"sign\", resource) when {{ context.kind == \"{kind}\" }};\n")
        };
        Whole { guardrails: Guardrails::parse(&text).unwrap(), forbid: rules.into_iter().map(forbid).collect() }
    })
}

/// Whether whoever goes from the one to the other has made nothing looser.
fn tightens(before: &Whole, after: &Whole) -> bool {
    between(before, after).iter().all(|change| !change.loosens)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// One way or the other something is looser, unless both mean the same.
    #[test]
    fn only_what_means_the_same_is_tighter_both_ways(one in documents(), other in documents()) {
        let (there, back) = (between(&one, &other), between(&other, &one));
        prop_assert_eq!(there.is_empty(), back.is_empty());
        prop_assert_eq!(there.len(), back.len());
        let both = tightens(&one, &other) && tightens(&other, &one);
        prop_assert_eq!(both, there.is_empty());
        for change in &there {
            let same = |other: &&Change| {
                other.place == change.place && other.before == change.after && other.after == change.before
            };
            let undone = back.iter().find(same);
            prop_assert!(undone.is_some_and(|undone| change.loosens || undone.loosens), "{change}");
        }
    }

    #[test]
    fn no_composition_of_tightenings_loosens(one in documents(), two in documents(), three in documents()) {
        if tightens(&one, &two) && tightens(&two, &three) {
            prop_assert!(tightens(&one, &three));
        }
        // What two steps put together does not get looser by taking the first line of one and the rest of the other.
        let within = |text: &Whole| text.guardrails.rules.clone();
        let mixed = Whole { guardrails: Guardrails { rules: within(&two), ..one.guardrails.clone() }, forbid: one.forbid.clone() };
        if tightens(&one, &two) {
            prop_assert!(tightens(&one, &mixed) && tightens(&mixed, &two));
        }
    }

    /// What a quota lets a name do is judged for the name, whatever the patterns are.
    #[test]
    fn a_name_gets_no_more_by_a_tightening(one in documents(), other in documents(), name in "[ab]{1,3}") {
        if tightens(&one, &other) {
            let find = |whole: &Whole| whole.guardrails.key_quotas.find(&name).copied();
            if let Some(before) = find(&one) {
                let after = find(&other);
                prop_assert!(after.is_some(), "{name} has no quota any more");
                let after = after.unwrap();
                if let Some(rate) = before.rate {
                    let now = after.rate.unwrap();
                    prop_assert!(now.count <= rate.count && now.burst <= rate.burst);
                }
                if let Some(total) = before.total {
                    let now = after.total.unwrap();
                    prop_assert!(now.count <= total.count && now.window >= total.window);
                }
            }
        }
    }
}

#[test]
fn every_number_of_every_kind_has_a_direction() {
    for rule in SHIPPED {
        let kind = rule.kind;
        let mut fields = vec![("witnesses", (rule.witnesses + 1).to_string(), "tighter")];
        if rule.approval_age > std::time::Duration::from_secs(3600) {
            fields.push(("approval_age", "\"1h\"".to_owned(), "tighter"));
        }
        fields.push(("expires", "\"25d\"".to_owned(), "looser"));
        fields.push(("vetoes", (3 - rule.vetoes).to_string(), "looser"));
        for (field, value, word) in fields {
            let text = format!("[ceremony.\"{kind}\"]\n{field} = {value}\n");
            let (found, said) = said(&guardrails(""), &guardrails(&text));
            assert_eq!((found.len(), said), (1, word), "{kind} {field} {found:?}");
        }
    }
}

#[test]
fn rules_that_cannot_be_read_are_looser_than_any() {
    let one = "@id(\"one\")\nforbid (principal, action == Action::\"sign\", resource);\n";
    for (before, after) in [(one, "nonsense"), ("nonsense", one), ("", "nonsense")] {
        assert_eq!(said(&forbids(before), &forbids(after)).1, "looser", "{before} {after}");
    }
    assert_eq!(said(&forbids("nonsense"), &forbids("nonsense")).1, "same");
}
