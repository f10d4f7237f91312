//! State as a fold of control records.
//!
//! [`State::genesis`] takes record 0, [`State::apply`] each further control record in the order of the log. Both check
//! what a record *means*: the log has checked already that its bytes are in the tree and that the chain of hashes is
//! whole; the fold checks that it follows the record before it and that what it says can follow from what is.
//!
//! Invariant: folding a history twice gives equal states (`folding_twice_gives_equal_states`), and a record that is
//! refused changes nothing (`a_refused_record_changes_nothing`).

mod ceremony;
mod documents;
mod invitations;
mod people;
mod refuse;
mod stops;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ceremonies::genesis::{Genesis, GenesisError};
use ceremonies::record;
use ceremonies::recovery::Carried;
use ceremonies::roster::Roster;
use ceremonies::rules::Rules;
use ceremonies::session::{Seats, Step};
use ceremonies::statement::{CeremonyId, Version};
use ceremonies::suspension::Suspensions;
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::name::{KeyName, VersionName};
use proto::proof::keys::LogKeys;
use proto::record::{Arrived, Body, CarriedKey, ControlRecord, Lift, StopTarget};
use proto::term::Term;
use proto::time::Time;

pub use ceremony::is_bound_to;
pub use documents::Documents;
pub use invitations::{Invitation, Invitations};
pub use people::{Made, Present};
pub use refuse::FoldError;
pub use stops::Stop;

use crate::keys::ring::Ring;
use crate::keys::sessions::Sessions;
use crate::keys::state::{Active, KeyVersion};

/// Everything that decides what may be signed, as of one control record.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    genesis: Arc<Genesis>,
    rings: BTreeMap<KeyName, Ring>,
    key_ids: BTreeMap<KeyId, VersionName>,
    stops: BTreeMap<u64, Stop>,
    guardrails: InForce,
    grants: InForce,
    anchors: Vec<String>,
    /// Who decides now.
    roster: Arc<Roster>,
    /// The rosters, guardrails and log keys that ceremonies made, in the order of the log.
    made: Vec<Made>,
    /// Which keys sign which checkpoints.
    log_keys: LogKeys,
    /// Whose acts count no more.
    suspensions: Suspensions,
    /// The roster in force as ceremonies see it.
    seats: Arc<Seats>,
    /// When each person acted last, with effect or without.
    acted: BTreeMap<String, Time>,
    /// Indices of the records of what officers signed outside of ceremonies, those without effect too.
    words: Vec<u64>,
    sessions: Sessions,
    /// The rules of the guardrails with this digest, once a proposal has brought their text.
    rules: Option<(Hash, Arc<Rules>)>,
    /// Acts that stopped something or vouched for the clock: each does it once.
    spent: BTreeSet<Hash>,
    /// Who may come by a certificate.
    invitations: Invitations,
    /// Who vouched for the clock, by nonces.
    vouched: BTreeSet<(String, Hash)>,
    head: Head,
}

/// A file that is in force, and since which record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InForce {
    /// SHA-256 of the file's bytes.
    pub sha256: Hash,
    /// Index of the record that put it in force.
    pub index: u64,
    /// From 1, one more with each change.
    pub version: u64,
    /// Index of the proposal whose detail holds it; none where no ceremony made it.
    pub proposed: Option<u64>,
}

impl InForce {
    const fn next(self, sha256: Hash, index: u64) -> Self {
        Self { sha256, index, version: self.version.saturating_add(1), proposed: None }
    }

    /// The one after this, made by the ceremony that was proposed by this record.
    const fn made(self, sha256: Hash, index: u64, proposed: Option<u64>) -> Self {
        Self { proposed, ..self.next(sha256, index) }
    }
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
    /// A version has come and signs.
    Brought(VersionName),
    /// A stop is in force.
    Stopped(Vec<Term>),
    /// Other guardrails are in force.
    Guardrails(InForce),
    /// Other grants are in force.
    Grants(InForce),
    /// There is another anchor.
    Anchor(String),
    /// Another roster is in force.
    Roster(u64),
    /// Versions are on another device.
    Rebound(Vec<KeyId>),
    /// Another key signs the log.
    LogKey,
    /// A step of a ceremony.
    Step(CeremonyId),
    /// Other people are suspended.
    Suspended,
    /// Stops have ended.
    Lifted(Vec<Lift>),
    /// Nothing that decides what may be signed.
    Nothing,
}

impl State {
    /// The state after record 0, whose detail as it is stored holds roster, guardrails, grants and acts.
    ///
    /// # Errors
    /// [`FoldError`], where an instance cannot begin with it.
    pub fn genesis(hash: Hash, record: &ControlRecord, detail: Option<&[u8]>) -> Result<Self, FoldError> {
        let Body::Genesis { statement } = &record.body else {
            return Err(FoldError::NoGenesis { kind: record.body.kind() });
        };
        if record.previous != Hash::ZERO {
            return Err(FoldError::Order { index: 0, cause: "names a record before it, and there is none" });
        }
        refuse::stops_and_lifts(0, record)?;
        let genesis = Genesis::of_record(statement, detail, record.time.sealed)?;
        let log_keys = LogKeys::new(genesis.log_key().parse().map_err(GenesisError::from)?);
        let carried = genesis.carried();
        // What ceremonies of a lost log made is in the detail of record 0.
        let guardrails_made = carried.is_some_and(|carried| carried.guardrails_made).then_some(0);
        let grants_made = carried.is_some_and(|carried| carried.grants_made).then_some(0);
        let Version { sha256, version } = genesis.guardrails();
        let suspensions = Suspensions::carried(carried.map_or(&[][..], |carried| &carried.suspended));
        Ok(Self {
            rings: BTreeMap::new(),
            key_ids: BTreeMap::new(),
            stops: BTreeMap::new(),
            guardrails: InForce { sha256, index: 0, version, proposed: guardrails_made },
            grants: InForce { sha256: genesis.grants(), index: 0, version: 1, proposed: grants_made },
            anchors: Vec::new(),
            roster: Arc::new(genesis.roster().clone()),
            made: Vec::new(),
            log_keys,
            seats: Arc::new(people::seats(genesis.roster(), &suspensions)),
            suspensions,
            words: Vec::new(),
            sessions: Sessions::after(carried),
            rules: None,
            spent: BTreeSet::new(),
            invitations: Invitations::default(),
            vouched: BTreeSet::new(),
            acted: people::began(&genesis, record.time.sealed),
            head: Head { index: 0, hash },
            genesis: Arc::new(genesis),
        })
    }

    /// The state after the next control record, which is at this index, has this leaf hash and, where something follows
    /// from it ([`Body::needs_detail`]), this detail.
    ///
    /// # Errors
    /// [`FoldError`]; the state is then as it was.
    pub fn apply(
        &mut self,
        index: u64,
        hash: Hash,
        record: &ControlRecord,
        detail: Option<&[u8]>,
    ) -> Result<Effect, FoldError> {
        self.apply_read(index, hash, record, Documents::read(record, detail))
    }

    /// The same with a detail that was read already.
    ///
    /// # Errors
    /// [`FoldError`]; the state is then as it was.
    pub fn apply_read(
        &mut self,
        index: u64,
        hash: Hash,
        record: &ControlRecord,
        documents: Documents,
    ) -> Result<Effect, FoldError> {
        refuse::out_of_order(self.head, index, record)?;
        refuse::stops_and_lifts(index, record)?;
        refuse::misplaced(self.genesis.carried(), index, record)?;
        let effect = match &record.body {
            Body::Carried(carried) => self.carry(carried, index, &record.stops)?,
            Body::Ceremony(step) => self.ceremony(step, index, record, documents)?,
            Body::Genesis { .. } => return Err(FoldError::SecondGenesis { index }),
            Body::Stopped { act, target } => {
                refuse::stop_of_something_else(self, index, target, &record.stops)?;
                self.spent.extend(*act);
                self.stop(index, target, &record.stops)
            }
            Body::Policy { sha256 } => {
                refuse::untouched(index, record)?;
                self.guardrails = self.guardrails.next(*sha256, index);
                self.other_guardrails(record::stamp(index, record));
                Effect::Guardrails(self.guardrails)
            }
            Body::Grant { sha256 } => {
                refuse::untouched(index, record)?;
                self.grants = self.grants.next(*sha256, index);
                Effect::Grants(self.grants)
            }
            Body::Anchor { place } => {
                if self.anchors.contains(place) {
                    return Err(FoldError::AnchorTwice { index, place: place.clone() });
                }
                self.anchors.push(place.clone());
                Effect::Anchor(place.clone())
            }
            Body::Clock(vouched) => {
                refuse::untouched(index, record)?;
                self.spent.insert(vouched.act);
                self.vouched.insert((vouched.by.clone(), vouched.nonce));
                self.words.push(index);
                Effect::Nothing
            }
            Body::Suspend(said) => self.suspend(said, index, record)?,
            Body::Invited { caller, expires, token } => {
                self.invitations.give(index, caller, *expires, *token)?;
                Effect::Nothing
            }
            Body::Enrolled { caller, token, .. } => {
                self.invitations.spend(index, caller, *token)?;
                Effect::Nothing
            }
            Body::Redacted { indices } => {
                refuse::redaction(index, indices)?;
                Effect::Nothing
            }
        };
        self.acts(record);
        self.head = Head { index, hash };
        Ok(effect)
    }

    /// A key that `refuse::birth` has found nothing against.
    fn bring(&mut self, arrived: &Arrived, by: CeremonyId, index: u64, record: &ControlRecord) -> Effect {
        let version = Active::brought(arrived, by, index, record.time.sealed);
        let name = version.version().name();
        let ring = Ring::begin(arrived.purpose.clone(), arrived.owner.clone(), version);
        self.rings.insert(arrived.key.clone(), ring);
        self.key_ids.insert(arrived.key_id, name.clone());
        Effect::Brought(name)
    }

    /// A key of a lost log, which is stopped as it comes.
    fn carry(&mut self, carried: &CarriedKey, index: u64, stops: &[Term]) -> Result<Effect, FoldError> {
        let CarriedKey { born, key } = carried;
        refuse::birth(self, index, key)?;
        let version = Active::carried(key, index, born.sealed);
        let name = version.version().name();
        self.rings.insert(key.key.clone(), Ring::begin(key.purpose.clone(), key.owner.clone(), version));
        self.key_ids.insert(key.key_id, name);
        Ok(self.stop(index, &StopTarget::Key(key.key.clone()), stops))
    }

    fn stop(&mut self, index: u64, target: &StopTarget, terms: &[Term]) -> Effect {
        let rings = std::mem::take(&mut self.rings);
        self.rings = rings.into_iter().map(|(name, ring)| (name, ring.stopped(terms, index))).collect();
        self.stops.insert(index, Stop { index, target: target.clone(), terms: terms.to_vec() });
        Effect::Stopped(terms.to_vec())
    }

    /// How the instance began: what it is, and its first roster.
    pub fn instance(&self) -> &Genesis {
        &self.genesis
    }

    /// SHA-256 of the genesis statement: the `genesis_sha256` of the configuration.
    pub fn genesis_sha256(&self) -> Hash {
        self.genesis.digest()
    }

    /// How many of the keys and stops that record 0 carries over are not there; none is missing in a log that was made whole.
    pub fn not_carried(&self) -> u64 {
        let records = self.genesis.carried().map_or(0, Carried::records);
        u64::try_from(records).unwrap_or(u64::MAX).saturating_sub(self.head.index)
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

    /// The ceremonies since genesis.
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Whether somebody has vouched for the clock with this nonce.
    pub fn has_vouched(&self, by: &str, nonce: Hash) -> bool {
        self.vouched.contains(&(by.to_owned(), nonce))
    }

    /// The first moment after `mark` at which waiting alone would enable something: an open ceremony starts by itself, or what
    /// makes rules looser has waited for its day.
    pub fn due(&self, mark: Time) -> Option<Time> {
        let enabled = self.sessions.open().filter_map(|(_, held)| {
            let statement = held.session.statement();
            match held.session.state().step() {
                Step::Waiting => held.session.due(),
                _ if statement.kind().is_by_hand() => None,
                _ => Some(statement.common().not_before),
            }
        });
        enabled.filter(|at| *at > mark).min()
    }

    /// Whether an act has stopped something or vouched for the clock before, lifted or not.
    pub fn has_spent(&self, act: Hash) -> bool {
        self.spent.contains(&act)
    }

    /// Who may come by a certificate.
    pub const fn invitations(&self) -> &Invitations {
        &self.invitations
    }

    /// The keys of the log, oldest first.
    pub const fn log_keys(&self) -> &LogKeys {
        &self.log_keys
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
