//! The completion of a ceremony: its transcript is made, named in one last record, and that record has the effect.
//!
//! The record follows at once the control record that the transcript ends with, so that nothing is between what people
//! can check and what came into force.

use std::sync::Arc;

use ceremonies::outputs::{self, Outputs};
use ceremonies::session::State;
use ceremonies::statement::{CeremonyId, Target};
use ceremonies::transcript::{Files, Transcript};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::record::ceremony::{Completed, Effect, Failed, NoEffect, document};
use proto::record::{Actor, ActorKind, Body, Ceremony, ControlRecord, Times};
use proto::refusal::Refusal;
use proto::term::Term;

use super::succession::{Ending, material};
use super::{Council, unlogged};
use crate::keyring::Snapshot;
use crate::keys::sessions::Held;
use crate::log::{ControlDraft, LogError, Material};

/// How often a completion is tried anew because another control record came first.
const TRIES: usize = 16;

pub(super) fn internal(what: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::Internal, what.to_string())
}

/// Why a completion is not recorded.
enum Incomplete {
    /// It never will be: what was done and attested does not fit what is in force.
    Never(NoEffect, String),
    /// It is tried again.
    Later(Refusal),
}

impl From<Refusal> for Incomplete {
    fn from(refusal: Refusal) -> Self {
        Self::Later(refusal)
    }
}

/// Longest cause of a failure in characters.
const LONGEST_CAUSE: usize = 1000;

impl Council {
    /// Records the completion of a ceremony whose witnesses have attested, or that it has failed, because it cannot come into force.
    /// The caller has the turn.
    pub(super) async fn complete(&self, held: &Held, id: CeremonyId) -> Result<(), Refusal> {
        match self.comes_into_force(held, id).await {
            Ok(()) => Ok(()),
            Err(Incomplete::Later(refusal)) => Err(refusal),
            Err(Incomplete::Never(reason, why)) => {
                let words: Vec<&str> = why.split_whitespace().collect();
                let cause: String = words.join(" ").chars().take(LONGEST_CAUSE).collect();
                tracing::error!(ceremony = %id, reason = reason.name(), cause, "a ceremony has no effect, and has failed");
                let failed = Failed { cause, ceremony: id, reason: Some(reason) };
                self.append(Ceremony::Failed(failed), vec![], vec![]).await.map(|_index| ())
            }
        }
    }

    async fn comes_into_force(&self, held: &Held, id: CeremonyId) -> Result<(), Incomplete> {
        let statement = held.session.statement();
        let outputs = held.read_outputs().ok_or_else(|| internal("a ceremony without outputs"))?;
        let effect = outputs::effect(statement, &outputs).map_err(internal)?;
        let State::Completed { outputs: digest, .. } = held.session.state() else {
            return Err(internal("a ceremony that is not completed").into());
        };
        if self.is_overtaken(&effect) {
            let why = "another version came into force first: this one follows nothing".to_owned();
            return Err(Incomplete::Never(NoEffect::Overtaken, why));
        }
        self.can_sign_after(&effect)?;
        if let Effect::Grants { .. } | Effect::Guardrails { .. } = &effect {
            self.offer(held).await?;
        }
        for _ in 0..TRIES {
            let head = self.log.head();
            let snapshot = self.keyring.at_least(head.control.0).await;
            if snapshot.control() != head.control.0 {
                continue;
            }
            let end =
                Ending { newest: head.control.0, size: head.size, checkpoint: Arc::clone(&head.checkpoint) };
            let transcript = self.assembled(&snapshot, id, held, &outputs, end).await?;
            let body = Completed {
                ceremony: id,
                effect: effect.clone(),
                manifest: transcript.manifest().digest(),
                outputs: *digest,
                statement: held.session.digest(),
            };
            let fresh = self.log.fresh().map_err(|error| unlogged(&error))?;
            let instance = snapshot.state().instance().instance().as_str().to_owned();
            let actor = Actor { id: instance, kind: ActorKind::Daemon };
            let touches = match &effect {
                Effect::Key(born) => vec![Term::Key(born.key.clone())],
                Effect::Grants { .. } | Effect::Guardrails { .. } | Effect::Roster { .. } => vec![Term::All],
                Effect::Rebound { backend, .. } => vec![Term::Backend(backend.clone())],
                _ => vec![],
            };
            let checkpoint = vec![(document::CHECKPOINT, head.checkpoint.to_string())];
            let draft = self.draft(fresh, actor, Ceremony::Completed(Box::new(body)), checkpoint, touches)?;
            let lifts = snapshot.state().lifts(statement).unwrap_or_default();
            let draft = ControlDraft { follows: Some(head.control.1), lifts, ..draft };
            would_follow(&snapshot, &draft)
                .map_err(|refusal| Incomplete::Never(NoEffect::Taken, refusal.message))?;
            match self.log.control(draft).await {
                Ok(appended) => {
                    self.keyring.at_least(appended.index).await;
                    tracing::info!(ceremony = %id, index = appended.index, "a ceremony is completed");
                    return Ok(());
                }
                Err(LogError::Overtaken) => continue,
                Err(error) => return Err(unlogged(&error).into()),
            }
        }
        let message = "other control records came first again and again; the completion is tried again";
        Err(Refusal::new(Reason::ChangedMeanwhile, message).into())
    }

    /// Makes the grants or guardrails known that a ceremony puts in force. Their text is in the log since the proposal, where
    /// every start finds it.
    async fn offer(&self, held: &Held) -> Result<(), Incomplete> {
        let proposed = held.records.first().copied().unwrap_or_default();
        let (_, documents) = self.stored(proposed).await?;
        let text = |name| {
            documents
                .get(name)
                .ok_or_else(|| internal(format!("record {proposed} brings no document `{name}`")))
        };
        if self.keyring.snapshot().in_force().is_none() {
            return Err(Incomplete::Later(super::propose::no_rules()));
        }
        let offered = match held.session.statement().target() {
            Target::PolicyChange(_) => {
                self.keyring.offer_guardrails(text(document::NEXT_GUARDRAILS)?, &documents)
            }
            _ => self.keyring.offer_grants(text(document::GRANTS)?),
        };
        offered.map_err(|clash| Incomplete::Never(NoEffect::RulesClash, clash.to_string()))
    }

    async fn assembled(
        &self,
        snapshot: &Snapshot,
        id: CeremonyId,
        held: &Held,
        outputs: &Outputs,
        end: Ending,
    ) -> Result<Transcript, Refusal> {
        let possessions = outputs.possessions().into_iter().map(|proof| proof.index).collect();
        let made = self.earlier(snapshot, &end).await?;
        let words = snapshot.state().words();
        let material = Material { possessions, made, ..material(id, held, words, end) };
        self.log.transcript(material).await.map_err(|error| unlogged(&error))
    }

    /// The files of a completed ceremony's transcript.
    ///
    /// # Errors
    /// [`Reason::UnknownCeremony`]; [`Reason::ActRefused`] where it is not completed; the log's failure.
    pub async fn transcript(&self, id: CeremonyId) -> Result<Files, Refusal> {
        let snapshot = self.keyring.snapshot();
        let held = self.held(&snapshot, id)?;
        let Some(completion) = held.completion else {
            let step = held.session.state().step();
            let message = format!("the ceremony is {step}: a transcript is of a completed one");
            return Err(Refusal::new(Reason::ActRefused, message).with("guard", "not-completed"));
        };
        let outputs = held.read_outputs().ok_or_else(|| internal("a ceremony without outputs"))?;
        let end = self.ending(completion.index).await?;
        let transcript = self.assembled(&snapshot, id, &held, &outputs, end).await?;
        if transcript.manifest().digest() != completion.manifest {
            let message = "the transcript that the log gives is not the one that its completion names: details were \
                           changed or erased";
            return Err(internal(message));
        }
        let receipt = self.log.receipt_of_its_key(completion.index).await.map_err(|error| match error {
            LogError::Overtaken => {
                Refusal::new(Reason::ChangedMeanwhile, "the log grew while its receipt was made; ask again")
            }
            other => unlogged(&other),
        })?;
        Ok(transcript.with_completion(receipt.to_string()))
    }
}

/// Whether the state would take the record: refused before it is written rather than by the next start.
fn would_follow(snapshot: &Snapshot, draft: &ControlDraft) -> Result<(), Refusal> {
    let state = snapshot.state();
    let head = state.head();
    let Body::Ceremony(_) = &draft.body else { return Err(internal("no step of a ceremony")) };
    let record = ControlRecord {
        actor: draft.actor.clone(),
        body: draft.body.clone(),
        detail: None,
        lifts: draft.lifts.clone(),
        operation: draft.operation,
        previous: head.hash,
        stops: vec![],
        time: Times::asked(draft.asked),
        touches: draft.touches.clone(),
    };
    let mut next = state.clone();
    next.apply(head.index + 1, Hash::ZERO, &record, None).map(|_effect| ()).map_err(internal)
}
