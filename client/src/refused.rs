//! Why a call gave no answer, in terms of what the caller must do.
//!
//! Promises: what the daemon said is kept whole (stable reason, message, metadata, how long to wait), and what the transport said is
//! told apart from it. Deliberately makes no sentences for people; `cli::complaint` does.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use proto::reason::Reason;
use proto::wire::v1;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::exit::Exit;

/// What the daemon answered instead of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The gRPC code.
    pub code: Code,
    /// Stable reason, for instance `POLICY_DENIED`; empty where the daemon gave none.
    pub reason: String,
    /// What happened, as the daemon says it.
    pub message: String,
    /// Rule or guard that decided, digest length that was expected, …
    pub metadata: BTreeMap<String, String>,
    /// How long to wait before asking again, where waiting helps.
    pub retry_after: Option<Duration>,
    /// Names the operation in the log; empty when nothing was recorded.
    pub operation: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.reason, self.message)
        }
    }
}

impl Error for Refused {}

/// The reasons of operations of which nobody knows how they ended: the backend may have signed.
const UNKNOWN: [Reason; 4] = [Reason::OutcomeUnknown, Reason::Crash, Reason::Timeout, Reason::Transport];

impl Refused {
    /// Whether the operation may have signed or not, and its request id will never say.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        UNKNOWN.iter().any(|unknown| unknown.name() == self.reason)
    }

    /// The stable reason, where this version knows it.
    #[must_use]
    pub fn known(&self) -> Option<Reason> {
        self.reason.parse().ok()
    }

    /// Reads the refusal of one item of a batch.
    #[must_use]
    pub fn of_item(wire: v1::Refusal) -> Self {
        Self {
            code: Code::from_i32(wire.code),
            reason: wire.reason,
            message: wire.message,
            metadata: wire.metadata,
            retry_after: wire.retry_after.and_then(|wait| Duration::try_from(wait).ok()),
            operation: wire.operation_id,
        }
    }

    /// Whether the same request, later, may succeed.
    #[must_use]
    pub fn passes(&self) -> bool {
        Exit::of(self.code) == Exit::Retry
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoAnswer {
    /// The daemon said no.
    #[error(transparent)]
    Refused(Box<Refused>),
    /// Nothing was heard: the connection could not be made, or broke.
    #[error("{0}")]
    Unreachable(String),
    /// The two sides do not accept each other's certificates. Trying again does not help.
    #[error("{0}")]
    NotTrusted(String),
    /// The answer came and is not one.
    #[error("the answer is not one: {0}")]
    Unusable(String),
    /// The time that the command may take is over.
    #[error("no answer within {}", crate::refused::seconds(*.after))]
    Late {
        /// The whole deadline.
        after: Duration,
        /// What the last attempt said, where there was more than one.
        last: Option<String>,
    },
}

/// A duration as people read it.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1_000 {
        format!("{millis} ms")
    } else if millis.is_multiple_of(1_000) {
        format!("{} s", millis / 1_000)
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

impl NoAnswer {
    /// Reads a status: the daemon's own words, or the transport's.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        let info = status.get_details_error_info();
        if info.is_none()
            && let Some(cause) = status.source()
        {
            let words = chain(cause);
            return if about_certificates(cause, &words) {
                Self::NotTrusted(words)
            } else {
                Self::Unreachable(words)
            };
        }
        let (reason, metadata) = info.map_or_else(Default::default, |info| (info.reason, info.metadata));
        let mut metadata: BTreeMap<String, String> = metadata.into_iter().collect();
        let operation = metadata.remove("operation_id").unwrap_or_default();
        Self::Refused(Box::new(Refused {
            code: status.code(),
            reason,
            message: status.message().to_owned(),
            metadata,
            retry_after: status.get_details_retry_info().and_then(|info| info.retry_delay),
            operation,
        }))
    }

    /// What the process ends with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Refused(refused) => Exit::of(refused.code),
            Self::Unreachable(_) | Self::Late { .. } => Exit::Retry,
            Self::NotTrusted(_) | Self::Unusable(_) => Exit::Failed,
        }
    }
}

impl From<Status> for NoAnswer {
    fn from(status: Status) -> Self {
        Self::of(&status)
    }
}

/// An error and its causes, each said once.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !text.is_empty() && text != "transport error" && !words.iter().any(|said| said.contains(&text)) {
            words.push(text);
        }
        next = error.source();
    }
    words.join(": ")
}

/// Whether the cause is that one side does not accept the other's certificate.
fn about_certificates(error: &(dyn Error + 'static), words: &str) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(|io| io.get_ref())
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(tls) = inner.or_else(|| error.downcast_ref::<rustls::Error>()) {
            return matches!(
                tls,
                rustls::Error::InvalidCertificate(_)
                    | rustls::Error::NoCertificatesPresented
                    | rustls::Error::AlertReceived(_)
                    | rustls::Error::PeerIncompatible(_)
            );
        }
        next = error.source();
    }
    // h2 flattens an io error into its words when it breaks a connection: TLS 1.3 rejects a client certificate only then.
    words.contains("received fatal alert") || words.contains("invalid peer certificate")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;
    use tonic_types::ErrorDetails;

    fn refusal(code: Code) -> Status {
        let mut details = ErrorDetails::new();
        details.set_error_info(
            "KEY_SUSPENDED",
            "countersign",
            [("rule".to_owned(), "stop".to_owned()), ("operation_id".to_owned(), "019a".to_owned())],
        );
        details.set_retry_info(Some(Duration::from_millis(250)));
        Status::with_error_details(code, "release/linux is stopped", details)
    }

    #[test]
    fn the_daemons_words_are_kept_whole() {
        let NoAnswer::Refused(refused) = NoAnswer::of(&refusal(Code::FailedPrecondition)) else {
            panic!("not a refusal")
        };
        assert_eq!(refused.reason, "KEY_SUSPENDED");
        assert_eq!(refused.message, "release/linux is stopped");
        assert_eq!(refused.metadata, [("rule".to_owned(), "stop".to_owned())].into());
        assert_eq!(refused.operation, "019a");
        assert_eq!(refused.retry_after, Some(Duration::from_millis(250)));
        assert!(!refused.passes());
        assert_eq!(NoAnswer::of(&refusal(Code::Unavailable)).exit(), Exit::Retry);
        assert_eq!(NoAnswer::of(&refusal(Code::PermissionDenied)).exit(), Exit::Failed);
    }

    #[test]
    fn transport_and_certificate_failures_are_told_apart() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        let answer = NoAnswer::of(&Status::from_error(Box::new(refused)));
        assert!(
            matches!(&answer, NoAnswer::Unreachable(words) if words.contains("connection refused")),
            "{answer:?}"
        );
        assert_eq!(answer.exit(), Exit::Retry);

        let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let answer = NoAnswer::of(&Status::from_error(Box::new(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            untrusted,
        ))));
        assert!(
            matches!(&answer, NoAnswer::NotTrusted(words) if words.contains("UnknownIssuer")),
            "{answer:?}"
        );
        assert_eq!(answer.exit(), Exit::Failed);
    }

    #[test]
    fn durations_read_well() {
        let read = |millis| seconds(Duration::from_millis(millis));
        assert_eq!([read(20), read(1_000), read(2_500)], ["20 ms", "1 s", "2.5 s"]);
    }
}
