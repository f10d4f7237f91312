//! Refusals: what every use case answers instead of a result, before it becomes a wire status.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::operation::OperationId;
use crate::reason::Reason;

/// A refusal or failure: a stable reason, a sentence that says what was expected, what decided, how long to wait, and
/// the operation in the log where one was recorded. Nothing secret or internal is in it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct Refusal {
    /// The stable name.
    pub reason: Reason,
    /// What happened and what was expected, for people.
    pub message: String,
    /// The rule or guard that decided, the digest length that was expected, the index of an earlier record, …
    pub metadata: BTreeMap<String, String>,
    /// How long to wait before trying again, where waiting helps.
    pub retry_after: Option<Duration>,
    /// The operation, where one was recorded.
    pub operation: Option<OperationId>,
}

impl Refusal {
    /// A refusal with this reason and sentence, and nothing else.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            metadata: BTreeMap::new(),
            retry_after: None,
            operation: None,
        }
    }

    /// Adds one fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.metadata.insert(name.to_owned(), value.to_string());
        self
    }

    /// Says how long to wait.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Names the operation that was recorded.
    #[must_use]
    pub fn recorded(mut self, operation: OperationId) -> Self {
        self.operation = Some(operation);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}
