//! From messages to requests: everything that a request can be refused for without knowing any key.

use std::collections::{BTreeMap, HashSet};

use proto::reason::Reason;
use proto::record::detail::{ANNOTATIONS, LONGEST_ANNOTATION};
use proto::refusal::Refusal;
use proto::wire::v1::{self, sign_request};
use proto::wire::{digest, value};

use crate::sign::prepare::LONGEST_MESSAGE;
use crate::sign::{Encoding, Input, ReceiptDetail, SignRequest, VersionChoice};

/// Most items of a batch.
const ITEMS: usize = 1000;

/// Longest request id in bytes.
const LONGEST_ID: usize = 128;

/// Longest payload type of DSSE in bytes.
const LONGEST_TYPE: usize = 256;

/// Reads one request.
///
/// # Errors
/// `MALFORMED_REQUEST`, `INVALID_DIGEST` or `INPUT_TOO_LARGE`, with the field and what was expected.
pub fn one(wire: v1::SignRequest) -> Result<SignRequest, Refusal> {
    Ok(SignRequest {
        key: value::key("key", &wire.key)?,
        request_id: request_id(wire.request_id)?,
        annotations: annotations("annotations", wire.annotations)?.into_iter().collect(),
        encoding: match value::choice::<v1::SignatureEncoding>("encoding", wire.encoding)? {
            Some(v1::SignatureEncoding::Der) => Encoding::Der,
            Some(v1::SignatureEncoding::Fixed) => Encoding::Fixed,
            Some(v1::SignatureEncoding::Unspecified) | None => Encoding::Ecosystem,
        },
        receipt: receipt("receipt", wire.receipt)?,
        versions: match value::choice::<v1::VersionChoice>("versions", wire.versions)? {
            Some(v1::VersionChoice::Active) => VersionChoice::Active,
            Some(v1::VersionChoice::Retiring) => VersionChoice::Retiring,
            Some(v1::VersionChoice::Unspecified) | None => VersionChoice::All,
        },
        validate_only: wire.validate_only,
        input: input(wire.input)?,
    })
}

/// Reads a batch: each item by itself, so that one bad item spoils no other.
///
/// # Errors
/// Where the batch as a whole is none: no items or too many, messages that are together too long, one request id for
/// two items.
pub fn many(wire: v1::SignBatchRequest) -> Result<Vec<Result<SignRequest, Refusal>>, Refusal> {
    let count = wire.requests.len();
    if count == 0 {
        return Err(value::malformed("requests", "expected 1 to 1,000 items, got none"));
    }
    if count > ITEMS {
        let message = format!("requests: expected 1 to 1,000 items, got {count}");
        return Err(Refusal::new(Reason::InputTooLarge, message).with("field", "requests"));
    }
    let together: usize = wire.requests.iter().map(length).sum();
    if together > LONGEST_MESSAGE {
        let message = format!(
            "requests: the messages of a batch have together at most 4 MiB, these have {together} bytes"
        );
        return Err(Refusal::new(Reason::InputTooLarge, message).with("field", "requests"));
    }
    let mut ids = HashSet::new();
    for (position, request) in wire.requests.iter().enumerate() {
        if !request.request_id.is_empty() && !ids.insert(request.request_id.as_str()) {
            let field = format!("requests[{position}].request_id");
            return Err(value::malformed(&field, "another item of this batch has the same id"));
        }
    }
    let named = |(position, request)| {
        one(request).map_err(|mut refusal: Refusal| {
            refusal.message = format!("requests[{position}].{}", refusal.message);
            refusal
        })
    };
    Ok(wire.requests.into_iter().enumerate().map(named).collect())
}

fn length(request: &v1::SignRequest) -> usize {
    match &request.input {
        Some(sign_request::Input::Message(message)) => message.len(),
        Some(sign_request::Input::Dsse(dsse)) => dsse.payload.len(),
        Some(sign_request::Input::Notation(notation)) => notation.payload.len(),
        Some(sign_request::Input::Digest(_) | sign_request::Input::Oci(_)) | None => 0,
    }
}

fn input(wire: Option<sign_request::Input>) -> Result<Input, Refusal> {
    match wire {
        None => Err(value::malformed("input", "expected one of digest, message, dsse, oci, notation")),
        Some(sign_request::Input::Digest(wire)) => {
            Ok(Input::Digest(digest::digests("digest", &wire.digests)?))
        }
        Some(sign_request::Input::Message(message)) => Ok(Input::Message(short("message", message)?)),
        Some(sign_request::Input::Dsse(wire)) => {
            if !(1..=LONGEST_TYPE).contains(&wire.payload_type.len()) {
                return Err(value::malformed("dsse.payload_type", "expected 1 to 256 bytes"));
            }
            Ok(Input::Dsse { payload_type: wire.payload_type, payload: short("dsse.payload", wire.payload)? })
        }
        Some(sign_request::Input::Oci(wire)) => {
            let named =
                wire.digest.as_ref().ok_or_else(|| value::malformed("oci.digest", "expected a digest"))?;
            Ok(Input::Oci {
                reference: wire.reference,
                digest: digest::digest("oci.digest", named)?,
                annotations: annotations("oci.annotations", wire.annotations)?.into_iter().collect(),
            })
        }
        Some(sign_request::Input::Notation(wire)) => {
            Ok(Input::Notation(short("notation.payload", wire.payload)?))
        }
    }
}

fn short(field: &str, message: bytes::Bytes) -> Result<bytes::Bytes, Refusal> {
    if message.len() > LONGEST_MESSAGE {
        let message = format!("{field}: at most 4 MiB, this has {} bytes", message.len());
        return Err(Refusal::new(Reason::InputTooLarge, message).with("field", field));
    }
    Ok(message)
}

fn request_id(id: String) -> Result<Option<String>, Refusal> {
    if id.is_empty() {
        return Ok(None);
    }
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'));
    if plain && id.len() <= LONGEST_ID {
        return Ok(Some(id));
    }
    Err(value::malformed("request_id", "expected 1 to 128 of A-Z, a-z, 0-9, `.`, `_`, `:`, `-`, or nothing"))
}

fn annotations(field: &str, wire: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Refusal> {
    if wire.len() > ANNOTATIONS {
        return Err(value::malformed(
            field,
            format!("expected at most {ANNOTATIONS} entries, got {}", wire.len()),
        ));
    }
    let long = |(name, value): (&String, &String)| name.len() + value.len() > LONGEST_ANNOTATION;
    if wire.iter().any(long) || wire.contains_key("") {
        let expected = format!(
            "expected names that are not empty, and at most {LONGEST_ANNOTATION} bytes of name and value"
        );
        return Err(value::malformed(field, expected));
    }
    Ok(wire)
}

/// How much of a receipt is asked for.
///
/// # Errors
/// `MALFORMED_REQUEST` for a number that this version does not know.
pub fn receipt(field: &str, number: i32) -> Result<ReceiptDetail, Refusal> {
    Ok(match value::choice::<v1::ReceiptDetail>(field, number)? {
        Some(v1::ReceiptDetail::Index) => ReceiptDetail::Index,
        Some(v1::ReceiptDetail::Full) => ReceiptDetail::Full,
        Some(v1::ReceiptDetail::None | v1::ReceiptDetail::Unspecified) | None => ReceiptDetail::None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use bytes::Bytes;

    use super::*;

    fn message(length: usize) -> v1::SignRequest {
        let input = Some(sign_request::Input::Message(Bytes::from(vec![1; length])));
        v1::SignRequest { key: "release/linux".into(), input, ..v1::SignRequest::default() }
    }

    fn refused(change: impl FnOnce(&mut v1::SignRequest)) -> Refusal {
        let mut request = message(3);
        change(&mut request);
        one(request).unwrap_err()
    }

    #[test]
    fn a_plain_request_is_read_with_its_defaults() {
        let request = one(message(3)).unwrap();
        assert_eq!((request.encoding, request.receipt), (Encoding::Ecosystem, ReceiptDetail::None));
        assert!(request.request_id.is_none() && !request.validate_only);
    }

    #[test]
    fn each_bad_field_is_named_with_what_was_expected() {
        let cases: [(Refusal, Reason, &str); 9] = [
            (refused(|r| r.key = "Release".into()), Reason::MalformedRequest, "key: `Release`"),
            (refused(|r| r.input = None), Reason::MalformedRequest, "input: expected one of digest"),
            (
                refused(|r| r.request_id = "a b".into()),
                Reason::MalformedRequest,
                "request_id: expected 1 to 128",
            ),
            (refused(|r| r.request_id = "a".repeat(129)), Reason::MalformedRequest, "request_id: "),
            (refused(|r| r.encoding = 7), Reason::MalformedRequest, "encoding: 7"),
            (refused(|r| r.receipt = 7), Reason::MalformedRequest, "receipt: 7"),
            (
                refused(|r| r.annotations = (0..17).map(|n| (n.to_string(), String::new())).collect()),
                Reason::MalformedRequest,
                "annotations: expected at most 16",
            ),
            (
                refused(|r| r.annotations = [("n".to_owned(), "x".repeat(256))].into()),
                Reason::MalformedRequest,
                "annotations: ",
            ),
            (
                refused(|r| {
                    let digests = vec![v1::Digest { algorithm: 1, value: vec![0; 20] }];
                    r.input = Some(sign_request::Input::Digest(v1::DigestInput { digests }));
                }),
                Reason::InvalidDigest,
                "digest: a sha256 digest has 32 bytes, this one has 20",
            ),
        ];
        for (refusal, reason, begin) in cases {
            assert_eq!(refusal.reason, reason, "{refusal}");
            assert!(refusal.message.starts_with(begin), "{refusal}");
        }
    }

    #[test]
    fn messages_beyond_the_bound_are_refused_alone_and_together() {
        assert!(one(message(LONGEST_MESSAGE)).is_ok());
        let refusal = one(message(LONGEST_MESSAGE + 1)).unwrap_err();
        assert_eq!(refusal.reason, Reason::InputTooLarge);
        let half = LONGEST_MESSAGE / 2;
        assert!(many(v1::SignBatchRequest { requests: vec![message(half); 2] }).is_ok());
        let refusal = many(v1::SignBatchRequest { requests: vec![message(half + 1); 2] }).unwrap_err();
        assert_eq!(refusal.reason, Reason::InputTooLarge);
        assert!(refusal.message.contains("together"), "{refusal}");
    }

    #[test]
    fn a_batch_has_1_to_1000_items_and_each_id_once() {
        assert!(many(v1::SignBatchRequest::default()).unwrap_err().message.contains("1 to 1,000"));
        assert!(many(v1::SignBatchRequest { requests: vec![message(1); 1000] }).is_ok());
        let refusal = many(v1::SignBatchRequest { requests: vec![message(1); 1001] }).unwrap_err();
        assert_eq!(refusal.reason, Reason::InputTooLarge);
        let twice = v1::SignRequest { request_id: "a".into(), ..message(1) };
        let refusal = many(v1::SignBatchRequest { requests: vec![twice; 2] }).unwrap_err();
        assert!(refusal.message.starts_with("requests[1].request_id: "), "{refusal}");
    }

    #[test]
    fn one_bad_item_spoils_no_other() {
        let bad = v1::SignRequest { key: String::new(), ..message(1) };
        let items = many(v1::SignBatchRequest { requests: vec![message(1), bad, message(1)] }).unwrap();
        assert!(items[0].is_ok() && items[2].is_ok());
        let refusal = items[1].as_ref().unwrap_err();
        assert!(refusal.message.starts_with("requests[1].key: "), "{refusal}");
    }
}
