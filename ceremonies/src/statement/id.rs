//! What makes a statement one of its kind: the ceremony's id and the nonce.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($bytes:literal, $digits:literal) $refused:ident $what:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
            pub struct $name([u8; $bytes]);

            /// The text is of another form.
            #[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
            #[error("expected {}: {} lower-case hexadecimal digits", $what, $digits)]
            pub struct $refused;

            impl From<[u8; $bytes]> for $name {
                fn from(random: [u8; $bytes]) -> Self {
                    Self(random)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, f)
                }
            }

            impl FromStr for $name {
                type Err = $refused;

                fn from_str(text: &str) -> Result<Self, $refused> {
                    let digit = |b: u8| match b {
                        b'0'..=b'9' => Ok(b - b'0'),
                        b'a'..=b'f' => Ok(b - b'a' + 10),
                        _ => Err($refused),
                    };
                    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
                    if pairs.len() != $bytes || !rest.is_empty() {
                        return Err($refused);
                    }
                    let mut out = [0; $bytes];
                    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
                        *byte = digit(*high)? << 4 | digit(*low)?;
                    }
                    Ok(Self(out))
                }
            }

            impl Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    proto::canonical::parse_str(deserializer)
                }
            }
        )*
    };
}

ids! {
    /// Names a ceremony for ever: 128 random bits, shown as 32 lower-case hexadecimal digits.
    CeremonyId(16, 32) NotACeremonyId "a ceremony id";
    /// Makes statements of equal parameters different: 256 random bits, shown as 64 lower-case hexadecimal digits.
    Nonce(32, 64) NotANonce "a nonce";
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
        assert_eq!("0f".repeat(32).parse(), Ok(Nonce::from([15; 32])));
    }
}
