//! Permits: decisions that may be spent once.

use std::fmt;
use std::sync::Arc;

use ceremonies::access::{Decision, Denial, Question};
use proto::action::ActionName;
use proto::name::KeyName;
use proto::purpose::Kind;
use proto::reason::Reason;
use proto::refusal::Refusal;

use crate::policy::caller::{Caller, CallerKind};
use crate::policy::facts::{Action, Facts, Resource};
use crate::policy::rules::Rules;
use crate::policy::slice::{Always, Slice};

/// A decision in favour. It cannot be made but by [`Approach::decide`], not cloned, and whoever needs one takes it by
/// value: one permit, one operation.
#[derive(Debug)]
pub struct Permit {
    caller: Arc<Caller>,
    action: Action,
    key: Option<KeyName>,
    rule: Arc<str>,
    guardrails: u64,
    grants: u64,
    control: u64,
}

impl Permit {
    /// Who may.
    pub const fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// Do what.
    pub const fn action(&self) -> &Action {
        &self.action
    }

    /// With which key, where the action is about one.
    pub const fn key(&self) -> Option<&KeyName> {
        self.key.as_ref()
    }

    /// Id of the grant that decided.
    pub const fn rule(&self) -> &Arc<str> {
        &self.rule
    }

    /// Index of the record that put the guardrails in force.
    pub const fn guardrails(&self) -> u64 {
        self.guardrails
    }

    /// Index of the record that put the grants in force.
    pub const fn grants(&self) -> u64 {
        self.grants
    }

    /// Index of the newest control record that the decision saw: the fence compares with it.
    pub const fn control(&self) -> u64 {
        self.control
    }
}

/// A decision against.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Denied {
    /// Id of the rule that decided, where one did.
    pub rule: Option<String>,
    /// Why.
    pub why: Why,
    /// Which call.
    pub action: ActionName,
    /// The key that it was about, if it was about one.
    pub key: Option<KeyName>,
}

/// Why not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Why {
    /// No grant is for this caller: it is answered `UNAUTHENTICATED` and counted, not recorded.
    #[error("no grant is for this caller")]
    NotAdmitted,
    /// Policy says no.
    #[error(transparent)]
    Policy(#[from] Denial),
    /// Policy says yes, but the key is not for this kind of input.
    #[error("the key is for {purpose}, and the bytes are of kind {kind}")]
    Purpose {
        /// What the bytes are.
        kind: Kind,
        /// What the key is for.
        purpose: String,
    },
    /// Policy says yes, but not from another machine.
    #[error("details are erased over the local socket only: call from the daemon's own machine")]
    Elsewhere,
}

impl Denied {
    /// The stable reason.
    pub const fn reason(&self) -> Reason {
        match self.why {
            Why::NotAdmitted => Reason::Unauthenticated,
            Why::Policy(_) | Why::Elsewhere => Reason::PolicyDenied,
            Why::Purpose { .. } => Reason::PurposeMismatch,
        }
    }

    /// As every use case answers it.
    pub fn refusal(&self) -> Refusal {
        let refusal = Refusal::new(self.reason(), self.to_string()).with("action", self.action);
        let refusal = match &self.key {
            Some(key) => refusal.with("key", key),
            None => refusal,
        };
        match &self.rule {
            Some(rule) => refusal.with("rule", rule),
            None => refusal,
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "`{}` with the key {key}: {}", self.action, self.why),
            None => write!(f, "`{}`: {}", self.action, self.why),
        }
    }
}

impl std::error::Error for Denied {}

/// What decides for one caller, action and key: found once, asked for each payload. A batch asks one for all its items.
pub struct Approach<'a> {
    rules: &'a Rules,
    caller: &'a Arc<Caller>,
    action: &'a Action,
    resource: Option<&'a Resource>,
    slice: Result<Arc<Slice>, Denial>,
    control: u64,
}

impl<'a> Approach<'a> {
    /// Finds it. `resource` is the key for actions that are about one (and for stops that name one); `control` is the index
    /// of the newest control record in the snapshot that everything here is from.
    ///
    /// # Errors
    /// [`Why::NotAdmitted`].
    pub fn find(
        rules: &'a Rules,
        caller: &'a Arc<Caller>,
        action: &'a Action,
        resource: Option<&'a Resource>,
        control: u64,
    ) -> Result<Self, Denied> {
        let slice = if rules.admits(caller) {
            rules.slice_of(caller, action, resource)
        } else {
            let key = resource.map(|resource| resource.key.clone());
            return Err(Denied { rule: None, why: Why::NotAdmitted, action: action.named(), key });
        };
        Ok(Self { rules, caller, action, resource, slice, control })
    }

    /// Decides; `payload` is what is to be signed, for `sign`. Its facts are gathered only where a rule looks at them.
    ///
    /// # Errors
    /// [`Denied`], with the rule that decided.
    pub fn decide<F: FnOnce() -> Facts>(&self, payload: Option<(&Kind, F)>) -> Result<Permit, Denied> {
        let slice = self.slice.as_ref().map_err(|denial| self.denied(denial.clone()))?;
        let (kind, facts) = payload.unzip();
        let rule = match slice.always().filter(|_| kind.is_some() || *self.action != Action::Sign) {
            Some(Always::Permitted(rule)) => Arc::clone(rule),
            Some(Always::Denied(denial)) => return Err(self.denied(denial.clone())),
            None => {
                let facts = facts.map(|gather| gather());
                let (action, resource) = (self.action, self.resource);
                match slice.decide(&Question { caller: self.caller, action, resource, facts: facts.as_ref() })
                {
                    Decision::Permitted { rule } => Arc::from(rule),
                    Decision::Denied(denial) => return Err(self.denied(denial)),
                }
            }
        };
        // Last, so that nobody learns what a key is for whom policy does not let near it.
        if let (Action::Sign, Some(resource), Some(kind)) = (self.action, self.resource, kind)
            && !resource.purpose.allows(kind)
        {
            return Err(
                self.refused(Why::Purpose { kind: kind.clone(), purpose: resource.purpose.to_string() })
            );
        }
        if *self.action == Action::Redact && self.caller.kind != CallerKind::Unix {
            return Err(self.refused(Why::Elsewhere));
        }
        Ok(Permit {
            caller: Arc::clone(self.caller),
            action: self.action.clone(),
            key: self.key(),
            rule,
            guardrails: self.rules.guardrails(),
            grants: self.rules.grants(),
            control: self.control,
        })
    }

    fn key(&self) -> Option<KeyName> {
        self.resource.map(|resource| resource.key.clone())
    }

    fn refused(&self, why: Why) -> Denied {
        Denied { rule: None, why, action: self.action.named(), key: self.key() }
    }

    fn denied(&self, denial: Denial) -> Denied {
        let rule = denial.rule().map(ToOwned::to_owned);
        Denied { rule, why: Why::Policy(denial), action: self.action.named(), key: self.key() }
    }
}

/// Decides on one payload. `resource`, `control`: see [`Approach::find`]; `facts` are those of the payload for `sign`.
///
/// # Errors
/// [`Denied`], with the rule that decided.
pub fn decide(
    rules: &Rules,
    caller: &Arc<Caller>,
    action: &Action,
    resource: Option<&Resource>,
    facts: Option<&Facts>,
    control: u64,
) -> Result<Permit, Denied> {
    let approach = Approach::find(rules, caller, action, resource, control)?;
    approach.decide(facts.map(|facts| (&facts.kind, || facts.clone())))
}
