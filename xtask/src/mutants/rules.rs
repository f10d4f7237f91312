//! The rules that guards keep together, as text.
//!
//! A rule often has two guards: what admission refuses is not counted either. Each guard alone can go without harm then, and a run
//! without one of them says nothing of the rule. So the guards of a rule are taken away together.

use super::table::Mutant;

/// The rules that are used.
pub const TEXT: &str = include_str!("rules.txt");

/// The section of guards that keep no invariant.
const NONE: &str = "none";

/// A rule, and what keeps it.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The invariant that would be broken.
    pub invariant: String,
    /// What must hold.
    pub name: String,
    /// The guards that keep it, by their place in the table.
    pub guards: Vec<usize>,
}

/// Reads the rules. Every guard of the table must be in one of them, or be said to keep no invariant; two changes of one text are one
/// guard. `Err` names what is not so.
pub fn read(text: &str, mutants: &[Mutant]) -> Result<Vec<Rule>, String> {
    let (mut invariant, mut all) = (String::new(), Vec::new());
    let entries = text.split("\n\n").map(str::trim).filter(|entry| !entry.starts_with('#'));
    for entry in entries.filter(|entry| !entry.is_empty()) {
        if let Some(name) = entry.strip_prefix("== ") {
            name.clone_into(&mut invariant);
            continue;
        }
        let mut lines = entry.lines();
        let name = lines.next().unwrap_or_default().to_owned();
        let guard = |line: &str| {
            let named = line.strip_prefix("- ").ok_or_else(|| format!("no line `- ` in `{name}`: {line}"))?;
            let found = mutants.iter().position(|mutant| mutant.guards == named);
            found.ok_or_else(|| format!("`{name}` names a guard that the table has not: {named}"))
        };
        let guards = lines.map(guard).collect::<Result<Vec<usize>, String>>()?;
        if guards.is_empty() {
            return Err(format!("`{name}` has no guard"));
        }
        all.push(Rule { invariant: invariant.clone(), name, guards });
    }
    let (none, rules): (Vec<Rule>, Vec<Rule>) = all.into_iter().partition(|rule| rule.invariant == NONE);
    for rule in &rules {
        for (at, guard) in rule.guards.iter().enumerate() {
            if rule.guards[..at].iter().any(|other| is_one(&mutants[*other], &mutants[*guard])) {
                return Err(format!(
                    "`{}` has two changes of one text: {}",
                    rule.name, mutants[*guard].guards
                ));
            }
        }
    }
    for mutant in mutants {
        let of = |rules: &[Rule]| {
            rules.iter().flat_map(|rule| &rule.guards).any(|own| is_one(&mutants[*own], mutant))
        };
        let named = none.iter().flat_map(|rule| &rule.guards).any(|own| mutants[*own] == *mutant);
        if !of(&rules) && !named {
            return Err(format!("a guard that is in no rule: {}", mutant.guards));
        }
    }
    Ok(rules)
}

/// Whether two mutants are changes of one text.
fn is_one(one: &Mutant, other: &Mutant) -> bool {
    one.file == other.file && one.text == other.text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use std::collections::BTreeSet;

    use super::super::{copy, table};
    use super::*;

    fn mutants() -> Vec<Mutant> {
        table::read("== a.rs\n\nnobody enters\n- closed\n+ false\n\nnobody leaves\n- locked\n+ false\n\nit opens\n- closed\n+ true\n")
            .unwrap()
    }

    #[test]
    fn rules_name_guards_and_every_guard_is_named() {
        let text = "# words\n\n== C1\n\nit is shut\n- nobody enters\n- nobody leaves\n";
        let rule = Rule { invariant: "C1".into(), name: "it is shut".into(), guards: vec![0, 1] };
        assert_eq!(read(text, &mutants()).unwrap(), [rule]);
        for (bad, words) in [
            ("== C1\n\nit is shut\n- nobody enters\n", "in no rule: nobody leaves"),
            ("== C1\n\nit is shut\n- nobody comes\n", "the table has not: nobody comes"),
            ("== C1\n\nit is shut\n+ nobody enters\n", "no line `- `"),
            ("== C1\n\nit is shut\n", "has no guard"),
            (
                "== C1\n\nit is shut\n- nobody enters\n- it opens\n- nobody leaves\n",
                "two changes of one text: it opens",
            ),
        ] {
            let why = read(bad, &mutants()).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
        let none = "== C1\n\nit is shut\n- nobody enters\n\n== none\n\nit is about words\n- nobody leaves\n";
        assert_eq!(read(none, &mutants()).unwrap().len(), 1);
    }

    #[test]
    fn every_guard_is_in_a_rule_or_says_why_not_and_the_page_has_every_rule() {
        let mutants = table::read(table::TEXT).unwrap();
        let rules = read(TEXT, &mutants).unwrap();
        // No two guards of a rule are one place in the source under two texts: the second would stay.
        for rule in &rules {
            let mut places = BTreeSet::new();
            for mutant in rule.guards.iter().map(|guard| &mutants[*guard]) {
                let path = crate::run::root().join("ceremonies/src").join(&mutant.file);
                let place = copy::find(&std::fs::read_to_string(path).unwrap(), &mutant.text).unwrap();
                assert!(places.insert((&mutant.file, place.start)), "{}: {}", rule.name, mutant.guards);
            }
        }
        let page = std::fs::read_to_string(crate::run::root().join("docs/testing.md")).unwrap();
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| C")).collect();
        let expected: Vec<String> = rules
            .iter()
            .map(|rule| format!("| {} | {} | {} |", rule.invariant, rule.name, rule.guards.len()))
            .collect();
        assert_eq!(rows, expected, "the table of rules in docs/testing.md");
    }
}
