//! Answers that hold, and every way in which they must not.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeMap;

use proto::proof::encoding::{Curve, EcdsaDer, SignatureEncoding};
use proto::purpose::Kind;
use proto::reason::Reason;

use super::*;
use crate::dsse;
use crate::fixture::{Key, Log};
use crate::image::Image;

const BYTES: &[u8] = b"an artefact";
const IMAGE: &str =
    "registry.example.org/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn order(input: Input, encoding: SignatureEncoding) -> Order {
    Order {
        key: "release/linux".parse().unwrap(),
        input,
        annotations: BTreeMap::new(),
        encoding,
        request_id: "build-4711".to_owned(),
    }
}

/// What a truthful daemon answers: over these bytes, in this encoding.
fn answer(
    log: &mut Log,
    key: &Key,
    bytes: &[u8],
    encoding: SignatureEncoding,
    kind: Kind,
) -> (v1::SignResponse, u64) {
    let der = key.sign(bytes);
    let (record, detail) = log.sign_record(key, bytes, &der, kind);
    let index = log.push(record.draft().unwrap(), Some(detail));
    let value = match encoding {
        SignatureEncoding::Der => der,
        SignatureEncoding::Fixed => EcdsaDer::parse(Curve::P256, &der).unwrap().to_fixed().into_bytes(),
    };
    let signature = v1::Signature {
        key: "release/linux".to_owned(),
        version: 3,
        key_id: key.public.key_id().as_bytes().to_vec(),
        algorithm: v1::Algorithm::EcdsaP256Sha256 as i32,
        encoding: encoding_to_wire(encoding) as i32,
        value,
    };
    let answer = v1::SignResponse {
        signatures: vec![signature],
        operation_id: record.operation.to_string(),
        ..Default::default()
    };
    (answer, index)
}

fn proven(log: &Log, index: u64) -> Proven {
    let receipt = log.receipt(index);
    let verified = receipt.verify(&log.key()).unwrap();
    Proven { receipt, verified }
}

fn check_all(order: &Order, answer: v1::SignResponse, key: &Key, proven: Proven) -> Result<Signed, Wrong> {
    let checked = signatures(order, &answer, std::slice::from_ref(&key.public))?;
    receipt(order, answer, checked, proven, Vec::new())
}

#[test]
fn a_truthful_answer_to_every_kind_of_order_is_believed() {
    let (mut log, key) = (Log::new(), Key::new());
    let image: Image = IMAGE.parse().unwrap();
    let document = format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"{}"}},"image":{{"docker-manifest-digest":"{}"}},"type":"cosign container image signature"}},"optional":{{"commit":"abc"}}}}"#,
        image.repository, image.digest
    );
    let annotations = BTreeMap::from([("commit".to_owned(), "abc".to_owned())]);
    let payload = b"{}".to_vec();
    let cases = [
        (Input::Message(BYTES.to_vec()), BYTES.to_vec(), Vec::new(), Kind::Blob),
        (Input::Digests(all_digests(BYTES)), BYTES.to_vec(), Vec::new(), Kind::Digest),
        (
            Input::Image { image, annotations },
            document.clone().into_bytes(),
            document.into_bytes(),
            Kind::Oci,
        ),
        (
            Input::Dsse { payload_type: "t".to_owned(), payload: payload.clone() },
            dsse::pae("t", &payload),
            dsse::pae("t", &payload),
            Kind::Dsse("t".to_owned()),
        ),
    ];
    for encoding in [SignatureEncoding::Der, SignatureEncoding::Fixed] {
        for (input, bytes, built, kind) in cases.clone() {
            let (mut answer, index) = answer(&mut log, &key, &bytes, encoding, kind.clone());
            answer.signed_bytes = built.into();
            let signed = check_all(&order(input, encoding), answer, &key, proven(&log, index)).unwrap();
            assert_eq!(signed.signatures[0].version.to_string(), "release/linux@3", "{kind:?}");
        }
    }
}

#[test]
fn every_tampering_with_an_answer_is_noticed() {
    let (mut log, key) = (Log::new(), Key::new());
    let encoding = SignatureEncoding::Der;
    let asked = order(Input::Message(BYTES.to_vec()), encoding);
    let (truth, index) = answer(&mut log, &key, BYTES, encoding, Kind::Blob);
    check_all(&asked, truth.clone(), &key, proven(&log, index)).unwrap();
    let tamper = |change: &dyn Fn(&mut v1::SignResponse)| {
        let mut answer = truth.clone();
        change(&mut answer);
        check_all(&asked, answer, &key, proven(&log, index)).map(|signed| signed.operation)
    };
    let refuse = |what: &str, change: &dyn Fn(&mut v1::SignResponse)| {
        assert!(tamper(change).is_err(), "{what} went unnoticed");
    };
    refuse("a flipped bit", &|answer| answer.signatures[0].value[20] ^= 1);
    refuse("no signature", &|answer| answer.signatures.clear());
    refuse("another key", &|answer| answer.signatures[0].key = "release/mac".to_owned());
    refuse("another version", &|answer| answer.signatures[0].version = 4);
    refuse("no version", &|answer| answer.signatures[0].version = 0);
    refuse("another key id", &|answer| answer.signatures[0].key_id[0] ^= 1);
    refuse("a cut key id", &|answer| answer.signatures[0].key_id.truncate(31));
    refuse("another algorithm", &|answer| {
        answer.signatures[0].algorithm = v1::Algorithm::EcdsaP384Sha384 as i32
    });
    refuse("another encoding", &|answer| answer.signatures[0].encoding = v1::SignatureEncoding::Fixed as i32);
    refuse("another operation", &|answer| answer.operation_id = "0".repeat(32));
    assert!(matches!(tamper(&|answer| answer.signed_bytes = "other".into()), Err(Wrong::Bytes)));
}

#[test]
fn a_signature_over_other_bytes_or_by_another_key_is_refused() {
    let (mut log, key) = (Log::new(), Key::new());
    let encoding = SignatureEncoding::Der;
    let asked = order(Input::Message(BYTES.to_vec()), encoding);
    let (other, index) = answer(&mut log, &key, b"other bytes", encoding, Kind::Blob);
    assert!(matches!(check_all(&asked, other, &key, proven(&log, index)), Err(Wrong::Signature(_))));
    let stranger = Key::new();
    let (other, index) = answer(&mut log, &stranger, BYTES, encoding, Kind::Blob);
    assert!(matches!(check_all(&asked, other, &key, proven(&log, index)), Err(Wrong::OtherKey { .. })));
}

#[test]
fn a_receipt_that_is_not_of_this_signature_is_refused() {
    let (mut log, key) = (Log::new(), Key::new());
    let encoding = SignatureEncoding::Der;
    let asked = order(Input::Message(BYTES.to_vec()), encoding);
    let (first, first_index) = answer(&mut log, &key, BYTES, encoding, Kind::Blob);
    let (second, _) = answer(&mut log, &key, BYTES, encoding, Kind::Blob);
    // Two signatures over the same bytes by the same key differ, and so do their records.
    assert!(matches!(
        check_all(&asked, second, &key, proven(&log, first_index)),
        Err(Wrong::Receipt(CheckError::Signature))
    ));

    let (mut record, _) = log.sign_record(&key, BYTES, &first.signatures[0].value, Kind::Blob);
    record.withhold(&[(0, Reason::KeySuspended)]);
    let withheld = log.push(record.draft().unwrap(), None);
    let error = check_all(&asked, first, &key, proven(&log, withheld)).unwrap_err();
    assert!(matches!(error, Wrong::Receipt(CheckError::NotReleased { .. })), "{error}");
}

#[test]
fn a_document_for_another_image_is_refused() {
    let (mut log, key) = (Log::new(), Key::new());
    let image: Image = IMAGE.parse().unwrap();
    let document = format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"registry.example.org/evil"}},"image":{{"docker-manifest-digest":"{}"}},"type":"cosign container image signature"}},"optional":null}}"#,
        image.digest
    );
    let asked = order(Input::Image { image, annotations: BTreeMap::new() }, SignatureEncoding::Der);
    let (mut answer, index) = answer(&mut log, &key, document.as_bytes(), SignatureEncoding::Der, Kind::Oci);
    answer.signed_bytes = document.into_bytes().into();
    assert!(matches!(check_all(&asked, answer, &key, proven(&log, index)), Err(Wrong::Document(_))));
}

#[test]
fn a_digest_order_is_checked_without_the_bytes_and_refuses_what_needs_them() {
    let (mut log, key) = (Log::new(), Key::new());
    let only_512 = Digests::new(vec![Digest::of(HashAlgorithm::Sha512, BYTES)]).unwrap();
    let asked = order(Input::Digests(only_512), SignatureEncoding::Der);
    let (answer, index) = answer(&mut log, &key, BYTES, SignatureEncoding::Der, Kind::Digest);
    let error = check_all(&asked, answer, &key, proven(&log, index)).unwrap_err();
    assert!(matches!(error, Wrong::Other { .. }), "{error}");
}
