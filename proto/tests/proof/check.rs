//! Receipts held against a signature in hand: the right one passes, and everything that differs is named.

use proto::algorithm::{Algorithm, HashAlgorithm};
use proto::digest::{Digest, Digests};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::operation::OperationId;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::encoding::{Curve, EcdsaFixed};
use proto::proof::frontier::Frontier;
use proto::proof::leaf::leaf_hash;
use proto::proof::note::{Ed25519Signer, NoteSigner};
use proto::proof::receipt::{CheckError, Expected, Receipt, VerifiedReceipt, check};
use proto::purpose::Kind;
use proto::reason::Reason;
use proto::record::kind::SignTag;
use proto::record::{Outcome, SignRecord, SignatureEntry, Signed, Times, VERSION};

const ED: Algorithm = Algorithm::Ed25519;
const P256: Algorithm = Algorithm::EcdsaP256Sha256;

/// A log of one record, and the proof that it is in there.
fn proven(leaf: Vec<u8>) -> VerifiedReceipt {
    let key = Ed25519Signer::from_seed("log.example.org", &[7; 32]).unwrap();
    let mut frontier = Frontier::new();
    frontier.push(leaf_hash(&leaf));
    let checkpoint =
        Checkpoint { origin: "log.example.org".into(), size: 1, root: frontier.root(), control: None };
    let checkpoint = checkpoint.sign(&key).unwrap();
    let receipt = Receipt { leaf, index: 0, path: Vec::new(), checkpoint };
    receipt.to_string().parse::<Receipt>().unwrap().verify(key.verifier()).unwrap()
}

fn entry(algorithm: Algorithm, outcome: Outcome, value: Vec<u8>) -> SignatureEntry {
    SignatureEntry {
        algorithm,
        key_id: KeyId::of_spki(algorithm.name().as_bytes()),
        outcome,
        reason: None,
        sha256: None,
        value: Some(value.into()),
        version: 3,
    }
}

fn fixed() -> EcdsaFixed {
    EcdsaFixed::parse(Curve::P256, &[0x91; 64]).unwrap()
}

fn record() -> SignRecord {
    SignRecord {
        detail: Hash::of(b"detail"),
        key: name("release/linux"),
        kind: SignTag::Tag,
        number: Some(4711),
        operation: OperationId::new(1_795_237_200_000, [7; 10]),
        signatures: vec![
            entry(P256, Outcome::Released, fixed().to_der().into_bytes()),
            entry(ED, Outcome::Released, vec![5; 64]),
        ],
        signed: Signed {
            digests: of(b"message", &[HashAlgorithm::Sha256]),
            kind: Kind::Blob,
            subjects: vec![],
        },
        time: Times::asked("2026-11-21T05:00:00.000000Z".parse().unwrap()),
        v: VERSION,
    }
}

fn leaf(record: &SignRecord) -> Vec<u8> {
    let sealed = "2026-11-21T05:00:00.000042Z".parse().unwrap();
    record.draft().unwrap().stamp(sealed, false, &Hash::ZERO)
}

fn name(name: &str) -> KeyName {
    name.parse().unwrap()
}

fn of(message: &[u8], hashes: &[HashAlgorithm]) -> Digests {
    Digests::new(hashes.iter().map(|hash| Digest::of(*hash, message)).collect()).unwrap()
}

fn expected<'a>(algorithm: Algorithm, signature: &'a [u8], digests: &'a Digests) -> Expected<'a> {
    let key_id = KeyId::of_spki(algorithm.name().as_bytes());
    Expected { signature, key_id, algorithm, digests, key: None }
}

#[test]
fn the_right_signature_passes_in_either_encoding() {
    let receipt = proven(leaf(&record()));
    let digests = of(b"message", &HashAlgorithm::ALL);
    let key = name("release/linux");
    for signature in [fixed().into_bytes(), fixed().to_der().into_bytes()] {
        let checked =
            check(&receipt, &Expected { key: Some(&key), ..expected(P256, &signature, &digests) }).unwrap();
        assert_eq!((checked.entry().algorithm, checked.record().number), (P256, Some(4711)));
    }
    let checked = check(&receipt, &expected(ED, &[5; 64], &digests)).unwrap();
    assert_eq!(checked.entry().algorithm, ED);
}

#[test]
fn whatever_differs_is_named() {
    let digests = of(b"message", &HashAlgorithm::ALL);
    let der = fixed().to_der().into_bytes();
    let good = expected(P256, &der, &digests);
    let receipt = proven(leaf(&record()));
    let outcome = |wrong: &Expected<'_>| check(&receipt, wrong).unwrap_err();

    assert!(matches!(outcome(&Expected { signature: &[0x30], ..good }), CheckError::Signature));
    assert!(matches!(outcome(&Expected { signature: &[], ..good }), CheckError::Signature));
    let other = KeyId::of_spki(b"other");
    assert!(
        matches!(outcome(&Expected { key_id: other, ..good }), CheckError::Key { key_id, .. } if key_id == other)
    );
    // The right key pair, but the algorithm of the other signature.
    assert!(matches!(outcome(&Expected { algorithm: ED, ..good }), CheckError::Key { algorithm: ED, .. }));
    let key = name("release/windows");
    assert!(matches!(outcome(&Expected { key: Some(&key), ..good }), CheckError::Name { .. }));
    let others = of(b"another message", &HashAlgorithm::ALL);
    assert!(matches!(outcome(&Expected { digests: &others, ..good }), CheckError::Digest { .. }));
    let only = of(b"message", &[HashAlgorithm::Sha512]);
    let error = outcome(&Expected { digests: &only, ..good });
    assert!(matches!(&error, CheckError::NoDigest { needed } if needed == "sha256"), "{error}");
    // One digest in common is not enough: it must be the one that the signature is over.
    let mut two = record();
    two.signed.digests = of(b"message", &[HashAlgorithm::Sha256, HashAlgorithm::Sha512]);
    let error = check(&proven(leaf(&two)), &Expected { digests: &only, ..good }).unwrap_err();
    assert!(matches!(&error, CheckError::NoDigest { needed } if needed == "sha256"), "{error}");
    // Ed25519 has no hash of its own: one digest in common is needed, whichever it is.
    assert!(matches!(outcome(&expected(ED, &[5; 64], &only)), CheckError::NoDigest { .. }));
    assert!(matches!(outcome(&expected(ED, &[6; 64], &digests)), CheckError::Signature));
}

#[test]
fn only_released_signatures_count() {
    let digests = of(b"message", &HashAlgorithm::ALL);
    let der = fixed().to_der().into_bytes();
    let mut withheld = record();
    withheld.withhold(&[(0, Reason::AllStopped)]);
    let receipt = proven(leaf(&withheld));
    let error = check(&receipt, &expected(P256, &der, &digests)).unwrap_err();
    assert!(
        matches!(
            error,
            CheckError::NotReleased { outcome: Outcome::Withheld, reason: Some(Reason::AllStopped) }
        ),
        "{error}"
    );
    assert!(check(&receipt, &expected(ED, &[5; 64], &digests)).is_ok(), "the other signature was released");
    for outcome in [Outcome::Unknown, Outcome::NotExecuted] {
        // Even one that, against the format, has a value.
        let mut record = record();
        record.signatures[0].outcome = outcome;
        let error = check(&proven(leaf(&record)), &expected(P256, &der, &digests)).unwrap_err();
        assert!(matches!(error, CheckError::NotReleased { .. }), "{error}");
    }
    let mut empty = record();
    empty.signatures[0].value = None;
    let error = check(&proven(leaf(&empty)), &expected(P256, &der, &digests)).unwrap_err();
    assert!(matches!(error, CheckError::Signature), "{error}");
}

#[test]
fn records_of_another_kind_or_no_record_prove_no_signature() {
    let digests = of(b"message", &HashAlgorithm::ALL);
    let expected = expected(ED, &[5; 64], &digests);
    let golden = |kind: &str| {
        std::fs::read(format!("{}/tests/golden/records/{kind}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    for kind in ["denied", "audit.read", "ceremony.completed"] {
        let error = check(&proven(golden(kind)), &expected).unwrap_err();
        assert!(matches!(error, CheckError::Kind), "{kind}: {error}");
    }
    let mut spaced = leaf(&record());
    spaced.push(b'\n');
    for bad in [spaced, b"not a record".to_vec(), Vec::new()] {
        let error = check(&proven(bad), &expected).unwrap_err();
        assert!(matches!(error, CheckError::Record(_)), "{error}");
    }
}
