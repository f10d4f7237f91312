//! What verifies, and that every tampering is noticed.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::algorithm::HashAlgorithm;
use proto::digest::Digest;
use proto::hash::Hash;
use proto::proof::encoding::Curve;
use proto::proof::encoding::EcdsaDer;
use proto::proof::keys::LogKeys;
use proto::proof::note::{Ed25519Signer, NoteSigner};
use proto::purpose::Kind;
use proto::reason::Reason;

use super::*;
use crate::fixture::{CALLER, Key, Log, ORIGIN, ed25519};

const BYTES: &[u8] = b"an artefact";

/// A signature in the middle of a log, and everything that proves it.
struct Case {
    key: Key,
    log: Log,
    index: u64,
    signature: Vec<u8>,
    receipt: Receipt,
    content: Content,
}

impl Case {
    fn new() -> Self {
        let (key, mut log) = (Key::new(), Log::new());
        for number in 0..5 {
            log.sign(&key, format!("before {number}").as_bytes());
        }
        let (index, signature) = log.sign(&key, BYTES);
        log.sign(&key, b"after");
        let receipt = log.receipt(index);
        Self { key, log, index, signature, receipt, content: Content::Bytes(BYTES.to_vec()) }
    }

    fn detail(&self) -> Vec<u8> {
        self.log.details[usize::try_from(self.index).unwrap()].clone().unwrap()
    }

    fn check(&self) -> Result<Verdict, NotVerified> {
        self.check_with(&self.log.keys(), None, None, None)
    }

    fn check_with(
        &self,
        log_keys: &LogKeys,
        key: Option<&ExpectedKey>,
        detail: Option<&[u8]>,
        caller: Option<&str>,
    ) -> Result<Verdict, NotVerified> {
        verify(&Claim {
            key: &self.key.public,
            algorithm: None,
            signature: &self.signature,
            content: &self.content,
            receipt: Some(WithReceipt { receipt: &self.receipt, log_keys, key, detail, caller }),
        })
    }
}

#[test]
fn signature_and_receipt_verify_in_every_form() {
    let mut case = Case::new();
    let verdict = case.check().unwrap();
    let logged = verdict.logged.unwrap();
    assert_eq!((logged.index, logged.version.to_string().as_str()), (case.index, "release/linux@3"));
    assert_eq!(verdict.encoding, SignatureEncoding::Der);
    let der = case.signature.clone();
    let fixed = EcdsaDer::parse(Curve::P256, &der).unwrap().to_fixed().into_bytes();
    for (signature, encoding) in [
        (fixed.clone(), SignatureEncoding::Fixed),
        (STANDARD.encode(&der).into_bytes(), SignatureEncoding::Der),
        ((STANDARD.encode(&fixed) + "\n").into_bytes(), SignatureEncoding::Fixed),
    ] {
        case.signature = signature;
        assert_eq!(case.check().unwrap().encoding, encoding);
    }
    case.signature = der;
    case.content = Content::Digests(Digest::of(HashAlgorithm::Sha256, BYTES).into());
    case.check().unwrap();
    // The receipt survives being written and read.
    case.receipt = case.receipt.to_string().parse().unwrap();
    case.check().unwrap();
}

#[test]
fn a_flipped_byte_anywhere_is_noticed() {
    let case = Case::new();
    let flip = |bytes: &[u8], place: usize| {
        let mut bytes = bytes.to_vec();
        bytes[place] ^= 1;
        bytes
    };
    for place in 0..case.signature.len() {
        let case = Case {
            signature: flip(&case.signature, place),
            ..Case { log: Log::new(), key: Key::new(), ..clone(&case) }
        };
        let claim = Claim {
            key: &case.key.public,
            algorithm: None,
            signature: &case.signature,
            content: &case.content,
            receipt: None,
        };
        assert!(verify(&claim).is_err(), "byte {place} of the signature");
    }
    for place in 0..case.receipt.leaf.len() {
        let mut tampered = clone(&case);
        tampered.receipt.leaf = flip(&case.receipt.leaf, place);
        let error = check(&case, &tampered).unwrap_err();
        assert!(matches!(error, NotVerified::Receipt(_)), "byte {place} of the record: {error}");
    }
    for (place, hash) in case.receipt.path.iter().enumerate() {
        let mut tampered = clone(&case);
        let mut bytes = *hash.as_bytes();
        bytes[7] ^= 1;
        tampered.receipt.path[place] = Hash::from(bytes);
        assert!(matches!(check(&case, &tampered), Err(NotVerified::Receipt(_))), "hash {place} of the path");
    }
    let lines = case.receipt.checkpoint.lines().count();
    for line in 0..lines {
        let mut tampered = clone(&case);
        tampered.receipt.checkpoint = tamper_line(&case.receipt.checkpoint, line);
        if tampered.receipt.checkpoint != case.receipt.checkpoint {
            assert!(
                matches!(check(&case, &tampered), Err(NotVerified::Receipt(_))),
                "line {line} of the checkpoint"
            );
        }
    }
}

/// The same case without what cannot be cloned; `check` uses the original's.
fn clone(case: &Case) -> Case {
    Case {
        key: Key::new(),
        log: Log::new(),
        index: case.index,
        signature: case.signature.clone(),
        receipt: case.receipt.clone(),
        content: case.content.clone(),
    }
}

fn check(original: &Case, tampered: &Case) -> Result<Verdict, NotVerified> {
    let log_keys = original.log.keys();
    verify(&Claim {
        key: &original.key.public,
        algorithm: None,
        signature: &tampered.signature,
        content: &tampered.content,
        receipt: Some(WithReceipt {
            receipt: &tampered.receipt,
            log_keys: &log_keys,
            key: None,
            detail: None,
            caller: None,
        }),
    })
}

/// Changes the last letter or digit of a line into another.
fn tamper_line(text: &str, line: usize) -> String {
    let change = |line: &str| {
        let Some(place) = line.rfind(|c: char| c.is_ascii_alphanumeric()) else { return line.to_owned() };
        let other = if &line[place..=place] == "7" { "8" } else { "7" };
        format!("{}{other}{}", &line[..place], &line[place + 1..])
    };
    text.split('\n')
        .enumerate()
        .map(|(number, text)| if number == line { change(text) } else { text.to_owned() })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn other_bytes_digests_keys_and_logs_are_refused() {
    let case = Case::new();
    let mut other = clone(&case);
    other.content = Content::Bytes(b"another artefact".to_vec());
    assert!(matches!(check(&case, &other), Err(NotVerified::Signature(SignatureError::Wrong { .. }))));
    other.content = Content::Digests(Digest::of(HashAlgorithm::Sha256, b"another artefact").into());
    assert!(matches!(check(&case, &other), Err(NotVerified::Signature(SignatureError::Wrong { .. }))));
    other.content = Content::Digests(Digest::of(HashAlgorithm::Sha384, BYTES).into());
    assert!(matches!(check(&case, &other), Err(NotVerified::Signature(SignatureError::OtherDigest { .. }))));

    let stranger = Key::new();
    let claim = Claim {
        key: &stranger.public,
        algorithm: None,
        signature: &case.signature,
        content: &case.content,
        receipt: None,
    };
    assert!(matches!(verify(&claim), Err(NotVerified::Signature(SignatureError::Wrong { .. }))));

    // Another key of the same origin, and the same key under another origin.
    let other_key = Ed25519Signer::from_seed(ORIGIN, &[2; 32]).unwrap();
    let other_origin = Ed25519Signer::from_seed("rehearsal.example.com", &[1; 32]).unwrap();
    for signer in [other_key, other_origin] {
        assert!(matches!(
            case.check_with(&signer.verifier().clone().into(), None, None, None),
            Err(NotVerified::Receipt(_))
        ));
    }
}

#[test]
fn a_receipt_of_another_record_or_outcome_is_refused() {
    let mut case = Case::new();
    case.receipt = case.log.receipt(case.index - 1);
    assert!(
        matches!(case.check(), Err(NotVerified::Record(CheckError::Signature))),
        "another signature by the same key"
    );
    case.receipt = case.log.receipt(0);
    assert!(matches!(case.check(), Err(NotVerified::Record(CheckError::Kind))), "the genesis");

    let (mut record, _) = case.log.sign_record(&case.key, BYTES, &case.signature, Kind::Blob);
    record.withhold(&[(0, Reason::KeySuspended)]);
    let index = case.log.push(record.draft().unwrap(), None);
    case.receipt = case.log.receipt(index);
    let error = case.check().unwrap_err();
    assert!(matches!(error, NotVerified::Record(CheckError::NotReleased { .. })), "{error}");

    let (mut record, _) = case.log.sign_record(&case.key, b"other bytes", &case.signature, Kind::Blob);
    record.signatures[0].value = Some(case.signature.clone().into());
    let index = case.log.push(record.draft().unwrap(), None);
    case.receipt = case.log.receipt(index);
    assert!(
        matches!(case.check(), Err(NotVerified::Record(CheckError::Digest { .. }))),
        "a record that lies about the bytes"
    );
}

#[test]
fn key_names_versions_and_callers_are_held_against_the_record() {
    let case = Case::new();
    let key = case.log.keys();
    let expected = |name: &str, version| ExpectedKey { key: name.parse().unwrap(), version };
    let with = |expected: &ExpectedKey| case.check_with(&key, Some(expected), None, None);
    with(&expected("release/linux", None)).unwrap();
    with(&expected("release/linux", Some(3))).unwrap();
    assert!(matches!(with(&expected("release/linux", Some(4))), Err(NotVerified::Version { .. })));
    assert!(matches!(
        with(&expected("release/mac", None)),
        Err(NotVerified::Record(CheckError::Name { .. }))
    ));

    let detail = case.detail();
    let asked = case.check_with(&key, None, Some(&detail), Some(CALLER)).unwrap();
    assert_eq!(asked.logged.unwrap().caller.unwrap().id, CALLER);
    let by = |detail: Option<&[u8]>, caller| case.check_with(&key, None, detail, caller).unwrap_err();
    assert!(matches!(by(None, Some(CALLER)), NotVerified::NoDetail));
    assert!(matches!(by(Some(&detail), Some("dns:mallory.example.org")), NotVerified::Caller { .. }));
    let forged = String::from_utf8(detail).unwrap().replace("ci/linux", "ci/other");
    assert!(matches!(
        by(Some(forged.as_bytes()), Some("spiffe://example.org/ci/other")),
        NotVerified::Detail
    ));
}

#[test]
fn algorithms_are_found_or_insisted_on() {
    let (public, signature) = ed25519(BYTES);
    let content = Content::Bytes(BYTES.to_vec());
    let claim =
        |algorithm, content| Claim { key: &public, algorithm, signature: &signature, content, receipt: None };
    assert_eq!(verify(&claim(None, &content)).unwrap().algorithm, Algorithm::Ed25519);
    let other = verify(&claim(Some(Algorithm::EcdsaP256Sha256), &content)).unwrap_err();
    assert!(matches!(other, NotVerified::Signature(SignatureError::OtherKey { .. })), "{other}");
    let digest = Content::Digests(Digest::of(HashAlgorithm::Sha256, BYTES).into());
    let digest = verify(&claim(None, &digest)).unwrap_err();
    assert!(matches!(digest, NotVerified::Signature(SignatureError::NeedsMessage { .. })), "{digest}");
}
