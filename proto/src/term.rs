//! Fence terms: what stops, lifts and touches, in the words that both sides of the fence use.

use serde::{Deserialize, Serialize};

use crate::key_id::KeyId;
use crate::name::KeyName;
use crate::reason::Reason;

/// One thing that a control record can stop and a signature can require. The log knows nothing of keyrings: a term
/// covers a requirement when the two are equal, and [`Term::All`] covers everything.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Term {
    /// Everything.
    All,
    /// A backend, by its name in the configuration.
    Backend(String),
    /// A caller, by stable id.
    Caller(String),
    /// Every caller whose identity carries this claim.
    Claim {
        /// For instance `repository_id`.
        name: String,
        /// Exact value.
        value: String,
    },
    /// Every caller that this issuer vouches for.
    Issuer(String),
    /// Every version of a key.
    Key(KeyName),
    /// One version, by key id.
    KeyId(KeyId),
}

impl Term {
    /// Whether a record that names this term concerns what `required` stands for.
    pub fn covers(&self, required: &Self) -> bool {
        matches!(self, Self::All) || self == required
    }

    /// The stable reason of a refusal because this term is stopped.
    pub const fn stopped_reason(&self) -> Reason {
        match self {
            Self::All => Reason::AllStopped,
            Self::Backend(_) => Reason::BackendStopped,
            Self::Caller(_) | Self::Claim { .. } | Self::Issuer(_) => Reason::CallerStopped,
            Self::Key(_) | Self::KeyId(_) => Reason::KeySuspended,
        }
    }
}

impl std::fmt::Display for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("everything"),
            Self::Backend(name) => write!(f, "backend {name}"),
            Self::Caller(id) => write!(f, "caller {id}"),
            Self::Claim { name, value } => write!(f, "claim {name}={value}"),
            Self::Issuer(issuer) => write!(f, "issuer {issuer}"),
            Self::Key(name) => write!(f, "key {name}"),
            Self::KeyId(id) => write!(f, "key id {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn a_term_covers_itself_and_all_covers_everything() {
        let key = Term::Key("release/linux".parse().unwrap());
        let caller = Term::Caller("unix:0".into());
        assert!(
            key.covers(&key) && Term::All.covers(&key) && !key.covers(&caller) && !key.covers(&Term::All)
        );
        for term in [key, caller, Term::All, Term::Claim { name: "a".into(), value: "b".into() }] {
            let json = crate::canonical::to_vec(&term).unwrap();
            assert_eq!(crate::canonical::from_slice::<Term>(&json).unwrap(), term);
        }
    }
}
