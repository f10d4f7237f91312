//! One moment: state, rules and opened keys together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::sync::Arc;

use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::reason::Reason;
use proto::record::CallerDetail;
use proto::refusal::Refusal;

use super::Loaded;
use crate::backend::{Failure, SigningKey};
use crate::keys::fold::State;
use crate::keys::ring::Ring;
use crate::keys::state::KeyVersion;
use crate::policy::caller::Caller;
use crate::policy::facts::{Action, Facts, Resource};
use crate::policy::quota::{Exhausted, Quotas, Spent};
use crate::policy::rules::Rules;
use crate::policy::{self, Approach, Denied, Permit};

/// What may be signed at one moment, and with what.
#[derive(Clone)]
pub struct Snapshot {
    state: Arc<State>,
    keys: BTreeMap<KeyName, Known>,
    force: Option<Arc<InForce>>,
    opened: HashMap<KeyId, Opened>,
}

/// What is asked of a key with every request, worked out once.
#[derive(Clone)]
struct Known {
    resource: Arc<Resource>,
    active: Option<Arc<KeyVersion>>,
}

/// What the guardrails and grants that the log names put in force.
pub struct InForce {
    /// The files.
    pub loaded: Arc<Loaded>,
    /// Their rules.
    pub rules: Rules,
    /// Their quotas. Counters live as long as the guardrails do.
    pub quotas: Arc<Quotas>,
}

/// Why policy does not let a caller.
#[derive(Clone, Debug)]
pub enum Refused {
    /// The log names policy files that this daemon does not have.
    NoRules,
    /// The rules say no.
    Denied(Denied),
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl Refused {
    /// What the caller is told.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::NoRules => Refusal::new(
                Reason::PolicyDenied,
                "the policy files that the log names are not loaded, so nothing is permitted; the daemon's operator must put them back",
            ),
            Self::Denied(denied) => denied.refusal(),
        }
    }
}

/// What came of opening a key.
#[derive(Clone)]
pub(super) enum Opened {
    /// Nothing yet: its backend has not answered.
    Begun,
    /// It signs, or says why not at each attempt.
    Key(Arc<dyn SigningKey>),
    /// It could not be opened; it is tried again.
    Failed(Failure),
}

impl Snapshot {
    pub(super) fn new(state: State) -> Self {
        let keys = known(&state);
        Self { state: Arc::new(state), keys, force: None, opened: HashMap::new() }
    }

    pub(super) fn with_state(&self, state: Arc<State>, force: Option<Arc<InForce>>) -> Self {
        let keys = known(&state);
        let mut opened = self.opened.clone();
        // What was found on one device is not used on another.
        opened.retain(|id, _| {
            let place = |state: &State| state.version(id).map(|version| version.locator.clone());
            place(&self.state) == place(&state)
        });
        Self { state, keys, force, opened }
    }

    pub(super) fn with_keys(&self, keys: impl IntoIterator<Item = (KeyId, Opened)>) -> Self {
        let mut next = self.clone();
        next.opened.extend(keys);
        next
    }

    /// Whether the version with this key id is still where this one is.
    pub(super) fn is_there(&self, version: &KeyVersion) -> bool {
        self.state.version(&version.key_id).is_some_and(|now| now.locator == version.locator)
    }

    pub(super) fn opened(&self, id: &KeyId) -> Option<&Opened> {
        self.opened.get(id)
    }

    /// Index of the newest control record that this snapshot knows.
    pub fn control(&self) -> u64 {
        self.state.head().index
    }

    /// The state that the control records fold to.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The key of this name.
    pub fn ring(&self, name: &KeyName) -> Option<&Ring> {
        self.state.ring(name)
    }

    /// The version of this key that signs.
    pub fn active(&self, name: &KeyName) -> Option<&Arc<KeyVersion>> {
        self.keys.get(name)?.active.as_ref()
    }

    /// The key of this name, as policy sees it.
    pub fn resource(&self, name: &KeyName) -> Option<&Resource> {
        self.keys.get(name).map(|known| &*known.resource)
    }

    /// Every version that signs.
    pub fn signing(&self) -> impl Iterator<Item = &Arc<KeyVersion>> {
        self.keys.values().filter_map(|known| known.active.as_ref())
    }

    /// The backends that have not answered yet for a key that signs.
    pub fn waits_for(&self) -> BTreeSet<&str> {
        let begun = |version: &&Arc<KeyVersion>| {
            !matches!(self.opened(&version.key_id), Some(Opened::Key(_) | Opened::Failed(_)))
        };
        self.signing().filter(begun).map(|version| version.backend.as_str()).collect()
    }

    /// Guardrails and grants in force, where the daemon has their files.
    pub fn in_force(&self) -> Option<&Arc<InForce>> {
        self.force.as_ref()
    }

    /// The caller as records name it: its claims only as far as the guardrails let them be recorded.
    pub fn named(&self, caller: &Caller) -> CallerDetail {
        let recorded = self.force.as_ref().map(|force| &force.loaded.document.record_claims);
        let may_be = |name: &String| recorded.is_some_and(|recorded| recorded.contains(name));
        let claims = caller.claims.iter().filter(|(name, _)| may_be(name));
        CallerDetail {
            claims: claims.map(|(name, value)| (name.clone(), value.clone())).collect(),
            id: caller.id.clone(),
            kind: caller.kind.name().to_owned(),
        }
    }

    /// Whether any grant's principal scope admits the caller. One that none admits is not authenticated here.
    pub fn admits(&self, caller: &Caller) -> bool {
        self.force.as_ref().is_some_and(|force| force.rules.admits(caller))
    }

    /// Asks policy.
    ///
    /// # Errors
    /// [`Refused::Denied`]; everything is refused where no rules are in force.
    pub fn decide(
        &self,
        caller: &Arc<Caller>,
        action: &Action,
        resource: Option<&Resource>,
        facts: Option<&Facts>,
    ) -> Result<Permit, Refused> {
        let force = self.force.as_ref().ok_or(Refused::NoRules)?;
        Ok(policy::decide(&force.rules, caller, action, resource, facts, self.control())?)
    }

    /// What decides for this caller, action and key, to be asked for each payload.
    ///
    /// # Errors
    /// [`Refused::Denied`] where no grant is for the caller; everything is refused where no rules are in force.
    pub fn approach<'s>(
        &'s self,
        caller: &'s Arc<Caller>,
        action: &'s Action,
        resource: Option<&'s Resource>,
    ) -> Result<Approach<'s>, Refused> {
        let force = self.force.as_ref().ok_or(Refused::NoRules)?;
        Ok(Approach::find(&force.rules, caller, action, resource, self.control())?)
    }

    /// Takes one signature from the quotas of caller and key.
    ///
    /// # Errors
    /// Everything is refused where no rules are in force; [`Exhausted`] where they are.
    pub fn take_quota(&self, caller: &Caller, key: &KeyName) -> Result<Result<Spent, Exhausted>, Refusal> {
        match &self.force {
            Some(force) => Ok(force.quotas.take(caller, key, NonZeroU32::MIN)),
            None => Err(Refused::NoRules.refusal()),
        }
    }

    /// The opened key of this id.
    ///
    /// # Errors
    /// Why it is not open.
    pub fn signer(&self, id: &KeyId) -> Result<Arc<dyn SigningKey>, Failure> {
        match self.opened.get(id) {
            Some(Opened::Key(key)) => Ok(Arc::clone(key)),
            Some(Opened::Failed(failure)) => Err(failure.clone()),
            Some(Opened::Begun) | None => {
                let backend = self.state.version(id).map(|version| version.backend.as_str());
                Err(Failure::Unavailable {
                    cause: format!("{}: the key is being opened", backend.unwrap_or("no backend")),
                    retry_after: std::time::Duration::from_millis(200),
                })
            }
        }
    }
}

fn known(state: &State) -> BTreeMap<KeyName, Known> {
    let known = |ring: &Ring| Known {
        resource: Arc::new(Resource {
            key: ring.name().clone(),
            purpose: ring.purpose().clone(),
            owner: ring.owner().to_owned(),
        }),
        active: ring.active().cloned().map(Arc::new),
    };
    state.rings().map(|ring| (ring.name().clone(), known(ring))).collect()
}
