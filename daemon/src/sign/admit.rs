//! Who may sign what with which version: from a request to a permit, and again when something changed.
//!
//! Nothing is touched here: a refusal leaves no trace but, where policy refused, its record.

use std::sync::Arc;

use proto::digest::{Digest, Digests};
use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::reason::Reason;
use proto::refusal::Refusal;
use proto::term::Term;
use proto::time::Time;

use super::prepare::Reading;
use super::{SignRequest, VersionChoice, refuse};
use crate::keyring::{Refused, Snapshot};
use crate::keys::ring::Ring;
use crate::keys::state::{KeyVersion, VersionState};
use crate::log::Log;
use crate::policy::caller::Caller;
use crate::policy::facts::{Action, Facts};
use crate::policy::{Approach, Denied, Permit};

/// One version that is going to sign.
#[derive(Clone)]
pub(crate) struct Chosen {
    /// Which.
    pub(crate) version: Arc<KeyVersion>,
    /// What it signs; for algorithms that sign the message, what is recorded.
    pub(crate) digest: Digest,
    /// What the fence looks at.
    pub(crate) terms: Arc<[Term]>,
    /// The version's end, if it has one.
    pub(crate) not_after: Option<Time>,
}

/// Why a request is not admitted.
pub(crate) enum Unadmitted {
    /// Refused, and not recorded.
    Refused(Refusal),
    /// Policy refused, which is recorded.
    Denied(Denied),
}

impl From<Refused> for Unadmitted {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Denied(denied) => Self::Denied(denied),
            Refused::NoRules => Self::Refused(refused.refusal()),
        }
    }
}

impl From<Refusal> for Unadmitted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The facts that policy sees.
fn facts(reading: &Reading, digests: Digests, request: &SignRequest) -> Facts {
    Facts {
        kind: reading.kind.clone(),
        repository: reading.repository.clone(),
        digests,
        predicate_type: reading.predicate_type.clone(),
        subjects: reading.subjects.clone(),
        annotations: request.annotations.clone(),
    }
}

/// What holds for everything that one caller asks of one key on one snapshot: found once a batch.
pub(crate) struct Standing<'s> {
    ring: &'s Ring,
    approach: Approach<'s>,
    active: Option<Signing<'s>>,
    caller_id: Arc<str>,
}

/// The version that signs, and what a signature by it requires.
struct Signing<'s> {
    version: &'s Arc<KeyVersion>,
    terms: Arc<[Term]>,
}

impl<'s> Standing<'s> {
    /// Finds it.
    ///
    /// # Errors
    /// [`Unadmitted`] where there is no such key, or no grant is for the caller.
    pub(crate) fn find(
        snapshot: &'s Snapshot,
        caller: &'s Arc<Caller>,
        key: &KeyName,
    ) -> Result<Self, Unadmitted> {
        let ring = snapshot.ring(key).ok_or_else(|| {
            Refusal::new(Reason::UnknownKey, format!("there is no key `{key}` here")).with("key", key)
        })?;
        let approach = snapshot.approach(caller, &Action::Sign, snapshot.resource(key))?;
        let active = snapshot.active(key).map(|version| {
            let terms = terms(ring.name(), version.key_id, &version.backend, caller).into();
            Signing { version, terms }
        });
        Ok(Self { ring, approach, active, caller_id: caller.id.as_str().into() })
    }

    /// Whether it is about this key.
    pub(crate) fn is_of(&self, key: &KeyName) -> bool {
        self.ring.name() == key
    }

    /// The caller's stable id.
    pub(crate) fn caller_id(&self) -> &Arc<str> {
        &self.caller_id
    }

    /// Decides one request. Policy is asked before anything is said of the key's state or purpose, so that nobody learns
    /// them whom policy does not let near.
    ///
    /// # Errors
    /// [`Unadmitted`].
    pub(crate) fn admit(
        &self,
        log: &Log,
        request: &SignRequest,
        reading: &Reading,
    ) -> Result<(Permit, Vec<Chosen>), Unadmitted> {
        let digest = self.active.as_ref().map(|active| reading.body.digest(active.version.algorithm));
        let gather = || {
            let seen = match &digest {
                Some(Ok(digest)) => digest.clone().into(),
                _ => reading.body.digests(),
            };
            facts(reading, seen, request)
        };
        let permit = self.approach.decide(Some((&reading.kind, gather))).map_err(Unadmitted::Denied)?;
        if request.versions == VersionChoice::Retiring {
            let message = format!("`{}` has no retiring version", self.ring.name());
            return Err(Refusal::new(Reason::RetiringUnavailable, message).into());
        }
        let (active, digest) = match (&self.active, digest) {
            (Some(active), Some(digest)) => (active, digest?),
            _ => return Err(inactive(self.ring).into()),
        };
        if let Some(stop) = log.covers(&active.terms) {
            return Err(refuse::stopped(&stop).into());
        }
        let (version, terms) = (Arc::clone(active.version), Arc::clone(&active.terms));
        let not_after = version.valid_until;
        Ok((permit, vec![Chosen { version, digest, terms, not_after }]))
    }
}

/// Decides one request on this snapshot: see [`Standing::admit`].
///
/// # Errors
/// [`Unadmitted`].
pub(crate) fn admit(
    snapshot: &Snapshot,
    log: &Log,
    caller: &Arc<Caller>,
    request: &SignRequest,
    reading: &Reading,
) -> Result<(Permit, Vec<Chosen>), Unadmitted> {
    Standing::find(snapshot, caller, &request.key)?.admit(log, request, reading)
}

fn inactive(ring: &Ring) -> Refusal {
    let newest = ring.newest();
    match newest.state() {
        VersionState::Suspended => {
            Refusal::new(Reason::KeySuspended, format!("`{}` is stopped", ring.name()))
        }
        state => Refusal::new(Reason::KeyNotActive, format!("`{}` is {state}", newest.name())),
    }
    .with("log_index", newest.state_index())
}

/// What a signature requires: name and id of its key, its caller with issuer and claims, its backend.
fn terms(key: &KeyName, id: KeyId, backend: &str, caller: &Caller) -> Vec<Term> {
    let mut terms = vec![
        Term::Key(key.clone()),
        Term::KeyId(id),
        Term::Caller(caller.id.clone()),
        Term::Backend(backend.to_owned()),
    ];
    terms.extend(caller.issuer.iter().cloned().map(Term::Issuer));
    terms.extend(
        caller.claims.iter().map(|(name, value)| Term::Claim { name: name.clone(), value: value.clone() }),
    );
    terms
}
