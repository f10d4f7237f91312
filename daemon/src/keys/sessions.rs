//! The ceremonies of an instance, as the control records fold to them.
//!
//! A step that comes too late, or that its ceremony refuses, stays in the log and has no effect here, today as at every
//! later start; that is [`ceremonies::session`]'s rule. What is an error is a record that no daemon of ours writes: one
//! whose texts are none, and a completion that its ceremony does not bear out. So a key is in the state only if a quorum
//! and witnesses put it there, also against whoever can write to the store.
//!
//! Invariant: a completion has exactly the effect that statement and outputs say
//! (`a_completion_that_its_ceremony_does_not_bear_out_is_no_history`).

mod before;
mod quarantine;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ceremonies::outputs::{self, Outputs};
use ceremonies::record::{self, NotAStep};
use ceremonies::roster::Roster;
use ceremonies::session::{Event, Executed, InForce, Seats, Session, Stamp, State, Step};
use ceremonies::statement::target::{Arrival, Target};
use ceremonies::statement::{CeremonyId, Statement};
use proto::hash::Hash;
use proto::record::Ceremony;
use proto::record::ceremony::{Completed, Effect, Proposed};

use before::Before;

/// A ceremony and what its records say beside its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Where it stands.
    pub session: Session,
    /// Indices of all its records, in order, those without effect too.
    pub records: Vec<u64>,
    /// What came of it.
    pub outputs: Option<Arc<[u8]>>,
    /// Why its execution failed, in the backend's words; or why what was done has no effect.
    pub cause: Option<String>,
    /// Its completion.
    pub completion: Option<Completion>,
    /// The roster that it makes, if it makes one.
    pub next: Option<Arc<Roster>>,
    /// Acts that started it or were spoken in it: each counts once.
    spent: BTreeSet<Hash>,
}

/// The record of a completion.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Completion {
    /// Its index.
    pub index: u64,
    /// SHA-256 of the transcript's manifest.
    pub manifest: Hash,
}

/// Why a record cannot follow.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unheld {
    /// A body whose texts are none.
    #[error(transparent)]
    Text(#[from] NotAStep),
    /// A completion of nothing.
    #[error("it completes ceremony {0}, of which there is none")]
    Unknown(CeremonyId),
    /// A completion that the ceremony does not bear out.
    #[error("it completes ceremony {ceremony}, which {why}")]
    NotBorneOut {
        /// The ceremony.
        ceremony: CeremonyId,
        /// What it lacks.
        why: &'static str,
    },
    /// A detail that is not what the leaf names.
    #[error("its detail lacks the {0} that it names, or holds another one")]
    Document(&'static str),
}

impl Held {
    /// The outputs, read.
    pub fn read_outputs(&self) -> Option<Outputs> {
        Outputs::parse(self.outputs.as_deref()?, self.session.statement()).ok()
    }

    /// The execution whose outputs wait for their witnesses.
    pub const fn executed(&self) -> Option<&Executed> {
        match self.session.state() {
            State::Executed(executed) => Some(executed),
            _ => None,
        }
    }

    /// Whether this act has started it or was spoken in it before.
    pub fn has_spent(&self, act: Hash) -> bool {
        self.spent.contains(&act)
    }

    /// The key that it brings, from the moment when something may be on the token until it has ended.
    fn brings(&self) -> Option<Arrival<'_>> {
        let arrival = self.session.statement().target().arrival()?;
        let done = self.completion.is_none() && self.session.state().step() == Step::Completed;
        let under_way = matches!(self.session.state().step(), Step::Executing | Step::Executed);
        (done || under_way || self.session.state().step() == Step::Indeterminate).then_some(arrival)
    }
}

/// All ceremonies since genesis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sessions {
    held: BTreeMap<CeremonyId, Arc<Held>>,
    /// Ids of proposals that opened nothing. They are spent: what the log says of them is said of the first one.
    void: BTreeSet<CeremonyId>,
    /// What births of a lost log left, whose place this one takes.
    before: Before,
}

impl Sessions {
    /// The ceremony of this id.
    pub fn find(&self, id: CeremonyId) -> Option<&Arc<Held>> {
        self.held.get(&id)
    }

    /// Whether there was a proposal of this id, be it without effect.
    pub fn was_proposed(&self, id: CeremonyId) -> bool {
        self.held.contains_key(&id) || self.void.contains(&id)
    }

    /// The ceremony over this statement.
    pub fn over(&self, statement: Hash) -> Option<&Arc<Held>> {
        self.held.values().find(|held| held.session.digest() == statement)
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (CeremonyId, &Arc<Held>)> {
        self.held.iter().map(|(id, held)| (*id, held))
    }

    /// Those in which something may still happen, completions that are not recorded yet among them.
    pub fn open(&self) -> impl Iterator<Item = (CeremonyId, &Arc<Held>)> {
        self.iter().filter(|(_, held)| {
            let step = held.session.state().step();
            !step.is_end() || step == Step::Completed && held.completion.is_none()
        })
    }

    /// Whether another ceremony is bringing a key of this name, or the same key pair.
    pub fn is_being_brought(&self, arrival: &Arrival<'_>, but: CeremonyId) -> bool {
        let same = |other: Arrival<'_>| {
            other.key == arrival.key || other.adopts.is_some() && other.adopts == arrival.adopts
        };
        self.iter().any(|(id, held)| id != but && held.brings().is_some_and(same))
    }

    /// Whether another ceremony is binding keys of this backend to another device.
    pub fn is_being_rebound(&self, backend: &str, but: CeremonyId) -> bool {
        self.open().filter(|(id, _)| *id != but).any(|(_, held)| {
            let target = held.session.statement().target();
            let same = matches!(target, Target::BackendRebind(rebind) if rebind.backend.as_str() == backend);
            same && !matches!(held.session.state().step(), Step::Proposed | Step::Armed)
        })
    }

    /// Whether another ceremony is about to end the log key.
    pub fn is_being_rekeyed(&self, but: CeremonyId) -> bool {
        self.open().filter(|(id, _)| *id != but).any(|(_, held)| {
            let same = matches!(held.session.statement().target(), Target::LogRekey(_));
            same && !matches!(held.session.state().step(), Step::Proposed | Step::Armed)
        })
    }

    /// Whether other ceremonies are against the start of the one with this id and target.
    fn blocks(&self, target: &Target, id: CeremonyId) -> bool {
        let brought = |arrival: Arrival<'_>| self.is_being_brought(&arrival, id);
        match target {
            Target::KeyAdopt(adopt) => {
                target.arrival().is_some_and(brought) || self.keeps_out(adopt.key_id, adopt.locator.as_str())
            }
            Target::BackendRebind(rebind) => self.is_being_rebound(rebind.backend.as_str(), id),
            Target::LogRekey(_) => self.is_being_rekeyed(id),
            Target::KeyDestroy(destroy) => {
                self.quarantined(destroy).is_none() || self.is_at_work_on(destroy.key_id, id)
            }
            _ => target.arrival().is_some_and(brought),
        }
    }

    /// Opens a ceremony, if it can be opened. `next` is the roster that it makes, if it makes one.
    pub(super) fn propose(
        &mut self,
        body: &Proposed,
        statement: Statement,
        in_force: &InForce,
        next: Option<Roster>,
        stamp: Stamp,
    ) -> Result<(), Unheld> {
        if statement.digest() != body.statement || statement.common().ceremony != body.ceremony {
            return Err(Unheld::Document("statement"));
        }
        // Somebody else's proposal got the id first: without effect.
        if self.was_proposed(body.ceremony) {
            return Ok(());
        }
        if outputs::can_be_held(&statement).is_err() {
            self.void(body.ceremony);
            return Ok(());
        }
        match Session::open(statement, in_force, next.as_ref().map(Seats::from), stamp) {
            Ok(session) => {
                let held = Held {
                    session,
                    records: vec![stamp.index],
                    outputs: None,
                    cause: None,
                    completion: None,
                    next: next.map(Arc::new),
                    spent: BTreeSet::new(),
                };
                self.held.insert(body.ceremony, Arc::new(held));
            }
            // Without effect: somebody changed roster or guardrails first.
            Err(_refused) => self.void(body.ceremony),
        }
        Ok(())
    }

    /// A proposal that opens nothing spends its id, unless an earlier one has it.
    pub(super) fn void(&mut self, id: CeremonyId) {
        if !self.held.contains_key(&id) {
            self.void.insert(id);
        }
    }

    /// A step of a ceremony that is open. `taken` says whether the keys of the state are against its start.
    pub(super) fn step(
        &mut self,
        step: &Ceremony,
        stamp: Stamp,
        outputs: Option<Arc<[u8]>>,
        taken: impl Fn(&Target) -> bool,
    ) -> Result<(), Unheld> {
        let id = step.ceremony();
        let Some(event) = record::event(step)? else { return Ok(()) };
        let Some(held) = self.held.get(&id) else { return Ok(()) };
        let target = held.session.statement().target();
        let blocked = matches!(step, Ceremony::Started(_)) && (taken(target) || self.blocks(target, id));
        let spent = match step {
            Ceremony::Started(started) => started.act,
            Ceremony::Deviated(deviated) => Some(deviated.act),
            _ => None,
        };
        let Some(held) = self.held.get_mut(&id) else { return Ok(()) };
        let held = Arc::make_mut(held);
        held.records.push(stamp.index);
        if blocked || spent.is_some_and(|act| held.spent.contains(&act)) {
            return Ok(());
        }
        if let (Ceremony::Failed(failed), Step::Completed, None) =
            (step, held.session.state().step(), held.completion)
        {
            held.session = held.session.without_effect(stamp);
            let reason = failed.reason.map_or_else(String::new, |reason| format!("{}: ", reason.name()));
            held.cause = Some(format!("{reason}{}", failed.cause));
            return Ok(());
        }
        match held.session.take(&event, stamp) {
            Ok(()) => {
                held.spent.extend(spent);
                match step {
                    Ceremony::Executed(_) => held.outputs = outputs,
                    Ceremony::Failed(failed) => held.cause = Some(failed.cause.clone()),
                    _ => {}
                }
            }
            // Without effect: it came too late.
            Err(_refused) => {}
        }
        Ok(())
    }

    /// A completion: borne out by its ceremony, or no history at all. Returns whether it is the first of its ceremony, which
    /// alone has an effect.
    pub(super) fn complete(&mut self, body: &Completed, stamp: Stamp) -> Result<bool, Unheld> {
        let id = body.ceremony;
        let no = |why| Err(Unheld::NotBorneOut { ceremony: id, why });
        let held = self.held.get_mut(&id).ok_or(Unheld::Unknown(id))?;
        let State::Completed { outputs, .. } = held.session.state() else {
            return no("is not executed and attested");
        };
        if *outputs != body.outputs || held.session.digest() != body.statement {
            return no("has another statement or other outputs");
        }
        let effect =
            held.read_outputs().and_then(|read| outputs::effect(held.session.statement(), &read).ok());
        if effect.as_ref() != Some(&body.effect) {
            return no("asks for another effect");
        }
        if held.completion.is_some() {
            return Ok(false);
        }
        let held = Arc::make_mut(held);
        held.records.push(stamp.index);
        held.completion = Some(Completion { index: stamp.index, manifest: body.manifest });
        if let Effect::Resolved { ceremony, destroyed } = &body.effect {
            self.resolved(*ceremony, id, *destroyed, stamp);
        }
        Ok(true)
    }

    fn resolved(&mut self, of: CeremonyId, by: CeremonyId, destroyed: bool, stamp: Stamp) {
        use ceremonies::statement::target::Leftover;
        let leftover = if destroyed { Leftover::Destroy } else { Leftover::Abandon };
        if let Some(held) = self.held.get_mut(&of) {
            advance(held, &Event::Resolved { by, leftover }, stamp);
        }
    }

    /// Something that concerns all of them.
    pub(super) fn told(&mut self, event: &Event, stamp: Stamp) {
        for held in self.held.values_mut().filter(|held| !held.session.state().step().is_end()) {
            advance(held, event, stamp);
        }
    }
}

fn advance(held: &mut Arc<Held>, event: &Event, stamp: Stamp) {
    // What a ceremony refuses has no effect on it.
    if let Ok(session) = held.session.after(event, stamp) {
        Arc::make_mut(held).session = session;
    }
}
