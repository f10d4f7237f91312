//! What a log comes to, by its control records alone.

use std::collections::{BTreeMap, BTreeSet};

use proto::ceremony_id::CeremonyId;
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::origin::Origin;
use proto::record::ceremony::Effect;
use proto::record::{Body, Born, CarriedKey, Ceremony, ControlRecord, StopTarget};
use proto::term::Term;
use proto::time::Time;

use super::{Birth, Carried, Key, Newest, SCHEMA, Stop, Suspended, digest};
use crate::statement::{Kind, Statement, Version};

/// What the control records of a log say of keys, stops, guardrails and grants: the fold that a daemon makes of them, without
/// what is in details. It believes the records: that a completion is borne out by its ceremony is what the ceremony's own
/// transcript shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Survey {
    /// The guardrails in force.
    pub guardrails: Version,
    /// SHA-256 of the grants in force.
    pub grants: Hash,
    guardrails_made: bool,
    grants_made: bool,
    origin: Origin,
    keys: BTreeMap<KeyName, CarriedKey>,
    stops: BTreeMap<u64, Stop>,
    births: BTreeMap<CeremonyId, Hash>,
    key_ids: BTreeSet<KeyId>,
    completed: BTreeSet<CeremonyId>,
    newest: Newest,
}

impl Survey {
    /// The log that begins with this statement, which carries this over where it began in place of another one. None where no
    /// log begins with it. `hash` is the leaf hash of record 0.
    pub fn begin(statement: &Statement, carried: Option<&Carried>, hash: Hash) -> Option<Self> {
        let begins = statement.begins()?;
        Some(Self {
            guardrails: statement.common().guardrails,
            grants: begins.grants,
            guardrails_made: carried.is_some_and(|carried| carried.guardrails_made),
            grants_made: carried.is_some_and(|carried| carried.grants_made),
            origin: begins.origin.clone(),
            keys: BTreeMap::new(),
            stops: BTreeMap::new(),
            births: carried
                .iter()
                .flat_map(|carried| carried.births.iter().map(|birth| (birth.ceremony, birth.statement)))
                .collect(),
            key_ids: carried.iter().flat_map(|carried| carried.key_ids.iter().copied()).collect(),
            completed: BTreeSet::new(),
            newest: Newest { hash, index: 0 },
        })
    }

    /// Takes the next control record, with its index and leaf hash.
    pub fn take(&mut self, index: u64, hash: Hash, record: &ControlRecord) {
        self.newest = Newest { hash, index };
        match &record.body {
            Body::Carried(carried) => {
                // Its stop is not kept: in another log the key is stopped anew.
                self.keys.insert(carried.key.key.clone(), carried.as_ref().clone());
            }
            Body::Stopped { target, .. } => self.stop(index, target.clone(), &record.stops),
            Body::Policy { sha256 } => {
                self.guardrails = next(self.guardrails, *sha256);
                self.guardrails_made = false;
            }
            Body::Grant { sha256 } => {
                self.grants = *sha256;
                self.grants_made = false;
            }
            Body::Ceremony(Ceremony::Proposed(proposed)) if proposed.of == Kind::KeyGenerate.name() => {
                // An id belongs to the first proposal that names it.
                self.births.entry(proposed.ceremony).or_insert(proposed.statement);
            }
            Body::Ceremony(Ceremony::Completed(completed)) if self.completed.insert(completed.ceremony) => {
                self.effect(index, record.time.sealed, completed.ceremony, &completed.effect);
            }
            _ => {}
        }
        for lift in &record.lifts {
            if let Some(stop) = self.stops.get_mut(&lift.index) {
                stop.terms.retain(|term| !lift.terms.contains(term));
            }
        }
        self.stops.retain(|_, stop| !stop.terms.is_empty());
    }

    fn stop(&mut self, index: u64, target: StopTarget, terms: &[Term]) {
        self.stops.insert(index, Stop { index, target, terms: terms.to_vec() });
    }

    fn effect(&mut self, index: u64, sealed: Time, ceremony: CeremonyId, effect: &Effect) {
        match effect {
            Effect::Key(arrived) => {
                self.births.remove(&ceremony);
                let born = Born { index, origin: self.origin.clone(), sealed };
                let key = arrived.as_ref().clone();
                self.keys.insert(key.key.clone(), CarriedKey { born, key });
            }
            Effect::Rebound { keys, serial, .. } => {
                for own in self.keys.values_mut() {
                    if let Some(rebound) = keys.iter().find(|rebound| rebound.key_id == own.key.key_id) {
                        own.key.locator.clone_from(&rebound.locator);
                        own.key.serial = Some(serial.clone());
                    }
                }
            }
            Effect::Destroyed { key_id, .. } => {
                self.key_ids.insert(*key_id);
            }
            Effect::Grants { sha256 } => {
                self.grants = *sha256;
                self.grants_made = true;
            }
            Effect::Guardrails { sha256, .. } => {
                self.guardrails = next(self.guardrails, *sha256);
                self.guardrails_made = true;
            }
            Effect::Lifts | Effect::LogKey { .. } | Effect::Resolved { .. } | Effect::Roster { .. } => {}
        }
    }

    /// The bodies of the records that bring the keys into another log, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &CarriedKey> {
        self.keys.values()
    }

    /// What comes over into another log. Key pairs that were seen and never came into force, who is suspended and when the
    /// newest record was sealed are to be said by whoever knows the details: the first two are sorted here.
    pub fn carried(
        &self,
        seen: impl IntoIterator<Item = KeyId>,
        suspended: Vec<Suspended>,
        sealed: Time,
    ) -> Carried {
        let own: BTreeSet<KeyId> = self.keys.values().map(|key| key.key.key_id).collect();
        let key_ids: BTreeSet<KeyId> = self.key_ids.iter().copied().chain(seen).collect();
        let mut suspended = suspended;
        suspended.sort_by(|one, other| one.person.cmp(&other.person));
        Carried {
            births: self
                .births
                .iter()
                .map(|(ceremony, statement)| Birth { ceremony: *ceremony, statement: *statement })
                .collect(),
            control: self.newest,
            grants_made: self.grants_made,
            guardrails_made: self.guardrails_made,
            key_ids: key_ids.difference(&own).copied().collect(),
            keys: self
                .keys
                .values()
                .map(|carried| Key {
                    key: carried.key.key.clone(),
                    key_id: carried.key.key_id,
                    sha256: digest(carried),
                    version: carried.key.version,
                })
                .collect(),
            schema: SCHEMA.to_owned(),
            sealed,
            stops: self.stops.values().cloned().collect(),
            suspended,
        }
    }
}

fn next(version: Version, sha256: Hash) -> Version {
    Version { sha256, version: version.version.saturating_add(1) }
}
