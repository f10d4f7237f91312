//! Where a key is, as the URI that records and configuration hold.

use std::fmt;
use std::str::FromStr;

use proto::key_id::KeyId;

use super::pkcs11::uri::{Uri, UriError};

/// The place of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Locator {
    /// `software:<key id>`, or `software:` for a key that is still to be made.
    Software(Option<KeyId>),
    /// `software:label=<label>`, for the key that was made under a label.
    Labelled(String),
    /// `pkcs11:…` (RFC 7512).
    Pkcs11(Uri),
}

/// Not the place of a key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LocatorError {
    /// The scheme is unknown.
    #[error(
        "`{0}` is no place of a key: expected `software:`, `software:<64 hexadecimal digits>`, `software:label=…` or \
         `pkcs11:token=…;object=…`"
    )]
    Scheme(String),
    /// Not a key id.
    #[error(
        "`software:` is followed by nothing (a new key), by a key id of 64 lower-case hexadecimal digits, or by `label=` \
         and 1 to 64 letters, digits and `-`"
    )]
    KeyId,
    /// Not an RFC 7512 URI that names a key.
    #[error("{0}")]
    Uri(#[from] UriError),
}

impl FromStr for Locator {
    type Err = LocatorError;

    fn from_str(text: &str) -> Result<Self, LocatorError> {
        if text.starts_with("pkcs11:") {
            return Ok(Self::Pkcs11(text.parse()?));
        }
        match text.strip_prefix("software:") {
            Some("") => Ok(Self::Software(None)),
            Some(label) if label.starts_with("label=") => {
                let label = &label["label=".len()..];
                if is_label(label) { Ok(Self::Labelled(label.to_owned())) } else { Err(LocatorError::KeyId) }
            }
            Some(id) => id.parse().map(|id| Self::Software(Some(id))).map_err(|_not_hex| LocatorError::KeyId),
            None => Err(LocatorError::Scheme(text.chars().take(60).collect())),
        }
    }
}

/// Whether a text is a label of the software backend: 1 to 64 letters, digits and `-`, so that it can name a file.
pub fn is_label(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Software(None) => f.write_str("software:"),
            Self::Software(Some(id)) => write!(f, "software:{id}"),
            Self::Labelled(label) => write!(f, "software:label={label}"),
            Self::Pkcs11(uri) => uri.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn places_are_read_back_and_others_refused_with_what_was_expected() {
        for text in [
            "software:",
            &format!("software:{}", "ab".repeat(32)),
            "software:label=cer-0a1b",
            "pkcs11:token=release;object=linux",
        ] {
            assert_eq!(text.parse::<Locator>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "awskms://x",
            "software",
            "software:12",
            "software:label=",
            "software:label=../x",
            "pkcs11:pin-value=1",
            "/etc/key.pem",
        ] {
            assert!(bad.parse::<Locator>().is_err(), "{bad}");
        }
        let said = "file:/etc/key.pem".parse::<Locator>().unwrap_err().to_string();
        assert!(said.contains("software:") && said.contains("pkcs11:"), "{said}");
    }
}
