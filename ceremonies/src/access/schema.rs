//! The schema: one text, compiled in.

use std::sync::LazyLock;

use cedar_policy::{Entities, EntityId, EntityTypeName, EntityUid, Schema, Validator};

/// The schema's text, for people and their editors.
pub const TEXT: &str = include_str!("access.cedarschema");

/// The schema.
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let (schema, _warnings) =
        Schema::from_cedarschema_str(TEXT).expect("the compiled-in schema is valid: tested");
    schema
});

/// The validator of rules against the schema.
pub(crate) static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| Validator::new(SCHEMA.clone()));

/// The entities of the actions, which every decision needs.
pub(crate) static ACTIONS: LazyLock<Entities> =
    LazyLock::new(|| SCHEMA.action_entities().expect("the compiled-in schema is valid: tested"));

macro_rules! types {
    ($($constant:ident $name:literal;)*) => {
        $(pub(crate) static $constant: LazyLock<EntityTypeName> =
            LazyLock::new(|| $name.parse().expect("an identifier"));)*
    };
}

types! {
    ACTION "Action";
    ANNOTATIONS "Annotations";
    BACKEND "Backend";
    CALLER "Caller";
    CALLERS "Callers";
    CLAIM "Claim";
    CLAIMS "Claims";
    INSTANCE "Instance";
    ISSUER "Issuer";
    KEY "Key";
    KEYS "Keys";
}

/// The entity of a type with this id.
pub(crate) fn uid(kind: &LazyLock<EntityTypeName>, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(EntityTypeName::clone(kind), EntityId::new(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Action;

    #[test]
    fn the_schema_is_valid_and_knows_exactly_our_actions() {
        let mut known: Vec<String> =
            SCHEMA.actions().map(|action| action.id().unescaped().to_owned()).collect();
        known.sort();
        let mut ours: Vec<String> = Action::NAMES.iter().map(|name| (*name).to_owned()).collect();
        ours.sort();
        assert_eq!(known, ours);
        assert!(ACTIONS.len() >= ours.len());
    }
}
