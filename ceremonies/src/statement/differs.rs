//! What differs between two statements, or a statement and its template: as data, for whoever shows it.

use serde_json::Value;

use crate::statement::Statement;

/// One place where two documents differ.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// Where: `target.algorithm`, `target.purpose[1]`.
    pub path: String,
    /// What was there; none where there was nothing.
    pub before: Option<Value>,
    /// What is there now; none where there is nothing.
    pub after: Option<Value>,
}

/// What is never the same in two statements, and so is no news.
const ROUTINE: [&str; 6] = ["ceremony", "expires", "log.root", "log.size", "nonce", "not_before"];

impl Difference {
    /// Whether it is one that every two statements have.
    pub fn is_routine(&self) -> bool {
        ROUTINE.contains(&self.path.as_str())
    }
}

impl Statement {
    /// What is different in this statement from an earlier one, routine differences too, in the order of the paths.
    pub fn differs_from(&self, earlier: &Self) -> Vec<Difference> {
        between(&earlier.to_value(), &self.to_value())
    }
}

/// What differs between two documents, in the order of their fields. Empty exactly where they are equal.
pub fn between(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), Some(before), Some(after), &mut found);
    found
}

fn compare(path: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(path, old.get(name), new.get(name), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for at in 0..old.len().max(new.len()) {
                compare(format!("{path}[{at}]"), old.get(at), new.get(at), found);
            }
        }
        _ if before == after => {}
        _ => found.push(Difference { path, before: before.cloned(), after: after.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_said_with_their_place() {
        let before = json!({"a": 1, "b": {"c": [1, 2], "d": "x"}, "e": true});
        let after = json!({"a": 1, "b": {"c": [1, 3, 4], "d": {"f": 1}}, "g": "new"});
        let shown: Vec<String> = between(&before, &after)
            .iter()
            .map(|found| {
                let text = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), ToString::to_string);
                format!("{}: {} -> {}", found.path, text(&found.before), text(&found.after))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "b.c[1]: 2 -> 3",
                "b.c[2]: - -> 4",
                "b.d: \"x\" -> {\"f\":1}",
                "e: true -> -",
                "g: - -> \"new\""
            ]
        );
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![(0..3).prop_map(Value::from), "[ab]{0,2}".prop_map(Value::from)];
        leaf.prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[abc]", inner, 0..3)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_difference_is_equality_and_turning_round_swaps_the_sides(a in documents(), b in documents()) {
            let there = between(&a, &b);
            prop_assert_eq!(there.is_empty(), a == b);
            let swapped: Vec<Difference> = between(&b, &a)
                .into_iter()
                .map(|found| Difference { path: found.path, before: found.after, after: found.before })
                .collect();
            prop_assert_eq!(there, swapped);
        }
    }
}
