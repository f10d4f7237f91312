//! Standing stops: what they cover, and what signs on beside them.

use proto::name::VersionName;
use proto::record::StopTarget;
use proto::term::Term;

use crate::keys::fold::State;
use crate::keys::state::KeyVersion;

/// A stop in force. It stays: what lifts one is a ceremony, and this version knows none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stop {
    /// Index of its record.
    pub index: u64,
    /// What was named.
    pub target: StopTarget,
    /// The terms that sign no more.
    pub terms: Vec<Term>,
}

impl Stop {
    /// The term of it that covers one of these requirements.
    pub fn covering(&self, required: &[Term]) -> Option<&Term> {
        self.terms.iter().find(|term| required.iter().any(|required| term.covers(required)))
    }
}

impl State {
    /// The oldest stop that covers one of these requirements, and the term that does.
    pub fn covering(&self, required: &[Term]) -> Option<(&Stop, &Term)> {
        self.stops.values().find_map(|stop| stop.covering(required).map(|term| (stop, term)))
    }

    /// The terms that a stop of this target stops; `None` where it names a key or version that is unknown.
    pub fn terms_of(&self, target: &StopTarget) -> Option<Vec<Term>> {
        Some(vec![match target {
            StopTarget::All => Term::All,
            StopTarget::Backend(name) => Term::Backend(name.clone()),
            StopTarget::Caller(id) => Term::Caller(id.clone()),
            StopTarget::Claim { name, value } => Term::Claim { name: name.clone(), value: value.clone() },
            StopTarget::Issuer(issuer) => Term::Issuer(issuer.clone()),
            StopTarget::Key(name) => Term::Key(self.ring(name)?.name().clone()),
            StopTarget::Version { key, version } => Term::KeyId(self.ring(key)?.version(*version)?.key_id),
        }])
    }

    /// What still signs beside a stop of this target, for the first line of its answer: of a stopped key or version, other
    /// versions of the same key; of a stopped caller or backend, every version that is not stopped (for others, or
    /// elsewhere). Sorted by name.
    pub fn still_signing(&self, target: &StopTarget) -> Vec<VersionName> {
        let own_terms = |version: &KeyVersion| self.covering(&version.terms()).is_none();
        let beside = |version: &&KeyVersion| match target {
            StopTarget::All => false,
            StopTarget::Backend(name) => version.backend != *name,
            StopTarget::Key(_) => false,
            StopTarget::Version { key, version: number } => version.key == *key && version.version != *number,
            StopTarget::Caller(_) | StopTarget::Claim { .. } | StopTarget::Issuer(_) => true,
        };
        let active = self.rings.values().filter_map(crate::keys::ring::Ring::active);
        active.filter(|version| own_terms(version)).filter(beside).map(KeyVersion::name).collect()
    }
}
