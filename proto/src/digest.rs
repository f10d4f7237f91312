//! Digests of what is to be signed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::algorithm::HashAlgorithm;

/// A hash and a value of the right length. Written `sha256:<hex>`.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Digest {
    algorithm: HashAlgorithm,
    /// The value, and zeros up to the longest one: digests are copied often.
    value: [u8; LONGEST],
}

/// Bytes of the longest digest: SHA-512.
const LONGEST: usize = 64;

/// Why bytes or a text are no digest.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DigestError {
    /// A value of the wrong length.
    #[error("a {algorithm} digest has {expected} bytes, this one has {found}", expected = algorithm.length())]
    Length {
        /// The hash that was named.
        algorithm: HashAlgorithm,
        /// Length of the value in bytes.
        found: usize,
    },
    /// Not `<hash>:<hex>`.
    #[error("expected a digest like sha256:<64 lower-case hexadecimal digits>")]
    Form,
    /// None, or more than three.
    #[error("expected 1 to 3 digests, each of another hash; got {0}")]
    Count(usize),
    /// One hash twice.
    #[error("the {0} digest is given twice")]
    Twice(HashAlgorithm),
}

impl Digest {
    /// A digest of the hash's length.
    ///
    /// # Errors
    /// [`DigestError::Length`] for any other length.
    pub fn new(algorithm: HashAlgorithm, value: &[u8]) -> Result<Self, DigestError> {
        if value.len() != algorithm.length() {
            return Err(DigestError::Length { algorithm, found: value.len() });
        }
        let mut whole = [0; LONGEST];
        whole[..value.len()].copy_from_slice(value);
        Ok(Self { algorithm, value: whole })
    }

    /// The digest of `message`.
    pub fn of(algorithm: HashAlgorithm, message: &[u8]) -> Self {
        let mut value = [0; LONGEST];
        value[..algorithm.length()].copy_from_slice(&algorithm.hash(message));
        Self { algorithm, value }
    }

    /// Its hash.
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// Its value; as long as the hash says.
    pub fn value(&self) -> &[u8] {
        &self.value[..self.algorithm.length()]
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, hex::encode(self.value()))
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, value) = text.split_once(':').ok_or(DigestError::Form)?;
        let algorithm = algorithm.parse().map_err(|_unknown| DigestError::Form)?;
        if value.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(DigestError::Form);
        }
        Self::new(algorithm, &hex::decode(value).map_err(|_not_hex| DigestError::Form)?)
    }
}

/// One to three digests of one and the same message, each of another hash. In JSON `{"sha256":"<hex>",…}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Digests(Vec<Digest>);

impl Digests {
    /// The digests, each hash once, kept in the order of the hashes.
    ///
    /// # Errors
    /// [`DigestError::Count`] and [`DigestError::Twice`].
    pub fn new(mut digests: Vec<Digest>) -> Result<Self, DigestError> {
        digests.sort();
        if digests.is_empty() || digests.len() > 3 {
            return Err(DigestError::Count(digests.len()));
        }
        match digests.windows(2).find(|pair| pair[0].algorithm == pair[1].algorithm) {
            Some(pair) => Err(DigestError::Twice(pair[0].algorithm)),
            None => Ok(Self(digests)),
        }
    }

    /// The one of this hash.
    pub fn find(&self, algorithm: HashAlgorithm) -> Option<&Digest> {
        self.0.iter().find(|digest| digest.algorithm == algorithm)
    }

    /// All of them, shortest hash first.
    pub fn iter(&self) -> impl Iterator<Item = &Digest> {
        self.0.iter()
    }
}

impl From<Digest> for Digests {
    fn from(digest: Digest) -> Self {
        Self(vec![digest])
    }
}

impl Serialize for Digests {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Value<'a>(&'a Digest);
        impl Serialize for Value<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                crate::hex_text::with(&self.0.value, |text| {
                    serializer.serialize_str(&text[..2 * self.0.algorithm.length()])
                })
            }
        }
        serializer.collect_map(self.0.iter().map(|digest| (digest.algorithm, Value(digest))))
    }
}

impl<'de> Deserialize<'de> for Digests {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let map = BTreeMap::<HashAlgorithm, String>::deserialize(deserializer)?;
        let digests = map.into_iter().map(|(algorithm, value)| format!("{algorithm}:{value}").parse());
        Self::new(digests.collect::<Result<_, DigestError>>().map_err(D::Error::custom)?)
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn lengths_and_forms_are_checked_and_said() {
        let digest = Digest::of(HashAlgorithm::Sha256, b"");
        assert_eq!(digest.to_string().parse(), Ok(digest.clone()));
        let short = Digest::new(HashAlgorithm::Sha384, &[0; 32]).unwrap_err();
        assert_eq!(short.to_string(), "a sha384 digest has 48 bytes, this one has 32");
        assert_eq!("sha1:00".parse::<Digest>(), Err(DigestError::Form));
        assert_eq!(digest.to_string().to_uppercase().parse::<Digest>(), Err(DigestError::Form));
        assert_eq!(Digests::new(vec![]), Err(DigestError::Count(0)));
        assert_eq!(Digests::new(vec![digest.clone(); 2]), Err(DigestError::Twice(HashAlgorithm::Sha256)));
        let both = Digests::new(vec![Digest::of(HashAlgorithm::Sha512, b""), digest.clone()]).unwrap();
        assert_eq!(both.find(HashAlgorithm::Sha256), Some(&digest));
        let json = crate::canonical::to_vec(&both).unwrap();
        assert_eq!(crate::canonical::from_slice::<Digests>(&json).unwrap(), both);
    }
}
