//! Starting what a quorum decided, once, and carrying it on.
//!
//! What touches a device starts by an operator's act; everything else starts by itself as soon as it is armed.

use std::sync::Arc;

use ceremonies::act::{Deed, VerifiedAct};
use ceremonies::outputs::Outputs;
use ceremonies::session::{Event, Step};
use ceremonies::statement::target::Target;
use ceremonies::statement::{CeremonyId, Statement};
use futures_util::future::join_all;
use proto::hash::Hash;
use proto::reason::Reason;
use proto::record::ceremony::{Executed, Failed, Started, Turned, document};
use proto::record::{Actor, Ceremony};
use proto::refusal::Refusal;

use super::{Council, Documents, Running, Turn, admit, refused};
use crate::keys::sessions::Held;
use crate::keys::signed::{Signed, documents};

impl Council {
    /// Starts an armed ceremony by an operator's act, and answers when its execution has ended, well or not. Whoever
    /// goes away meanwhile stops nothing.
    ///
    /// # Errors
    /// [`Reason::NotArmed`], [`Reason::ObjectPlanted`], [`Reason::ActInvalid`], [`Reason::ActRefused`], the backend's
    /// failure; [`Reason::Interrupted`] where it is not known what was done.
    pub async fn execute(self: &Arc<Self>, signed: &Signed) -> Result<CeremonyId, Refusal> {
        let (statement, running) = self.start_by_hand(signed).await?;
        let id = statement.common().ceremony;
        let council = Arc::clone(self);
        let done = tokio::spawn(async move {
            let done = council.perform(&statement).await;
            drop(running);
            done
        });
        let done = done.await.unwrap_or_else(|panicked| {
            Err(Refusal::new(Reason::Internal, format!("the execution ended without an answer: {panicked}")))
        });
        done.map(|()| id)
    }

    /// Makes a start durable by an operator's act. The device is looked at before the turn is taken, because it may take
    /// its time; everything else is judged again in the turn.
    async fn start_by_hand(&self, signed: &Signed) -> Result<(Statement, Running), Refusal> {
        let (_, held) = self.may_be_started(signed).await?;
        let statement = held.session.statement().clone();
        let found = match statement.target() {
            Target::KeyDestroy(target) => self.found_to_destroy(target).await?,
            Target::BackendRebind(target) => self.found_to_rebind(target).await?,
            _ => self.look(&statement).await?.len() as u64,
        };
        let id = statement.common().ceremony;
        if found > 0 && matches!(statement.target(), Target::KeyGenerate(_)) {
            crate::measure::object_planted();
            tracing::error!(ceremony = %id, found, "objects are under the names of a key that is not made yet");
        }
        let _turn = self.turn.lock().await;
        let (act, held) = self.may_be_started(signed).await?;
        self.has_room()?;
        self.may_start(&held, Some(&act), found)?;
        let body = Started {
            act: Some(act.digest()),
            ceremony: id,
            found,
            operator: Some(act.person().to_string()),
        };
        let running = self.enter(id);
        self.started(id, Some(admit::person(&act)), body, documents(&act)).await?;
        Ok((statement, running))
    }

    /// The ceremony that an operator's act may start now, as far as one can tell without asking a device: whoever may not
    /// start learns nothing of the token.
    async fn may_be_started(&self, signed: &Signed) -> Result<(VerifiedAct, Arc<Held>), Refusal> {
        let snapshot = self.keyring.snapshot();
        let act = self.verified(&snapshot, signed).await?;
        let Deed::Execute { statement: named } = act.act().deed else {
            let message = format!("an execution takes an act `execute`, not `{}`", act.kind());
            return Err(Refusal::new(Reason::ActRefused, message).with("guard", "no-place"));
        };
        let held = snapshot.state().sessions().over(named).cloned().ok_or_else(|| {
            Refusal::new(Reason::UnknownCeremony, format!("no ceremony here has the statement {named}"))
        })?;
        let statement = held.session.statement();
        if !statement.kind().is_by_hand() {
            let message = format!("a `{}` starts by itself as soon as it is armed", statement.kind());
            return Err(Refusal::new(Reason::ActRefused, message).with("guard", "no-place"));
        }
        self.is_fresh(&held, &act)?;
        let assumed = u64::from(matches!(statement.target(), Target::KeyDestroy(_)));
        self.may_start(&held, Some(&act), assumed)?;
        self.fits(&snapshot, statement)?;
        Ok((act, held))
    }

    fn may_start(&self, held: &Held, act: Option<&VerifiedAct>, found: u64) -> Result<(), Refusal> {
        let operator = act.map(|act| act.person().clone());
        let event = Event::Start { operator, found };
        let stamp = self.provisional(Some(&held.session));
        let started = held.session.after(&event, stamp);
        started.map(|_executing| ()).map_err(|refusal| refused(Reason::ActRefused, &refusal))
    }

    /// Makes a start durable. Only a start that is the session's own, once it is in the log, may be acted on.
    async fn started(
        &self,
        id: CeremonyId,
        actor: Option<Actor>,
        body: Started,
        with: Documents,
    ) -> Result<(), Refusal> {
        let step = Ceremony::Started(body);
        let index = match actor {
            Some(actor) => self.append_by(actor, step, with, vec![]).await?,
            None => self.append(step, with, vec![]).await?,
        };
        let held = self.held(&self.keyring.snapshot(), id)?;
        match held.session.state() {
            ceremonies::session::State::Executing(executing) if executing.at.index == index => Ok(()),
            state => {
                let message = format!(
                    "the start is record {index}, and has no effect: the ceremony is {}; another record came first",
                    state.step()
                );
                Err(Refusal::new(Reason::ActRefused, message)
                    .with("guard", "too-late")
                    .with("log_index", index))
            }
        }
    }

    /// What follows by itself from where a ceremony stands, in this turn. A device is waited for outside of it: meanwhile
    /// people decide about other ceremonies, and about this one.
    pub(super) async fn follow_up<'t>(&'t self, mut turn: Turn<'t>, id: CeremonyId) -> Result<(), Refusal> {
        // Each round moves the ceremony on by a record; there are only so many steps.
        for _ in 0..4 {
            let held = self.held(&self.keyring.snapshot(), id)?;
            let statement = held.session.statement();
            let by_hand = statement.kind().is_by_hand();
            match held.session.state().step() {
                Step::Armed if !by_hand && self.begins(&held) => {
                    self.fits(&self.keyring.snapshot(), statement)?;
                    self.may_start(&held, None, 0)?;
                    let body = Started { act: None, ceremony: id, found: 0, operator: None };
                    self.started(id, None, body, vec![]).await?;
                }
                Step::Executing if self.is_running(id) => return Ok(()),
                Step::Executing if goes_on(statement) => {
                    let running = self.enter(id);
                    drop(turn);
                    let done = match by_hand {
                        true => self.perform(statement).await,
                        false => self.carry_out(statement).await,
                    };
                    drop(running);
                    turn = self.turn.lock().await;
                    done?;
                }
                // Its task is not in this process: it ended with another one.
                Step::Executing => self.cut_off(statement).await?,
                Step::Completed if held.completion.is_none() => self.complete(&held, id).await?,
                _ if self.has_ended_by_time(&held) => {
                    self.append(Ceremony::Ended(Turned { ceremony: id }), vec![], vec![]).await?;
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Records how an execution ended that was cut off and does not go on.
    async fn cut_off(&self, statement: &Statement) -> Result<(), Refusal> {
        // It only reads and has the key prove that it is there: people propose anew what they meant.
        if matches!(statement.target(), Target::KeyAdopt(_)) {
            let cause = "it was cut off; nothing was changed on the device, and nothing is adopted";
            return self.nothing_done(statement, cause).await;
        }
        let ceremony = statement.common().ceremony;
        tracing::error!(%ceremony, "an execution was interrupted: propose a `resolve`");
        self.append(Ceremony::Interrupted(Turned { ceremony }), vec![], vec![]).await.map(drop)
    }

    /// Records that an execution did nothing, and why.
    async fn nothing_done(&self, statement: &Statement, cause: &str) -> Result<(), Refusal> {
        let ceremony = statement.common().ceremony;
        tracing::warn!(%ceremony, cause, "an execution has failed");
        let step = Ceremony::Failed(Failed { cause: cause.to_owned(), ceremony, reason: None });
        self.append(step, vec![], vec![]).await.map(drop)
    }

    fn begins(&self, held: &Held) -> bool {
        self.now() >= held.session.statement().common().not_before
    }

    fn has_ended_by_time(&self, held: &Held) -> bool {
        !held.session.state().step().is_end() && self.by_now(&held.session).state().step().is_end()
    }

    /// Does what an operator has started, and records how that ended.
    async fn perform(&self, statement: &Statement) -> Result<(), Refusal> {
        match statement.target() {
            Target::KeyDestroy(target) => self.destroy(statement, target).await,
            Target::BackendRebind(target) => self.rebind(statement, target).await,
            _ => self.give_birth(statement).await,
        }
    }

    /// What an execution without an operator does. All of it can be done again after a crash.
    async fn carry_out(&self, statement: &Statement) -> Result<(), Refusal> {
        let outputs = match statement.target() {
            Target::Resolve(resolve) => match self.resolved(resolve).await? {
                Some(outputs) => outputs,
                None => {
                    let cause = "another `resolve` came first; this one touched nothing";
                    return self.nothing_done(statement, cause).await;
                }
            },
            Target::LogRekey(target) => self.rekeyed(target)?,
            _ => Outputs::Done,
        };
        self.executed(statement, &outputs).await
    }

    /// Records what came of an execution.
    ///
    /// # Errors
    /// Guard `too-late` where the ceremony was aborted meanwhile: the record is in the log, and has no effect.
    pub(super) async fn executed(&self, statement: &Statement, outputs: &Outputs) -> Result<(), Refusal> {
        let ceremony = statement.common().ceremony;
        let bytes =
            outputs.encode(statement).map_err(|error| Refusal::new(Reason::Internal, error.to_string()))?;
        let step = Ceremony::Executed(Executed { ceremony, outputs: Hash::of(&bytes) });
        // Canonical JSON is text.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let index = self.append(step, vec![(document::OUTPUTS, text)], vec![]).await?;
        let held = self.held(&self.keyring.snapshot(), ceremony)?;
        match held.session.state().step() {
            Step::Executed | Step::Waiting | Step::Completed => Ok(()),
            ended => {
                let message = format!(
                    "what came of it is record {index}, and has no effect: the ceremony is {ended}; what a birth made is in \
                     quarantine"
                );
                let refusal = Refusal::new(Reason::ActRefused, message);
                Err(refusal.with("guard", "too-late").with("log_index", index))
            }
        }
    }

    /// Carries on every open ceremony: at the start of the daemon, and as time passes. None waits for another's device.
    pub async fn carry_on(&self) {
        let open: Vec<CeremonyId> =
            self.keyring.snapshot().state().sessions().open().map(|(id, _)| id).collect();
        let each = open.into_iter().map(async |id| {
            let turn = self.turn.lock().await;
            if let Err(refusal) = self.follow_up(turn, id).await {
                tracing::warn!(ceremony = %id, %refusal, "an open ceremony could not be carried on; it is tried again");
            }
        });
        join_all(each).await;
    }

    /// Whether an execution was cut off and goes on by itself, as soon as its backend is back.
    pub fn has_work_left(&self) -> bool {
        let snapshot = self.keyring.snapshot();
        snapshot.state().sessions().open().any(|(id, held)| {
            let cut_off = held.session.state().step() == Step::Executing && !self.is_running(id);
            cut_off && goes_on(held.session.statement())
        })
    }
}

/// Whether an execution that was cut off goes on: what it does can be done twice.
const fn goes_on(statement: &Statement) -> bool {
    let twice = matches!(statement.target(), Target::KeyDestroy(_) | Target::BackendRebind(_));
    twice || !statement.kind().is_by_hand()
}

/// Whether a backend does not answer now.
pub(super) const fn is_away(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::BackendUnavailable
            | Reason::BackendBusy
            | Reason::BackendBroken
            | Reason::Timeout
            | Reason::Transport
    )
}
