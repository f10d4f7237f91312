//! Reasons of refusals: stable names, with what to do.
//!
//! The table in the documentation is generated from this one, `rpc::status` maps it, and the command line's exit code
//! follows from it. Names are never renamed and never re-used.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The gRPC status codes that refusals use, by their numbers (`google.rpc.Code`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "the names are gRPC's own")]
pub enum Code {
    Cancelled = 1,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

macro_rules! reasons {
    ($($variant:ident $name:literal $code:ident $wait:literal $advice:literal;)*) => {
        /// Why something was refused or failed.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Reason {
            $(#[doc = $advice] $variant,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, for instance `POLICY_DENIED`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The gRPC code.
            pub const fn code(self) -> Code {
                match self { $(Self::$variant => Code::$code,)* }
            }

            /// Whether the same request may succeed later without anybody changing anything.
            pub const fn waiting_helps(self) -> bool {
                match self { $(Self::$variant => $wait,)* }
            }

            /// What the caller should do.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

reasons! {
    MalformedRequest "MALFORMED_REQUEST" InvalidArgument false "Correct the request: the message says which field and what was expected.";
    InvalidDigest "INVALID_DIGEST" InvalidArgument false "Give a digest of the hash that the key's algorithm needs, with that hash's length.";
    InvalidInput "INVALID_INPUT" InvalidArgument false "Correct the payload: it must have exactly one reading for keys with this purpose.";
    InputTooLarge "INPUT_TOO_LARGE" InvalidArgument false "Send at most 4 MiB of messages and 1,000 items, or sign a digest with a key of purpose digest.";
    UnknownKey "UNKNOWN_KEY" NotFound false "Check the key's name with `countersign keys list`.";
    UnknownVersion "UNKNOWN_VERSION" NotFound false "Check the key's versions with `countersign keys show KEY`.";
    UnknownRecord "UNKNOWN_RECORD" NotFound false "Check the operation id, log index, leaf hash or tree size: the newest checkpoint covers no such record.";
    UnknownBackend "UNKNOWN_BACKEND" NotFound false "Check the backend's name in the daemon's configuration.";
    OutOfRange "OUT_OF_RANGE" OutOfRange false "Ask for indices and sizes within the newest checkpoint.";
    PurposeMismatch "PURPOSE_MISMATCH" FailedPrecondition false "Use a key whose purpose includes this kind of input.";
    Unauthenticated "UNAUTHENTICATED" Unauthenticated false "Present a client certificate that a grant admits.";
    PolicyDenied "POLICY_DENIED" PermissionDenied false "Ask the owners of the access policy for a grant; `countersign policy explain` says which rule decides.";
    QuotaExhausted "QUOTA_EXHAUSTED" ResourceExhausted true "Wait as long as the answer says, or ask for a larger quota.";
    KeySuspended "KEY_SUSPENDED" FailedPrecondition false "The key is stopped. It signs again only after a ceremony lifts the stop.";
    CallerStopped "CALLER_STOPPED" PermissionDenied false "The caller is stopped. It signs again only after a ceremony lifts the stop.";
    BackendStopped "BACKEND_STOPPED" FailedPrecondition false "The backend is stopped. It signs again only after a ceremony lifts the stop.";
    AllStopped "ALL_STOPPED" FailedPrecondition false "Everything is stopped. Signing resumes only after a ceremony lifts the stop.";
    KeyNotActive "KEY_NOT_ACTIVE" FailedPrecondition false "The key has no version that signs now; see `countersign keys show KEY`.";
    VersionEnded "VERSION_ENDED" FailedPrecondition false "The version is past its end; sign with the active one.";
    RetiringUnavailable "RETIRING_UNAVAILABLE" FailedPrecondition false "No retiring version signs now: ask for the active one.";
    BackendUnavailable "BACKEND_UNAVAILABLE" Unavailable true "The HSM or KMS does not answer; try again as the answer says. Health names the cause.";
    BackendBusy "BACKEND_BUSY" ResourceExhausted true "The backend's queue is full for this caller; try again as the answer says.";
    BackendRefused "BACKEND_REFUSED" FailedPrecondition false "The HSM or KMS refused the operation; its operator must look at the key's attributes and permissions.";
    BackendBroken "BACKEND_BROKEN" Unavailable true "The backend failed again and again and is left alone for a while; its operator must look at it.";
    KeyMissing "KEY_MISSING" Unavailable true "The backend does not hold the key now; signing resumes by itself when it does.";
    KeyDisabled "KEY_DISABLED" FailedPrecondition false "The key is disabled in the HSM or KMS; its operator must enable it.";
    KeyMismatch "KEY_MISMATCH" FailedPrecondition false "The backend holds another key or token than the one recorded; nothing was released. Look at the token before anything else.";
    LogUnavailable "LOG_UNAVAILABLE" Unavailable true "The signing log cannot be written, so nothing is signed; try again as the answer says. Health names the cause.";
    LogFull "LOG_FULL" Unavailable true "The log's disk is nearly full, so nothing is signed; its operator must make room.";
    LogBusy "LOG_BUSY" ResourceExhausted true "The log's queue is full; try again as the answer says.";
    IndexBehind "INDEX_BEHIND" Unavailable true "The search index has not reached the newest records yet; try again.";
    Overloaded "OVERLOADED" ResourceExhausted true "Too many requests are in progress; try again as the answer says.";
    DeadlineTooShort "DEADLINE_TOO_SHORT" DeadlineExceeded true "The deadline is shorter than the operation takes; nothing was signed. Give more time.";
    DeadlineExceeded "DEADLINE_EXCEEDED" DeadlineExceeded true "The deadline passed. Ask again with the same request id: a finished signature is given, not made twice.";
    RequestIdReused "REQUEST_ID_REUSED" AlreadyExists false "The request id was used for another input; use a new id.";
    OutcomeUnknown "OUTCOME_UNKNOWN" Aborted false "Whether the backend signed is not known, and the record says so. Sign anew under a new request id.";
    ChangedMeanwhile "CHANGED_MEANWHILE" Aborted true "Keys or policy changed again and again while the request was under way; try again.";
    Crash "CRASH" Aborted false "The daemon ended before the operation did; the backend may have signed. Sign anew under a new request id.";
    Timeout "TIMEOUT" Aborted false "The backend did not answer in time and may have signed. Sign anew under a new request id.";
    Transport "TRANSPORT" Aborted false "The connection to the backend broke and it may have signed. Sign anew under a new request id.";
    Unimplemented "UNIMPLEMENTED" Unimplemented false "This daemon cannot do that; the message says what it can do instead.";
    ShuttingDown "SHUTTING_DOWN" Unavailable true "The daemon is stopping; try again, or ask another replica.";
    Cancelled "CANCELLED" Cancelled false "The caller went away.";
    RateLimited "RATE_LIMITED" ResourceExhausted true "This call is limited; try again as the answer says.";
    StatementInvalid "STATEMENT_INVALID" InvalidArgument false "Correct the statement or the template: the message says which field and what was expected.";
    StatementRefused "STATEMENT_REFUSED" FailedPrecondition false "Draft it anew: the statement does not fit what is in force here; `guard` names why.";
    CeremonyExists "CEREMONY_EXISTS" AlreadyExists false "Draft it anew: a ceremony with this id was proposed before.";
    UnknownCeremony "UNKNOWN_CEREMONY" NotFound false "Check the ceremony's id with `countersign ceremony list --ended`.";
    ActInvalid "ACT_INVALID" InvalidArgument false "Sign the act anew: it is not what a person of this roster can have signed here.";
    ActRefused "ACT_REFUSED" FailedPrecondition false "The act does not count; `guard` names why, and nothing was recorded.";
    NotArmed "NOT_ARMED" FailedPrecondition false "Wait until the quorum has approved and the witnesses have attested; the message says who is missing.";
    ObjectPlanted "OBJECT_PLANTED" FailedPrecondition false "Somebody put an object where the new key belongs. Nothing was made; find out who, before anything else.";
    ClockUntrusted "CLOCK_UNTRUSTED" FailedPrecondition true "The daemon's clock is not trusted, so nothing is approved, started or completed until it is.";
    Interrupted "INTERRUPTED" Aborted false "It is not known what the backend did; nothing is repeated and nothing adopted. Propose a `resolve`.";
    InvitationUnknown "INVITATION_UNKNOWN" PermissionDenied false "Copy the token whole, as `countersign invite` printed it, and ask the instance that made it.";
    InvitationExpired "INVITATION_EXPIRED" FailedPrecondition false "Have somebody invite you again: an invitation is good for minutes.";
    InvitationUsed "INVITATION_USED" FailedPrecondition false "An invitation is good once. If it was not you who used it, have the caller stopped and tell who invited you.";
    Internal "INTERNAL" Internal false "A fault of the daemon; nothing was released. Its log names the request id.";
}

impl Reason {
    /// The exit code of the command line: 3 where trying again later is the thing to do, else 1.
    pub const fn exit_code(self) -> u8 {
        match self.code() {
            Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Aborted => 3,
            _ => 1,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No such reason.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no reason that this version knows")]
pub struct UnknownReason(String);

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        let found = Self::ALL.iter().find(|reason| reason.name() == text);
        found.copied().ok_or_else(|| UnknownReason(text.chars().take(64).collect()))
    }
}

impl Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::canonical::parse_str(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_read_back_and_come_with_advice() {
        let names: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(reason.name().parse(), Ok(*reason));
            assert!(reason.advice().ends_with('.'), "{reason}");
        }
        assert_eq!(Reason::LogUnavailable.exit_code(), 3);
        assert_eq!(Reason::PolicyDenied.exit_code(), 1);
    }
}
