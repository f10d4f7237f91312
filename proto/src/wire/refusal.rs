//! Refusals on the wire: `google.rpc.Status` with `ErrorInfo` and, where waiting helps, `RetryInfo`.
//!
//! One call's refusal is the status of the call; one item's refusal is a `Refusal` message with the same content.
//! Both read back into [`Refusal`], so a client shows and retries them in one way.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::v1;
use crate::operation::OperationId;
use crate::reason::Reason;
use crate::refusal::Refusal;

/// The domain of every `ErrorInfo` that this product makes.
pub const DOMAIN: &str = "countersign";

/// The name under which the operation is in an `ErrorInfo`'s metadata.
pub const OPERATION: &str = "operation";

/// How long to wait where waiting helps and nobody knows better.
const WAIT: Duration = Duration::from_secs(1);

/// The gRPC code of a reason.
pub fn code(reason: Reason) -> Code {
    Code::from_i32(reason.code() as i32)
}

fn wait(refusal: &Refusal) -> Option<Duration> {
    refusal.retry_after.or_else(|| refusal.reason.waiting_helps().then_some(WAIT))
}

/// The status that says a refusal.
pub fn status(refusal: &Refusal) -> Status {
    let mut metadata: HashMap<String, String> = refusal.metadata.clone().into_iter().collect();
    if let Some(operation) = refusal.operation {
        metadata.insert(OPERATION.to_owned(), operation.to_string());
    }
    let mut details = ErrorDetails::with_error_info(refusal.reason.name(), DOMAIN, metadata);
    if let Some(wait) = wait(refusal) {
        details.set_retry_info(Some(wait));
    }
    Status::with_error_details(code(refusal.reason), refusal.message.as_str(), details)
}

/// The refusal that a status says, if it was made by this product: others carry no `ErrorInfo` of our domain, or a
/// reason that this version does not know.
pub fn of_status(status: &Status) -> Option<Refusal> {
    let details = status.get_error_details();
    let info = details.error_info().filter(|info| info.domain == DOMAIN)?;
    let mut refusal = Refusal::new(info.reason.parse().ok()?, status.message());
    refusal.metadata = info.metadata.clone().into_iter().collect();
    refusal.operation = refusal.metadata.remove(OPERATION).and_then(|id| id.parse().ok());
    refusal.retry_after = details.retry_info().and_then(|info| info.retry_delay);
    Some(refusal)
}

impl From<&Refusal> for v1::Refusal {
    fn from(refusal: &Refusal) -> Self {
        Self {
            code: refusal.reason.code() as i32,
            reason: refusal.reason.name().to_owned(),
            message: refusal.message.clone(),
            metadata: refusal.metadata.clone(),
            retry_after: wait(refusal).and_then(|wait| prost_types::Duration::try_from(wait).ok()),
            operation_id: refusal.operation.map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

/// A refusal's reason is none that this version knows: the daemon is newer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("refused with `{reason}`, which this version does not know: {message}")]
pub struct UnknownRefusal {
    /// The reason's name.
    pub reason: String,
    /// What the daemon said.
    pub message: String,
}

impl TryFrom<v1::Refusal> for Refusal {
    type Error = UnknownRefusal;

    fn try_from(wire: v1::Refusal) -> Result<Self, UnknownRefusal> {
        let Ok(reason) = wire.reason.parse::<Reason>() else {
            return Err(UnknownRefusal { reason: wire.reason, message: wire.message });
        };
        Ok(Self {
            reason,
            message: wire.message,
            metadata: wire.metadata,
            retry_after: wire.retry_after.and_then(|wait| Duration::try_from(wait).ok()),
            operation: wire.operation_id.parse::<OperationId>().ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn refusal() -> Refusal {
        Refusal::new(Reason::QuotaExhausted, "100 of 100 signatures in this hour")
            .with("rule", "team3-images")
            .after(Duration::from_millis(1500))
            .recorded(OperationId::new(1_795_237_200_000, [7; 10]))
    }

    #[test]
    fn a_status_reads_back_as_the_refusal_it_says() {
        let status = status(&refusal());
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(of_status(&status), Some(refusal()));
    }

    #[test]
    fn an_item_reads_back_as_the_refusal_it_says() {
        assert_eq!(Refusal::try_from(v1::Refusal::from(&refusal())), Ok(refusal()));
    }

    #[test]
    fn waiting_is_said_wherever_it_helps_and_nowhere_else() {
        for reason in Reason::ALL {
            let back = of_status(&status(&Refusal::new(*reason, "why"))).unwrap();
            assert_eq!(back.reason, *reason);
            assert_eq!(back.retry_after.is_some(), reason.waiting_helps(), "{reason}");
            assert_ne!(code(*reason), Code::Ok, "{reason}");
        }
    }

    #[test]
    fn other_peoples_statuses_and_unknown_reasons_are_not_taken_for_ours() {
        assert_eq!(of_status(&Status::internal("x")), None);
        let details = ErrorDetails::with_error_info("POLICY_DENIED", "example.org", HashMap::new());
        assert_eq!(of_status(&Status::with_error_details(Code::Internal, "x", details)), None);
        let wire = v1::Refusal { reason: "LATER".into(), message: "m".into(), ..Default::default() };
        assert!(Refusal::try_from(wire).unwrap_err().to_string().contains("LATER"));
    }
}
