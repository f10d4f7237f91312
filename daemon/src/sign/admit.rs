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
use crate::policy::facts::{Action, Facts, Resource};
use crate::policy::{Denied, Permit};

/// One version that is going to sign.
#[derive(Clone)]
pub(crate) struct Chosen {
    /// Which.
    pub(crate) version: Arc<KeyVersion>,
    /// What it signs; for algorithms that sign the message, what is recorded.
    pub(crate) digest: Digest,
    /// What the fence looks at.
    pub(crate) terms: Vec<Term>,
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

/// Decides one request on this snapshot. Policy is asked before anything is said of the key's state or purpose, so that
/// nobody learns them whom policy does not let near.
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
    let ring = snapshot.ring(&request.key).ok_or_else(|| {
        Refusal::new(Reason::UnknownKey, format!("there is no key `{}` here", request.key))
            .with("key", &request.key)
    })?;
    let active = snapshot.active(&request.key);
    let digest = active.map(|version| reading.body.digest(version.algorithm));
    let seen = match &digest {
        Some(Ok(digest)) => digest.clone().into(),
        _ => reading.body.digests(),
    };
    let resource = Resource {
        key: ring.name().clone(),
        purpose: ring.purpose().clone(),
        owner: ring.owner().to_owned(),
    };
    let permit =
        snapshot.decide(caller, &Action::Sign, Some(&resource), Some(&facts(reading, seen, request)))?;
    if request.versions == VersionChoice::Retiring {
        let message = format!("`{}` has no retiring version", ring.name());
        return Err(Refusal::new(Reason::RetiringUnavailable, message).into());
    }
    let (version, digest) = match (active, digest) {
        (Some(version), Some(digest)) => (version, digest?),
        _ => return Err(inactive(ring).into()),
    };
    let terms = terms(ring.name(), version.key_id, &version.backend, caller);
    if let Some(stop) = log.covers(&terms) {
        return Err(refuse::stopped(&stop).into());
    }
    let chosen = Chosen { version: Arc::clone(version), digest, terms, not_after: version.valid_until };
    Ok((permit, vec![chosen]))
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
