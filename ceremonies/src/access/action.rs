//! Actions: the calls, as policies name them.

use std::fmt;

use proto::record::StopTarget;

/// A call that policy decides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// `sign`: one signature, or one item of a batch, or a dry run of it.
    Sign,
    /// `get-public-key`.
    GetPublicKey,
    /// `list-keys`: whether a key is in the list.
    ListKeys,
    /// `get-key`: versions and states of a key.
    GetKey,
    /// `watch-keys`: whether changes of a key are told.
    WatchKeys,
    /// `read-log`: records by index or range.
    ReadLog,
    /// `search-log`: records by terms.
    SearchLog,
    /// `get-receipt`: somebody else's receipt; one's own needs no right.
    GetReceipt,
    /// `redact`: erasing details.
    Redact,
    /// `stop`, of this.
    Stop(StopTarget),
}

impl Action {
    /// The names of all actions.
    pub const NAMES: [&'static str; 10] = [
        "sign",
        "get-public-key",
        "list-keys",
        "get-key",
        "watch-keys",
        "read-log",
        "search-log",
        "get-receipt",
        "redact",
        "stop",
    ];

    /// Its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::GetPublicKey => "get-public-key",
            Self::ListKeys => "list-keys",
            Self::GetKey => "get-key",
            Self::WatchKeys => "watch-keys",
            Self::ReadLog => "read-log",
            Self::SearchLog => "search-log",
            Self::GetReceipt => "get-receipt",
            Self::Redact => "redact",
            Self::Stop(_) => "stop",
        }
    }

    /// The action without anything but a name; `None` for `stop`, which needs a target, and for names that are none.
    pub fn plain(name: &str) -> Option<Self> {
        Some(match name {
            "sign" => Self::Sign,
            "get-public-key" => Self::GetPublicKey,
            "list-keys" => Self::ListKeys,
            "get-key" => Self::GetKey,
            "watch-keys" => Self::WatchKeys,
            "read-log" => Self::ReadLog,
            "search-log" => Self::SearchLog,
            "get-receipt" => Self::GetReceipt,
            "redact" => Self::Redact,
            _ => return None,
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in Action::NAMES {
            match Action::plain(name) {
                Some(action) => assert_eq!(action.name(), name),
                None => assert_eq!(Action::Stop(StopTarget::All).name(), name),
            }
        }
        assert_eq!(Action::plain("Sign"), None);
    }
}
