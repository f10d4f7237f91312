//! Trying again, within one deadline, with the same request.
//!
//! Promises: nothing is tried again that the daemon refused for good; the daemon's own word about when is honoured; the whole takes
//! no longer than the deadline. Invariant: an attempt after the first carries the same request id, so that it can never sign a second
//! time; held by `the_same_request_is_sent_until_it_is_answered` here, and end to end by the daemon's replay tests.

use std::time::Duration;

use tokio::time::Instant;
use tonic::{Code, Request, Status};

use crate::clock;
use crate::refused::NoAnswer;

/// The first pause where the daemon names none; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two attempts that the client chooses itself.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

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
    fn bears(self, pause: Duration) -> bool {
        pause < self.left()
    }

    fn late(self, last: Option<String>) -> NoAnswer {
        NoAnswer::Late { after: self.whole, last }
    }
}

/// How long to wait before the same request is sent again, where that may help.
///
/// `UNAVAILABLE` and broken connections are tried again after a growing pause. `RESOURCE_EXHAUSTED` and `ABORTED` only where
/// the daemon says when.
#[must_use]
pub fn pause(answer: &NoAnswer, attempt: u32) -> Option<Duration> {
    let own =
        LONGEST_PAUSE.min(FIRST_PAUSE.saturating_mul(1_u32.checked_shl(attempt.min(8)).unwrap_or(u32::MAX)));
    match answer {
        NoAnswer::Unreachable(_) => Some(own),
        NoAnswer::Refused(refused) if refused.outcome_unknown() => None,
        NoAnswer::Refused(refused) => match refused.code {
            Code::Unavailable => Some(refused.retry_after.unwrap_or(own)),
            Code::ResourceExhausted | Code::Aborted => refused.retry_after,
            _ => None,
        },
        NoAnswer::NotTrusted(_) | NoAnswer::Unusable(_) | NoAnswer::Late { .. } => None,
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
                tokio::time::sleep(pause).await;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;
    use tonic_types::{ErrorDetails, StatusExt};

    fn status(code: Code, reason: &str, retry: Option<Duration>) -> Status {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, "countersign", []);
        if let Some(retry) = retry {
            details.set_retry_info(Some(retry));
        }
        Status::with_error_details(code, "no", details)
    }

    #[tokio::test]
    async fn the_same_request_is_sent_until_it_is_answered() {
        let mut sent = Vec::new();
        let answer = patiently(Patience::of(Duration::from_secs(60)), |_| {
            sent.push("the same");
            let number = sent.len();
            async move {
                if number < 4 {
                    Err(status(Code::Unavailable, "LOG_UNAVAILABLE", Some(Duration::from_millis(1))))
                } else {
                    Ok(number)
                }
            }
        })
        .await;
        assert_eq!(answer.unwrap(), 4);
        assert_eq!(sent.len(), 4);
    }

    #[tokio::test]
    async fn a_refusal_is_final_at_once() {
        let mut sent = 0;
        let answer: Result<(), _> = patiently(Patience::of(Duration::from_secs(60)), |_| {
            sent += 1;
            async { Err(status(Code::PermissionDenied, "POLICY_DENIED", None)) }
        })
        .await;
        assert!(matches!(answer, Err(NoAnswer::Refused(refused)) if refused.reason == "POLICY_DENIED"));
        assert_eq!(sent, 1);
    }

    #[tokio::test]
    async fn an_attempt_that_never_ends_ends_with_the_deadline() {
        let answer: Result<(), _> =
            patiently(Patience::of(Duration::from_millis(20)), |_| std::future::pending()).await;
        assert!(
            matches!(answer, Err(NoAnswer::Late { after, last: None }) if after == Duration::from_millis(20))
        );
    }

    #[tokio::test]
    async fn a_pause_beyond_the_deadline_is_not_slept_through() {
        let mut sent = 0;
        let answer: Result<(), _> = patiently(Patience::of(Duration::from_secs(5)), |_| {
            sent += 1;
            async { Err(status(Code::Unavailable, "BACKEND_UNAVAILABLE", Some(Duration::from_secs(60)))) }
        })
        .await;
        assert!(
            matches!(answer, Err(NoAnswer::Refused(refused)) if refused.retry_after == Some(Duration::from_secs(60)))
        );
        assert_eq!(sent, 1);
    }

    #[test]
    fn the_daemons_word_about_when_is_honoured() {
        let of = |code, reason, retry| pause(&NoAnswer::of(&status(code, reason, retry)), 0);
        let second = Some(Duration::from_secs(1));
        assert_eq!(of(Code::Unavailable, "BACKEND_UNAVAILABLE", second), second);
        assert_eq!(of(Code::Unavailable, "BACKEND_UNAVAILABLE", None), Some(FIRST_PAUSE));
        assert_eq!(of(Code::ResourceExhausted, "QUOTA_EXHAUSTED", second), second);
        assert_eq!(of(Code::ResourceExhausted, "QUOTA_EXHAUSTED", None), None);
        assert_eq!(of(Code::Aborted, "OUTCOME_UNKNOWN", second), None, "its id will never say how it ended");
        assert_eq!(of(Code::Unavailable, "OUTCOME_UNKNOWN", second), None);
        assert_eq!(pause(&NoAnswer::Unreachable("gone".into()), 30), Some(LONGEST_PAUSE));
        assert_eq!(pause(&NoAnswer::NotTrusted("no".into()), 0), None);
    }
}
