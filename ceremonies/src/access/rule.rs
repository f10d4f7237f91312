//! One rule: a grant or a guardrail, and what its scope says.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use cedar_policy::{ActionConstraint, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};

use crate::access::schema::{self, uid};
use crate::access::{Action, Caller, Needs};

/// The one action that a grant must name.
pub(crate) const INVITE: &str = proto::action::ActionName::Invite.name();

/// What a rule does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// A grant: `permit`.
    Permit,
    /// A guardrail: `forbid`.
    Forbid,
}

/// What the principal or the resource of a rule must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Anything, or anything of a type.
    Any,
    /// Exactly this, or something in it. Which of the two does not matter to slicing: ids of callers and of groups of
    /// callers are of different types.
    Within(EntityUid),
}

/// A rule of the guardrails or grants.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its `@id`: unique over both files, and what a record names as the rule that decided.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// Worked out when it is first asked for: it takes longer than reading the rule.
    needs: OnceLock<Needs>,
    /// Names of the actions that it is about; all where absent. A grant that names none is about all but inviting.
    pub(crate) actions: Option<BTreeSet<String>>,
    pub(crate) principal: Scope,
    pub(crate) resource: Scope,
    pub(crate) policy: Policy,
}

impl Rule {
    /// The rule under the id that it has in records.
    pub(crate) fn new(id: String, policy: &Policy) -> Self {
        let policy = policy.new_id(cedar_policy::PolicyId::new(&id));
        let effect = match policy.effect() {
            cedar_policy::Effect::Permit => Effect::Permit,
            cedar_policy::Effect::Forbid => Effect::Forbid,
        };
        let name = |action: &EntityUid| action.id().unescaped().to_owned();
        let actions = match policy.action_constraint() {
            // Whoever may invite a caller can become it, so nobody gives that right by leaving a word away.
            ActionConstraint::Any if effect == Effect::Permit => {
                Some(Action::NAMES.into_iter().filter(|name| *name != INVITE).map(str::to_owned).collect())
            }
            ActionConstraint::Any => None,
            ActionConstraint::Eq(action) => Some([name(&action)].into()),
            ActionConstraint::In(actions) => Some(actions.iter().map(name).collect()),
        };
        let principal = match policy.principal_constraint() {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => Scope::Any,
            PrincipalConstraint::Eq(id) | PrincipalConstraint::In(id) | PrincipalConstraint::IsIn(_, id) => {
                Scope::Within(id)
            }
        };
        let resource = match policy.resource_constraint() {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => Scope::Any,
            ResourceConstraint::Eq(id) | ResourceConstraint::In(id) | ResourceConstraint::IsIn(_, id) => {
                Scope::Within(id)
            }
        };
        Self { id, effect, needs: OnceLock::new(), actions, principal, resource, policy }
    }

    /// What of the context it looks at.
    pub fn needs(&self) -> Needs {
        *self.needs.get_or_init(|| Needs::of(&self.policy))
    }

    /// Whether its action scope admits this action: that of a grant which names none, every action but inviting.
    pub fn is_about(&self, action: &str) -> bool {
        self.actions.as_ref().is_none_or(|actions| actions.contains(action))
    }

    /// The actions that it is about; all where absent.
    pub fn actions(&self) -> Option<impl Iterator<Item = &str>> {
        self.actions.as_ref().map(|actions| actions.iter().map(String::as_str))
    }

    /// What its principal must be.
    pub const fn principal(&self) -> &Scope {
        &self.principal
    }

    /// What its resource must be.
    pub const fn resource(&self) -> &Scope {
        &self.resource
    }

    /// The rule for Cedar.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The rule with its scope and without its conditions.
    pub(crate) fn scope_alone(&self) -> Option<Policy> {
        let mut json = self.policy.to_json().ok()?;
        json.as_object_mut()?.insert("conditions".to_owned(), serde_json::json!([]));
        Policy::from_json(Some(self.policy.id().clone()), json).ok()
    }

    /// The rule as text.
    pub fn text(&self) -> String {
        self.policy.to_string()
    }
}

impl Scope {
    /// Whether something that these hold is within the scope.
    pub fn admits(&self, holders: &[EntityUid]) -> bool {
        match self {
            Self::Any => true,
            Self::Within(id) => holders.contains(id),
        }
    }
}

/// What a caller's entity equals or is in.
pub fn holders_of_caller(caller: &Caller) -> Vec<EntityUid> {
    let groups = caller.groups();
    let groups = groups.iter().map(|group| uid(&schema::CALLERS, group));
    std::iter::once(uid(&schema::CALLER, &caller.id)).chain(groups).collect()
}
