//! Signature algorithms and hashes, by the names that records and statements use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A hash of a message (FIPS 180-4).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HashAlgorithm {
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

impl HashAlgorithm {
    /// Every hash, shortest first.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// `sha256`, `sha384` or `sha512`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of its values in bytes: 32, 48 or 64.
    pub const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The hash of `message`; [`Self::length`] bytes.
    pub fn hash(self, message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &aws_lc_rs::digest::SHA256,
            Self::Sha384 => &aws_lc_rs::digest::SHA384,
            Self::Sha512 => &aws_lc_rs::digest::SHA512,
        };
        aws_lc_rs::digest::digest(algorithm, message).as_ref().to_vec()
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for HashAlgorithm {
    type Err = UnknownHash;

    fn from_str(text: &str) -> Result<Self, UnknownHash> {
        Self::ALL
            .into_iter()
            .find(|hash| hash.name() == text)
            .ok_or_else(|| UnknownHash(text.chars().take(40).collect()))
    }
}

/// No such hash.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no hash algorithm: expected sha256, sha384 or sha512")]
pub struct UnknownHash(String);

/// What a key pair is, apart from how it signs.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum KeyShape {
    /// NIST P-256 (SP 800-186).
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// edwards25519 (RFC 8032).
    Ed25519,
    /// RSA with a modulus of so many bits.
    Rsa(u16),
}

macro_rules! algorithms {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $hash:expr, $shape:expr;)*) => {
        /// A signature algorithm with its hash. One version has exactly one, for life.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Algorithm { $($(#[$doc])* $variant,)* }

        impl Algorithm {
            /// Every algorithm, in the order of the wire's enumeration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its stable name, for instance `ecdsa-p256-sha256`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The hash of the message that it signs; none where it signs the message itself.
            pub const fn hash(self) -> Option<HashAlgorithm> {
                match self { $(Self::$variant => $hash,)* }
            }

            /// The key pair that it needs.
            pub const fn shape(self) -> KeyShape {
                match self { $(Self::$variant => $shape,)* }
            }
        }
    };
}

algorithms! {
    /// ECDSA on P-256 with SHA-256 (FIPS 186-5).
    EcdsaP256Sha256 = "ecdsa-p256-sha256", Some(HashAlgorithm::Sha256), KeyShape::P256;
    /// ECDSA on P-384 with SHA-384.
    EcdsaP384Sha384 = "ecdsa-p384-sha384", Some(HashAlgorithm::Sha384), KeyShape::P384;
    /// ECDSA on P-521 with SHA-512.
    EcdsaP521Sha512 = "ecdsa-p521-sha512", Some(HashAlgorithm::Sha512), KeyShape::P521;
    /// Ed25519 over the message, never over a digest (RFC 8032).
    Ed25519 = "ed25519", None, KeyShape::Ed25519;
    /// RSASSA-PKCS1-v1_5 (RFC 8017, 8.2), modulus of 2048 bits, SHA-256.
    RsaPkcs1_2048Sha256 = "rsa-pkcs1-2048-sha256", Some(HashAlgorithm::Sha256), KeyShape::Rsa(2048);
    /// The same with a modulus of 3072 bits.
    RsaPkcs1_3072Sha256 = "rsa-pkcs1-3072-sha256", Some(HashAlgorithm::Sha256), KeyShape::Rsa(3072);
    /// The same with a modulus of 4096 bits.
    RsaPkcs1_4096Sha256 = "rsa-pkcs1-4096-sha256", Some(HashAlgorithm::Sha256), KeyShape::Rsa(4096);
    /// The same with a modulus of 4096 bits and SHA-512.
    RsaPkcs1_4096Sha512 = "rsa-pkcs1-4096-sha512", Some(HashAlgorithm::Sha512), KeyShape::Rsa(4096);
    /// RSASSA-PSS (RFC 8017, 8.1), modulus of 2048 bits, MGF1 with the same hash, salt as long as the hash.
    RsaPss2048Sha256 = "rsa-pss-2048-sha256", Some(HashAlgorithm::Sha256), KeyShape::Rsa(2048);
    /// The same with a modulus of 3072 bits.
    RsaPss3072Sha256 = "rsa-pss-3072-sha256", Some(HashAlgorithm::Sha256), KeyShape::Rsa(3072);
    /// The same with a modulus of 4096 bits.
    RsaPss4096Sha256 = "rsa-pss-4096-sha256", Some(HashAlgorithm::Sha256), KeyShape::Rsa(4096);
    /// The same with a modulus of 4096 bits and SHA-512.
    RsaPss4096Sha512 = "rsa-pss-4096-sha512", Some(HashAlgorithm::Sha512), KeyShape::Rsa(4096);
}

impl Algorithm {
    /// Whether signatures are ECDSA's, which have two encodings.
    pub const fn is_ecdsa(self) -> bool {
        matches!(self.shape(), KeyShape::P256 | KeyShape::P384 | KeyShape::P521)
    }

    /// Whether the padding is RSASSA-PSS.
    pub const fn is_pss(self) -> bool {
        matches!(
            self,
            Self::RsaPss2048Sha256 | Self::RsaPss3072Sha256 | Self::RsaPss4096Sha256 | Self::RsaPss4096Sha512
        )
    }
}

/// No such algorithm.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no signature algorithm: expected one of {all}", all = names())]
pub struct UnknownAlgorithm(String);

fn names() -> String {
    Algorithm::ALL.iter().map(|a| a.name()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        let found = Self::ALL.iter().find(|algorithm| algorithm.name() == text);
        found.copied().ok_or_else(|| UnknownAlgorithm(text.chars().take(40).collect()))
    }
}

impl Serialize for Algorithm {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::canonical::parse_str(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused_with_the_list() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(*algorithm));
        }
        let refusal =
            "rsa-pkcs1-1024-sha1".parse::<Algorithm>().expect_err("RSA-1024 is unknown").to_string();
        assert!(
            refusal.contains("rsa-pkcs1-1024-sha1") && refusal.contains("ecdsa-p256-sha256"),
            "{refusal}"
        );
        assert_eq!(HashAlgorithm::Sha256.hash(b"").len(), HashAlgorithm::Sha256.length());
        assert_eq!(HashAlgorithm::Sha512.hash(b"").len(), HashAlgorithm::Sha512.length());
    }
}
