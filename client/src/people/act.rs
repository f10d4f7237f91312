//! Making an act: a deed, who it is for, and the newest head of the log that this machine has proven.
//!
//! Promises: every act has a nonce of its own, and an end: that of its statement, and no earlier than a day from now, because what is
//! attested after an execution may come after the statement's end.

use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use ceremonies::act::{Act, Deed, SeenHead};
use ceremonies::nonce::Nonce;
use ceremonies::statement::Common;
use proto::hash::Hash;
use proto::origin::Origin;
use proto::time::Time;

/// How long an act is taken at least, where its statement ends before.
pub const SHORTEST: Duration = Duration::from_secs(24 * 3600);

/// No random numbers could be had from the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random numbers for an act")]
pub struct NoRandom;

/// The act by which a person does this, made at `now`. `common` says for which instance: the statement that it is about, or genesis.
///
/// # Errors
/// [`NoRandom`].
pub fn draft(deed: Deed, common: &Common, head: SeenHead, reason: &str, now: Time) -> Result<Act, NoRandom> {
    let mut random = [0; 32];
    // The cause is `Unspecified`, which has nothing to add.
    if SystemRandom::new().fill(&mut random).is_err() {
        return Err(NoRandom);
    }
    Ok(Act {
        deed,
        environment: common.environment.as_str().to_owned(),
        expires: common.expires.max(now.later(SHORTEST)),
        head,
        instance: common.instance.as_str().to_owned(),
        nonce: Nonce::from(random),
        reason: reason.to_owned(),
    })
}

/// The head of a log before its first record, which is there whatever became of the log.
#[must_use]
pub fn before_all(origin: &Origin) -> SeenHead {
    SeenHead { origin: origin.clone(), root: Hash::of(b""), size: 0 }
}

/// The head that the statement itself names: what can be named where no log is at hand.
#[must_use]
pub fn head_of(common: &Common) -> SeenHead {
    SeenHead { origin: common.log.origin.clone(), root: common.log.root, size: common.log.size }
}
