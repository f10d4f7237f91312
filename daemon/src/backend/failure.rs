//! Failures of backends, named by what the caller must do.

use std::time::Duration;

use proto::reason::Reason;

/// How an answer got lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lost {
    /// It did not come within the module's call limit.
    Timeout,
    /// The process or connection ended.
    Transport,
}

/// A backend failed. The texts hold nothing secret: device codes, labels and serial numbers at most.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The queue is full for this caller. Nothing was done.
    #[error("the backend's queue is full for this caller; try again in {} ms", retry_after.as_millis())]
    Busy {
        /// How long to wait.
        retry_after: Duration,
    },
    /// It does not answer now. Nothing was done.
    #[error("the backend is unavailable: {cause}; try again in {} ms, it is brought back by itself", retry_after.as_millis())]
    Unavailable {
        /// What is down, and why.
        cause: String,
        /// How long to wait.
        retry_after: Duration,
    },
    /// The device refused. Trying again does not help. Nothing was done.
    #[error("the backend refused: {cause}")]
    Refused {
        /// What it said, and what to look at.
        cause: String,
    },
    /// The key is not there. Nothing was done.
    #[error("no such key: {what}")]
    NotFound {
        /// What was looked for, where.
        what: String,
    },
    /// The key is there and may not be used. Nothing was done.
    #[error("the key is disabled: {cause}")]
    KeyDisabled {
        /// What the device said.
        cause: String,
    },
    /// The backend, or this key, cannot do that. Nothing was done.
    #[error("{what}")]
    Unsupported {
        /// What was asked for, and what would be possible.
        what: String,
    },
    /// Another key, or another token, than the recorded one. Nothing was released.
    #[error("{what}; nothing was released: look at the token before anything else")]
    Mismatch {
        /// What differs.
        what: String,
    },
    /// It failed again and again, or answered nonsense. Nothing was released.
    #[error("the backend is broken: {cause}; try again in {} ms, after its operator looked at it", retry_after.as_millis())]
    Broken {
        /// What happened.
        cause: String,
        /// How long to wait.
        retry_after: Duration,
    },
    /// The deadline passed, or is shorter than the backend takes. The device was not asked.
    #[error("{what}; nothing was signed: give more time")]
    Late {
        /// Which of the two, with the time it takes.
        what: String,
        /// Whether the deadline was refused at admission, before anything else.
        at_admission: bool,
    },
    /// It may have been done. The signature, if there is one, reached nobody.
    #[error("whether the backend did it is not known: {cause}; sign anew in {} ms", retry_after.as_millis())]
    Unknown {
        /// What happened to the answer.
        cause: String,
        /// How it got lost.
        how: Lost,
        /// How long to wait.
        retry_after: Duration,
    },
}

impl Failure {
    /// The stable reason for callers and records.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Busy { .. } => Reason::BackendBusy,
            Self::Unavailable { .. } => Reason::BackendUnavailable,
            Self::Refused { .. } => Reason::BackendRefused,
            Self::NotFound { .. } => Reason::KeyMissing,
            Self::KeyDisabled { .. } => Reason::KeyDisabled,
            Self::Unsupported { .. } => Reason::Unimplemented,
            Self::Mismatch { .. } => Reason::KeyMismatch,
            Self::Broken { .. } => Reason::BackendBroken,
            Self::Late { at_admission: true, .. } => Reason::DeadlineTooShort,
            Self::Late { at_admission: false, .. } => Reason::DeadlineExceeded,
            Self::Unknown { how: Lost::Timeout, .. } => Reason::Timeout,
            Self::Unknown { how: Lost::Transport, .. } => Reason::Transport,
        }
    }

    /// How long to wait before trying again, where waiting helps.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after }
            | Self::Unavailable { retry_after, .. }
            | Self::Broken { retry_after, .. }
            | Self::Unknown { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// Whether the device may have done it all the same.
    pub const fn may_be_done(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// The name in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::Unavailable { .. } => "unavailable",
            Self::Refused { .. } => "refused",
            Self::NotFound { .. } => "not-found",
            Self::KeyDisabled { .. } => "key-disabled",
            Self::Unsupported { .. } => "unsupported",
            Self::Mismatch { .. } => "mismatch",
            Self::Broken { .. } => "broken",
            Self::Late { .. } => "late",
            Self::Unknown { .. } => "unknown",
        }
    }
}
