//! State as a fold of control records.
//!
//! [`State::genesis`] takes record 0, [`State::apply`] each further control record in the order of the log. Both check
//! what a record *means*: the log has checked already that its bytes are in the tree and that the chain of hashes is
//! whole; the fold checks that it follows the record before it and that what it says can follow from what is.
//!
//! Invariant: folding a history twice gives equal states (`folding_twice_gives_equal_states`), and a record that is
//! refused changes nothing (`a_refused_record_changes_nothing`).

mod refuse;
mod stops;

use std::collections::BTreeMap;

use ceremonies::genesis::Genesis;
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::name::{KeyName, VersionName};
use proto::record::{Body, ControlRecord, Enrolled, StopTarget};
use proto::term::Term;

pub use refuse::FoldError;
pub use stops::Stop;

use crate::keys::ring::Ring;
use crate::keys::state::{Active, KeyVersion};

/// Everything that decides what may be signed, as of one control record.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    genesis: Genesis,
    genesis_sha256: Hash,
    rings: BTreeMap<KeyName, Ring>,
    key_ids: BTreeMap<KeyId, VersionName>,
    stops: BTreeMap<u64, Stop>,
    guardrails: InForce,
    grants: InForce,
    anchors: Vec<String>,
    head: Head,
}

/// A file that is in force, and since which record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InForce {
    /// SHA-256 of the file's bytes.
    pub sha256: Hash,
    /// Index of the record that put it in force.
    pub index: u64,
}

/// The newest control record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// Its index in the log.
    pub index: u64,
    /// Its leaf hash.
    pub hash: Hash,
}

/// What a record changed: for whoever holds things open that depend on it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// A version was enrolled and signs.
    Enrolled(VersionName),
    /// A stop is in force.
    Stopped(Vec<Term>),
    /// Other guardrails are in force.
    Guardrails(InForce),
    /// Other grants are in force.
    Grants(InForce),
    /// There is another anchor.
    Anchor(String),
    /// Nothing that decides what may be signed.
    Nothing,
}

impl State {
    /// The state after record 0.
    ///
    /// # Errors
    /// [`FoldError`], where an instance cannot begin with it.
    pub fn genesis(hash: Hash, record: &ControlRecord) -> Result<Self, FoldError> {
        let Body::Genesis { statement } = &record.body else {
            return Err(FoldError::NoGenesis { kind: record.body.kind() });
        };
        if record.previous != Hash::ZERO {
            return Err(FoldError::Order { index: 0, cause: "names a record before it, and there is none" });
        }
        refuse::stops_and_lifts(0, record)?;
        let genesis = Genesis::from_value(statement)?;
        let in_force = |sha256| InForce { sha256, index: 0 };
        Ok(Self {
            genesis_sha256: genesis.digest()?,
            rings: BTreeMap::new(),
            key_ids: BTreeMap::new(),
            stops: BTreeMap::new(),
            guardrails: in_force(genesis.guardrails),
            grants: in_force(genesis.grants),
            anchors: Vec::new(),
            head: Head { index: 0, hash },
            genesis,
        })
    }

    /// The state after the next control record, which is at this index and has this leaf hash.
    ///
    /// # Errors
    /// [`FoldError`]; the state is then as it was.
    pub fn apply(&mut self, index: u64, hash: Hash, record: &ControlRecord) -> Result<Effect, FoldError> {
        refuse::out_of_order(self.head, index, record)?;
        refuse::stops_and_lifts(index, record)?;
        let effect = match &record.body {
            Body::Ceremony(step) => return Err(FoldError::NoRoster { index, kind: step.kind() }),
            Body::Genesis { .. } => return Err(FoldError::SecondGenesis { index }),
            Body::Enrolled(enrolled) => {
                refuse::enrolment(self, index, enrolled)?;
                self.enrol(enrolled, index, record)
            }
            Body::Stopped { target } => {
                refuse::stop_of_something_else(self, index, target, &record.stops)?;
                self.stop(index, target, &record.stops)
            }
            Body::Policy { sha256 } => {
                refuse::untouched(index, record)?;
                self.guardrails = InForce { sha256: *sha256, index };
                Effect::Guardrails(self.guardrails)
            }
            Body::Grant { sha256 } => {
                refuse::untouched(index, record)?;
                self.grants = InForce { sha256: *sha256, index };
                Effect::Grants(self.grants)
            }
            Body::Anchor { place } => {
                if self.anchors.contains(place) {
                    return Err(FoldError::AnchorTwice { index, place: place.clone() });
                }
                self.anchors.push(place.clone());
                Effect::Anchor(place.clone())
            }
            Body::Redacted { indices } => {
                refuse::redaction(index, indices)?;
                Effect::Nothing
            }
        };
        self.head = Head { index, hash };
        Ok(effect)
    }

    fn enrol(&mut self, enrolled: &Enrolled, index: u64, record: &ControlRecord) -> Effect {
        let version = Active::enrolled(enrolled, index, record.time.sealed);
        let name = version.version().name();
        let ring = match self.rings.remove(&enrolled.key) {
            // `refuse::enrolment` has refused a ring with an active version, so this does not fail.
            Some(ring) => ring.succeed(version).unwrap_or_else(|unchanged| *unchanged),
            None => Ring::begin(enrolled.purpose.clone(), enrolled.owner.clone(), version),
        };
        self.rings.insert(enrolled.key.clone(), ring);
        self.key_ids.insert(enrolled.key_id, name.clone());
        Effect::Enrolled(name)
    }

    fn stop(&mut self, index: u64, target: &StopTarget, terms: &[Term]) -> Effect {
        let rings = std::mem::take(&mut self.rings);
        self.rings = rings.into_iter().map(|(name, ring)| (name, ring.stopped(terms, index))).collect();
        self.stops.insert(index, Stop { index, target: target.clone(), terms: terms.to_vec() });
        Effect::Stopped(terms.to_vec())
    }

    /// What the instance is.
    pub const fn instance(&self) -> &Genesis {
        &self.genesis
    }

    /// SHA-256 of the genesis statement: the `genesis_sha256` of the configuration.
    pub const fn genesis_sha256(&self) -> Hash {
        self.genesis_sha256
    }

    /// The key of this name.
    pub fn ring(&self, name: &KeyName) -> Option<&Ring> {
        self.rings.get(name)
    }

    /// All keys, by name.
    pub fn rings(&self) -> impl Iterator<Item = &Ring> {
        self.rings.values()
    }

    /// The version with this key id.
    pub fn version(&self, id: &KeyId) -> Option<&KeyVersion> {
        let name = self.key_ids.get(id)?;
        self.rings.get(&name.key)?.version(name.version)
    }

    /// The guardrails in force.
    pub const fn guardrails(&self) -> InForce {
        self.guardrails
    }

    /// The grants in force.
    pub const fn grants(&self) -> InForce {
        self.grants
    }

    /// Where anchors are, in the order in which they were made.
    pub fn anchors(&self) -> &[String] {
        &self.anchors
    }

    /// The newest control record.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The stops in force, oldest first.
    pub fn stops(&self) -> impl Iterator<Item = &Stop> {
        self.stops.values()
    }
}

#[cfg(test)]
mod tests;
