//! Whether every checkpoint that this client is shown belongs to one growing log.
//!
//! Promises: a checkpoint that is not proven to extend the newest one seen (or to be extended by it) is an alarm, never an answer.
//! The first checkpoint of a log is believed, because nothing is known to hold it against. A log is followed from the trusted
//! key to its next ones, each of which the one before has signed, and no checkpoint is believed by a key that has ended before
//! it. Deliberately sends nothing: `connection` fetches the proofs that this asks for.
//!
//! Invariant: what is remembered only ever grows along proofs; held by `a_log_that_grows_is_followed` and
//! `rollbacks_and_forks_are_alarms`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proto::hash::Hash;
use proto::proof::checkpoint::{Checkpoint, CheckpointError};
use proto::proof::keys::LogKeys;
use proto::proof::note::Verifier;
use proto::proof::{ProofError, consistency};

use crate::seen::{Followed, Kept, Memory, MemoryError, Seen};

/// What must be shown before a checkpoint is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing: it is one of those already proven.
    Nothing,
    /// The consistency proof from the first size to the second.
    Proof {
        /// Size of the smaller tree.
        old: u64,
        /// Size of the larger tree.
        new: u64,
    },
}

/// Two checkpoints of one log that cannot both be true.
#[derive(Debug, Clone)]
pub struct Contradiction {
    /// The one seen before.
    pub seen: Seen,
    /// The one shown now.
    pub shown: Seen,
    /// Why they do not fit.
    pub cause: Cause,
    /// Where the one shown now was put as evidence.
    pub evidence: Option<PathBuf>,
}

/// Why two checkpoints do not fit.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Cause {
    /// Two roots for one size.
    #[error("both are of {0} records, and their roots differ")]
    TwoRoots(u64),
    /// The proof does not lead from one to the other.
    #[error("the proof that should connect them does not: {0}")]
    NoProof(#[from] ProofError),
    /// A key signed beyond its end.
    #[error("{0}")]
    Ended(CheckpointError),
    /// The log says that it has no such tree.
    #[error("the log cannot connect them: {0}")]
    Denied(String),
}

/// Why a checkpoint is not believed.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// Rolled back or forked.
    #[error("two checkpoints of one log contradict each other: {}", .0.cause)]
    Contradiction(Box<Contradiction>),
    /// What was seen cannot be read or kept.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// The checkpoints of one log that were proven to belong together.
#[derive(Debug)]
pub struct Trail {
    key: Verifier,
    followed: Followed,
    memory: Memory,
    newest: Option<Seen>,
    proven: BTreeMap<u64, Hash>,
}

impl Trail {
    /// Begins with what was seen before.
    ///
    /// # Errors
    /// Where the memory cannot be read.
    pub fn begin(key: Verifier, memory: Memory) -> Result<Self, TrailError> {
        let (followed, newest) = (memory.followed(&key)?, memory.recall(&key)?);
        let mut trail = Self { key, followed, memory, newest, proven: BTreeMap::new() };
        trail.note_newest();
        Ok(trail)
    }

    /// The trusted log key.
    #[must_use]
    pub fn key(&self) -> &Verifier {
        &self.key
    }

    /// The keys of the log as far as it was followed.
    #[must_use]
    pub fn keys(&self) -> &LogKeys {
        &self.followed.keys
    }

    /// The keys of the log as far as it was followed, and what leads to them.
    #[must_use]
    pub fn followed(&self) -> &Followed {
        &self.followed
    }

    /// Follows the log to other keys. Every end that is new was proven by [`Trail::check`] to belong to this log.
    ///
    /// # Errors
    /// [`TrailError::Contradiction`] where the newest checkpoint seen is by a key that had ended before it, and where the log was
    /// followed elsewhere before: nothing is remembered then.
    pub fn follow(&mut self, followed: Followed) -> Result<(), TrailError> {
        // A log never has fewer keys than it had: whoever hides an end has the key that ended.
        if !followed.ends.starts_with(&self.followed.ends) {
            return Err(MemoryError::OtherKeys { path: self.memory.keys_file(&self.key) }.into());
        }
        if let Some(newest) = &self.newest
            && let Err(cause @ CheckpointError::OutOfReign { .. }) = followed.keys.verify(&newest.text)
        {
            return Err(self.contradiction(newest, newest, Cause::Ended(cause)));
        }
        self.memory.keep_followed(&self.key, &followed)?;
        self.followed = followed;
        Ok(())
    }

    /// Checks the proof that [`Trail::wants`] asked for, and remembers nothing.
    ///
    /// # Errors
    /// [`TrailError::Contradiction`] where the proof does not connect the two.
    pub fn check(&self, shown: &Seen, path: &[Hash]) -> Result<(), TrailError> {
        match (self.wants(shown)?, &self.newest) {
            (Wanted::Proof { .. }, Some(newest)) => {
                connect(newest, shown, path).map_err(|cause| self.contradiction(newest, shown, cause.into()))
            }
            _ => Ok(()),
        }
    }

    /// The newest checkpoint seen.
    #[must_use]
    pub fn newest(&self) -> Option<&Seen> {
        self.newest.as_ref()
    }

    /// What must be shown before `shown` is believed.
    ///
    /// # Errors
    /// [`Cause::TwoRoots`] where nothing can be shown any more.
    pub fn wants(&self, shown: &Seen) -> Result<Wanted, TrailError> {
        let Checkpoint { size, root, .. } = &shown.checkpoint;
        match (self.proven.get(size), &self.newest) {
            (Some(known), _) if known == root => Ok(Wanted::Nothing),
            (Some(_), Some(newest)) => Err(self.contradiction(newest, shown, Cause::TwoRoots(*size))),
            (_, None) => Ok(Wanted::Nothing),
            (None, Some(newest)) => {
                let known = newest.checkpoint.size;
                // Every tree extends the empty one; an empty one after a larger is for the log to explain.
                Ok(if known == 0 {
                    Wanted::Nothing
                } else {
                    Wanted::Proof { old: known.min(*size), new: known.max(*size) }
                })
            }
        }
    }

    /// Takes the proof that [`Trail::wants`] asked for, and remembers the larger tree.
    ///
    /// # Errors
    /// [`TrailError::Contradiction`] where the proof does not connect the two; nothing is remembered then.
    pub fn settle(&mut self, shown: &Seen, path: &[Hash]) -> Result<(), TrailError> {
        self.check(shown, path)?;
        self.proven.insert(shown.checkpoint.size, shown.checkpoint.root);
        if self.newest.as_ref().is_some_and(|newest| newest.checkpoint.size >= shown.checkpoint.size) {
            return Ok(());
        }
        match self.memory.keep(&self.key, self.newest.as_ref(), shown)? {
            Kept::Kept => {
                self.newest = Some(shown.clone());
                self.note_newest();
                Ok(())
            }
            // Another command has seen more meanwhile. Ours is proven against what we knew; theirs against what they knew; the next
            // command proves onwards from theirs.
            Kept::Meanwhile(theirs) => {
                if theirs.checkpoint.size == shown.checkpoint.size {
                    return Err(self.contradiction(&theirs, shown, Cause::TwoRoots(theirs.checkpoint.size)));
                }
                Ok(())
            }
        }
    }

    /// The alarm for a log that says it cannot connect `shown` with what was seen.
    #[must_use]
    pub fn denied(&self, shown: &Seen, words: String) -> TrailError {
        let seen = self.newest.clone().unwrap_or_else(|| shown.clone());
        self.contradiction(&seen, shown, Cause::Denied(words))
    }

    /// Puts what was shown beside what is kept: both are signed, and only together do they prove anything. Where it cannot be kept,
    /// the alarm goes on without it.
    fn contradiction(&self, seen: &Seen, shown: &Seen, cause: Cause) -> TrailError {
        let evidence = (seen.text != shown.text)
            .then(|| self.memory.keep_evidence(&self.key, &shown.text).ok())
            .flatten();
        TrailError::Contradiction(Box::new(Contradiction {
            seen: seen.clone(),
            shown: shown.clone(),
            cause,
            evidence,
        }))
    }

    fn note_newest(&mut self) {
        if let Some(newest) = &self.newest {
            self.proven.insert(newest.checkpoint.size, newest.checkpoint.root);
        }
    }
}

/// Checks the proof between two checkpoints, whichever is larger.
fn connect(one: &Seen, other: &Seen, path: &[Hash]) -> Result<(), ProofError> {
    let (old, new) = if one.checkpoint.size <= other.checkpoint.size { (one, other) } else { (other, one) };
    let (old, new) = (&old.checkpoint, &new.checkpoint);
    consistency::verify(old.size, &old.root, new.size, &new.root, path)
}

#[cfg(test)]
mod tests;
