//! Key names and version names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name that people use for a key, for instance `release/linux`: 1 to 128 bytes, up to 8 segments separated by `/`,
/// each `[a-z0-9]([a-z0-9._-]*[a-z0-9])?`, never `..`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyName(Arc<str>);

/// Why a text is no key name or version name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameError {
    /// Empty or longer than 128 bytes.
    #[error("a key name has 1 to 128 bytes, this one has {0}")]
    Length(usize),
    /// More than 8 segments.
    #[error("a key name has at most 8 segments separated by `/`, this one has {0}")]
    Segments(usize),
    /// A segment that is not of the allowed form.
    #[error(
        "`{0}` is no segment of a key name: lower-case letters, digits and inner `.`, `_`, `-`, never `..`"
    )]
    Segment(String),
    /// What follows `@` is not a version number.
    #[error("`{0}` is no version: expected a number from 1, as in `release/linux@3`")]
    Version(String),
}

impl KeyName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_segment(segment: &str) -> bool {
    let end = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    end(segment.bytes().next())
        && end(segment.bytes().last())
        && !segment.contains("..")
        && segment
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
}

impl FromStr for KeyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > 128 {
            return Err(NameError::Length(text.len()));
        }
        let segments = text.split('/').count();
        if segments > 8 {
            return Err(NameError::Segments(segments));
        }
        match text.split('/').find(|segment| !is_segment(segment)) {
            Some(bad) => Err(NameError::Segment(bad.to_owned())),
            None => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for KeyName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for KeyName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::canonical::parse_str(deserializer)
    }
}

/// One key pair of a key: its name and its number from 1, written `release/linux@3`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct VersionName {
    /// The key.
    pub key: KeyName,
    /// From 1, without gaps.
    pub version: u32,
}

impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.key, self.version)
    }
}

impl FromStr for VersionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (key, version) = text.split_once('@').ok_or_else(|| NameError::Version(String::new()))?;
        let number = (!version.starts_with(['0', '+'])).then(|| version.parse().ok()).flatten();
        Ok(Self { key: key.parse()?, version: number.ok_or_else(|| NameError::Version(version.to_owned()))? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn names_of_the_right_form_are_read_and_others_refused_with_the_rule() {
        for good in ["a", "release/linux", "a.b-c_d/0", &"a/".repeat(7).add_a(), &"x".repeat(128)] {
            assert_eq!(good.parse::<KeyName>().unwrap().as_str(), good);
        }
        assert_eq!("".parse::<KeyName>(), Err(NameError::Length(0)));
        assert_eq!("x".repeat(129).parse::<KeyName>(), Err(NameError::Length(129)));
        assert_eq!("a/a/a/a/a/a/a/a/a".parse::<KeyName>(), Err(NameError::Segments(9)));
        for bad in ["A", "a/", "/a", "a//b", "-a", "a.", "a..b", "a b", "ä", "a/../b", "a\0"] {
            assert!(matches!(bad.parse::<KeyName>(), Err(NameError::Segment(_))), "{bad}");
        }
    }

    #[test]
    fn versions_count_from_one() {
        let name: VersionName = "release/linux@3".parse().unwrap();
        assert_eq!((name.key.as_str(), name.version), ("release/linux", 3));
        assert_eq!(name.to_string(), "release/linux@3");
        for bad in ["a", "a@", "a@0", "a@01", "a@+1", "a@x", "a@4294967296"] {
            assert!(matches!(bad.parse::<VersionName>(), Err(NameError::Version(_))), "{bad}");
        }
    }

    trait AddA {
        fn add_a(self) -> String;
    }

    impl AddA for String {
        fn add_a(mut self) -> String {
            self.push('a');
            self
        }
    }
}
