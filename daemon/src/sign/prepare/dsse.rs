//! DSSE: pre-authentication encodings and the in-toto statements inside.

use bytes::Bytes;
use proto::purpose::Kind;
use proto::refusal::Refusal;
use serde_json::Value;

use super::{Body, Reading, invalid, json};

/// The payload type of in-toto statements.
pub(super) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// What every encoding begins with.
pub(super) const BEGIN: &[u8] = b"DSSEv1 ";

/// Longest payload type in bytes: it is the name of a kind, too.
const LONGEST_TYPE: usize = 256;

/// `PAE(type, body)` of the DSSE specification v1.
pub(super) fn encode(payload_type: &str, payload: &[u8]) -> Result<Vec<u8>, Refusal> {
    if payload_type.is_empty() || payload_type.len() > LONGEST_TYPE {
        return Err(invalid(format!(
            "a DSSE payload type has 1 to {LONGEST_TYPE} bytes, this one has {}",
            payload_type.len()
        )));
    }
    let mut out = Vec::with_capacity(payload.len() + payload_type.len() + 32);
    out.extend_from_slice(
        format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).as_bytes(),
    );
    out.extend_from_slice(payload);
    Ok(out)
}

/// Type and payload of a pre-authentication encoding; `None` where these bytes are none that any verifier would make.
pub(super) fn decode(encoding: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = number(encoding.strip_prefix(BEGIN)?)?;
    let (payload_type, rest) = rest.split_at_checked(length)?;
    let (length, payload) = number(rest.strip_prefix(b" ")?)?;
    (payload.len() == length).then_some((std::str::from_utf8(payload_type).ok()?, payload))
}

/// A decimal number without leading zeros, and what follows the space after it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().take(20).position(|b| *b == b' ')?;
    let (digits, rest) = (&bytes[..end], &bytes[end + 1..]);
    let plain = digits.iter().all(u8::is_ascii_digit) && (digits == b"0" || digits.first() != Some(&b'0'));
    let number = plain.then(|| std::str::from_utf8(digits).ok()?.parse().ok())??;
    Some((number, rest))
}

/// Reads a payload. In-toto statements must have one reading; other types are signed by their type alone.
pub(super) fn read(payload_type: &str, payload: &[u8], encoding: Bytes) -> Result<Reading, Refusal> {
    if payload_type.is_empty() || payload_type.len() > LONGEST_TYPE {
        return Err(invalid(format!("a DSSE payload type has 1 to {LONGEST_TYPE} bytes")));
    }
    let mut reading = Reading {
        kind: Kind::Dsse(payload_type.to_owned()),
        body: Body::Message(encoding),
        repository: None,
        predicate_type: None,
        subjects: vec![],
        built: Bytes::new(),
    };
    if payload_type.eq_ignore_ascii_case(IN_TOTO) {
        if payload_type != IN_TOTO {
            return Err(invalid(format!("`{payload_type}` must be written {IN_TOTO}")));
        }
        let (predicate, subjects) = statement(payload)?;
        reading.kind = Kind::Dsse(predicate.clone());
        reading.predicate_type = Some(predicate);
        reading.subjects = subjects;
    }
    Ok(reading)
}

/// Predicate type and subjects of an in-toto Statement (v0.1 and v1).
fn statement(payload: &[u8]) -> Result<(String, Vec<String>), Refusal> {
    let value = json::parse(payload)
        .map_err(|e| invalid(format!("the in-toto statement has no single reading: {e}")))?;
    let Value::Object(fields) = &value else {
        return Err(invalid("expected an in-toto statement: a JSON object"));
    };
    if let Some(unknown) =
        fields.keys().find(|k| !matches!(k.as_str(), "_type" | "subject" | "predicateType" | "predicate"))
    {
        return Err(invalid(format!(
            "`{}` is no field of an in-toto statement: expected _type, subject, predicateType and predicate",
            unknown.chars().take(80).collect::<String>()
        )));
    }
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    if !matches!(text("_type"), Some("https://in-toto.io/Statement/v1" | "https://in-toto.io/Statement/v0.1"))
    {
        return Err(invalid(
            "expected `_type` https://in-toto.io/Statement/v1 or https://in-toto.io/Statement/v0.1",
        ));
    }
    let predicate = text("predicateType").filter(|text| !text.is_empty() && text.len() <= 256);
    let predicate = predicate.ok_or_else(|| invalid("expected a `predicateType` of 1 to 256 bytes"))?;
    let list = fields.get("subject").and_then(Value::as_array).filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| invalid("expected at least one `subject`"))?;
    let mut subjects = vec![];
    for subject in list {
        let digests = subject.get("digest").and_then(Value::as_object).filter(|digests| !digests.is_empty());
        let digests =
            digests.ok_or_else(|| invalid("every `subject` needs a `digest` with at least one entry"))?;
        for (hash, value) in digests {
            let value = value.as_str().filter(|v| !v.is_empty() && v.len() <= 256);
            let value = value.ok_or_else(|| invalid("a subject's digest is a text of 1 to 256 bytes"))?;
            if hash.len() > 32 {
                return Err(invalid("the name of a subject's hash has at most 32 bytes"));
            }
            subjects.push(format!("{hash}:{value}"));
        }
    }
    Ok((predicate.to_owned(), subjects))
}
