//! Log origins: the name of a log, chosen at genesis and never changed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A bare DNS name in lower case, without scheme, port or path, 1 to 253 bytes. Rehearsal logs begin with
/// `rehearsal.`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Origin(Box<str>);

/// The text is no origin.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is no log origin: expected a lower-case DNS name without scheme, port or path, as `log.example.org`"
)]
pub struct NotAnOrigin(String);

impl Origin {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the log of a rehearsal instance.
    pub fn is_rehearsal(&self) -> bool {
        self.0.starts_with("rehearsal.")
    }
}

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let alphanumeric = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let label = |label: &str| {
            label.len() <= 63
                && alphanumeric(label.bytes().next())
                && alphanumeric(label.bytes().last())
                && label.bytes().all(|b| alphanumeric(Some(b)) || b == b'-')
        };
        if text.len() <= 253 && text.split('.').all(label) {
            Ok(Self(text.into()))
        } else {
            Err(NotAnOrigin(text.chars().take(300).collect()))
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::canonical::parse_str(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_dns_names_are_origins() {
        for good in ["rehearsal.example.org", "log", "a-b.c0"] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in ["", "Log", "a.", ".a", "a..b", "https://a", "a:1", "a/b", "-a", "a_b", "a b", "ü"] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
