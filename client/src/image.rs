//! Images by digest, and the document that is signed for them (cosign's simple signing).
//!
//! Promises: a tag is never taken for an image, because a tag can be moved after it was looked at; a document is believed only if
//! it has one reading (no unknown and no duplicate fields where meaning lies). Deliberately never asks a registry.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use proto::algorithm::HashAlgorithm;
use proto::digest::Digest;
use serde::Deserialize;

/// An image, index, chart or any other descriptor of a registry: `registry/repository@sha256:<hex>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `registry/repository`, without tag and digest.
    pub repository: String,
    /// SHA-256 of the manifest or index.
    pub digest: Digest,
}

/// Why a text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// There is no digest: a tag, or nothing.
    #[error(
        "`{0}` names no digest: a tag can be moved after it was looked at, so only `REPOSITORY@sha256:…` can be signed or checked"
    )]
    Tag(String),
    /// A tag and a digest.
    #[error(
        "`{reference}` carries a tag beside its digest; the signed document would name `{repository}` only"
    )]
    TagAndDigest {
        /// The whole text.
        reference: String,
        /// The part that can be signed.
        repository: String,
    },
    /// The digest is not a SHA-256.
    #[error("`{0}` is not a digest of an image: expected `sha256:` and 64 lower-case hex digits")]
    Digest(String),
    /// There is no repository before the digest.
    #[error("`{0}` names no repository: expected `REGISTRY/REPOSITORY@sha256:…`")]
    Repository(String),
}

impl ImageError {
    /// The commands or the text that help.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::Tag(reference) => format!(
                "look up the digest that you mean, then use it:\n  crane digest {reference}\n  skopeo inspect --format '{{{{.Digest}}}}' docker://{reference}\n  \
                 docker buildx imagetools inspect {reference}"
            ),
            Self::TagAndDigest { reference, repository } => {
                let digest = reference.rsplit_once('@').map_or("", |(_, digest)| digest);
                format!("use {repository}@{digest}")
            }
            Self::Digest(_) | Self::Repository(_) => "correct the reference".to_owned(),
        }
    }
}

/// The tag of `registry:port/repository:tag`, where there is one.
fn split_tag(reference: &str) -> (&str, Option<&str>) {
    let segment = reference.rfind('/').map_or(0, |slash| slash + 1);
    match reference[segment..].rfind(':') {
        Some(colon) => (&reference[..segment + colon], Some(&reference[segment + colon + 1..])),
        None => (reference, None),
    }
}

impl FromStr for Image {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        let Some((reference, digest)) = text.split_once('@') else {
            return Err(ImageError::Tag(text.to_owned()));
        };
        let digest = match digest.parse::<Digest>() {
            Ok(found) if found.algorithm() == HashAlgorithm::Sha256 => found,
            _ => return Err(ImageError::Digest(digest.to_owned())),
        };
        match split_tag(reference) {
            (repository, Some(_)) => Err(ImageError::TagAndDigest {
                reference: text.to_owned(),
                repository: repository.to_owned(),
            }),
            (repository, None)
                if repository.is_empty()
                    || repository.contains(|c: char| c.is_whitespace() || c.is_control()) =>
            {
                Err(ImageError::Repository(text.to_owned()))
            }
            (repository, None) => Ok(Self { repository: repository.to_owned(), digest }),
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}

/// What cosign calls the type of the document.
const DOCUMENT_TYPE: &str = "cosign container image signature";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    critical: Critical,
    #[serde(default)]
    optional: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Critical {
    identity: Identity,
    image: Manifest,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Why a document does not speak for an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not a simple signing document, or one with more than one reading.
    #[error("the signed bytes are no simple signing document: {0}")]
    Shape(String),
    /// It speaks for another image.
    #[error("the signed document speaks for {found}, not for {expected}")]
    Other {
        /// What it should name.
        expected: String,
        /// What it names.
        found: String,
    },
    /// Its annotations are not those that were asked for.
    #[error("the signed document carries other annotations than those asked for")]
    Annotations,
}

impl Image {
    /// Checks that a document speaks for this image, and for nothing else.
    ///
    /// # Errors
    /// [`DocumentError`] says what it speaks for instead.
    pub fn is_subject_of(&self, document: &[u8]) -> Result<(), DocumentError> {
        self.read(document).map(|_optional| ())
    }

    /// The same, and that it carries exactly these annotations.
    ///
    /// # Errors
    /// As [`Image::is_subject_of`], and [`DocumentError::Annotations`].
    pub fn is_subject_with(
        &self,
        document: &[u8],
        annotations: &BTreeMap<String, String>,
    ) -> Result<(), DocumentError> {
        let found = self.read(document)?;
        let expected: BTreeMap<String, serde_json::Value> = annotations
            .iter()
            .map(|(name, value)| (name.clone(), serde_json::Value::String(value.clone())))
            .collect();
        if found == expected { Ok(()) } else { Err(DocumentError::Annotations) }
    }

    fn read(&self, document: &[u8]) -> Result<BTreeMap<String, serde_json::Value>, DocumentError> {
        let document: Document =
            serde_json::from_slice(document).map_err(|cause| DocumentError::Shape(cause.to_string()))?;
        let Critical { identity, image, kind } = document.critical;
        if kind != DOCUMENT_TYPE {
            return Err(DocumentError::Shape(format!("its type is `{kind}`, expected `{DOCUMENT_TYPE}`")));
        }
        let (found, expected) = (format!("{}@{}", identity.reference, image.digest), self.to_string());
        if found != expected {
            return Err(DocumentError::Other { expected, found });
        }
        Ok(document.optional.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn document(reference: &str, hex: &str, more: &str) -> String {
        format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"{reference}"}},"image":{{"docker-manifest-digest":"sha256:{hex}"}},"type":"cosign container image signature"}}{more}}}"#
        )
    }

    #[test]
    fn only_a_digest_names_an_image() {
        let good = format!("registry.example.org:5000/team/app@sha256:{HEX}");
        let image: Image = good.parse().unwrap();
        assert_eq!(image.repository, "registry.example.org:5000/team/app");
        assert_eq!(image.to_string(), good);
        assert!(matches!("registry.example.org:5000/app".parse::<Image>(), Err(ImageError::Tag(_))));
        let tag = "registry.example.org/app:1.2".parse::<Image>().unwrap_err();
        assert!(matches!(tag, ImageError::Tag(_)));
        assert!(tag.advice().contains("crane digest registry.example.org/app:1.2"), "{}", tag.advice());
        assert!(tag.advice().contains("--format '{{.Digest}}'"), "{}", tag.advice());
        let both = format!("r:5000/app:1.2@sha256:{HEX}").parse::<Image>().unwrap_err();
        assert_eq!(both.advice(), format!("use r:5000/app@sha256:{HEX}"));
        assert!(matches!(format!("app@sha512:{HEX}{HEX}").parse::<Image>(), Err(ImageError::Digest(_))));
        assert!(matches!("app@sha256:00".parse::<Image>(), Err(ImageError::Digest(_))));
        assert!(matches!(format!("@sha256:{HEX}").parse::<Image>(), Err(ImageError::Repository(_))));
        assert!(matches!(format!("a b@sha256:{HEX}").parse::<Image>(), Err(ImageError::Repository(_))));
    }

    #[test]
    fn a_document_speaks_for_exactly_one_image() {
        let image: Image = format!("r/app@sha256:{HEX}").parse().unwrap();
        assert_eq!(image.is_subject_of(document("r/app", HEX, r#","optional":null"#).as_bytes()), Ok(()));
        assert_eq!(image.is_subject_of(document("r/app", HEX, "").as_bytes()), Ok(()));
        let other = HEX.replace('e', "f");
        for (text, what) in [
            (document("r/app2", HEX, ""), "another repository"),
            (document("r/app", &other, ""), "another digest"),
            (document("r/app", HEX, r#","Critical":{}"#), "a second reading"),
            (document("r/app", HEX, r#","critical":{}"#), "a duplicate"),
            (document("r/app", HEX, "") + "x", "trailing bytes"),
            (document("r/app", HEX, "").replace("cosign container", "other"), "another type"),
        ] {
            assert!(image.is_subject_of(text.as_bytes()).is_err(), "{what}");
        }
        let annotations = BTreeMap::from([("commit".to_owned(), "abc".to_owned())]);
        let with = document("r/app", HEX, r#","optional":{"commit":"abc"}"#);
        assert_eq!(image.is_subject_with(with.as_bytes(), &annotations), Ok(()));
        assert_eq!(image.is_subject_with(with.as_bytes(), &BTreeMap::new()), Err(DocumentError::Annotations));
    }
}
