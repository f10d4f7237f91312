//! Actions: the calls that policy decides, by their stable names.
//!
//! A closed set: records say which call was refused, and rules say which they are about. Names are never renamed and never
//! re-used.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! actions {
    ($($variant:ident $name:literal $what:literal;)*) => {
        /// A call that policy decides.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum ActionName {
            $(#[doc = $what] $variant,)*
        }

        impl ActionName {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, for instance `get-public-key`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

actions! {
    Sign "sign" "One signature, or one item of a batch.";
    GetPublicKey "get-public-key" "The public key of a version.";
    ListKeys "list-keys" "Whether a key is in the list.";
    GetKey "get-key" "Versions and states of a key.";
    WatchKeys "watch-keys" "Whether changes of a key are told.";
    ReadLog "read-log" "Records by index or range.";
    SearchLog "search-log" "Records by terms.";
    GetReceipt "get-receipt" "Somebody else's receipt.";
    Redact "redact" "Erasing details.";
    Invite "invite" "Inviting a caller to come by a client certificate.";
    Stop "stop" "Stopping a key, version, caller, backend or everything.";
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No such action.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no action that this version knows")]
pub struct UnknownAction(String);

impl FromStr for ActionName {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let found = Self::ALL.iter().find(|action| action.name() == text);
        found.copied().ok_or_else(|| UnknownAction(text.chars().take(64).collect()))
    }
}

impl Serialize for ActionName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for ActionName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::canonical::parse_str(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_read_back() {
        let names: BTreeSet<_> = ActionName::ALL.iter().map(|action| action.name()).collect();
        assert_eq!(names.len(), ActionName::ALL.len());
        for action in ActionName::ALL {
            assert_eq!(action.name().parse(), Ok(*action));
        }
        assert!("Sign".parse::<ActionName>().is_err());
    }
}
