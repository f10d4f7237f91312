//! The genesis statement: what an instance is, from its first record on.
//!
//! Record 0 of the log carries it; the SHA-256 of its canonical bytes is a required line of every configuration
//! (`genesis_sha256`), so that nothing that verifies can be led to another instance. It never changes; what it names by
//! digest (guardrails, grants) changes by control records.
//!
//! There is no roster in it yet, so only rehearsal instances can begin: [`Genesis::check`] says so.

use proto::canonical::{self, CanonicalError};
use proto::hash::Hash;
use proto::origin::Origin;
use serde::{Deserialize, Serialize};

/// The one schema of genesis statements that this version knows.
pub const SCHEMA: &str = "countersign.genesis.v0";

/// Whether an instance counts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Keys come from ceremonies alone.
    Production,
    /// Nothing it signs is worth anything to anyone else.
    Rehearsal,
}

/// What an instance is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Whether production keys may live in the software backend. Absent where they may not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_software_backend: bool,
    /// For instance `production`, `staging`, `dev`: 1 to 64 of `a-z0-9-`.
    pub environment: String,
    /// SHA-256 of the first grants file.
    pub grants: Hash,
    /// SHA-256 of the first guardrails file.
    pub guardrails: Hash,
    /// Name of the instance, for instance `signing.example.org`: 1 to 253 of `a-z0-9.-`.
    pub instance: String,
    /// The log's public key, as a signed-note verifier key (`origin+hash+base64`, c2sp.org/signed-note).
    pub log_key: String,
    /// Whether it counts.
    pub mode: Mode,
    /// Name of the log.
    pub origin: Origin,
    /// [`SCHEMA`].
    pub schema: String,
}

/// Why a statement cannot begin an instance.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// Not canonical JSON of this shape.
    #[error("the genesis statement: {0}")]
    Canonical(#[from] CanonicalError),
    /// Of a newer version.
    #[error("the genesis statement has schema `{0}`, this version knows `{SCHEMA}`: use a newer version")]
    Schema(String),
    /// Production needs people.
    #[error(
        "a production genesis needs a roster of officers and witnesses, and this statement has none: use mode rehearsal to try things out"
    )]
    NoRoster,
    /// The origin does not say what the mode says.
    #[error(
        "the origin `{origin}` and the mode do not fit: rehearsal origins, and only they, begin with `rehearsal.`"
    )]
    Origin {
        /// The origin.
        origin: Origin,
    },
    /// The log key is another log's.
    #[error("the log key is not that of `{origin}`: a verifier key begins with the origin and `+`")]
    LogKey {
        /// The origin.
        origin: Origin,
    },
    /// A name outside its bounds.
    #[error("the {0} is none: expected {1}")]
    Name(&'static str, &'static str),
}

impl Genesis {
    /// Its canonical bytes.
    ///
    /// # Errors
    /// [`GenesisError::Canonical`]; never for a statement that was read.
    pub fn encode(&self) -> Result<Vec<u8>, GenesisError> {
        Ok(canonical::to_vec(self)?)
    }

    /// SHA-256 of its canonical bytes: the `genesis_sha256` of configurations.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn digest(&self) -> Result<Hash, GenesisError> {
        Ok(Hash::of(&self.encode()?))
    }

    /// Reads a statement from its canonical bytes and checks it.
    ///
    /// # Errors
    /// [`GenesisError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, GenesisError> {
        let genesis: Self = canonical::from_slice(bytes)?;
        genesis.check()?;
        Ok(genesis)
    }

    /// Reads a statement out of the body of record 0 and checks it.
    ///
    /// # Errors
    /// [`GenesisError`].
    pub fn from_value(value: &serde_json::Value) -> Result<Self, GenesisError> {
        Self::parse(&canonical::to_vec(value)?)
    }

    /// The statement as a value, for the body of record 0.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn to_value(&self) -> Result<serde_json::Value, GenesisError> {
        serde_json::to_value(self).map_err(|error| CanonicalError::from(error).into())
    }

    /// Whether an instance can begin with it.
    ///
    /// # Errors
    /// What stands against it.
    pub fn check(&self) -> Result<(), GenesisError> {
        if self.schema != SCHEMA {
            return Err(GenesisError::Schema(self.schema.clone()));
        }
        if self.mode == Mode::Production {
            return Err(GenesisError::NoRoster);
        }
        if self.origin.is_rehearsal() != (self.mode == Mode::Rehearsal) {
            return Err(GenesisError::Origin { origin: self.origin.clone() });
        }
        if !self.log_key.strip_prefix(self.origin.as_str()).is_some_and(|rest| rest.starts_with('+')) {
            return Err(GenesisError::LogKey { origin: self.origin.clone() });
        }
        let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=64).contains(&self.environment.len()) || !self.environment.bytes().all(lower) {
            return Err(GenesisError::Name("environment", "1 to 64 lower-case letters, digits and `-`"));
        }
        if !(1..=253).contains(&self.instance.len()) || !self.instance.bytes().all(|b| lower(b) || b == b'.')
        {
            return Err(GenesisError::Name("instance", "1 to 253 lower-case letters, digits, `.` and `-`"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn genesis() -> Genesis {
        Genesis {
            allow_software_backend: false,
            environment: "dev".into(),
            grants: Hash::of(b"grants"),
            guardrails: Hash::of(b"guardrails"),
            instance: "signing.example.org".into(),
            log_key: "rehearsal.example.org+0a1b2c3d+AbCd".into(),
            mode: Mode::Rehearsal,
            origin: "rehearsal.example.org".parse().unwrap(),
            schema: SCHEMA.into(),
        }
    }

    #[test]
    fn the_canonical_bytes_are_these() {
        let text = String::from_utf8(genesis().encode().unwrap()).unwrap();
        assert_eq!(
            text,
            "{\"environment\":\"dev\",\
             \"grants\":\"73e665dc07cdc36defdebe087a6ad95b9f9761b1db81e3b2b83c0a5eab37f6e4\",\
             \"guardrails\":\"5dc897f81321d2bafc2dc70f25356752d7cbd6f0b6cbd9e44b5f9969bc25042a\",\
             \"instance\":\"signing.example.org\",\"log_key\":\"rehearsal.example.org+0a1b2c3d+AbCd\",\
             \"mode\":\"rehearsal\",\"origin\":\"rehearsal.example.org\",\"schema\":\"countersign.genesis.v0\"}"
        );
        assert_eq!(genesis().digest().unwrap(), Hash::of(text.as_bytes()));
        assert_eq!(Genesis::parse(text.as_bytes()).unwrap(), genesis());
        assert_eq!(Genesis::from_value(&genesis().to_value().unwrap()).unwrap(), genesis());
    }

    #[test]
    fn what_cannot_begin_an_instance() {
        let refused = |change: fn(&mut Genesis), expected: &str| {
            let mut genesis = genesis();
            change(&mut genesis);
            let error = Genesis::parse(&genesis.encode().unwrap()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        refused(|g| g.mode = Mode::Production, "needs a roster");
        refused(|g| g.schema = "countersign.genesis.v9".into(), "use a newer version");
        refused(|g| g.origin = "log.example.org".parse().unwrap(), "begin with `rehearsal.`");
        refused(
            |g| g.log_key = "rehearsal.example.com+0a1b2c3d+AbCd".into(),
            "not that of `rehearsal.example.org`",
        );
        refused(|g| g.environment = "Dev".into(), "the environment is none");
        refused(|g| g.instance = String::new(), "the instance is none");
    }

    #[test]
    fn unknown_fields_and_other_forms_are_refused() {
        let text = String::from_utf8(genesis().encode().unwrap()).unwrap();
        for bad in [
            text.replace("{\"env", "{\"a\":1,\"env"),
            text.replace(",\"mode", ", \"mode"),
            text[..text.len() - 1].to_owned(),
        ] {
            assert!(matches!(Genesis::parse(bad.as_bytes()), Err(GenesisError::Canonical(_))), "{bad}");
        }
    }
}
