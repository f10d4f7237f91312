//! What is tried again, when, and how often.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use tonic_types::{ErrorDetails, StatusExt};

use super::*;

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
    let _still = clock::still::stand();
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
fn the_daemons_word_about_when_is_honoured_and_pauses_grow() {
    let of = |code, reason, retry, attempt| least(&NoAnswer::of(&status(code, reason, retry)), attempt);
    let (second, minute) = (Some(Duration::from_secs(1)), Some(Duration::from_secs(60)));
    assert_eq!(of(Code::Unavailable, "BACKEND_UNAVAILABLE", second, 0), second);
    assert_eq!(of(Code::Unavailable, "BACKEND_UNAVAILABLE", None, 0), Some(REFUSED.first));
    assert_eq!(of(Code::Unavailable, "BACKEND_UNAVAILABLE", None, 1), Some(REFUSED.first * 2));
    assert_eq!(of(Code::Unavailable, "BACKEND_UNAVAILABLE", second, 99), Some(REFUSED.longest));
    assert_eq!(of(Code::Unavailable, "BACKEND_UNAVAILABLE", minute, 99), minute);
    assert_eq!(of(Code::ResourceExhausted, "QUOTA_EXHAUSTED", second, 0), second);
    assert_eq!(of(Code::ResourceExhausted, "QUOTA_EXHAUSTED", second, 99), Some(REFUSED.longest));
    assert_eq!(of(Code::ResourceExhausted, "QUOTA_EXHAUSTED", None, 0), None);
    assert_eq!(of(Code::Aborted, "OUTCOME_UNKNOWN", second, 0), None, "its id will never say how it ended");
    assert_eq!(of(Code::Unavailable, "OUTCOME_UNKNOWN", second, 0), None);
    assert_eq!(least(&NoAnswer::Unreachable("gone".into()), 0), Some(UNHEARD.first));
    assert_eq!(least(&NoAnswer::Unreachable("gone".into()), u32::MAX), Some(UNHEARD.longest));
    assert_eq!(least(&NoAnswer::NotTrusted("no".into()), 0), None);
}

#[test]
fn chance_makes_a_pause_longer_by_at_most_a_quarter_and_never_shorter() {
    let pause = Duration::from_secs(4);
    let scattered: Vec<Duration> = (0..200).map(|_| scattered(pause)).collect();
    assert!(scattered.iter().all(|one| (pause..pause * 5 / 4).contains(one)), "{scattered:?}");
    assert!(scattered.iter().any(|one| *one != scattered[0]), "callers come back at one moment");
    assert!(super::scattered(Duration::MAX) == Duration::MAX, "whatever a daemon says");
}
