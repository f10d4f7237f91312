//! What of the context a rule looks at.
//!
//! Building a context costs more than most decisions, so only what some rule of a slice mentions is built; and where no
//! rule mentions anything that differs between the items of a batch, one decision is all decisions.

use cedar_policy::Policy;
use serde_json::Value;

/// A set of context attributes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Needs(u8);

const NAMES: [&str; 7] =
    ["claims", "annotations", "kind", "repository", "digests", "predicate_type", "subjects"];

impl Needs {
    /// Nothing of the context.
    pub const NOTHING: Self = Self(0);
    /// The whole context.
    pub const EVERYTHING: Self = Self(0x7f);
    /// What belongs to the caller, not to the item.
    const CALLERS: Self = Self(1);

    /// What the rule mentions. A use of the context that is not a plain attribute access needs everything.
    pub(crate) fn of(policy: &Policy) -> Self {
        match policy.to_json() {
            Ok(json) => json.get("conditions").map_or(Self::NOTHING, mentioned),
            Err(_not_representable) => Self::EVERYTHING,
        }
    }

    /// Whether this attribute is among them.
    pub fn includes(self, name: &str) -> bool {
        self.0 & Self::named(name).0 != 0
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a decision can differ between two items of one caller for one key.
    pub const fn differ_per_item(self) -> bool {
        self.0 & !Self::CALLERS.0 != 0
    }

    /// The set of one attribute; everything for a name that is none.
    fn named(name: &str) -> Self {
        NAMES.iter().position(|known| *known == name).map_or(Self::EVERYTHING, |at| Self(1 << at))
    }
}

/// Walks Cedar's JSON form of an expression. `context.a` is `{".":{"left":{"Var":"context"},"attr":"a"}}`, and
/// `context has a` the same under `has`.
fn mentioned(expression: &Value) -> Needs {
    match expression {
        Value::Object(fields) => {
            if fields.get("Var").is_some_and(|var| var == "context") {
                return Needs::EVERYTHING;
            }
            let all = |fields: &serde_json::Map<String, Value>| {
                fields.values().map(mentioned).fold(Needs::NOTHING, Needs::and)
            };
            let access = |operator: &str| fields.get(operator).and_then(Value::as_object);
            match access(".").or_else(|| access("has")) {
                Some(operands) if operands.get("left") == Some(&serde_json::json!({ "Var": "context" })) => {
                    let attribute = operands.get("attr").and_then(Value::as_str);
                    let here = attribute.map_or(Needs::EVERYTHING, Needs::named);
                    let beside = fields.iter().filter(|(operator, _)| *operator != "." && *operator != "has");
                    beside.map(|(_, value)| mentioned(value)).fold(here, Needs::and)
                }
                _ => all(fields),
            }
        }
        Value::Array(items) => items.iter().map(mentioned).fold(Needs::NOTHING, Needs::and),
        _ => Needs::NOTHING,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn needs(condition: &str) -> Needs {
        let rule = format!("permit(principal, action, resource) when {{ {condition} }};");
        Needs::of(&Policy::parse(None, rule).unwrap())
    }

    fn only(names: &[&str]) -> Needs {
        names.iter().map(|name| Needs::named(name)).fold(Needs::NOTHING, Needs::and)
    }

    #[test]
    fn attributes_are_found_wherever_they_are() {
        assert_eq!(needs("principal.id == \"a\""), Needs::NOTHING);
        assert_eq!(needs("context.kind == \"oci\""), only(&["kind"]));
        assert_eq!(needs("context has repository && context.repository like \"a/*\""), only(&["repository"]));
        assert_eq!(
            needs("context[\"subjects\"].contains(\"a\") || context.digests.isEmpty()"),
            only(&["subjects", "digests"])
        );
        assert_eq!(
            needs("context.claims.hasTag(\"a\") && context.claims.getTag(\"a\") == resource.name"),
            only(&["claims"])
        );
        assert_eq!(
            needs("if context.kind == \"oci\" then context has predicate_type else true"),
            only(&["kind", "predicate_type"])
        );
    }

    #[test]
    fn any_other_use_needs_everything() {
        assert_eq!(needs("context == {}"), Needs::EVERYTHING);
        assert_eq!(needs("[context].contains(context)"), Needs::EVERYTHING);
        assert_eq!(needs("context.unheard_of"), Needs::EVERYTHING);
    }

    #[test]
    fn claims_belong_to_the_caller_and_all_else_to_the_item() {
        assert!(!only(&["claims"]).differ_per_item());
        for name in &NAMES[1..] {
            assert!(only(&[name]).differ_per_item(), "{name}");
        }
    }
}
