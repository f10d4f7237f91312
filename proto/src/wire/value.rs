//! Names and enumerations: texts and numbers of the wire to values of the vocabulary.
//!
//! A message of a newer version may hold numbers that this one does not know; they are refused by name of the field,
//! never taken for something else.

use super::v1;
use crate::algorithm::{Algorithm, HashAlgorithm};
use crate::hash::Hash;
use crate::key_id::KeyId;
use crate::name::{KeyName, VersionName};
use crate::operation::OperationId;
use crate::reason::Reason;
use crate::refusal::Refusal;

/// A refusal of a request that was not understood.
pub fn malformed(field: &str, expected: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::MalformedRequest, format!("{field}: {expected}")).with("field", field)
}

/// The name of a key.
///
/// # Errors
/// `MALFORMED_REQUEST` that names the field and what was expected.
pub fn key(field: &str, text: &str) -> Result<KeyName, Refusal> {
    text.parse().map_err(|why| malformed(field, why))
}

/// The name of a version.
///
/// # Errors
/// `MALFORMED_REQUEST`, also for version 0.
pub fn version(field: &str, wire: &v1::VersionName) -> Result<VersionName, Refusal> {
    if wire.version == 0 {
        return Err(malformed(field, "versions are counted from 1"));
    }
    Ok(VersionName { key: key(field, &wire.key)?, version: wire.version })
}

/// The id of an operation.
///
/// # Errors
/// `MALFORMED_REQUEST` that names the field and what was expected.
pub fn operation(field: &str, text: &str) -> Result<OperationId, Refusal> {
    text.parse().map_err(|why| malformed(field, why))
}

/// A hash of 32 bytes.
///
/// # Errors
/// `MALFORMED_REQUEST` that names the field and the length that was found.
pub fn hash(field: &str, bytes: &[u8]) -> Result<Hash, Refusal> {
    <[u8; 32]>::try_from(bytes).map(Hash::from).map_err(|_length_is_in_the_message| {
        malformed(field, format!("expected 32 bytes, got {}", bytes.len()))
    })
}

/// A key id.
///
/// # Errors
/// As [`hash`].
pub fn key_id(field: &str, bytes: &[u8]) -> Result<KeyId, Refusal> {
    hash(field, bytes).map(KeyId::from)
}

/// One value of a message's enumeration; the unspecified one is given back as `None`.
///
/// # Errors
/// `MALFORMED_REQUEST` for a number that this version does not know.
pub fn choice<E>(field: &str, number: i32) -> Result<Option<E>, Refusal>
where
    E: TryFrom<i32, Error = prost::UnknownEnumValue> + Default + PartialEq,
{
    let value = E::try_from(number)
        .map_err(|unknown| malformed(field, format!("{} is none of its values", unknown.0)))?;
    Ok((value != E::default()).then_some(value))
}

macro_rules! pairs {
    ($ours:ty, $wire:ty; $($variant:ident = $named:ident,)*) => {
        impl From<$ours> for $wire {
            fn from(value: $ours) -> Self {
                match value { $(<$ours>::$variant => Self::$named,)* }
            }
        }

        impl TryFrom<$wire> for $ours {
            type Error = UnknownValue;

            fn try_from(value: $wire) -> Result<Self, UnknownValue> {
                match value {
                    $(<$wire>::$named => Ok(Self::$variant),)*
                    other => Err(UnknownValue(other.as_str_name())),
                }
            }
        }
    };
}

/// A value of an enumeration that has no meaning here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0} is not supported by this version")]
pub struct UnknownValue(&'static str);

pairs! { HashAlgorithm, v1::HashAlgorithm; Sha256 = Sha256, Sha384 = Sha384, Sha512 = Sha512, }

pairs! { Algorithm, v1::Algorithm;
    EcdsaP256Sha256 = EcdsaP256Sha256,
    EcdsaP384Sha384 = EcdsaP384Sha384,
    EcdsaP521Sha512 = EcdsaP521Sha512,
    Ed25519 = Ed25519,
    RsaPkcs1_2048Sha256 = RsaPkcs12048Sha256,
    RsaPkcs1_3072Sha256 = RsaPkcs13072Sha256,
    RsaPkcs1_4096Sha256 = RsaPkcs14096Sha256,
    RsaPkcs1_4096Sha512 = RsaPkcs14096Sha512,
    RsaPss2048Sha256 = RsaPss2048Sha256,
    RsaPss3072Sha256 = RsaPss3072Sha256,
    RsaPss4096Sha256 = RsaPss4096Sha256,
    RsaPss4096Sha512 = RsaPss4096Sha512,
}

/// The algorithm that a number of the wire stands for.
///
/// # Errors
/// `MALFORMED_REQUEST` for one that is unspecified or unknown.
pub fn algorithm(field: &str, number: i32) -> Result<Algorithm, Refusal> {
    choice::<v1::Algorithm>(field, number)?
        .ok_or_else(|| malformed(field, "expected an algorithm"))?
        .try_into()
        .map_err(|why: UnknownValue| malformed(field, why))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn every_algorithm_has_its_number_and_the_same_name() {
        for ours in Algorithm::ALL {
            let wire = v1::Algorithm::from(*ours);
            let name = format!("ALGORITHM_{}", ours.name().to_uppercase().replace('-', "_"));
            assert_eq!(wire.as_str_name(), name);
            assert_eq!(algorithm("algorithm", wire as i32).unwrap(), *ours);
        }
        for bad in [0, 13, 99, -1] {
            let refusal = algorithm("algorithm", bad).unwrap_err();
            assert!(refusal.message.starts_with("algorithm: "), "{refusal}");
        }
    }

    #[test]
    fn names_and_lengths_are_refused_with_the_field_and_what_was_expected() {
        assert_eq!(key("key", "release/linux").unwrap().as_str(), "release/linux");
        assert!(key("key", "Release").unwrap_err().message.starts_with("key: `Release` is no segment"));
        let zero = v1::VersionName { key: "a".into(), version: 0 };
        assert!(version("target.version", &zero).unwrap_err().message.contains("from 1"));
        assert_eq!(hash("leaf_hash", &[1; 31]).unwrap_err().message, "leaf_hash: expected 32 bytes, got 31");
        assert!(
            choice::<v1::ReceiptDetail>("receipt", 9).unwrap_err().message.contains("none of its values")
        );
        assert_eq!(choice::<v1::ReceiptDetail>("receipt", 0).unwrap(), None);
        assert_eq!(choice::<v1::ReceiptDetail>("receipt", 3).unwrap(), Some(v1::ReceiptDetail::Full));
    }
}
