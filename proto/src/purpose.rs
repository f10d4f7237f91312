//! Kinds of input, and the purposes of keys.
//!
//! The kind is decided by the bytes, whatever the caller calls them. A purpose is fixed when a key is made: a set of
//! kinds, or `digest` alone.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The predicate type under which cosign signs images: the same thing as simple signing.
pub const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// What the bytes to be signed are.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A bare digest: nobody can see what is signed.
    Digest,
    /// Bytes of no known format.
    Blob,
    /// A container image or other OCI artefact, as cosign simple signing.
    Oci,
    /// A DSSE envelope's payload: the in-toto predicate type, or the payload type of anything else.
    Dsse(String),
    /// The JWS or COSE signing input of Notation.
    Notation,
    /// A TBSCertificate, CertificationRequestInfo or TBSCertList (RFC 5280).
    X509,
    /// A C2SP signed note, of which log checkpoints are one kind. No key signs it through `Sign`.
    Note,
    /// TUF metadata. No key signs it through `Sign`.
    Tuf,
    /// A proof of possession: what a new key signs in its ceremony, and no key through `Sign`.
    Possession,
}

impl Kind {
    /// Whether a signature over it is one over an image.
    pub fn is_image(&self) -> bool {
        match self {
            Self::Oci => true,
            Self::Dsse(predicate) => predicate == COSIGN_SIGN,
            _ => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digest => "digest",
            Self::Blob => "blob",
            Self::Oci => "oci",
            Self::Dsse(predicate) => return write!(f, "dsse:{predicate}"),
            Self::Notation => "notation",
            Self::X509 => "x509",
            Self::Note => "note",
            Self::Tuf => "tuf",
            Self::Possession => "possession",
        })
    }
}

/// Why a text is no kind, or kinds are no purpose.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PurposeError {
    /// No such kind.
    #[error("`{0}` is no kind of input: expected digest, blob, oci, notation, x509 or dsse:<predicate type>")]
    Kind(String),
    /// No kinds at all.
    #[error(
        "a key needs at least one purpose: digest, or some of blob, oci, notation, x509, dsse:<predicate type>"
    )]
    Empty,
    /// `digest` beside others.
    #[error("`digest` stands alone: a key that signs what nobody sees signs nothing else")]
    DigestAlone,
    /// Images beside other attestations.
    #[error(
        "a key signs images or other attestations, never both: verifiers take any attestation of a key for its \
         signature on the image"
    )]
    ImagesAlone,
    /// Kinds that no key signs through `Sign`.
    #[error(
        "signed notes and TUF metadata are signed by keys that cannot be reached through Sign, and proofs of possession \
         in ceremonies alone"
    )]
    Reserved,
}

impl FromStr for Kind {
    type Err = PurposeError;

    fn from_str(text: &str) -> Result<Self, PurposeError> {
        Ok(match text {
            "digest" => Self::Digest,
            "blob" => Self::Blob,
            "oci" => Self::Oci,
            "notation" => Self::Notation,
            "x509" => Self::X509,
            "note" => Self::Note,
            "tuf" => Self::Tuf,
            "possession" => Self::Possession,
            _ => match text.strip_prefix("dsse:") {
                Some(predicate) if !predicate.is_empty() && predicate.len() <= 256 => {
                    Self::Dsse(predicate.to_owned())
                }
                _ => return Err(PurposeError::Kind(text.chars().take(80).collect())),
            },
        })
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::canonical::parse_str(deserializer)
    }
}

/// What a key is for: a set of kinds, or `digest` alone. In JSON a sorted list of kinds.
///
/// Invariant: a purpose that signs images signs no other attestations, and one that signs digests signs nothing else
/// (tested by `purposes_that_verifiers_would_confuse_cannot_be_made`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Vec<Kind>", into = "Vec<Kind>")]
pub struct Purpose(BTreeSet<Kind>);

impl Purpose {
    /// The purpose of these kinds.
    ///
    /// # Errors
    /// [`PurposeError`], the rule that they break.
    pub fn new(kinds: impl IntoIterator<Item = Kind>) -> Result<Self, PurposeError> {
        let kinds: BTreeSet<Kind> = kinds.into_iter().collect();
        let others = kinds.iter().any(|kind| matches!(kind, Kind::Dsse(_)) && !kind.is_image());
        if kinds.is_empty() {
            Err(PurposeError::Empty)
        } else if kinds.contains(&Kind::Digest) && kinds.len() > 1 {
            Err(PurposeError::DigestAlone)
        } else if [Kind::Note, Kind::Tuf, Kind::Possession].iter().any(|kind| kinds.contains(kind)) {
            Err(PurposeError::Reserved)
        } else if others && kinds.iter().any(Kind::is_image) {
            Err(PurposeError::ImagesAlone)
        } else {
            Ok(Self(kinds))
        }
    }

    /// Whether the key may sign this kind. The two forms of an image signature count as one.
    pub fn allows(&self, kind: &Kind) -> bool {
        self.0.contains(kind) || (kind.is_image() && self.0.iter().any(Kind::is_image))
    }

    /// The kinds, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.0.iter()
    }
}

impl TryFrom<Vec<Kind>> for Purpose {
    type Error = PurposeError;

    fn try_from(kinds: Vec<Kind>) -> Result<Self, PurposeError> {
        Self::new(kinds)
    }
}

impl From<Purpose> for Vec<Kind> {
    fn from(purpose: Purpose) -> Self {
        purpose.0.into_iter().collect()
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.0.iter().map(Kind::to_string).collect();
        f.write_str(&kinds.join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn purpose(kinds: &[&str]) -> Result<Purpose, PurposeError> {
        Purpose::new(kinds.iter().map(|kind| kind.parse().unwrap()))
    }

    #[test]
    fn purposes_that_verifiers_would_confuse_cannot_be_made() {
        let cosign = format!("dsse:{COSIGN_SIGN}");
        assert_eq!(purpose(&[]), Err(PurposeError::Empty));
        assert_eq!(purpose(&["digest", "blob"]), Err(PurposeError::DigestAlone));
        assert_eq!(purpose(&["oci", "dsse:https://slsa.dev/provenance/v1"]), Err(PurposeError::ImagesAlone));
        assert_eq!(
            purpose(&[&cosign, "dsse:https://slsa.dev/provenance/v1"]),
            Err(PurposeError::ImagesAlone)
        );
        assert_eq!(purpose(&["note"]), Err(PurposeError::Reserved));
        assert_eq!(purpose(&["possession"]), Err(PurposeError::Reserved));
        assert!(purpose(&["oci"]).unwrap().allows(&cosign.parse().unwrap()));
        assert!(purpose(&[&cosign]).unwrap().allows(&Kind::Oci));
        assert!(!purpose(&["blob"]).unwrap().allows(&Kind::Digest));
        assert!(!purpose(&["digest"]).unwrap().allows(&Kind::Blob));
    }

    #[test]
    fn kinds_are_read_back() {
        for text in [
            "digest",
            "blob",
            "oci",
            "notation",
            "x509",
            "note",
            "tuf",
            "possession",
            "dsse:https://slsa.dev/provenance/v1",
        ] {
            assert_eq!(text.parse::<Kind>().unwrap().to_string(), text);
        }
        for bad in ["", "dsse:", "OCI", "image"] {
            assert!(matches!(bad.parse::<Kind>(), Err(PurposeError::Kind(_))), "{bad}");
        }
    }
}
