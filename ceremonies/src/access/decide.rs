//! One decision: a question, asked of a set of rules.

use cedar_policy::{
    AuthorizationError, Authorizer, Decision as Answer, Entities, EntityUid, PolicyId, PolicySet, Request,
    Response,
};

use crate::access::entities;
use crate::access::schema::{self, uid};
use crate::access::{Action, Caller, Facts, Needs, Resource};

/// May this caller do this?
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// For what.
    pub action: &'a Action,
    /// The key, for everything that is about a key.
    pub resource: Option<&'a Resource>,
    /// The payload's facts, for `sign`.
    pub facts: Option<&'a Facts>,
}

/// The answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// By the grant with this id.
    Permitted {
        /// The first of the grants that permit it, in the order of the file.
        rule: String,
    },
    /// No, and why.
    Denied(Denial),
}

/// Why not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Denial {
    /// No grant permits it.
    #[error("no grant permits it")]
    NoGrant,
    /// A guardrail forbids it.
    #[error("the guardrail `{rule}` forbids it")]
    Forbidden {
        /// The first of the guardrails that forbid it, in the order of the file.
        rule: String,
    },
    /// A rule could not be evaluated, which denies whatever the others say.
    #[error("the rule `{rule}` could not be evaluated: {cause}")]
    Failed {
        /// The first of these rules, in the order of the files.
        rule: String,
        /// Cedar's word.
        cause: String,
    },
    /// The question itself cannot be put.
    #[error("{0}")]
    Unanswerable(Unanswerable),
}

impl Denial {
    /// The rule that decided, where one did.
    pub fn rule(&self) -> Option<&str> {
        match self {
            Self::Forbidden { rule } | Self::Failed { rule, .. } => Some(rule),
            Self::NoGrant | Self::Unanswerable(_) => None,
        }
    }
}

/// Why a question cannot be put.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unanswerable {
    /// The action is about a key, and none was given.
    #[error("the action is about a key, and no such key is known")]
    NoKey,
    /// `sign` without a payload.
    #[error("`sign` needs the facts of a payload")]
    NoFacts,
    /// What a stop names is nothing that policy could know.
    #[error("{0}")]
    Target(String),
    /// Cedar refused a value.
    #[error("policy cannot represent the request: {0}")]
    Entity(String),
}

/// A caller and what it asks about, in Cedar's terms; the payload is not part of it. Built once for many questions that
/// differ in the payload alone.
pub struct Surroundings {
    entities: Entities,
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
}

impl Surroundings {
    /// The surroundings of a question.
    ///
    /// # Errors
    /// [`Unanswerable`].
    pub fn of(question: &Question<'_>) -> Result<Self, Unanswerable> {
        let caller = entities::caller(question.caller)?;
        let resource = entities::resource(question)?;
        let (principal, about) = (caller.uid(), resource.uid());
        let mut all = vec![caller, entities::claims(question.caller)?];
        // A caller that stops itself is both.
        if about != principal {
            all.push(resource);
        }
        let entities = schema::ACTIONS.clone().add_entities(all, None).map_err(unanswerable)?;
        Ok(Self {
            entities,
            principal,
            action: uid(&schema::ACTION, question.action.name()),
            resource: about,
        })
    }

    /// What a rule's principal scope can name to admit the caller: the caller and whatever holds it.
    pub fn principals(&self) -> Vec<EntityUid> {
        self.holders(&self.principal)
    }

    /// What a rule's resource scope can name to admit the resource: the resource and whatever holds it.
    pub fn resources(&self) -> Vec<EntityUid> {
        self.holders(&self.resource)
    }

    fn holders(&self, of: &EntityUid) -> Vec<EntityUid> {
        let above = self.entities.ancestors(of).into_iter().flatten().cloned();
        std::iter::once(of.clone()).chain(above).collect()
    }
}

fn unanswerable(error: impl std::fmt::Display) -> Unanswerable {
    Unanswerable::Entity(error.to_string())
}

/// Asks these rules. `needs` must include what the rules mention, and `surroundings` be those of the question. Of several
/// rules that decide, the one with the lowest `rank` is named.
pub fn ask(
    rules: &PolicySet,
    surroundings: &Surroundings,
    question: &Question<'_>,
    needs: Needs,
    rank: impl Fn(&str) -> usize,
) -> Decision {
    match answer(rules, surroundings, question, needs) {
        Ok(response) => name_the_rule(&response, rank),
        Err(cause) => Decision::Denied(Denial::Unanswerable(cause)),
    }
}

fn answer(
    rules: &PolicySet,
    surroundings: &Surroundings,
    question: &Question<'_>,
    needs: Needs,
) -> Result<Response, Unanswerable> {
    let sign = *question.action == Action::Sign;
    let facts = question.facts.filter(|_| sign);
    if sign && facts.is_none() {
        return Err(Unanswerable::NoFacts);
    }
    let context = entities::context(facts, needs)?;
    let Surroundings { entities, principal, action, resource } = surroundings;
    let request = Request::new(principal.clone(), action.clone(), resource.clone(), context, None)
        .map_err(unanswerable)?;
    Ok(match facts {
        Some(facts) if needs.includes("annotations") => {
            let with =
                entities.clone().add_entities([entities::annotations(facts)?], None).map_err(unanswerable)?;
            Authorizer::new().is_authorized(&request, rules, &with)
        }
        _ => Authorizer::new().is_authorized(&request, rules, entities),
    })
}

fn name_the_rule(response: &Response, rank: impl Fn(&str) -> usize) -> Decision {
    let diagnostics = response.diagnostics();
    if let Some(error) = diagnostics.errors().min_by_key(|error| rank(policy_of(error).as_ref())) {
        let (rule, cause) = (policy_of(error).to_string(), error.to_string());
        return Decision::Denied(Denial::Failed { rule, cause });
    }
    let first = diagnostics.reason().min_by_key(|id| rank(id.as_ref())).map(ToString::to_string);
    match (response.decision(), first) {
        (Answer::Allow, Some(rule)) => Decision::Permitted { rule },
        (Answer::Deny, Some(rule)) => Decision::Denied(Denial::Forbidden { rule }),
        (_, None) => Decision::Denied(Denial::NoGrant),
    }
}

fn policy_of(error: &AuthorizationError) -> &PolicyId {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
    }
}
