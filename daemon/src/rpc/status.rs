//! The one place where errors become gRPC statuses.
//!
//! Ours are [`Refusal`]s and carry `ErrorInfo` by construction. What tonic and the libraries beside it refuse by
//! themselves (a message that is too large, a malformed frame, an unknown method, a compression that is not spoken)
//! is [adopted](adopt): it gets a reason, and with it the code, that this product gives for the same thing.
//!
//! Invariant: no status leaves without `ErrorInfo` of our domain (`whatever_tonic_says_gets_a_reason`, and over a
//! connection `every_refusal_of_the_transport_says_its_reason`).

use proto::reason::Reason;
use proto::refusal::Refusal;
use proto::wire;
use proto::wire::refusal;
use tonic::{Code, Status};

use crate::log::LogError;
use crate::measure;

/// The status of a refusal; it is counted.
pub fn of(refusal: &Refusal) -> Status {
    measure::refused(refusal.reason.name());
    refusal::status(refusal)
}

/// The status of a refusal that its use case has counted.
pub fn told(refusal: &Refusal) -> Status {
    refusal::status(refusal)
}

/// What the log's answer to a read is for a caller.
pub fn unread(error: &LogError) -> Refusal {
    let refusal = Refusal::new(error.reason(), error.to_string());
    match error {
        LogError::Busy { retry_after } => refusal.after(*retry_after),
        _ => refusal,
    }
}

/// Whether a status carries an `ErrorInfo` of ours.
fn is_ours(status: &Status) -> bool {
    !status.details().is_empty() && refusal::of_status(status).is_some()
}

/// A status of somebody else with a reason of ours; one of ours as it is. `method` is the path of the call, for
/// instance `/countersign.v1.SigningService/Sign`.
pub fn adopt(status: Status, method: &str) -> Status {
    if is_ours(&status) { status } else { of(&explain(&status, method)) }
}

fn explain(status: &Status, method: &str) -> Refusal {
    let said = status.message();
    let malformed = |expected: &str| Refusal::new(Reason::MalformedRequest, format!("{expected}: {said}"));
    match status.code() {
        Code::OutOfRange => Refusal::new(
            Reason::InputTooLarge,
            format!("a request has at most {} bytes: {said}", wire::LARGEST_REQUEST),
        ),
        Code::ResourceExhausted => Refusal::new(Reason::InputTooLarge, said),
        Code::Unimplemented if said.is_empty() => Refusal::new(
            Reason::Unimplemented,
            format!("{method} is no method of this daemon; server reflection lists those that are"),
        ),
        Code::Unimplemented => {
            Refusal::new(Reason::Unimplemented, format!("{said}; send the request without compression"))
        }
        // Errors of our own carry a reason; what is left under this code is tonic's reading of the request.
        Code::Internal => malformed("the request cannot be read"),
        Code::InvalidArgument | Code::FailedPrecondition => malformed("not understood"),
        // Reflection's word for a symbol that is not there; tools look at the code.
        Code::NotFound => Refusal::new(Reason::UnknownRecord, said),
        Code::Unauthenticated | Code::PermissionDenied => Refusal::new(Reason::Unauthenticated, said),
        Code::DeadlineExceeded => Refusal::new(Reason::DeadlineExceeded, said),
        Code::Cancelled | Code::Aborted | Code::Unknown => {
            Refusal::new(Reason::Cancelled, format!("the request did not arrive whole: {said}"))
        }
        Code::Unavailable => Refusal::new(Reason::ShuttingDown, said),
        Code::Ok | Code::AlreadyExists | Code::DataLoss => {
            Refusal::new(Reason::Internal, "a fault of the daemon; nothing was released")
        }
    }
    .with("method", method)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn ours_stay_as_they_are() {
        let refusal = Refusal::new(Reason::UnknownKey, "there is no key `a`").with("key", "a");
        let status = adopt(of(&refusal), "/m");
        assert_eq!(refusal::of_status(&status), Some(refusal));
    }

    #[test]
    fn whatever_tonic_says_gets_a_reason() {
        for number in 1..=16 {
            let status = adopt(Status::new(Code::from_i32(number), "said"), "/m");
            let refusal = refusal::of_status(&status).unwrap();
            assert_eq!(status.code(), refusal::code(refusal.reason), "{number}");
            assert_eq!(refusal.metadata.get("method").map(String::as_str), Some("/m"), "{number}");
        }
        let unknown = adopt(Status::unimplemented(""), "/countersign.v1.SigningService/Sing");
        assert!(unknown.message().starts_with("/countersign.v1.SigningService/Sing is no method"));
        let details = Status::with_details(Code::Internal, "x", vec![1, 2, 3].into());
        assert_eq!(refusal::of_status(&adopt(details, "/m")).unwrap().reason, Reason::MalformedRequest);
    }
}
