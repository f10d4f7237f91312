//! Statements with which a log begins: of an instance that is new, or in place of a log that was lost.

use proto::hash::Hash;
use proto::origin::Origin;

use crate::roster::Terms;
use crate::statement::{Line, Statement, Target};

/// What record 0 says of the log that begins with it, whichever of the two kinds its statement is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Begins<'s> {
    /// Whether production keys may live in the software backend.
    pub allow_software_backend: bool,
    /// SHA-256 of the grants that it begins with.
    pub grants: Hash,
    /// The log's public key, as a signed-note verifier key.
    pub log_key: &'s Line,
    /// The log's name.
    pub origin: &'s Origin,
    /// What is said of every roster.
    pub terms: Terms,
}

impl Statement {
    /// What a log begins with that has this statement in its record 0: a `genesis` or a `log.recover`; none of other kinds.
    pub fn begins(&self) -> Option<Begins<'_>> {
        let common = self.common();
        let terms = |allow_software_officer_keys| Terms { allow_software_officer_keys, mode: common.mode };
        match self.target() {
            Target::Genesis(genesis) => Some(Begins {
                allow_software_backend: genesis.allow_software_backend,
                grants: genesis.grants,
                log_key: &genesis.log_key,
                origin: &common.log.origin,
                terms: terms(genesis.allow_software_officer_keys),
            }),
            Target::LogRecover(recover) => Some(Begins {
                allow_software_backend: recover.allow_software_backend,
                grants: recover.grants,
                log_key: &recover.log_key,
                origin: &recover.origin,
                terms: terms(recover.allow_software_officer_keys),
            }),
            _ => None,
        }
    }
}
