//! What the keeper, the keys and the backend share.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::super::message::{Answer, Ask, Class, Fault, Open, PinPlace};
use super::super::{Place, Settings, latch, patience};
use super::line::{Gone, Line};
use crate::backend::queue::{Bounds, Gate, Pass};
use crate::backend::{Capabilities, Deadline, Failure, Health, Lost, Turn};
use crate::clock::{Clock, Monotonic};
use crate::measure;

/// How long a caller is told to wait for what is asked again all the time, a token that is away or a host that starts, and
/// for what a person must do.
const SOON: Duration = Duration::from_millis(250);
const LATER: Duration = Duration::from_secs(5);

/// How long a host that is being started is waited for when the backend is closed.
const OPENING: Duration = Duration::from_secs(2);

/// Whether hosts come.
#[derive(Debug, Default)]
struct Door {
    /// One is being started, which includes its log-in.
    opening: bool,
    /// No other is.
    closing: bool,
}

/// One backend's state in the daemon.
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) place: Place,
    pub(crate) capabilities: Capabilities,
    pub(super) clock: Arc<dyn Clock>,
    gate: Arc<Gate>,
    line: Mutex<Option<Arc<Line>>>,
    /// When the next host is started, where there is none.
    due: Mutex<Monotonic>,
    health: watch::Sender<Health>,
    door: watch::Sender<Door>,
    epoch: AtomicU64,
    starts: AtomicU64,
    process: AtomicU32,
    /// Whether its health is a backend's, which is measured and said. An anchor's is said by the log.
    signs: bool,
}

impl Shared {
    /// For an anchor's data object, of whose host only the log speaks.
    pub(crate) fn quiet(
        name: &str,
        settings: Settings,
        place: Place,
        capabilities: Capabilities,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { signs: false, ..Self::new(name, settings, place, capabilities, clock) }
    }

    pub(crate) fn new(
        name: &str,
        settings: Settings,
        place: Place,
        capabilities: Capabilities,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let bounds = Bounds { total: settings.queue, per_caller: settings.queue_per_caller };
        Self {
            name: name.to_owned(),
            gate: Gate::new(name, capabilities.in_flight, bounds, clock.clone()),
            settings,
            place,
            capabilities,
            clock,
            line: Mutex::new(None),
            due: Mutex::new(Monotonic::START),
            health: watch::Sender::new(Health::Starting),
            door: watch::Sender::new(Door::default()),
            epoch: AtomicU64::new(0),
            starts: AtomicU64::new(0),
            process: AtomicU32::new(0),
            signs: true,
        }
    }

    pub(crate) fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    pub(crate) fn process(&self) -> Option<u32> {
        Some(self.process.load(Ordering::Acquire)).filter(|id| *id != 0)
    }

    pub(crate) fn starts(&self) -> u64 {
        self.starts.load(Ordering::Acquire)
    }

    /// Waits until the first start has ended, well or not, or the deadline passes.
    pub(crate) async fn started(&self, by: Deadline) {
        let left = by.left(self.clock.monotonic());
        // Whoever waits looks at the health itself.
        let _late = tokio::time::timeout(left, self.settled()).await;
    }

    /// Waits until the first start has ended, well or not.
    pub(crate) async fn settled(&self) {
        let mut health = self.health();
        // The sender is here: it does not go before the one who waits.
        let _ended = health.wait_for(|health| *health != Health::Starting).await;
    }

    /// Why there is no host.
    pub(crate) fn cause(&self) -> String {
        self.health.borrow().cause().unwrap_or("its host is being started again").to_owned()
    }

    /// A host is to be started. False: none is any more.
    pub(super) fn opens(&self) -> bool {
        self.door.send_if_modified(|door| {
            door.opening = !door.closing;
            door.opening
        })
    }

    /// It was started, or could not be.
    fn opened(&self) {
        self.door.send_modify(|door| door.opening = false);
    }

    /// Asks the host to log out and end; no other is started. One that is logging in is let finish, for a while: ended in the middle
    /// of it, nobody would know whether the token took the PIN.
    pub(crate) async fn quit(&self) {
        self.door.send_modify(|door| door.closing = true);
        // One that takes longer hangs, and is ended where it is.
        let _late = tokio::time::timeout(OPENING, self.none_opens()).await;
        let line = self.locked().clone();
        if let Some(line) = line {
            // It ends without an answer.
            let quit = line.call(Ask::Quit, 0, Duration::from_secs(1));
            let _ended = tokio::time::timeout(Duration::from_secs(1), quit).await;
        }
    }

    async fn none_opens(&self) {
        let mut door = self.door.subscribe();
        // The sender is here: it does not go before the one who waits.
        let _ended = door.wait_for(|door| !door.opening).await;
    }

    /// A turn, and one request outside of signing.
    pub(crate) async fn ask(&self, ask: Ask, turn: &Turn) -> Result<Answer, Failure> {
        let _pass = self.enter(turn).await?;
        let limit = patience(&ask, self.settings.call_limit);
        match self.line()?.call(ask, 0, limit).await {
            Ok(reply) => match reply.body {
                Answer::Failed(fault) => Err(self.failed(fault)),
                answer => Ok(answer),
            },
            Err(gone) => Err(self.lost(gone)),
        }
    }

    pub(super) fn admits(&self, turn: &Turn) -> Result<(), Failure> {
        self.gate.admits(turn)
    }

    pub(super) fn delay(&self, turn: &Turn) -> Duration {
        self.gate.delay(turn)
    }

    pub(super) async fn enter(&self, turn: &Turn) -> Result<Pass, Failure> {
        self.gate.enter(turn).await
    }

    /// The host that runs, or why there is none.
    pub(crate) fn line(&self) -> Result<Arc<Line>, Failure> {
        if let Some(line) = self.locked().as_ref() {
            return Ok(line.clone());
        }
        Err(match &*self.health.borrow() {
            Health::Broken { cause } => {
                Failure::Broken { cause: self.named(cause), retry_after: self.comes_back() }
            }
            health => {
                let cause = health.cause().unwrap_or("its host is being started again");
                Failure::Unavailable { cause: self.named(cause), retry_after: self.comes_back() }
            }
        })
    }

    /// How long until the next host is started, and at least as long as starting one takes.
    fn comes_back(&self) -> Duration {
        let due = *self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.since(self.clock.monotonic()).max(SOON)
    }

    /// There is no host, and after this pause there is a next one. Callers are told to come back then.
    pub(super) fn rest(&self, health: Health, pause: Duration) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = self.clock.monotonic().after(pause);
        self.opened();
        self.say(health);
    }

    pub(super) fn up(&self, line: Arc<Line>, process: Option<u32>) {
        self.process.store(process.unwrap_or(0), Ordering::Release);
        *self.locked() = Some(line);
        self.opened();
    }

    pub(super) fn lower(&self) {
        self.process.store(0, Ordering::Release);
        if let Some(line) = self.locked().take() {
            self.epoch.fetch_max(line.epoch(), Ordering::AcqRel);
        }
    }

    /// The backend is dropped: the connection ends, and with it a host that is not the daemon's child.
    pub(crate) fn abandon(&self) {
        let line = self.locked().take();
        if let Some(line) = line {
            line.end(Lost::Transport, "the backend was closed".to_owned());
        }
    }

    pub(super) fn say(&self, health: Health) {
        if self.signs {
            measure::backend_healthy(&self.name, health.is_ready());
        }
        self.health.send_if_modified(|now| {
            let changed = *now != health;
            if changed && self.signs {
                match health.cause() {
                    None => tracing::info!(backend = self.name, "the backend signs"),
                    Some(cause) => tracing::warn!(backend = self.name, cause, "the backend does not sign"),
                }
            }
            if changed {
                *now = health;
            }
            changed
        });
    }

    /// What a new host is told. Its first epoch is one that no host before had.
    pub(super) fn opening(&self) -> Open {
        let pin = self.settings.pin.as_ref().map(PinPlace::from);
        if self.starts.fetch_add(1, Ordering::AcqRel) > 0 && self.signs {
            measure::host_restarted(&self.name);
        }
        Open {
            module: self.settings.module.clone(),
            token: self.settings.token.clone(),
            mode: self.place.mode,
            pin,
            backend: self.name.clone(),
            memory: latch(&self.place.state_directory, &self.name).directory().to_owned(),
            sessions: self.settings.sessions.max(1),
            call_limit: u32::try_from(self.settings.call_limit.as_millis()).unwrap_or(u32::MAX),
            epoch: self.epoch.fetch_add(1, Ordering::AcqRel) + 1,
        }
    }

    /// A fault of the host as a failure.
    pub(super) fn failed(&self, fault: Fault) -> Failure {
        let Fault { class, cause } = fault;
        let failure = match class {
            Class::Stale => Failure::Unavailable { cause: self.named(&cause), retry_after: SOON },
            Class::Unavailable => Failure::Unavailable { cause: self.named(&cause), retry_after: SOON },
            Class::Pin => Failure::Unavailable { cause: self.named(&cause), retry_after: LATER },
            Class::Late => Failure::Late { what: cause, at_admission: false },
            Class::Refused | Class::Taken => Failure::Refused { cause: self.named(&cause) },
            Class::NotFound => Failure::NotFound { what: cause },
            Class::KeyDisabled => Failure::KeyDisabled { cause },
            Class::Unsupported => Failure::Unsupported { what: cause },
            Class::Mismatch => Failure::Mismatch { what: cause },
            Class::Unknown => {
                Failure::Unknown { cause: self.named(&cause), how: Lost::Transport, retry_after: SOON }
            }
        };
        self.note(&failure);
        failure
    }

    /// A lost answer as a failure.
    pub(super) fn lost(&self, gone: Gone) -> Failure {
        let cause = self.named(&gone.cause);
        let failure = match gone.sent {
            true => Failure::Unknown { cause, how: gone.how, retry_after: SOON },
            false => Failure::Unavailable { cause, retry_after: SOON },
        };
        self.note(&failure);
        failure
    }

    /// Counts a failure; a wrong key or signature is an alarm.
    pub(super) fn note(&self, failure: &Failure) {
        measure::backend_failed(&self.name, failure.name());
        if matches!(failure, Failure::Mismatch { .. }) {
            tracing::error!(backend = self.name, %failure, "ALARM: the backend holds another key than the recorded one");
        }
    }

    pub(crate) fn named(&self, cause: &str) -> String {
        format!("{}: {cause}", self.name)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Arc<Line>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer to another question.
pub(crate) fn nonsense(answer: &Answer) -> Failure {
    let kind = match answer {
        Answer::Ready(_) => "ready",
        Answer::Key(_) => "a key",
        Answer::Signed(_) => "a signature",
        Answer::Listed(_) => "a list",
        Answer::Generated(_) => "a new key",
        Answer::Destroyed => "destroyed",
        Answer::Object(_) => "a data object",
        Answer::Written => "written",
        Answer::Failed(_) => "a failure",
    };
    Failure::Broken { cause: format!("the host answered {kind} to another question"), retry_after: LATER }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_caller_is_told_to_come_back_when_the_next_host_is_there() {
        let clock = Arc::new(ManualClock::default());
        let shared = super::super::played::shared(clock.clone(), |_settings| {});
        let told = || match shared.line() {
            Err(failure) => (failure.reason(), failure.retry_after().unwrap()),
            Ok(_) => panic!("there is no host"),
        };
        let seconds = Duration::from_secs;
        use proto::reason::Reason::{BackendBroken, BackendUnavailable};
        assert_eq!(told(), (BackendUnavailable, SOON), "the first one is being started");
        shared.rest(Health::Down { cause: "it ended".to_owned() }, seconds(5));
        assert_eq!(told(), (BackendUnavailable, seconds(5)));
        clock.advance(seconds(3));
        assert_eq!(told(), (BackendUnavailable, seconds(2)));
        clock.advance(seconds(3));
        assert_eq!(told(), (BackendUnavailable, SOON), "it is being started");
        shared.rest(Health::Broken { cause: "it hangs".to_owned() }, seconds(360));
        clock.advance(seconds(60));
        assert_eq!(told(), (BackendBroken, seconds(300)));
    }
}
