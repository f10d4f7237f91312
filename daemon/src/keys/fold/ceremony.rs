//! Steps of ceremonies, and what a completed one puts in force.

use std::sync::Arc;

use ceremonies::act::Setting;
use ceremonies::guardrails::Guardrails;
use ceremonies::record;
use ceremonies::session::{self, Event, Stamp};
use ceremonies::statement::target::{BackendRebind, KeyResume};
use ceremonies::statement::{CeremonyId, Kind, Statement, Target, Version};
use ceremonies::transcript::Governs;
use proto::hash::Hash;
use proto::name::KeyName;
use proto::record::ceremony::{Completed, Effect as InForceNow, Proposed, Rebound, document};
use proto::record::{Ceremony, ControlRecord, Lift};
use proto::term::Term;

use super::documents::{Documents, Proposal, Read};
use super::{Effect, FoldError, Made, State, refuse};
use crate::keys::ring::Ring;
use crate::keys::sessions::Unheld;
use crate::keys::state::KeyVersion;

impl State {
    /// Where acts are taken.
    pub fn setting(&self) -> Setting<'_> {
        Setting {
            environment: self.genesis.environment().as_str(),
            instance: self.genesis.instance().as_str(),
            mode: self.genesis.mode(),
            origin: self.genesis.origin(),
        }
    }

    /// What a proposal is held against. `guardrails` is the text of the guardrails in force.
    ///
    /// # Errors
    /// [`Unheld::Document`], where the text is not that of the guardrails in force or cannot be read.
    pub fn in_force(&self, guardrails: &str) -> Result<session::InForce, Unheld> {
        let no = Unheld::Document(document::GUARDRAILS);
        if Hash::of(guardrails.as_bytes()) != self.guardrails.sha256 {
            return Err(no);
        }
        let rules = match &self.rules {
            Some((sha256, rules)) if *sha256 == self.guardrails.sha256 => Arc::clone(rules),
            _ => Arc::new(Guardrails::parse(guardrails).map_err(|_problems| no)?.rules),
        };
        Ok(session::InForce {
            instance: self.genesis.instance().clone(),
            environment: self.genesis.environment().clone(),
            mode: self.genesis.mode(),
            origin: self.genesis.origin().clone(),
            roster: Arc::clone(self.seats()),
            guardrails: self.guardrails_version(),
            rules,
        })
    }

    /// The guardrails in force, as statements name them.
    pub const fn guardrails_version(&self) -> Version {
        Version { sha256: self.guardrails.sha256, version: self.guardrails.version }
    }

    /// What a ceremony of this statement would lift now; none where its stop is not in force, or not with these terms.
    pub fn lifts(&self, statement: &Statement) -> Option<Vec<Lift>> {
        let (index, terms) = match statement.target() {
            Target::StopLift(lift) => (lift.stop, lift.terms.clone()),
            Target::KeyResume(resume) => (resume.stop, vec![self.resumed(resume)?]),
            _ => return Some(Vec::new()),
        };
        let stop = self.stops.get(&index)?;
        terms.iter().all(|term| stop.terms.contains(term)).then(|| vec![Lift { index, terms }])
    }

    fn resumed(&self, resume: &KeyResume) -> Option<Term> {
        let ring = self.rings.get(&resume.key)?;
        match resume.version {
            None => Some(Term::Key(ring.name().clone())),
            Some(version) => Some(Term::KeyId(ring.version(version)?.key_id)),
        }
    }

    pub(super) fn other_guardrails(&mut self, stamp: Stamp) {
        self.sessions.told(&Event::Guardrails(self.guardrails_version()), stamp);
    }

    pub(super) fn ceremony(
        &mut self,
        step: &Ceremony,
        index: u64,
        record: &ControlRecord,
        documents: Documents,
    ) -> Result<Effect, FoldError> {
        let unheld = |cause| FoldError::Ceremony { index, kind: step.kind(), cause };
        let stamp = record::stamp(index, record);
        match (step, documents.0.map_err(unheld)?) {
            (Ceremony::Proposed(body), Read::Proposal(read)) => {
                self.proposed(body, stamp, *read).map_err(unheld)?;
            }
            (Ceremony::Proposed(_), _) => return Err(unheld(Unheld::Document(document::STATEMENT))),
            (Ceremony::Completed(body), _) => return self.completed(body, index, record, stamp),
            (Ceremony::Executed(_), Read::Outputs(outputs)) => {
                self.step(step, stamp, Some(outputs)).map_err(unheld)?;
            }
            (Ceremony::Executed(_), _) => return Err(unheld(Unheld::Document(document::OUTPUTS))),
            _ => self.step(step, stamp, None).map_err(unheld)?,
        }
        Ok(Effect::Step(step.ceremony()))
    }

    fn proposed(&mut self, body: &Proposed, stamp: Stamp, read: Proposal) -> Result<(), Unheld> {
        match self.in_force(read.guardrails()?) {
            Ok(in_force) => {
                // Read once for all proposals under them.
                self.rules = Some((self.guardrails.sha256, Arc::clone(&in_force.rules)));
                let common = read.statement.common();
                let of_this_roster = common.roster == self.roster_version();
                let follows = read.statement.kind() == Kind::RosterChange && of_this_roster;
                let next = follows.then(|| self.brought(&read)).transpose()?;
                if read.statement.kind() == Kind::PolicyChange
                    && of_this_roster
                    && common.guardrails == self.guardrails_version()
                {
                    self.amended(&read)?;
                }
                self.sessions.propose(body, read.statement, &in_force, next, stamp)
            }
            // Other guardrails came into force before it: without effect, like every statement of the old ones.
            Err(_other) => {
                self.sessions.void(body.ceremony);
                Ok(())
            }
        }
    }

    fn step(&mut self, step: &Ceremony, stamp: Stamp, outputs: Option<Arc<[u8]>>) -> Result<(), Unheld> {
        let (rings, key_ids, log_keys) = (&self.rings, &self.key_ids, &self.log_keys);
        self.sessions.step(step, stamp, outputs, |target| match (target.arrival(), target) {
            (Some(arrival), _) => {
                rings.contains_key(arrival.key) || arrival.adopts.is_some_and(|id| key_ids.contains_key(&id))
            }
            (None, Target::BackendRebind(rebind)) => !rebind.keys.iter().all(|id| {
                let version = key_ids.get(id).and_then(|name| rings.get(&name.key)?.version(name.version));
                version.is_some_and(|version| is_bound_to(version, rebind))
            }),
            (None, Target::KeyDestroy(destroy)) => key_ids.contains_key(&destroy.key_id),
            (None, Target::LogRekey(rekey)) => {
                rekey.keys().is_none_or(|(next, old)| log_keys.may_follow(&old, &next).is_err())
            }
            _ => false,
        })
    }

    fn completed(
        &mut self,
        body: &Completed,
        index: u64,
        record: &ControlRecord,
        stamp: Stamp,
    ) -> Result<Effect, FoldError> {
        let unheld = |cause| FoldError::Ceremony { index, kind: "ceremony.completed", cause };
        let no = |why| unheld(Unheld::NotBorneOut { ceremony: body.ceremony, why });
        let held = self.sessions.find(body.ceremony).ok_or_else(|| unheld(Unheld::Unknown(body.ceremony)))?;
        let first = held.completion.is_none();
        let lifts = match first {
            true => self.lifts(held.session.statement()).unwrap_or_default(),
            false => Vec::new(),
        };
        if record.lifts != lifts {
            return Err(no("asks for other stops to end"));
        }
        let governs = matches!(body.effect, InForceNow::Guardrails { .. } | InForceNow::Roster { .. });
        if governs || matches!(body.effect, InForceNow::Grants { .. }) {
            refuse::untouched(index, record)?;
        }
        let proposed = held.records.first().copied();
        if let (InForceNow::Guardrails { version, .. }, true) = (&body.effect, first)
            && self.guardrails.version.checked_add(1) != Some(*version)
        {
            return Err(no("makes guardrails that do not follow those in force"));
        }
        let next = held.next.clone();
        if let (InForceNow::Roster { version, .. }, true) = (&body.effect, first) {
            let follows = self.roster.version().checked_add(1) == Some(*version);
            if !follows || next.as_ref().is_none_or(|next| next.version() != *version) {
                return Err(no("makes a roster that does not follow the one in force"));
            }
        }
        if let (InForceNow::LogKey { key, replaces }, true) = (&body.effect, first)
            && self.log_keys.may_follow(replaces, key).is_err()
        {
            return Err(no("ends a log key that is not in force, or brings one that was there"));
        }
        if let InForceNow::Rebound { backend, .. } = &body.effect
            && !record.touches.contains(&Term::Backend(backend.clone()))
        {
            return Err(FoldError::Untouched { index, kind: "ceremony.completed" });
        }
        if let (InForceNow::Key(born), true) = (&body.effect, first) {
            refuse::birth(self, index, born)?;
        }
        if !self.sessions.complete(body, stamp).map_err(unheld)? {
            return Ok(Effect::Step(body.ceremony));
        }
        Ok(match &body.effect {
            InForceNow::Key(born) => self.bring(born, body.ceremony, index, record),
            InForceNow::Grants { sha256 } => {
                self.grants = self.grants.made(*sha256, index, proposed);
                Effect::Grants(self.grants)
            }
            InForceNow::Guardrails { sha256, .. } => self.amend(*sha256, body.ceremony, proposed, stamp),
            InForceNow::Rebound { keys, serial, .. } => self.rebind(keys, serial),
            InForceNow::Lifts => self.lift(lifts, index),
            InForceNow::LogKey { .. } => self.rekey(body.ceremony, index, record),
            InForceNow::Roster { .. } => match next {
                Some(next) => self.succeed(next, body.ceremony, stamp),
                None => Effect::Step(body.ceremony),
            },
            InForceNow::Destroyed { .. } | InForceNow::Resolved { .. } => Effect::Step(body.ceremony),
        })
    }

    /// Another key signs the log.
    fn rekey(&mut self, by: CeremonyId, index: u64, record: &ControlRecord) -> Effect {
        if !self.log_keys.take(index, record) {
            return Effect::Step(by);
        }
        let what = Governs::LogKey(self.log_keys.count() as u64);
        self.made.push(Made { ceremony: by, index, what });
        Effect::LogKey
    }

    /// Versions are on another device, each in its place there.
    fn rebind(&mut self, keys: &[Rebound], serial: &str) -> Effect {
        for key in keys {
            let Some(name) = self.key_ids.get(&key.key_id).map(|name| name.key.clone()) else { continue };
            if let Some(ring) = self.rings.remove(&name) {
                self.rings.insert(name, ring.rebound(key.key_id, &key.locator, serial));
            }
        }
        Effect::Rebound(keys.iter().map(|key| key.key_id).collect())
    }

    /// Stops end, and versions that nothing else stops sign again.
    fn lift(&mut self, lifts: Vec<Lift>, index: u64) -> Effect {
        for lift in &lifts {
            if let Some(stop) = self.stops.get_mut(&lift.index) {
                stop.terms.retain(|term| !lift.terms.contains(term));
            }
        }
        self.stops.retain(|_, stop| !stop.terms.is_empty());
        let stops = &self.stops;
        // A stop of everything does not suspend a key, so it does not keep one suspended either: it would be for ever, because
        // its own end names no key.
        let stopped =
            |own: &[Term]| stops.values().any(|stop| stop.terms.iter().any(|term| own.contains(term)));
        let named = |name: &KeyName, ring: &Ring| {
            let newest = ring.newest();
            let own = [Term::Key(name.clone()), Term::KeyId(newest.key_id)];
            lifts.iter().any(|lift| lift.terms.iter().any(|term| own.contains(term))) && !stopped(&own)
        };
        let rings = std::mem::take(&mut self.rings);
        let resumed = rings.into_iter().map(|(name, ring)| {
            let ring = if named(&name, &ring) { ring.resumed(index) } else { ring };
            (name, ring)
        });
        self.rings = resumed.collect();
        Effect::Lifted(lifts)
    }
}

/// Whether a version is bound to the device that a `backend.rebind` replaces.
pub fn is_bound_to(version: &KeyVersion, rebind: &BackendRebind) -> bool {
    version.backend == rebind.backend.as_str() && version.serial.as_deref() == Some(rebind.replaces.as_str())
}
