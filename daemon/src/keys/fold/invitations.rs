//! Invitations: who may come by a client certificate, by the hash of a token; each good once.
//!
//! ```text
//! caller.invited ─► open ─ caller.enrolled ─► used
//!                    └─ its time is over ─► expired
//! ```
//!
//! What is known of a token is its SHA-256: whoever reads the log cannot use it. Whether one is over is for whoever asks, by his
//! clock: the time of a record is a little later than that of the question.

use std::collections::BTreeMap;

use proto::hash::Hash;
use proto::time::Time;

use crate::keys::fold::FoldError;

/// An invitation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Invitation {
    /// Stable id of who is invited.
    pub caller: String,
    /// From here on it is worth nothing.
    pub expires: Time,
    /// Index of its record.
    pub index: u64,
    /// Index of the record that used it.
    pub used: Option<u64>,
}

/// All of them, by the SHA-256 of their tokens.
///
/// Invariant: a token is used once, whatever restarts in between (`an_invitation_is_used_once_whatever_is_killed`).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Invitations(BTreeMap<Hash, Invitation>);

impl Invitations {
    /// The invitation of a token with this SHA-256.
    pub fn find(&self, token: Hash) -> Option<&Invitation> {
        self.0.get(&token)
    }

    /// A new one.
    pub(super) fn give(
        &mut self,
        index: u64,
        caller: &str,
        expires: Time,
        token: Hash,
    ) -> Result<(), FoldError> {
        let wrong = |cause| Err(FoldError::Invitation { index, cause });
        if self.0.contains_key(&token) {
            return wrong("an invitation by a token that was given before");
        }
        self.0.insert(token, Invitation { caller: caller.to_owned(), expires, index, used: None });
        Ok(())
    }

    /// Uses one.
    pub(super) fn spend(&mut self, index: u64, caller: &str, token: Hash) -> Result<(), FoldError> {
        let wrong = |cause| Err(FoldError::Invitation { index, cause });
        let Some(invitation) = self.0.get_mut(&token) else {
            return wrong("a certificate for a token that nobody was given");
        };
        if invitation.used.is_some() {
            return wrong("a certificate for a token that was used before");
        }
        if invitation.caller != caller {
            return wrong("a certificate for somebody else than was invited");
        }
        invitation.used = Some(index);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn one_is_given_once_and_used_once_by_whom_it_is_for() {
        let (token, mut all) = (Hash::of(b"token"), Invitations::default());
        let (ci, end) = ("spiffe://example.org/ci", Time::from_microseconds(9_000_000));
        let cause = |result: Result<(), FoldError>| result.unwrap_err().to_string();
        assert!(cause(all.spend(1, ci, token)).contains("nobody was given"));
        all.give(1, ci, end, token).unwrap();
        assert!(cause(all.give(2, ci, end, token)).contains("given before"));
        assert!(cause(all.spend(2, "spiffe://example.org/other", token)).contains("somebody else"));
        assert_eq!(all.find(token).unwrap().used, None);
        all.spend(3, ci, token).unwrap();
        assert_eq!(all.find(token).unwrap().used, Some(3));
        assert!(cause(all.spend(4, ci, token)).contains("used before"));
    }
}
