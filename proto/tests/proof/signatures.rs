//! Public keys and signatures: OpenSSL's vectors, the `p256` crate, aws-lc's own keys, and malformed input.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature as aws;
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::{Signer, Verifier};
use proptest::prelude::*;
use proto::algorithm::{Algorithm, HashAlgorithm, KeyShape};
use proto::proof::encoding::pem::{self, PemError};
use proto::proof::encoding::{Curve, EcdsaDer, EcdsaError, EcdsaFixed, SignatureEncoding, spki};
use proto::proof::public_key::{PublicKey, PublicKeyError};
use proto::proof::signature::{self, Over, SignatureError, VerifyingKey};

const DER: SignatureEncoding = SignatureEncoding::Der;
const FIXED: SignatureEncoding = SignatureEncoding::Fixed;
const MESSAGE: &[u8] = b"The quick brown fox signs nothing unrecorded.";

struct Vector {
    algorithm: Algorithm,
    spki: Vec<u8>,
    signature: Vec<u8>,
}

fn base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

fn lines(file: &str) -> impl Iterator<Item = Vec<&str>> {
    file.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect())
}

fn vectors() -> Vec<Vector> {
    let parse = |line: Vec<&str>| Vector {
        algorithm: line[0].parse().unwrap(),
        spki: base64(line[1]),
        signature: base64(line[2]),
    };
    lines(include_str!("../vectors/signatures.txt")).map(parse).collect()
}

#[test]
fn signatures_of_openssl_verify_with_every_algorithm() {
    let algorithms: Vec<Algorithm> = vectors().iter().map(|vector| vector.algorithm).collect();
    assert_eq!(algorithms, Algorithm::ALL);
    for Vector { algorithm, spki, signature } in vectors() {
        let verify =
            |over: Over<'_>, signature: &[u8]| signature::verify(algorithm, &spki, over, signature, DER);
        let wrong = Err(SignatureError::Wrong { algorithm });
        assert_eq!(verify(Over::Message(MESSAGE), &signature), Ok(()), "{algorithm}");
        assert_eq!(verify(Over::Message(b"another message"), &signature), wrong, "{algorithm}");
        let mut changed = signature.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(verify(Over::Message(MESSAGE), &changed), wrong, "{algorithm}");
        changed.push(0);
        assert!(verify(Over::Message(MESSAGE), &changed).is_err(), "{algorithm}");
        match algorithm.hash() {
            Some(hash) => {
                let digest = hash.hash(MESSAGE);
                assert_eq!(verify(Over::Digest(hash, &digest), &signature), Ok(()), "{algorithm}");
                assert_eq!(verify(Over::Digest(hash, &hash.hash(b"")), &signature), wrong, "{algorithm}");
                let other = HashAlgorithm::ALL.into_iter().find(|other| *other != hash).unwrap();
                for (found, value) in [(hash, &digest[1..]), (other, &other.hash(MESSAGE)), (other, &digest)]
                {
                    let length = value.len();
                    let error = SignatureError::OtherDigest { algorithm, expected: hash, found, length };
                    assert_eq!(verify(Over::Digest(found, value), &signature), Err(error));
                }
            }
            None => {
                let digest = HashAlgorithm::Sha512.hash(MESSAGE);
                let over = Over::Digest(HashAlgorithm::Sha512, &digest);
                assert_eq!(verify(over, &signature), Err(SignatureError::NeedsMessage { algorithm }));
            }
        }
    }
}

#[test]
fn no_algorithm_passes_for_another() {
    for Vector { algorithm: own, spki, signature } in vectors() {
        for other in Algorithm::ALL.iter().copied().filter(|other| *other != own) {
            let error = signature::verify(other, &spki, Over::Message(MESSAGE), &signature, DER).unwrap_err();
            if other.shape() == own.shape() {
                assert_eq!(error, SignatureError::Wrong { algorithm: other }, "{own}");
            } else {
                assert!(matches!(error, SignatureError::OtherKey { .. }), "{own} as {other}: {error}");
            }
        }
    }
    // PSS with another salt length than the hash's is not ours.
    let [key, signature] = include_str!("../vectors/pss-other-salt.txt")
        .trim()
        .split(' ')
        .map(base64)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let algorithm = Algorithm::RsaPss2048Sha256;
    let outcome = signature::verify(algorithm, &key, Over::Message(MESSAGE), &signature, DER);
    assert_eq!(outcome, Err(SignatureError::Wrong { algorithm }));
    let short = signature::verify(algorithm, &key, Over::Message(MESSAGE), &signature[1..], DER);
    assert_eq!(short, Err(SignatureError::Length { algorithm, expected: 256, found: 255 }));
}

#[test]
fn keys_that_are_not_supported_are_refused_by_name() {
    let mut seen = 0;
    for line in lines(include_str!("../vectors/refused-keys.txt")) {
        let error = PublicKey::from_spki(&base64(line[1])).unwrap_err();
        assert!(error.to_string().contains(&line[0].replace('_', " ")), "{}: {error}", line[0]);
        seen += 1;
    }
    assert_eq!(seen, 10);
}

#[test]
fn keys_are_built_as_openssl_writes_them() {
    for Vector { algorithm, spki, .. } in vectors() {
        let key = PublicKey::from_spki(&spki).unwrap();
        assert!(key.fits(algorithm));
        assert_eq!(key.spki(), spki);
        assert_eq!(PublicKey::from_pem(&key.to_pem()).as_ref(), Ok(&key));
        assert_eq!(key.key_id(), proto::key_id::KeyId::of_spki(&spki));
        let rebuilt = match key.shape() {
            KeyShape::Ed25519 => PublicKey::from_ed25519(&spki[12..].try_into().unwrap()),
            KeyShape::Rsa(bits) => {
                // SEQUENCE { INTEGER 00 n, INTEGER 65537 } ends the key.
                let length = usize::from(bits) / 8;
                let end = spki.len() - 5;
                let modulus = &spki[end - length - 1..end];
                assert_eq!(PublicKey::from_rsa(&modulus[1..], &[1, 0, 1]).as_ref(), Ok(&key));
                PublicKey::from_rsa(modulus, &[0, 1, 0, 1])
            }
            shape => {
                let curve = Curve::of(shape).unwrap();
                PublicKey::from_ec_point(curve, &spki[spki.len() - 1 - 2 * curve.length()..])
            }
        };
        assert_eq!(rebuilt, Ok(key));
    }
    let pem = include_str!("../vectors/p256.pem");
    let key = PublicKey::from_pem(pem).unwrap();
    assert_eq!(key.to_pem(), pem);
    assert_eq!(key.spki(), vectors()[0].spki);
    assert_eq!(key.name(), "P-256");
}

#[test]
fn impossible_keys_are_refused() {
    let good = &vectors()[0].spki;
    let mut off_curve = good.clone();
    *off_curve.last_mut().unwrap() ^= 1;
    assert_eq!(PublicKey::from_spki(&off_curve), Err(PublicKeyError::Invalid { name: "P-256".into() }));
    for bad in [&good[1..], &good[..good.len() - 1], &[good.as_slice(), &[0]].concat(), b""] {
        assert_eq!(PublicKey::from_spki(bad), Err(PublicKeyError::Der));
    }
    let point = &good[good.len() - 65..];
    let other_curve = PublicKey::from_ec_point(Curve::P384, point).unwrap_err();
    assert!(matches!(other_curve, PublicKeyError::Form { .. }), "{other_curve}");
    // Hybrid form: SEC 1 allows it, key ids do not.
    let hybrid = [&[6 + (point[64] & 1)], &point[1..]].concat();
    assert!(matches!(PublicKey::from_ec_point(Curve::P256, &hybrid), Err(PublicKeyError::Form { .. })));
    let even = PublicKey::from_rsa(&[0xff; 256], &[2]).unwrap_err();
    assert_eq!(even, PublicKeyError::Invalid { name: "RSA-2048".into() });
    let small = PublicKey::from_rsa(&[0x7f; 256], &[1, 0, 1]).unwrap_err();
    assert_eq!(small, PublicKeyError::Unsupported { found: "RSA-2047".into() });
    assert!(PublicKey::from_rsa(&[], &[]).is_err());
    // Parameters where there are none, none where NULL belongs, and a NULL with contents.
    let replace = |spki: &[u8], from: &[u8], to: &[u8]| {
        let at = spki.windows(from.len()).position(|window| window == from).unwrap();
        [&spki[..at], to, &spki[at + from.len()..]].concat()
    };
    let ed = spki::ed25519(&[9; 32]);
    let with_null = replace(
        &ed,
        &[0x30, 0x2a, 0x30, 5, 6, 3, 43, 101, 112],
        &[0x30, 0x2c, 0x30, 7, 6, 3, 43, 101, 112, 5, 0],
    );
    assert_eq!(PublicKey::from_spki(&with_null), Err(PublicKeyError::Form { expected: "no parameters" }));
    let rsa = &vectors()[4].spki;
    for (null, refusal) in [
        (&[5, 1][..], PublicKeyError::Form { expected: "NULL as parameters" }),
        (&[4, 0], PublicKeyError::Form { expected: "NULL as parameters" }),
    ] {
        let longer = null[1];
        let filled = [null, &vec![0; longer.into()]].concat();
        let bad = replace(rsa, &[0x30, 0x0d, 6, 9], &[0x30, 0x0d + longer, 6, 9]);
        let bad = replace(&bad, &[1, 1, 1, 5, 0, 3], &[&[1, 1, 1], filled.as_slice(), &[3]].concat());
        let bad = replace(&bad, &[0x30, 0x82, 1, 0x22], &[0x30, 0x82, 1, 0x22 + longer]);
        assert_eq!(PublicKey::from_spki(&bad), Err(refusal));
    }
    let without = replace(rsa, &[0x30, 0x0d, 6, 9], &[0x30, 0x0b, 6, 9]);
    let without = replace(&without, &[1, 1, 1, 5, 0, 3], &[1, 1, 1, 3]);
    let without = replace(&without, &[0x30, 0x82, 1, 0x22], &[0x30, 0x82, 1, 0x20]);
    assert_eq!(PublicKey::from_spki(&without), Err(PublicKeyError::Form { expected: "NULL as parameters" }));
}

#[test]
fn pem_says_what_it_expected() {
    let pem = include_str!("../vectors/p256.pem");
    let form = || PemError::Form { expected: "PUBLIC KEY".into() };
    for bad in [
        "",
        "-----BEGIN PUBLIC KEY-----",
        &pem[1..],
        &pem.replace("MFkw", "M!kw"),
        &pem.replace("KoZIzj0CAQYI", ""),
        &pem.replace("qqU5", "\nqqU5"),
        &pem.repeat(2),
        &format!("{pem}trailing"),
        &format!("Proc-Type: 4,ENCRYPTED\n{pem}"),
    ] {
        assert_eq!(pem::decode(pem::PUBLIC_KEY, bad), Err(form()), "{bad}");
    }
    for good in [pem.replace('\n', "\r\n"), format!("\n {pem}\n"), pem.trim_end().into()] {
        assert!(PublicKey::from_pem(&good).is_ok(), "{good}");
    }
    let certificate = pem::encode("CERTIFICATE", b"x").unwrap();
    let label = PemError::Label { expected: "PUBLIC KEY".into(), found: "CERTIFICATE".into() };
    assert_eq!(PublicKey::from_pem(&certificate), Err(PublicKeyError::Pem(label)));
    assert!(pem::encode("a\nb", b"x").is_err());
}

#[test]
fn ecdsa_der_has_one_form() {
    let one = EcdsaDer::parse(Curve::P256, &[0x30, 6, 2, 1, 1, 2, 1, 1]).unwrap();
    let mut fixed = [0; 64];
    fixed[31] = 1;
    fixed[63] = 1;
    assert_eq!(one.to_fixed().as_bytes(), fixed);
    for (bad, what) in [
        (&[0x30u8, 7, 2, 2, 0, 1, 2, 1, 1][..], "leading zero"),
        (&[0x30, 6, 2, 1, 0x81, 2, 1, 1], "negative"),
        (&[0x30, 0x81, 6, 2, 1, 1, 2, 1, 1], "long length"),
        (&[0x30, 7, 2, 0x81, 1, 1, 2, 1, 1], "long length inside"),
        (&[0x30, 0x80, 2, 1, 1, 2, 1, 1, 0, 0], "indefinite length"),
        (&[0x30, 6, 2, 1, 1, 2, 1, 1, 0], "trailing byte"),
        (&[0x30, 7, 2, 1, 1, 2, 1, 1, 0], "trailing byte inside"),
        (&[0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1], "three integers"),
        (&[0x30, 3, 2, 1, 1], "one integer"),
        (&[0x30, 5, 2, 0, 2, 1, 1], "empty integer"),
        (&[0x31, 6, 2, 1, 1, 2, 1, 1], "set"),
        (&[0x30, 6, 2, 1, 1, 3, 1, 1], "bit string"),
        (&[], "nothing"),
    ] {
        assert_eq!(EcdsaDer::parse(Curve::P256, bad), Err(EcdsaError::Der), "{what}");
    }
    let zero = EcdsaError::Scalar { curve: Curve::P256 };
    assert_eq!(EcdsaDer::parse(Curve::P256, &[0x30, 6, 2, 1, 0, 2, 1, 1]), Err(zero));
    assert_eq!(EcdsaFixed::parse(Curve::P256, &[0; 64]), Err(zero));
    let length = EcdsaError::Length { curve: Curve::P256, found: 96 };
    assert_eq!(EcdsaFixed::parse(Curve::P256, &[1; 96]), Err(length));
    let large = EcdsaFixed::parse(Curve::P384, &[1; 96]).unwrap().to_der();
    assert_eq!(EcdsaDer::parse(Curve::P256, large.as_bytes()), Err(zero));
}

fn curve() -> impl Strategy<Value = Curve> {
    prop::sample::select(&Curve::ALL[..])
}

/// Scalars with many leading zeros, with the top bit set, and anything between.
fn scalars() -> impl Strategy<Value = (Curve, Vec<u8>)> {
    let scalar = |curve: Curve| {
        (prop::collection::vec(any::<u8>(), curve.length()), 0..curve.length()).prop_map(
            |(mut bytes, zeros)| {
                bytes[..zeros].fill(0);
                let last = bytes.len() - 1;
                bytes[last] |= 1;
                bytes
            },
        )
    };
    curve().prop_flat_map(move |curve| {
        (scalar(curve), scalar(curve)).prop_map(move |(r, s)| (curve, [r, s].concat()))
    })
}

fn aws_key(curve: Curve, fixed: bool) -> aws::EcdsaKeyPair {
    let algorithm = match (curve, fixed) {
        (Curve::P256, false) => &aws::ECDSA_P256_SHA256_ASN1_SIGNING,
        (Curve::P384, false) => &aws::ECDSA_P384_SHA384_ASN1_SIGNING,
        (Curve::P521, false) => &aws::ECDSA_P521_SHA512_ASN1_SIGNING,
        (Curve::P256, true) => &aws::ECDSA_P256_SHA256_FIXED_SIGNING,
        (Curve::P384, true) => &aws::ECDSA_P384_SHA384_FIXED_SIGNING,
        (Curve::P521, true) => &aws::ECDSA_P521_SHA512_FIXED_SIGNING,
    };
    aws::EcdsaKeyPair::generate(algorithm).unwrap()
}

fn algorithm_of(curve: Curve) -> Algorithm {
    let own = |algorithm: &Algorithm| algorithm.shape() == curve.shape();
    Algorithm::ALL.iter().copied().find(own).unwrap()
}

proptest! {
    #[test]
    fn der_and_fixed_lead_to_each_other((curve, bytes) in scalars()) {
        let fixed = EcdsaFixed::parse(curve, &bytes).unwrap();
        let der = fixed.to_der();
        prop_assert_eq!((der.curve(), fixed.curve()), (curve, curve));
        prop_assert_eq!(EcdsaDer::parse(curve, der.as_bytes()), Ok(der.clone()));
        prop_assert_eq!(der.to_fixed(), fixed.clone());
        // Another implementation's DER, where the scalars are in its range.
        if let (Curve::P256, Ok(theirs)) = (curve, p256::ecdsa::Signature::from_slice(fixed.as_bytes())) {
            prop_assert_eq!(theirs.to_der().as_bytes().to_vec(), der.into_bytes());
        }
    }

    #[test]
    fn whatever_parses_is_written_again(curve in curve(), bytes in prop::collection::vec(any::<u8>(), 0..150)) {
        if let Ok(der) = EcdsaDer::parse(curve, &bytes) {
            prop_assert_eq!(der.to_fixed().to_der().into_bytes(), bytes.clone());
        }
        if let Ok(fixed) = EcdsaFixed::parse(curve, &bytes) {
            prop_assert_eq!(fixed.to_der().to_fixed().into_bytes(), bytes);
        }
    }

    #[test]
    fn damaged_der_is_refused_or_is_another_signature((curve, bytes) in scalars(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut der = EcdsaFixed::parse(curve, &bytes).unwrap().to_der().into_bytes();
        let at = at.index(der.len());
        der[at] = byte;
        if let Ok(read) = EcdsaDer::parse(curve, &der) {
            prop_assert_eq!(read.to_fixed().to_der().into_bytes(), der);
        }
    }

    #[test]
    fn p256_of_another_implementation_verifies_both_ways(secret in 1u128.., message in prop::collection::vec(any::<u8>(), 0..200)) {
        let secret = [[0u8; 16], secret.to_be_bytes()].concat();
        let theirs = p256::ecdsa::SigningKey::from_slice(&secret).unwrap();
        let point = theirs.verifying_key().to_encoded_point(false);
        let key = PublicKey::from_ec_point(Curve::P256, point.as_bytes()).unwrap();
        let ready = VerifyingKey::new(Algorithm::EcdsaP256Sha256, &key).unwrap();
        let signature: p256::ecdsa::Signature = theirs.sign(&message);
        let fixed = signature.to_bytes();
        let digest = HashAlgorithm::Sha256.hash(&message);
        for over in [Over::Message(&message), Over::Digest(HashAlgorithm::Sha256, &digest)] {
            prop_assert_eq!(ready.verify(over, &fixed, FIXED), Ok(()));
            prop_assert_eq!(ready.verify(over, signature.to_der().as_bytes(), DER), Ok(()));
            prop_assert_eq!(ready.verify_either(over, &fixed), Ok(FIXED));
            prop_assert_eq!(ready.verify_either(over, signature.to_der().as_bytes()), Ok(DER));
        }
        prop_assert!(ready.verify(Over::Message(&message), &fixed, DER).is_err());
        let der = EcdsaFixed::parse(Curve::P256, &fixed).unwrap().to_der();
        let back = p256::ecdsa::Signature::from_der(der.as_bytes()).unwrap();
        prop_assert!(theirs.verifying_key().verify(&message, &back).is_ok());
    }

    #[test]
    fn arbitrary_keys_and_signatures_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        vector in 0usize..12,
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        prop_assert!(PublicKey::from_spki(&bytes).is_err());
        let Vector { algorithm, mut spki, .. } = vectors().remove(vector);
        for encoding in [DER, FIXED] {
            let outcome = signature::verify(algorithm, &spki, Over::Message(MESSAGE), &bytes, encoding);
            prop_assert!(outcome.is_err());
        }
        let at = at.index(spki.len());
        spki[at] = byte;
        if let Ok(key) = PublicKey::from_spki(&spki) {
            prop_assert_eq!(key.spki(), &spki[..]);
        }
        let _ = PublicKey::from_pem(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn every_curve_signs_in_both_encodings() {
    let random = SystemRandom::new();
    for curve in Curve::ALL {
        for (fixed, encoding) in [(false, DER), (true, FIXED)] {
            let pair = aws_key(curve, fixed);
            let key = PublicKey::from_ec_point(curve, pair.public_key().as_ref()).unwrap();
            let ready = VerifyingKey::new(algorithm_of(curve), &key).unwrap();
            // Often enough for short scalars to turn up.
            for round in 0..64u8 {
                let signature = pair.sign(&random, &[round]).unwrap();
                assert_eq!(
                    ready.verify(Over::Message(&[round]), signature.as_ref(), encoding),
                    Ok(()),
                    "{curve}"
                );
                assert_eq!(ready.verify_either(Over::Message(&[round]), signature.as_ref()), Ok(encoding));
            }
        }
    }
}
