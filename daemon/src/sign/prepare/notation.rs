//! Notation: the exact JWS or COSE signing input that its plug-in was handed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use proto::purpose::Kind;
use proto::refusal::Refusal;
use serde_json::Value;

use super::{Body, Reading, invalid, json};

/// Media type of Notation's payload.
const PAYLOAD: &str = "application/vnd.cncf.notary.payload.v1+json";

/// What a COSE Sig_structure of COSE_Sign1 begins with: an array of four, then the text `Signature1` (RFC 9052, 4.4).
const COSE: &[u8] = b"\x84\x6aSignature1";

/// Reads a signing input; `None` where these bytes are none of Notation's.
pub(super) fn read(message: &Bytes) -> Result<Option<Reading>, Refusal> {
    let payload = match (jws(message)?, cose(message)?) {
        (Some(payload), _) | (None, Some(payload)) => payload,
        (None, None) => return Ok(None),
    };
    let value = json::parse(&payload)
        .map_err(|e| invalid(format!("the Notation payload has no single reading: {e}")))?;
    let digest = value.pointer("/targetArtifact/digest").and_then(Value::as_str);
    let digest =
        digest.filter(|text| text.len() <= 256).ok_or_else(|| invalid("expected targetArtifact.digest"))?;
    Ok(Some(Reading {
        kind: Kind::Notation,
        body: Body::Message(message.clone()),
        repository: None,
        predicate_type: None,
        subjects: vec![digest.to_owned()],
        built: Bytes::new(),
    }))
}

/// The payload of a JWS signing input whose protected header speaks of Notation.
fn jws(message: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(dot) = message.iter().position(|b| *b == b'.') else { return Ok(None) };
    let Ok(header) = URL_SAFE_NO_PAD.decode(&message[..dot]) else { return Ok(None) };
    let speaks = header.windows(PAYLOAD.len()).any(|window| window.eq_ignore_ascii_case(PAYLOAD.as_bytes()))
        || header.windows(15).any(|window| window.eq_ignore_ascii_case(b"io.cncf.notary."));
    if !speaks {
        return Ok(None);
    }
    let header =
        json::parse(&header).map_err(|e| invalid(format!("the JWS header has no single reading: {e}")))?;
    if header.get("cty").and_then(Value::as_str) != Some(PAYLOAD) {
        return Err(invalid(format!("expected the JWS header's `cty` to be {PAYLOAD}")));
    }
    let payload = URL_SAFE_NO_PAD.decode(&message[dot + 1..]);
    payload
        .map(Some)
        .map_err(|e| invalid(format!("expected the JWS payload in base64url without padding: {e}")))
}

/// The payload of a COSE Sig_structure whose protected header speaks of Notation.
fn cose(message: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(rest) = message.strip_prefix(COSE) else { return Ok(None) };
    let whole = || {
        let (protected, rest) = byte_string(rest)?;
        let (external, rest) = byte_string(rest)?;
        let (payload, rest) = byte_string(rest)?;
        (external.is_empty() && rest.is_empty()).then_some((protected, payload))
    };
    let (protected, payload) = whole().ok_or_else(|| {
        invalid("expected a COSE Sig_structure of COSE_Sign1: three byte strings, the second empty, nothing after them")
    })?;
    if !protected.windows(PAYLOAD.len()).any(|window| window == PAYLOAD.as_bytes()) {
        return Err(invalid(format!("expected {PAYLOAD} as content type in the COSE protected header")));
    }
    Ok(Some(payload.to_vec()))
}

/// A definite-length CBOR byte string in its shortest form (RFC 8949, 3.1 and 4.2.1), and what follows it.
fn byte_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (width, least) = match first {
        0x40..=0x57 => return rest.split_at_checked(usize::from(first - 0x40)),
        0x58 => (1, 24),
        0x59 => (2, 1 << 8),
        0x5a => (4, 1 << 16),
        _ => return None,
    };
    let (length, rest) = rest.split_at_checked(width)?;
    let length = length.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
    if length < least { None } else { rest.split_at_checked(length) }
}
