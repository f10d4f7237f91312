//! Images: cosign's simple signing, built here or recognised.

use bytes::Bytes;
use proto::algorithm::HashAlgorithm;
use proto::canonical::Map;
use proto::digest::Digest;
use proto::purpose::Kind;
use proto::refusal::Refusal;
use serde::Serialize;
use serde_json::Value;

use super::{Body, Reading, invalid, json};

/// `critical.type` of simple signing as cosign writes it.
const TYPE: &str = "cosign container image signature";

#[derive(Serialize)]
struct SimpleSigning<'a> {
    critical: Critical<'a>,
    // cosign writes null where there is none; verifiers read either.
    optional: Option<&'a Map<String>>,
}

#[derive(Serialize)]
struct Critical<'a> {
    identity: Identity<'a>,
    image: Image,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct Identity<'a> {
    #[serde(rename = "docker-reference")]
    reference: &'a str,
}

#[derive(Serialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Builds the document for any OCI descriptor.
pub(super) fn build(reference: &str, digest: &Digest, annotations: &Map<String>) -> Result<Reading, Refusal> {
    check_reference(reference)?;
    if digest.algorithm() != HashAlgorithm::Sha256 {
        return Err(invalid(format!(
            "an image is named by its sha256 digest, not by {}",
            digest.algorithm()
        )));
    }
    for (name, value) in annotations.iter() {
        if name.is_empty() || name.len() + value.len() > 4096 {
            return Err(invalid(
                "an annotation of an image has a name, and at most 4,096 bytes with its value",
            ));
        }
    }
    let document = SimpleSigning {
        critical: Critical {
            identity: Identity { reference },
            image: Image { digest: digest.to_string() },
            kind: TYPE,
        },
        optional: (!annotations.is_empty()).then_some(annotations),
    };
    let built = serde_json::to_vec(&document).map_err(|e| invalid(e.to_string()))?;
    let built = Bytes::from(built);
    Ok(Reading { built: built.clone(), ..read(built)? })
}

/// Reads a simple-signing document.
pub(super) fn read(message: Bytes) -> Result<Reading, Refusal> {
    let value = json::parse(&message)
        .map_err(|e| invalid(format!("the simple-signing document has no single reading: {e}")))?;
    let critical =
        value.get("critical").ok_or_else(|| invalid("expected simple signing with the key `critical`"))?;
    let text = |path: &str| critical.pointer(path).and_then(Value::as_str);
    let digest = text("/image/docker-manifest-digest");
    let digest: Digest = digest.and_then(|text| text.parse().ok()).ok_or_else(|| {
        invalid("expected critical.image.docker-manifest-digest as sha256:<64 lower-case hex digits>")
    })?;
    let reference = text("/identity/docker-reference");
    let reference = reference.ok_or_else(|| invalid("expected critical.identity.docker-reference"))?;
    if text("/type").is_none() {
        return Err(invalid("expected critical.type"));
    }
    // The identity of a foreign document may carry a tag: policy sees the repository.
    let repository = Some(reference).filter(|r| !r.is_empty()).map(repository_of);
    Ok(Reading {
        kind: Kind::Oci,
        body: Body::Message(message),
        repository,
        predicate_type: None,
        subjects: vec![digest.to_string()],
        built: Bytes::new(),
    })
}

fn repository_of(reference: &str) -> String {
    let reference = reference.split_once('@').map_or(reference, |(before, _)| before);
    match reference.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before.to_owned(),
        _ => reference.to_owned(),
    }
}

/// `registry/repository` of the OCI distribution specification, without tag and digest.
fn check_reference(reference: &str) -> Result<(), Refusal> {
    if reference.contains('@') {
        return Err(invalid(
            "the reference must not carry a digest: give `registry/repository` and the digest apart",
        ));
    }
    if repository_of(reference) != reference {
        return Err(invalid(format!(
            "`{reference}` carries a tag, which can move: sign the digest, and give `registry/repository` alone"
        )));
    }
    let end = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let (registry, path) =
        reference.split_once('/').ok_or_else(|| invalid("expected `registry/repository`"))?;
    let host = registry.split_once(':').map_or(registry, |(host, _)| host);
    let port =
        registry.split_once(':').is_none_or(|(_, port)| !port.is_empty() && port.parse::<u16>().is_ok());
    let host_ok =
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    let component = |text: &str| {
        end(text.bytes().next())
            && end(text.bytes().last())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
    };
    if reference.len() <= 255 && port && host_ok && path.split('/').all(component) {
        Ok(())
    } else {
        Err(invalid(
            "expected `registry/repository`: a host, an optional port, and lower-case path components",
        ))
    }
}
