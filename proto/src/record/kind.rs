//! The registry of record kinds: their names, and which of them are control records.

use serde::{Deserialize, Serialize};

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident $text:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
            pub enum $name {
                /// The only value.
                #[serde(rename = $text)]
                Tag,
            }
        )*
    };
}

tags! {
    /// `sign`: a signing operation.
    SignTag "sign";
    /// `denied`: a call that policy refused.
    DeniedTag "denied";
    /// `denied.summary`: how many calls policy refused beyond those recorded one by one.
    DeniedSummaryTag "denied.summary";
    /// `audit.read`: that somebody read the log.
    ReadTag "audit.read";
    /// `config`: with which configuration the daemon runs.
    ConfigTag "config";
}

/// Kinds of plain records that this version writes.
pub const PLAIN: [&str; 5] = ["audit.read", "config", "denied", "denied.summary", "sign"];

/// Kinds of control records that this version writes and folds.
pub const CONTROL: [&str; 20] = [
    "caller.enrolled",
    "caller.invited",
    "ceremony.act",
    "ceremony.completed",
    "ceremony.deviation",
    "ceremony.ended",
    "ceremony.executed",
    "ceremony.failed",
    "ceremony.interrupted",
    "ceremony.proposed",
    "ceremony.started",
    "clock",
    "genesis",
    "grant",
    "incident.stopped",
    "key.carried",
    "log.anchor",
    "log.redacted",
    "policy",
    "roster.suspend",
];

/// Whether what follows from a control record of this kind follows from its detail too.
pub fn needs_detail(kind: &str) -> bool {
    matches!(kind, "genesis" | "ceremony.proposed" | "ceremony.executed")
}
