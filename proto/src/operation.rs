//! Operation ids: 128 bits, ordered by time, named in a record for ever.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// 128 bits in the layout of an RFC 9562 version 7 UUID, shown as 32 lower-case hexadecimal digits without dashes.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OperationId([u8; 16]);

/// The text was not 32 lower-case hexadecimal digits.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected an operation id: 32 lower-case hexadecimal digits")]
pub struct NotAnOperation;

impl OperationId {
    /// An id from milliseconds since the Unix epoch (48 bits are kept) and ten random bytes, of which 74 bits are kept
    /// (RFC 9562, 5.7).
    pub fn new(milliseconds: u64, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<[u8; 16]> for OperationId {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::hex_text::with(&self.0, |text| f.pad(text))
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for OperationId {
    type Err = NotAnOperation;

    fn from_str(text: &str) -> Result<Self, NotAnOperation> {
        crate::hex_text::read(text).map(Self).ok_or(NotAnOperation)
    }
}

impl Serialize for OperationId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::hex_text::with(&self.0, |text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for OperationId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::canonical::parse_str(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_have_the_version_and_variant_of_rfc_9562() {
        let early = OperationId::new(1_700_000_000_000, [0xff; 10]);
        let late = OperationId::new(1_700_000_000_001, [0; 10]);
        assert!(early < late);
        let text = early.to_string();
        assert_eq!(&text[12..13], "7");
        assert_eq!(&text[16..17], "b");
        assert_eq!(text.parse(), Ok(early));
        assert_eq!(text.to_uppercase().parse::<OperationId>(), Err(NotAnOperation));
    }
}
