//! Digests on the wire.

use super::v1;
use super::value::{UnknownValue, choice};
use crate::algorithm::HashAlgorithm;
use crate::digest::{Digest, DigestError, Digests};
use crate::reason::Reason;
use crate::refusal::Refusal;

fn invalid(field: &str, why: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::InvalidDigest, format!("{field}: {why}")).with("field", field)
}

/// A digest of the length that its hash has.
///
/// # Errors
/// `INVALID_DIGEST` that says which length was expected, `MALFORMED_REQUEST` for an unknown hash.
pub fn digest(field: &str, wire: &v1::Digest) -> Result<Digest, Refusal> {
    let algorithm: HashAlgorithm = choice::<v1::HashAlgorithm>(field, wire.algorithm)?
        .ok_or_else(|| invalid(field, "expected a hash algorithm: sha256, sha384 or sha512"))?
        .try_into()
        .map_err(|why: UnknownValue| invalid(field, why))?;
    Digest::new(algorithm, &wire.value).map_err(|why| match why {
        DigestError::Length { algorithm, .. } => {
            invalid(field, &why).with("expected_length", algorithm.length())
        }
        other => invalid(field, other),
    })
}

/// 1 to 3 digests, each of another hash.
///
/// # Errors
/// As [`digest`], and `INVALID_DIGEST` for none, for too many, or for one hash twice.
pub fn digests(field: &str, wire: &[v1::Digest]) -> Result<Digests, Refusal> {
    if wire.len() > HashAlgorithm::ALL.len() {
        return Err(invalid(field, DigestError::Count(wire.len())));
    }
    let digests = wire.iter().map(|one| digest(field, one)).collect::<Result<Vec<_>, _>>()?;
    Digests::new(digests).map_err(|why| invalid(field, why))
}

/// A digest as a message.
pub fn to_wire(digest: &Digest) -> v1::Digest {
    v1::Digest {
        algorithm: v1::HashAlgorithm::from(digest.algorithm()) as i32,
        value: digest.value().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn digests_read_back() {
        for algorithm in HashAlgorithm::ALL {
            let ours = Digest::of(algorithm, b"abc");
            assert_eq!(digest("digest", &to_wire(&ours)).unwrap(), ours);
        }
    }

    #[test]
    fn wrong_lengths_hashes_and_counts_are_refused_with_what_was_expected() {
        let wire = |algorithm: i32, length: usize| v1::Digest { algorithm, value: vec![1; length] };
        let short = digest("digest", &wire(1, 20)).unwrap_err();
        assert_eq!(short.reason, Reason::InvalidDigest);
        assert_eq!(short.message, "digest: a sha256 digest has 32 bytes, this one has 20");
        assert_eq!(short.metadata.get("expected_length").map(String::as_str), Some("32"));
        assert!(digest("digest", &wire(0, 32)).unwrap_err().message.contains("sha256, sha384 or sha512"));
        assert_eq!(digest("digest", &wire(9, 32)).unwrap_err().reason, Reason::MalformedRequest);
        for bad in [vec![], vec![wire(1, 32), wire(1, 32)], vec![wire(1, 32); 4]] {
            assert_eq!(digests("digests", &bad).unwrap_err().reason, Reason::InvalidDigest, "{}", bad.len());
        }
    }
}
