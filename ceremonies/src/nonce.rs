//! What makes a statement, or an act, different from every other with the same words.

use std::fmt;
use std::str::FromStr;

use proto::hash::{Hash, NotAHash};
use serde::{Deserialize, Serialize};

/// 256 random bits, shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Nonce(Hash);

/// The text is no nonce.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected a nonce of 64 lower-case hexadecimal digits (32 random bytes), found {0} characters")]
pub struct NotANonce(usize);

impl From<[u8; 32]> for Nonce {
    fn from(random: [u8; 32]) -> Self {
        Self(random.into())
    }
}

impl From<Nonce> for Hash {
    fn from(nonce: Nonce) -> Self {
        nonce.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Nonce {
    type Err = NotANonce;

    fn from_str(text: &str) -> Result<Self, NotANonce> {
        text.parse().map(Self).map_err(|NotAHash| NotANonce(text.chars().count()))
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        proto::canonical::parse_str(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_is_read() {
        let nonce = Nonce::from([15; 32]);
        assert_eq!("0f".repeat(32).parse(), Ok(nonce));
        assert_eq!(nonce.to_string(), "0f".repeat(32));
        for bad in ["", "0f", &"0F".repeat(32), &"0f".repeat(33), &"g7".repeat(32), "ü"] {
            assert_eq!(bad.parse::<Nonce>(), Err(NotANonce(bad.chars().count())), "{bad}");
        }
    }
}
