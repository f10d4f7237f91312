//! The name of a ceremony: what joins its records, its statement and its transcript.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const BYTES: usize = 16;

/// Names a ceremony for ever: 128 random bits, shown as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CeremonyId([u8; BYTES]);

/// The text is of another form.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected a ceremony id: 32 lower-case hexadecimal digits")]
pub struct NotACeremonyId;

impl From<[u8; BYTES]> for CeremonyId {
    fn from(random: [u8; BYTES]) -> Self {
        Self(random)
    }
}

impl fmt::Display for CeremonyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::hex_text::with(&self.0, |text| f.pad(text))
    }
}

impl fmt::Debug for CeremonyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CeremonyId {
    type Err = NotACeremonyId;

    fn from_str(text: &str) -> Result<Self, NotACeremonyId> {
        crate::hex_text::read(text).map(Self).ok_or(NotACeremonyId)
    }
}

impl Serialize for CeremonyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::hex_text::with(&self.0, |text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for CeremonyId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::canonical::parse_str(deserializer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn one_form_is_read() {
        let id = CeremonyId::from([0xa7; 16]);
        assert_eq!(id.to_string(), "a7".repeat(16));
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "a7", &"A7".repeat(16), &"a7".repeat(17), &"g7".repeat(16), &"a7".repeat(15), "ü"] {
            assert_eq!(bad.parse::<CeremonyId>(), Err(NotACeremonyId), "{bad}");
        }
    }
}
