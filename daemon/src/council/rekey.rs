//! Another key for the log: the next one is there before the quorum is asked, and the old one ends with the record of the
//! completion.
//!
//! The execution proves that this process can sign with the next key: it signs the head of that moment once more, with both
//! keys. That changes nothing, so an execution that was cut off is done again. The completion is the last record of its commit,
//! whose checkpoint both keys sign (`log/keys`); from the next one on the new key signs alone.

use ceremonies::outputs::Outputs;
use ceremonies::statement::CeremonyId;
use ceremonies::statement::target::LogRekey;
use proto::proof::keys::NoSuccession;
use proto::proof::note::Verifier;
use proto::record::ceremony::Effect;
use proto::refusal::Refusal;

use super::complete::internal;
use super::{Council, no, unlogged};
use crate::keyring::Snapshot;

impl Council {
    /// Whether the log key that a statement names can follow the one in force, and is there.
    ///
    /// # Errors
    /// Guards `other-log-key`, `spent-log-key`, `in-progress` and `no-log-key`.
    pub(super) fn may_be_rekeyed(
        &self,
        snapshot: &Snapshot,
        target: &LogRekey,
        ceremony: CeremonyId,
    ) -> Result<(), Refusal> {
        let (next, replaces) = target.keys().ok_or_else(|| internal("a statement without log keys"))?;
        let state = snapshot.state();
        if let Err(cause) = state.log_keys().may_follow(&replaces, &next) {
            let guard = match cause {
                NoSuccession::Spent(_) => "spent-log-key",
                _ => "other-log-key",
            };
            return no(guard, cause.to_string());
        }
        if state.sessions().is_being_rekeyed(ceremony) {
            return no("in-progress", "another ceremony is about to end the log key".to_owned());
        }
        self.is_next_there(&next)
    }

    fn is_next_there(&self, next: &Verifier) -> Result<(), Refusal> {
        if self.log.can_sign_with(next) {
            return Ok(());
        }
        let message = format!(
            "the daemon was started without the private key of {next}: make it with `countersignd log-key`, name it as `next_key` \
             in [log], and restart"
        );
        no("no-log-key", message)
    }

    /// What a completion puts in force can be put in force by this process.
    pub(super) fn can_sign_after(&self, effect: &Effect) -> Result<(), Refusal> {
        match effect {
            Effect::LogKey { key, .. } => self.is_next_there(key),
            _ => Ok(()),
        }
    }

    /// Signs the newest head with the key in force and with the next one.
    pub(super) fn rekeyed(&self, target: &LogRekey) -> Result<Outputs, Refusal> {
        let (next, replaces) = target.keys().ok_or_else(|| internal("a statement without log keys"))?;
        self.is_next_there(&next)?;
        if *self.log.keys().newest() != replaces {
            return no("other-log-key", format!("the log key {replaces} is not in force any more"));
        }
        Ok(Outputs::Rekeyed(self.log.signed_with(&next).map_err(|error| unlogged(&error))?))
    }
}
