//! What people decided about a ceremony: verified, judged, recorded, and judged again.

use std::sync::Arc;

use ceremonies::act::{ActKind, Deed, VerifiedAct};
use ceremonies::record;
use ceremonies::session::{Event, SignedAct};
use ceremonies::statement::CeremonyId;
use ceremonies::suspension::Said;
use proto::hash::Hash;
use proto::reason::Reason;
use proto::record::ceremony::Deviated;
use proto::record::{Actor, ActorKind, Body, Ceremony, ControlDetail, Record};
use proto::refusal::Refusal;
use proto::term::Term;
use proto::time::Time;

use super::{Council, refused, unlogged};
use crate::keyring::Snapshot;
use crate::keys::sessions::Held;
use crate::keys::signed::{Signed, documents};
use crate::log::ControlDraft;

/// An act that is in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Submitted {
    /// The record that holds it.
    pub index: u64,
    /// The ceremony that it is about; none where it is about none.
    pub ceremony: Option<CeremonyId>,
    /// Whether it has no effect before another person does the same.
    pub waits: bool,
}

impl Council {
    /// Brings in what a person decided about an open ceremony, or that an officer suspends somebody or vouches for the clock,
    /// and does what follows by itself.
    ///
    /// # Errors
    /// [`Reason::ActInvalid`] where nobody of the roster can have signed it here, [`Reason::ActRefused`] and its kin where
    /// it does not count; nothing is recorded then. Where another record came first, the act is recorded without effect,
    /// and the same reasons say so.
    pub async fn submit(&self, signed: &Signed) -> Result<Submitted, Refusal> {
        let turn = self.turn.lock().await;
        let snapshot = self.keyring.snapshot();
        let act = self.verified(&snapshot, signed).await?;
        if let Some(said) = Said::of(&act) {
            return self.suspend(&snapshot, &act, &said).await;
        }
        if let Deed::AcceptClock { clock } = act.act().deed {
            return self.accept_clock(&snapshot, &act, clock).await;
        }
        let held = self.about(&snapshot, &act)?;
        if !Self::may_use_reserve(&held, &act) {
            self.has_room()?;
        }
        let id = held.session.statement().common().ceremony;
        let index = match act.kind() {
            ActKind::Deviation => self.spoken(&held, id, &act).await?,
            _ => self.decided(&held, id, &act).await?,
        };
        // The act is in the log; what follows from it is tried again at each tick, so a failure there is not the act's.
        if let Err(refusal) = self.follow_up(turn, id).await {
            tracing::warn!(ceremony = %id, %refusal, "what follows from an act is tried again");
        }
        Ok(Submitted { index, ceremony: Some(id), waits: false })
    }

    /// Records an act that is about no ceremony, and whose record touches everything. Returns its index.
    pub(super) async fn beside(&self, act: &VerifiedAct, body: Body) -> Result<u64, Refusal> {
        let fresh = self.log.fresh().map_err(|error| unlogged(&error))?;
        let detail = ControlDetail {
            reason: Some(act.act().reason.clone()),
            ..ControlDetail::with(documents(act), fresh.salt.clone())
        };
        let (detail, _name) =
            detail.encode().map_err(|error| Refusal::new(Reason::MalformedRequest, error.to_string()))?;
        let draft = ControlDraft {
            touches: vec![Term::All],
            detail: Some(detail),
            ..ControlDraft::new(fresh, person(act), body)
        };
        self.write(draft).await
    }

    /// An act that somebody of the roster signed for this instance, over a head that this log had.
    pub(super) async fn verified(
        &self,
        snapshot: &Snapshot,
        signed: &Signed,
    ) -> Result<VerifiedAct, Refusal> {
        let act = signed.verified(snapshot.state())?;
        self.is_ours(act.act().head.size, act.act().head.root).await?;
        Ok(act)
    }

    /// Whether this log had a head.
    pub(super) async fn is_ours(&self, size: u64, root: Hash) -> Result<(), Refusal> {
        let newest = self.log.head();
        if size > newest.size {
            let message = format!(
                "it names a head of {size} records, and the log has {}: it was made over another log, or this one was rolled back",
                newest.size
            );
            return Err(Refusal::new(Reason::ActInvalid, message).with("guard", "head-unknown"));
        }
        if size == 0 {
            let message =
                "it names the empty log, and this one has its genesis: fetch the newest head and sign again";
            return Err(Refusal::new(Reason::ActInvalid, message).with("guard", "head-unknown"));
        }
        let had = match size == newest.size {
            true => newest.root,
            false => self.log.consistency(size, None).await.map_err(|error| unlogged(&error))?.old.1,
        };
        if had == root {
            return Ok(());
        }
        let message = format!(
            "it names a head of {size} records with root {root}, and this log had {had} then: somebody was shown another log"
        );
        Err(Refusal::new(Reason::ActInvalid, message).with("guard", "head-other"))
    }

    /// The open ceremony that an act is about.
    fn about(&self, snapshot: &Snapshot, act: &VerifiedAct) -> Result<Arc<Held>, Refusal> {
        let no = |message: &str| Err(Refusal::new(Reason::Unimplemented, message));
        match act.act().deed {
            Deed::Propose { .. } => {
                return no("a proposal comes with its statement: ProposeCeremony takes it");
            }
            Deed::Execute { .. } => return no("ExecuteCeremony takes it, and waits for what comes of it"),
            Deed::Stop { .. } => return no("IncidentService.Stop takes it: stops have a lane of their own"),
            _ => {}
        }
        let statement = act.act().deed.statement().unwrap_or(Hash::ZERO);
        snapshot.state().sessions().over(statement).cloned().ok_or_else(|| {
            let message = format!("no ceremony here has the statement {statement}");
            Refusal::new(Reason::UnknownCeremony, message)
        })
    }

    async fn decided(&self, held: &Held, id: CeremonyId, act: &VerifiedAct) -> Result<u64, Refusal> {
        let overtaken = self.overtaken(act).await?;
        let body = record::acted(id, act, overtaken)
            .ok_or_else(|| Refusal::new(Reason::Internal, "an act that decides nothing"))?;
        let event = SignedAct::of(act, overtaken).map(|act| Event::Act(Box::new(act)));
        let event = event.ok_or_else(|| Refusal::new(Reason::Internal, "an act that decides nothing"))?;
        let no = |refusal| refused(Reason::ActRefused, &refusal);
        held.session.after(&event, self.provisional(Some(&held.session))).map_err(no)?;
        let step = Ceremony::Acted(Box::new(body));
        let index = self.append_by(person(act), step, documents(act), vec![]).await?;
        self.had_effect(id, index, act.digest())?;
        Ok(index)
    }

    async fn spoken(&self, held: &Held, id: CeremonyId, act: &VerifiedAct) -> Result<u64, Refusal> {
        self.is_fresh(held, act)?;
        let event = Event::Deviation { deviation: act.digest(), person: act.person().clone() };
        let no = |refusal| refused(Reason::ActRefused, &refusal);
        held.session.after(&event, self.provisional(Some(&held.session))).map_err(no)?;
        let body = Deviated { act: act.digest(), ceremony: id, person: act.person().to_string() };
        self.append_by(person(act), Ceremony::Deviated(body), documents(act), vec![]).await
    }

    /// Whether an act that no session counts may still be used: not expired, not used before.
    pub(super) fn is_fresh(&self, held: &Held, act: &VerifiedAct) -> Result<(), Refusal> {
        let no = |message: String, guard| Err(Refusal::new(Reason::ActRefused, message).with("guard", guard));
        if act.act().expires <= self.now() {
            return no(format!("the act expired at {}, by its own word", act.act().expires), "act-expired");
        }
        if held.has_spent(act.digest()) {
            return no("this act is in the log already: it counts once".to_owned(), "replayed");
        }
        Ok(())
    }

    /// Whether the record of an act got its effect; another record may have come before it.
    fn had_effect(&self, id: CeremonyId, index: u64, act: Hash) -> Result<(), Refusal> {
        let held = self.held(&self.keyring.snapshot(), id)?;
        if held.session.has_admitted(act) {
            return Ok(());
        }
        let message = format!(
            "the act is record {index}, and has no effect: another record came first, or the clock is not trusted"
        );
        Err(Refusal::new(Reason::ActRefused, message).with("guard", "too-late").with("log_index", index))
    }

    /// When the log went beyond the head that an act names.
    async fn overtaken(&self, act: &VerifiedAct) -> Result<Option<Time>, Refusal> {
        let size = act.act().head.size;
        if size == self.log.head().size {
            return Ok(None);
        }
        let stored = self.log.record(size).await.map_err(|error| unlogged(&error))?;
        match Record::parse(&stored.leaf).ok().and_then(|record| record.times()) {
            Some(time) => Ok(Some(time.sealed)),
            None => {
                Err(Refusal::new(Reason::Internal, format!("record {size} does not say when it was sealed")))
            }
        }
    }
}

/// Who signed.
pub(super) fn person(act: &VerifiedAct) -> Actor {
    Actor { id: act.person().to_string(), kind: ActorKind::Person }
}
