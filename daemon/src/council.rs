//! Open ceremonies: proposed, decided by people, executed once, attested, completed.
//!
//! ```text
//! propose ─► acts ─► armed ─► started (durable) ─► the backend ─► executed ─► attested ─► completed: the effect
//!                                                    ├─ nothing was done ─► failed
//!                                                    └─ nobody knows ─► interrupted ─► a `resolve`
//! ```
//!
//! Every step is one control record, and the state of a ceremony is what its records fold to
//! ([`Sessions`](crate::keys::sessions)): nothing is kept here. Each step is asked of the session before it is appended, so
//! that what is refused leaves no record, and again of the snapshot after it, because another record may have come first:
//! only that answer counts.
//!
//! Promises: nothing reaches a backend before the start is durable, and a start that a veto or a stop came before does
//! nothing; a key pair is made once a start, and after a crash never again and never adopted: a birth is then
//! indeterminate, an adoption has failed, and what can be done twice goes on. What was planted under a new key's names
//! refuses the ceremony before anything is made.
//!
//! Does not: decide who is enough (the session does), check certificates (people sign), or count anything by itself.
//!
//! Invariant: between the backend's answer and the record of its output no crash leads to a second key or an adoption
//! (`killed_at_every_step_of_an_execution_it_is_never_repeated_and_never_adopted`).

mod admit;
mod birth;
mod bounds;
mod clock;
mod complete;
mod destroy;
mod execute;
mod play;
mod propose;
mod rebind;
mod rekey;
mod resolve;
mod succession;
mod suspend;
#[cfg(test)]
mod tests;
mod view;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ceremonies::session::{Event, Session, Stamp};
use ceremonies::statement::CeremonyId;
use proto::reason::Reason;
use proto::record::{Actor, ActorKind, Body, Ceremony, ControlDetail};
use proto::refusal::Refusal;
use proto::term::Term;
use proto::time::Time;
use tokio::sync::{Mutex, MutexGuard};

use crate::clock::Clock;
use crate::keyring::{Keyring, Snapshot};
use crate::keys::fold::Present;
use crate::keys::sessions::Held;
use crate::log::{ControlDraft, Fresh, Log, LogError};
use crate::sign::Signer;

pub use admit::Submitted;
pub use bounds::MOST_PROPOSED;
pub use play::Hand;
pub use propose::Draft;
pub use succession::{Ending, endings_of, forebears};
pub use view::{ActView, CeremonyView, SuspensionView};

/// For how long whoever acted is believed to be there still.
const HALF_A_YEAR: Duration = Duration::from_secs(180 * 24 * 3600);

/// Holds ceremonies over this log and these keys.
pub struct Council {
    log: Log,
    keyring: Arc<Keyring>,
    signer: Arc<Signer>,
    clock: Arc<dyn Clock>,
    /// One step at a time: what is judged is what is appended next.
    turn: Mutex<()>,
    /// Executions that this process is carrying out.
    running: Arc<std::sync::Mutex<BTreeSet<CeremonyId>>>,
}

/// The turn of whoever judges and appends now.
type Turn<'t> = MutexGuard<'t, ()>;

/// An execution that this process is carrying out, until it is dropped.
struct Running {
    id: CeremonyId,
    all: Arc<std::sync::Mutex<BTreeSet<CeremonyId>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Council {
    /// A council over this log and these keys; `signer` records proofs of possession.
    pub fn new(log: Log, keyring: Arc<Keyring>, signer: Arc<Signer>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { log, keyring, signer, clock, turn: Mutex::new(()), running: Default::default() })
    }

    fn enter(&self, id: CeremonyId) -> Running {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        Running { id, all: Arc::clone(&self.running) }
    }

    fn is_running(&self, id: CeremonyId) -> bool {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    /// What time it is by the log: everything here goes by it, whatever the wall clock shows that is not believed.
    fn now(&self) -> Time {
        self.log.time().time()
    }

    /// How many officers have acted in the last half year. Where too few can be reached nothing is decided any more, and nobody
    /// notices before that day: so it is counted while there is time to change the roster.
    pub fn officers(&self) -> Present {
        let since = self.now().earlier(HALF_A_YEAR);
        let present = self.keyring.snapshot().state().officers_since(since);
        crate::measure::officers(present.acted, present.wanted);
        present
    }

    /// Where a ceremony stands now: what time alone does is true before somebody writes it down.
    fn by_now<'s>(&self, session: &'s Session) -> Cow<'s, Session> {
        let ticked = session.after(&Event::Tick, self.provisional(Some(session)));
        ticked.map_or(Cow::Borrowed(session), Cow::Owned)
    }

    /// The stamp that the next record of a ceremony would get.
    fn provisional(&self, session: Option<&Session>) -> Stamp {
        let verdict = self.log.time();
        let now = verdict.time();
        let time = session.map_or(now, |session| now.max(session.latest()));
        Stamp { index: self.log.head().size, time, trusted: verdict.is_trusted() }
    }

    /// Appends a step by the daemon itself.
    async fn append(&self, step: Ceremony, detail: Documents, touches: Vec<Term>) -> Result<u64, Refusal> {
        let snapshot = self.keyring.snapshot();
        let id = snapshot.state().instance().instance().as_str().to_owned();
        self.append_by(Actor { id, kind: ActorKind::Daemon }, step, detail, touches).await
    }

    /// Appends a step and waits until the snapshot knows it.
    async fn append_by(
        &self,
        actor: Actor,
        step: Ceremony,
        documents: Vec<(&str, String)>,
        touches: Vec<Term>,
    ) -> Result<u64, Refusal> {
        let fresh = self.log.fresh().map_err(|error| unlogged(&error))?;
        let draft = self.draft(fresh, actor, step, documents, touches)?;
        self.write(draft).await
    }

    fn draft(
        &self,
        fresh: Fresh,
        actor: Actor,
        step: Ceremony,
        documents: Vec<(&str, String)>,
        touches: Vec<Term>,
    ) -> Result<ControlDraft, Refusal> {
        let detail = match documents.is_empty() {
            true => None,
            false => {
                let (bytes, _name) = ControlDetail::with(documents, fresh.salt.clone())
                    .encode()
                    .map_err(|error| Refusal::new(Reason::MalformedRequest, error.to_string()))?;
                Some(bytes)
            }
        };
        Ok(ControlDraft { touches, detail, ..ControlDraft::new(fresh, actor, Body::Ceremony(step)) })
    }

    async fn write(&self, draft: ControlDraft) -> Result<u64, Refusal> {
        let appended = self.log.control(draft).await.map_err(|error| unlogged(&error))?;
        self.keyring.at_least(appended.index).await;
        Ok(appended.index)
    }

    /// The ceremony of this id, as of this snapshot.
    fn held(&self, snapshot: &Snapshot, id: CeremonyId) -> Result<Arc<Held>, Refusal> {
        let found = snapshot.state().sessions().find(id).cloned();
        found.ok_or_else(|| Refusal::new(Reason::UnknownCeremony, format!("there is no ceremony {id} here")))
    }
}

/// Documents of a detail, by their names.
type Documents = Vec<(&'static str, String)>;

/// Documents that came with a proposal, by names that a statement's kind gives them.
type Brought = Vec<(String, String)>;

/// What a session's refusal is for whoever asked.
fn refused(reason: Reason, refusal: &ceremonies::session::Refusal) -> Refusal {
    use ceremonies::session::Refusal as By;
    let reason = match refusal {
        By::NotArmed(_) => Reason::NotArmed,
        By::Planted { .. } => Reason::ObjectPlanted,
        By::Clock => Reason::ClockUntrusted,
        _ => reason,
    };
    Refusal::new(reason, refusal.to_string()).with("guard", refusal.name())
}

/// What a statement asks for does not fit what is.
fn no<T>(guard: &'static str, message: String) -> Result<T, Refusal> {
    Err(Refusal::new(Reason::StatementRefused, message).with("guard", guard))
}

fn unlogged(error: &LogError) -> Refusal {
    crate::sign::unlogged(error)
}
