//! Kinds of ceremonies, by their stable names.
//!
//! A closed set: a kind that this version does not know is refused. Names are never renamed and never re-used.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($variant:ident $name:literal $what:literal;)*) => {
        /// What a ceremony decides.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Kind {
            $(#[doc = $what] $variant,)*
        }

        impl Kind {
            /// Every kind, in the order of the table of rules.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, for instance `key.generate`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    Genesis "genesis" "The first roster, quorum rules, guardrails, log origin and log key.";
    KeyGenerate "key.generate" "A new key pair in a backend.";
    KeyAdopt "key.adopt" "A key pair that exists already.";
    KeyRotate "key.rotate" "The plan by which one version follows another.";
    KeyRotateEmergency "key.rotate.emergency" "A Ready standby takes the place of a stopped version.";
    KeyCompromise "key.compromise" "A version is compromised, for ever.";
    KeyResume "key.resume" "A stopped key signs again.";
    StopLift "stop.lift" "The end of a stop that names no key.";
    KeyRemove "key.remove" "A version leaves the trust bundle.";
    KeyDestroy "key.destroy" "A private key is destroyed.";
    RosterChange "roster.change" "The next version of the roster.";
    PolicyChange "policy.change" "The next version of the guardrails.";
    GrantChange "grant.change" "Another file of grants.";
    SignBreakGlass "sign.break-glass" "Signatures over listed digests, past the grants.";
    Resolve "resolve" "What an interrupted execution left is destroyed or abandoned.";
    BackendRebind "backend.rebind" "The same public keys on a device with another serial.";
    ClockReset "clock.reset" "The high-water mark of time is lowered.";
    LogRekey "log.rekey" "Another log key.";
    LogRecover "log.recover" "A new log in place of one that was lost or rolled back.";
}

impl Kind {
    /// Whether a person runs the tool: what touches a device starts by an operator's act, everything else starts by
    /// itself as soon as it is armed.
    pub const fn is_by_hand(self) -> bool {
        matches!(self, Self::KeyGenerate | Self::KeyAdopt | Self::KeyDestroy | Self::BackendRebind)
    }
}

/// No such kind.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no kind of ceremony that this version knows")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let found = Self::ALL.iter().find(|kind| kind.name() == text);
        found.copied().ok_or_else(|| UnknownKind(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        proto::canonical::parse_str(deserializer)
    }
}
