//! Trying again, within one deadline, with the same request.
//!
//! Promises: nothing is tried again that the daemon refused for good; nobody asks sooner than the daemon said, and each time later than
//! before, because an attempt that a backend does not answer is a record in the log; many callers that were refused at one moment do
//! not come back at one moment; the whole takes no longer than the deadline. Invariant: an attempt after the first carries the same
//! request id, so that it can never sign a second time; held by `the_same_request_is_sent_until_it_is_answered` here, and end to end by
//! the daemon's replay tests.

use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use tokio::time::Instant;
use tonic::{Code, Request, Status};

use crate::clock;
use crate::refused::{NoAnswer, Refused};

/// Pauses of the client's own choice: the first, which doubles up to the longest.
#[derive(Debug, Clone, Copy)]
struct Steps {
    first: Duration,
    longest: Duration,
}

/// Nobody heard the attempt, so it left nothing behind.
const UNHEARD: Steps = Steps { first: Duration::from_millis(100), longest: Duration::from_secs(2) };
/// The daemon refused it, and may have recorded that: ten attempts in the usual deadline.
const REFUSED: Steps = Steps { first: Duration::from_millis(200), longest: Duration::from_secs(5) };

impl Steps {
    fn pause(self, attempt: u32) -> Duration {
        self.longest.min(self.first.saturating_mul(1 << attempt.min(16)))
    }
}

/// The moment at which a command gives up.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    whole: Duration,
    until: Instant,
}

impl Patience {
    /// Starts now.
    #[must_use]
    pub fn of(whole: Duration) -> Self {
        Self { whole, until: clock::monotonic() + whole }
    }

    /// What is left.
    #[must_use]
    pub fn left(self) -> Duration {
        self.until.saturating_duration_since(clock::monotonic())
    }

    /// A request that tells the daemon how long the caller still waits.
    pub fn request<T>(self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.left());
        request
    }

    /// Whether a pause of this length still leaves time for an attempt.
    #[must_use]
    pub fn bears(self, pause: Duration) -> bool {
        pause < self.left()
    }

    fn late(self, last: Option<String>) -> NoAnswer {
        NoAnswer::Late { after: self.whole, last }
    }
}

/// How long to wait before the same request is sent again after so many attempts, where that may help.
///
/// `UNAVAILABLE` and broken connections are tried again after a growing pause, which is never shorter than the daemon's word.
/// `RESOURCE_EXHAUSTED` and `ABORTED` only where the daemon says when.
#[must_use]
pub fn pause(answer: &NoAnswer, attempt: u32) -> Option<Duration> {
    least(answer, attempt).map(scattered)
}

/// The same without chance.
fn least(answer: &NoAnswer, attempt: u32) -> Option<Duration> {
    match answer {
        NoAnswer::Unreachable(_) => Some(UNHEARD.pause(attempt)),
        NoAnswer::Refused(refused) if refused.outcome_unknown() => None,
        NoAnswer::Refused(refused) => {
            let own = REFUSED.pause(attempt);
            match refused.code {
                Code::Unavailable => Some(refused.retry_after.map_or(own, |word| word.max(own))),
                Code::ResourceExhausted | Code::Aborted => refused.retry_after.map(|word| word.max(own)),
                _ => None,
            }
        }
        NoAnswer::NotTrusted(_) | NoAnswer::Unusable(_) | NoAnswer::Late { .. } => None,
    }
}

/// How long to wait before something is signed anew of which nobody will know how it ended.
#[must_use]
pub fn before_anew(refused: &Refused) -> Duration {
    scattered(refused.retry_after.unwrap_or_default())
}

/// Up to a quarter more, by chance: never less than what somebody else said.
fn scattered(pause: Duration) -> Duration {
    let mut chance = [0_u8];
    // Without chance the pause is what it is at least.
    match SystemRandom::new().fill(&mut chance) {
        Ok(()) => pause.saturating_add(pause / 1024 * u32::from(chance[0])),
        Err(_no_chance) => pause,
    }
}

/// Sends the same request until it is answered, refused for good, or time is up.
///
/// # Errors
/// The last answer, or [`NoAnswer::Late`].
pub async fn patiently<T, F>(
    patience: Patience,
    mut attempt: impl FnMut(Patience) -> F,
) -> Result<T, NoAnswer>
where
    F: Future<Output = Result<T, Status>>,
{
    let mut last: Option<NoAnswer> = None;
    for number in 0_u32.. {
        let answer = match tokio::time::timeout_at(patience.until, attempt(patience)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(status)) if timed_out_here(&status) => {
                return Err(patience.late(last.map(|answer| answer.to_string())));
            }
            Ok(Err(status)) => NoAnswer::of(&status),
            Err(_elapsed) => return Err(patience.late(last.map(|answer| answer.to_string()))),
        };
        match pause(&answer, number) {
            Some(pause) if patience.bears(pause) => {
                last = Some(answer);
                clock::pause(pause).await;
            }
            _ => return Err(answer),
        }
    }
    Err(patience.late(None))
}

/// tonic ends a request at its own timeout with `CANCELLED` (its `TimeoutExpired`), which is our deadline and nobody's cancellation.
fn timed_out_here(status: &Status) -> bool {
    status.code() == Code::Cancelled
        && std::error::Error::source(status).is_some_and(|cause| cause.is::<tonic::TimeoutExpired>())
}

#[cfg(all(test, unix))]
mod down;
#[cfg(test)]
mod tests;
