//! Requests, from the wire to the domain: what is accepted is within its bounds, and what is refused says which field and
//! what was expected.

use bytes::Bytes;
use daemon::rpc::signing::ask;
use daemon::sign::prepare::{self, LONGEST_MESSAGE};
use daemon::sign::{Input, SignRequest};
use proto::record::detail::{ANNOTATIONS, LONGEST_ANNOTATION};
use proto::record::sign::SUBJECTS;
use proto::refusal::Refusal;
use proto::wire::v1::{self, sign_request};
use prost::Message as _;

/// Words of requests.
pub const WORDS: &[&str] = &[
    "release/linux",
    "../",
    "registry.example.org/app",
    ":latest",
    "@sha256:",
    "DSSEv1 28 application/vnd.in-toto+json 2 {}",
    "{\"critical\":{}}",
    "\u{1a}\u{0}",
    "\u{7f}\u{7f}\u{7f}",
];

/// One request of each input, and a batch of all.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let digest = v1::Digest { algorithm: v1::HashAlgorithm::Sha256 as i32, value: vec![7; 32] };
    let inputs = [
        sign_request::Input::Digest(v1::DigestInput { digests: vec![digest.clone()] }),
        sign_request::Input::Message(Bytes::from_static(b"hello")),
        sign_request::Input::Dsse(v1::DsseInput {
            payload_type: "application/vnd.in-toto+json".into(),
            payload: super::payload::seeds().remove(0).into(),
        }),
        sign_request::Input::Oci(v1::OciInput {
            reference: "registry.example.org/app".into(),
            digest: Some(digest),
            annotations: [("commit".to_owned(), "abc".to_owned())].into(),
        }),
    ];
    let request = |input| v1::SignRequest {
        key: "release/linux".into(),
        input: Some(input),
        request_id: "build-4711".into(),
        annotations: [("commit".to_owned(), "abc".to_owned())].into(),
        encoding: v1::SignatureEncoding::Fixed as i32,
        receipt: v1::ReceiptDetail::Full as i32,
        versions: v1::VersionChoice::Active as i32,
        validate_only: true,
    };
    let requests: Vec<_> = inputs.into_iter().map(request).collect();
    let mut seeds: Vec<Vec<u8>> = requests.iter().map(prost::Message::encode_to_vec).collect();
    let items = requests.into_iter().zip(0..).map(|(item, at)| {
        v1::SignRequest { request_id: format!("item-{at}"), ..item }
    });
    seeds.push(v1::SignBatchRequest { requests: items.collect() }.encode_to_vec());
    seeds
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let mut accepted = false;
    if let Ok(wire) = v1::SignRequest::decode(bytes) {
        accepted |= judge(ask::one(wire.clone()));
        // The same request in a batch of one: the same judgement.
        let batch = ask::many(v1::SignBatchRequest { requests: vec![wire.clone()] });
        if let Ok(mut items) = batch {
            assert_eq!(items.len(), 1);
            assert_eq!(items.remove(0).is_ok(), ask::one(wire).is_ok(), "alone and in a batch");
        }
    }
    if let Ok(wire) = v1::SignBatchRequest::decode(bytes) {
        let count = wire.requests.len();
        match ask::many(wire) {
            Ok(items) => {
                assert!(items.len() == count && (1..=1000).contains(&count));
                for item in items {
                    accepted |= judge(item);
                }
            }
            Err(refusal) => explained(&refusal),
        }
    }
    accepted
}

fn judge(asked: Result<SignRequest, Refusal>) -> bool {
    let request = match asked {
        Ok(request) => request,
        Err(refusal) => {
            explained(&refusal);
            assert!(refusal.metadata.contains_key("field"), "no field: {refusal:?}");
            return false;
        }
    };
    assert!(request.request_id.as_ref().is_none_or(|id| (1..=128).contains(&id.len()) && id.is_ascii()));
    assert!(request.annotations.len() <= ANNOTATIONS);
    assert!(request.annotations.iter().all(|(name, value)| name.len() + value.len() <= LONGEST_ANNOTATION));
    assert_eq!(request.key.as_str().parse().as_ref(), Ok(&request.key));
    assert_eq!(prepare::input_hash(&request), prepare::input_hash(&request.clone()));
    match prepare::read(&request.input) {
        Err(refusal) => explained(&refusal),
        Ok(reading) => {
            assert!(reading.subjects.len() <= SUBJECTS);
            assert!(reading.built.len() <= LONGEST_MESSAGE + 1024);
            assert!(reading.body.digests().iter().count() >= 1);
            built(&request.input, &reading);
        }
    }
    true
}

/// What the daemon builds for a caller it would read the same way if the caller had built it.
fn built(input: &Input, reading: &prepare::Reading) {
    if reading.built.is_empty() {
        assert!(!matches!(input, Input::Dsse { .. } | Input::Oci { .. }), "nothing was built");
        return;
    }
    let again = prepare::read(&Input::Message(reading.built.clone()));
    let again = again.unwrap_or_else(|refusal| panic!("built and not read: {refusal}"));
    assert_eq!((&again.kind, &again.subjects), (&reading.kind, &reading.subjects));
    assert_eq!(again.body.digests(), reading.body.digests());
}

/// A refusal that says something, in a length that fits a line of a trace.
pub(super) fn explained(refusal: &Refusal) {
    use proto::reason::Reason::{InputTooLarge, InvalidDigest, InvalidInput, MalformedRequest};
    assert!(refusal.message.len() > 10, "{refusal:?}");
    assert!(refusal.message.len() < 2000, "{} bytes of message", refusal.message.len());
    assert!([InputTooLarge, InvalidDigest, InvalidInput, MalformedRequest].contains(&refusal.reason), "{refusal:?}");
}
