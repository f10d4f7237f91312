//! Stopping: one call, in force at once, final.
//!
//! Promises: when [`Responder::stop`] says that the stop is logged, no record above its index releases what it covers,
//! and every signature that anybody received lies below it; while it is pending, this daemon hands nothing more out that
//! it covers. A target that names nothing is refused before anything is touched, so that a misspelt key at 3 a.m. is not
//! taken for a stopped one.
//!
//! Does not: lift stops (a ceremony does), or decide what was affected.

use std::sync::Arc;

use ceremonies::act::Deed;
use proto::reason::Reason;
use proto::record::{Actor, ActorKind, Body, ControlDetail, StopTarget};
use proto::refusal::Refusal;
use proto::term::Term;

use crate::clock::Clock;
use crate::denials::Denials;
use crate::keyring::Keyring;
use crate::keys::fold::State;
use crate::keys::signed::{Signed, documents};
use crate::log::{ControlDraft, Fresh, Log};
use crate::policy::caller::Caller;
use crate::policy::facts::Action;

/// Longest reason in bytes.
pub const LONGEST_REASON: usize = 4096;

/// Stops things.
pub struct Responder {
    log: Log,
    keyring: Arc<Keyring>,
    denials: Arc<Denials>,
    clock: Arc<dyn Clock>,
}

/// The answer to a stop.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// Index of the control record; absent while the log cannot take it.
    pub index: Option<u64>,
    /// In force in memory and, unless volatile, in the stop file; not yet in the log.
    pub pending: bool,
    /// In force in memory alone: a restart loses it.
    pub volatile: bool,
    /// The stop file had no room, so everything is stopped.
    pub everything: bool,
    /// What still signs beside it, as version names.
    pub still_signing: Vec<String>,
    /// Operations that were under way and are withheld.
    pub withheld: u32,
}

impl Responder {
    /// A responder over this log and these keys.
    pub fn new(log: Log, keyring: Arc<Keyring>, denials: Arc<Denials>, clock: Arc<dyn Clock>) -> Self {
        Self { log, keyring, denials, clock }
    }

    /// Stops a target by the caller's right `stop`.
    ///
    /// # Errors
    /// A target that names nothing, a reason that is missing or too long, no right to do it; or a log that can neither
    /// take the stop nor keep it in the stop file.
    pub async fn stop(
        &self,
        caller: &Arc<Caller>,
        target: StopTarget,
        reason: String,
    ) -> Result<Stopped, Refusal> {
        has_reason(&reason)?;
        can_be_named(&target)?;
        let snapshot = self.keyring.snapshot();
        let state = snapshot.state();
        if !snapshot.admits(caller) {
            return Err(Refusal::new(Reason::Unauthenticated, "no grant is for this caller"));
        }
        // A name that means nothing is said first: policy cannot be asked about what does not exist.
        let terms = terms_of(state, &target)?;
        let resource = match &target {
            StopTarget::Key(key) | StopTarget::Version { key, .. } => snapshot.resource(key),
            _ => None,
        };
        self.denials.permit(&snapshot, caller, &Action::Stop(target.clone()), resource).await?;
        self.names_something(&target)?;
        let actor = Actor { id: caller.id.clone(), kind: ActorKind::Caller };
        let fresh = self.log.fresh().map_err(|e| Refusal::new(e.reason(), e.to_string()))?;
        let detail = ControlDetail::of(reason, fresh.salt.clone());
        self.raise(state, fresh, actor, Body::Stopped { act: None, target }, terms, &detail).await
    }

    /// Stops what a person's act names, through whatever connection it came: officers, witnesses and responders need no
    /// certificate and no grant. `target` is what the request names; the act must stop exactly that.
    ///
    /// # Errors
    /// [`Reason::ActInvalid`] and [`Reason::ActRefused`], a target that names nothing, a log that can neither take the
    /// stop nor keep it in the stop file.
    pub async fn stop_by_act(&self, signed: &Signed, target: StopTarget) -> Result<Stopped, Refusal> {
        can_be_named(&target)?;
        let snapshot = self.keyring.snapshot();
        let state = snapshot.state();
        let act = signed.verified(state)?;
        let no = |guard, message: String| {
            Err(Refusal::new(Reason::ActRefused, format!("{message}; nothing was stopped"))
                .with("guard", guard))
        };
        let Deed::Stop { stops } = &act.act().deed else {
            return no("no-place", format!("a stop takes an act `stop`, not `{}`", act.kind()));
        };
        let terms = terms_of(state, &target)?;
        if *stops != terms {
            let named: Vec<String> = stops.iter().map(ToString::to_string).collect();
            return no(
                "other-target",
                format!("the act stops {}, the request names another target", named.join(", ")),
            );
        }
        // No head is looked at: stopping works while the log does not.
        // By a clock that is not believed nothing has expired that had not before.
        if act.act().expires <= self.clock.wall().min(self.log.time().time()) {
            return no("act-expired", format!("the act expired at {}", act.act().expires));
        }
        if state.has_spent(act.digest()) {
            return no(
                "replayed",
                "this act has stopped it before: it counts once, sign a new one".to_owned(),
            );
        }
        self.names_something(&target)?;
        let actor = Actor { id: act.person().to_string(), kind: ActorKind::Person };
        let fresh = self.log.fresh().map_err(|e| Refusal::new(e.reason(), e.to_string()))?;
        let detail = ControlDetail {
            reason: Some(act.act().reason.clone()),
            ..ControlDetail::with(documents(&act), fresh.salt.clone())
        };
        let body = Body::Stopped { act: Some(act.digest()), target };
        self.raise(state, fresh, actor, body, terms, &detail).await
    }

    async fn raise(
        &self,
        state: &State,
        fresh: Fresh,
        actor: Actor,
        body: Body,
        terms: Vec<Term>,
        detail: &ControlDetail,
    ) -> Result<Stopped, Refusal> {
        let still_signing = match &body {
            Body::Stopped { target, .. } => {
                state.still_signing(target).iter().map(ToString::to_string).collect()
            }
            _ => Vec::new(),
        };
        let (detail, _name) =
            detail.encode().map_err(|e| Refusal::new(Reason::MalformedRequest, e.to_string()))?;
        let who = actor.id.clone();
        let draft =
            ControlDraft { stops: terms, detail: Some(detail), ..ControlDraft::new(fresh, actor, body) };
        let done = self.log.stop(draft).await.map_err(|error| {
            Refusal::new(
                error.reason(),
                format!("the stop could neither be logged nor kept in the stop file: {error}"),
            )
        })?;
        if let Some(index) = done.index {
            self.keyring.at_least(index).await;
        }
        tracing::warn!(who, index = done.index, pending = done.pending, "stopped");
        Ok(Stopped {
            index: done.index,
            pending: done.pending,
            volatile: !done.durable,
            everything: done.everything,
            still_signing,
            withheld: done.withheld,
        })
    }

    fn names_something(&self, target: &StopTarget) -> Result<(), Refusal> {
        match target {
            StopTarget::Backend(name) if self.keyring.backend(name).is_none() => {
                let known: Vec<_> = self.keyring.backends().map(|(name, _)| name).collect();
                let message = format!(
                    "there is no backend `{name}` here, only {}; nothing was stopped",
                    known.join(", ")
                );
                Err(Refusal::new(Reason::UnknownBackend, message))
            }
            _ => Ok(()),
        }
    }
}

fn has_reason(reason: &str) -> Result<(), Refusal> {
    if !reason.trim().is_empty() && reason.len() <= LONGEST_REASON {
        return Ok(());
    }
    let message = format!("a stop needs a reason of 1 to {LONGEST_REASON} bytes");
    Err(Refusal::new(Reason::MalformedRequest, message))
}

fn can_be_named(target: &StopTarget) -> Result<(), Refusal> {
    if let StopTarget::Issuer(_) | StopTarget::Claim { .. } = target {
        let message =
            "callers here have no issuers and no claims yet, so nothing would be stopped: stop the caller";
        return Err(Refusal::new(Reason::Unimplemented, message));
    }
    if let StopTarget::Caller(id) = target
        && let Err(not) = Caller::parse(id)
    {
        return Err(Refusal::new(Reason::MalformedRequest, format!("{not}; nothing was stopped")));
    }
    Ok(())
}

fn terms_of(state: &State, target: &StopTarget) -> Result<Vec<Term>, Refusal> {
    state.terms_of(target).ok_or_else(|| match target {
        StopTarget::Version { key, version } if state.ring(key).is_some() => Refusal::new(
            Reason::UnknownVersion,
            format!("`{key}` has no version {version}; nothing was stopped"),
        ),
        _ => Refusal::new(Reason::UnknownKey, "there is no such key here; nothing was stopped"),
    })
}
