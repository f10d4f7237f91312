//! Callers, keys and payloads in Cedar's terms.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Context, Entity, EntityUid, RestrictedExpression as Expression};
use proto::record::StopTarget;

use crate::access::decide::{Question, Unanswerable};
use crate::access::schema::{self, uid};
use crate::access::{Caller, Facts, Needs, Resource};

/// The one id of `Instance`, and of the entities that stand for the caller's claims and annotations.
const THIS: &str = "this";

fn text(value: &str) -> Expression {
    Expression::new_string(value.to_owned())
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> Expression {
    Expression::new_set(values.map(text))
}

fn entity(
    id: EntityUid,
    attributes: impl IntoIterator<Item = (&'static str, Expression)>,
    parents: HashSet<EntityUid>,
    tags: impl IntoIterator<Item = (String, Expression)>,
) -> Result<Entity, Unanswerable> {
    let attributes: HashMap<_, _> =
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Entity::new_with_tags(id, attributes, parents, tags)
        .map_err(|error| Unanswerable::Entity(error.to_string()))
}

/// The caller as a principal.
pub(crate) fn caller(caller: &Caller) -> Result<Entity, Unanswerable> {
    let mut attributes = vec![("id", text(&caller.id)), ("kind", text(caller.kind.name()))];
    attributes.extend(caller.issuer.as_deref().map(|issuer| ("issuer", text(issuer))));
    let parents = caller.groups().iter().map(|group| uid(&schema::CALLERS, group)).collect();
    entity(uid(&schema::CALLER, &caller.id), attributes, parents, [])
}

/// The caller's verified claims.
pub(crate) fn claims(caller: &Caller) -> Result<Entity, Unanswerable> {
    let tags = caller.claims.iter().map(|(name, value)| (name.clone(), text(value)));
    entity(uid(&schema::CLAIMS, THIS), [], HashSet::new(), tags)
}

/// The caller's annotations.
pub(crate) fn annotations(facts: &Facts) -> Result<Entity, Unanswerable> {
    let tags = facts.annotations.iter().map(|(name, value)| (name.to_owned(), text(value)));
    entity(uid(&schema::ANNOTATIONS, THIS), [], HashSet::new(), tags)
}

fn key(resource: &Resource) -> Result<Entity, Unanswerable> {
    let kinds: Vec<String> = resource.purpose.kinds().map(ToString::to_string).collect();
    let attributes = [
        ("name", text(resource.key.as_str())),
        ("owner", text(&resource.owner)),
        ("purpose", texts(kinds.iter().map(String::as_str))),
    ];
    let parents = resource.groups().map(|group| uid(&schema::KEYS, group)).collect();
    entity(uid(&schema::KEY, resource.key.as_str()), attributes, parents, [])
}

/// What the question is about.
pub(crate) fn resource(question: &Question<'_>) -> Result<Entity, Unanswerable> {
    use crate::access::Action;
    let bare = |id| entity(id, [], HashSet::new(), []);
    match question.action {
        Action::Sign | Action::GetPublicKey | Action::ListKeys | Action::GetKey | Action::WatchKeys => {
            key(question.resource.ok_or(Unanswerable::NoKey)?)
        }
        Action::ReadLog | Action::SearchLog | Action::GetReceipt | Action::Redact => {
            bare(uid(&schema::INSTANCE, THIS))
        }
        Action::Invite(invited) => caller(invited),
        Action::Stop(target) => match target {
            StopTarget::All => bare(uid(&schema::INSTANCE, THIS)),
            StopTarget::Key(name) | StopTarget::Version { key: name, .. } => {
                let resource = question.resource.filter(|resource| resource.key == *name);
                key(resource.ok_or(Unanswerable::NoKey)?)
            }
            StopTarget::Caller(id) => {
                caller(&Caller::parse(id).map_err(|error| Unanswerable::Target(error.to_string()))?)
            }
            StopTarget::Issuer(issuer) => bare(uid(&schema::ISSUER, issuer)),
            StopTarget::Claim { name, value } => {
                let attributes = [("name", text(name)), ("value", text(value))];
                entity(uid(&schema::CLAIM, &format!("{name}={value}")), attributes, HashSet::new(), [])
            }
            StopTarget::Backend(name) => {
                entity(uid(&schema::BACKEND, name), [("name", text(name))], HashSet::new(), [])
            }
        },
    }
}

/// The context, as far as it is needed.
pub(crate) fn context(facts: Option<&Facts>, needs: Needs) -> Result<Context, Unanswerable> {
    let mut pairs: Vec<(String, Expression)> = Vec::new();
    let mut put = |name: &str, value: &dyn Fn() -> Option<Expression>| {
        if needs.includes(name)
            && let Some(value) = value()
        {
            pairs.push((name.to_owned(), value));
        }
    };
    put("claims", &|| Some(Expression::new_entity_uid(uid(&schema::CLAIMS, THIS))));
    if let Some(facts) = facts {
        put("annotations", &|| Some(Expression::new_entity_uid(uid(&schema::ANNOTATIONS, THIS))));
        put("kind", &|| Some(text(&facts.kind.to_string())));
        put("repository", &|| facts.repository.as_deref().map(text));
        put("digests", &|| {
            Some(Expression::new_set(facts.digests.iter().map(|digest| text(&digest.to_string()))))
        });
        put("predicate_type", &|| facts.predicate_type.as_deref().map(text));
        put("subjects", &|| Some(texts(facts.subjects.iter().map(String::as_str))));
    }
    Context::from_pairs(pairs).map_err(|error| Unanswerable::Entity(error.to_string()))
}
