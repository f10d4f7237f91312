//! Actions: the calls, as policies name them.

use std::fmt;

use proto::action::ActionName;
use proto::record::StopTarget;

use super::Caller;

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
    /// `invite`, of this caller.
    Invite(Caller),
    /// `stop`, of this.
    Stop(StopTarget),
}

impl Action {
    /// The names of all actions.
    pub const NAMES: [&'static str; ActionName::ALL.len()] = {
        let mut names = [""; ActionName::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = ActionName::ALL[at].name();
            at += 1;
        }
        names
    };

    /// Its name, as records have it.
    pub const fn named(&self) -> ActionName {
        match self {
            Self::Sign => ActionName::Sign,
            Self::GetPublicKey => ActionName::GetPublicKey,
            Self::ListKeys => ActionName::ListKeys,
            Self::GetKey => ActionName::GetKey,
            Self::WatchKeys => ActionName::WatchKeys,
            Self::ReadLog => ActionName::ReadLog,
            Self::SearchLog => ActionName::SearchLog,
            Self::GetReceipt => ActionName::GetReceipt,
            Self::Redact => ActionName::Redact,
            Self::Invite(_) => ActionName::Invite,
            Self::Stop(_) => ActionName::Stop,
        }
    }

    /// Its name, as policies write it.
    pub const fn name(&self) -> &'static str {
        self.named().name()
    }

    /// The action without anything but a name; `None` for `stop` and `invite`, which need a target, and
    /// for names that are none.
    pub fn plain(name: &str) -> Option<Self> {
        Some(match name.parse().ok()? {
            ActionName::Sign => Self::Sign,
            ActionName::GetPublicKey => Self::GetPublicKey,
            ActionName::ListKeys => Self::ListKeys,
            ActionName::GetKey => Self::GetKey,
            ActionName::WatchKeys => Self::WatchKeys,
            ActionName::ReadLog => Self::ReadLog,
            ActionName::SearchLog => Self::SearchLog,
            ActionName::GetReceipt => Self::GetReceipt,
            ActionName::Redact => Self::Redact,
            ActionName::Stop | ActionName::Invite => return None,
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
        let invite = Action::Invite(Caller::unix(0));
        for name in Action::NAMES {
            match Action::plain(name) {
                Some(action) => assert_eq!(action.name(), name),
                None => assert!([Action::Stop(StopTarget::All).name(), invite.name()].contains(&name)),
            }
        }
        assert_eq!(Action::plain("Sign"), None);
    }
}
