#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use proptest::prelude::*;

use super::*;
use crate::ssh::signer::{self, Signer, integer};
use crate::ssh::wire::put;

const HERE: &str = "countersign.act.rehearsal.v1";
const MESSAGE: &[u8] = b"{\"act\":\"approve\"}";

fn good(kind: SshKind) -> Signer {
    Signer::new(kind, 4)
}

fn read(text: &str) -> Result<SshSignature, SshSignatureError> {
    SshSignature::parse(text)
}

fn refused(envelope: &[u8]) -> SshSignatureError {
    read(&signer::armored(envelope)).unwrap_err()
}

fn blob(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    parts.iter().for_each(|part| put(&mut out, part));
    out
}

#[test]
fn every_kind_and_both_hashes_verify() {
    for kind in SshKind::ALL {
        for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha512] {
            let signer = Signer { hash, ..good(kind) };
            let signature = read(&signer.sign(HERE, MESSAGE)).unwrap();
            assert_eq!((signature.key(), signature.hash()), (&signer.public(), hash));
            assert_eq!(signature.fido(), kind.is_fido().then_some(Fido { flags: 5, counter: 7 }));
            assert_eq!(signature.verify(HERE, MESSAGE), Ok(()), "{kind} {hash}");
            assert_eq!(signature.verify(HERE, b"{}"), Err(SshSignatureError::Wrong));
            let namespace = SshSignatureError::Namespace { expected: "file", found: HERE.into() };
            assert_eq!(signature.verify("file", MESSAGE), Err(namespace));
        }
    }
}

#[test]
fn touch_and_user_verification_are_demanded() {
    for kind in [SshKind::SkEd25519, SshKind::SkEcdsaP256] {
        let with =
            |flags| read(&Signer { flags, ..good(kind) }.sign(HERE, MESSAGE)).unwrap().verify(HERE, MESSAGE);
        assert_eq!(with(0x00), Err(SshSignatureError::NoTouch));
        assert_eq!(with(0x04), Err(SshSignatureError::NoTouch));
        assert_eq!(with(0x01), Err(SshSignatureError::NoUserVerification));
        assert_eq!(with(0x05), Ok(()));
    }
}

#[test]
fn what_the_token_says_is_covered_by_its_signature() {
    for kind in [SshKind::SkEd25519, SshKind::SkEcdsaP256] {
        let signer = Signer { flags: 0x01, ..good(kind) };
        let mut signature = signer.signature(&signer.signed(HERE, MESSAGE));
        let flags = signature.len() - 5;
        signature[flags] = 0x05;
        let raised = signer::envelope(&signer.blob(), HERE, "sha512", &signature);
        assert_eq!(
            read(&signer::armored(&raised)).unwrap().verify(HERE, MESSAGE),
            Err(SshSignatureError::Wrong)
        );
        // The same point under another application: what was signed names the first one.
        let other = Signer { application: "ssh:other".into(), ..good(kind) };
        let signature = good(kind).signature(&good(kind).signed(HERE, MESSAGE));
        let moved = signer::envelope(&other.blob(), HERE, "sha512", &signature);
        assert_eq!(
            read(&signer::armored(&moved)).unwrap().verify(HERE, MESSAGE),
            Err(SshSignatureError::Wrong)
        );
        let web = Signer { application: "https://example.org".into(), ..good(kind) };
        let refused = read(&web.sign(HERE, MESSAGE)).unwrap_err();
        assert_eq!(refused, SshSignatureError::Key(KeyError::Application("https://example.org".into())));
    }
}

#[test]
fn a_signature_has_one_spelling() {
    let text = good(SshKind::SkEd25519).sign(HERE, MESSAGE);
    let body = text.strip_prefix(BEGIN).unwrap().strip_suffix(END).unwrap().replace('\n', "");
    let wrapped = |width: usize| {
        let lines: Vec<&str> =
            body.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("{BEGIN}{}{END}", lines.join("\n"))
    };
    assert_eq!(wrapped(70), text);
    assert!(body.ends_with('='), "the test needs padding to take away");
    for bad in [
        wrapped(64),
        wrapped(76),
        wrapped(10_000),
        text.replace('\n', "\r\n"),
        format!("{text}\n"),
        format!("\n{text}"),
        format!("{text}{text}"),
        text.trim_end().to_owned(),
        text.replace("=\n", "\n"),
        text.replacen("U1NI", "U1N-", 1),
        text.replacen("U1NI", "U1NI ", 1),
    ] {
        assert_eq!(read(&bad), Err(SshSignatureError::Spelling), "{bad}");
    }
    for bad in ["", "-----BEGIN PGP SIGNATURE-----\n", "U1NIU0lH", "-----BEGIN SSH SIGNATURE----"] {
        assert_eq!(read(bad), Err(SshSignatureError::Armor), "{bad}");
    }
    assert_eq!(read(&"a".repeat(LONGEST + 1)), Err(SshSignatureError::Long(LONGEST + 1)));
}

#[test]
fn the_envelope_has_its_fields_and_nothing_else() {
    let signer = good(SshKind::SkEd25519);
    let whole = signer.envelope(HERE, MESSAGE);
    assert_eq!(
        refused(&[whole.clone(), vec![0]].concat()),
        SshSignatureError::Damaged("nothing after the signature")
    );
    for end in 0..whole.len() {
        let error = refused(&whole[..end]);
        assert!(matches!(error, SshSignatureError::Damaged(_)), "cut at {end}: {error}");
    }
    let mut version = whole.clone();
    version[9] = 2;
    assert_eq!(refused(&version), SshSignatureError::Version(2));
    let signature = signer.signature(&signer.signed(HERE, MESSAGE));
    let reserved =
        [b"SSHSIG\0\0\0\x01".to_vec(), blob(&[&signer.blob(), HERE.as_bytes(), b"x", b"sha512", &signature])];
    assert_eq!(refused(&reserved.concat()), SshSignatureError::Reserved);
    for hash in ["sha1", "sha384", "SHA512", "md5"] {
        let envelope = signer::envelope(&signer.blob(), HERE, hash, &signature);
        assert_eq!(refused(&envelope), SshSignatureError::Hash(hash.into()));
    }
}

#[test]
fn rsa_is_refused_by_name() {
    let key = blob(&[b"ssh-rsa", b"\x01\x00\x01", &[0x7f; 256]]);
    let envelope = signer::envelope(&key, HERE, "sha512", &blob(&[b"ssh-rsa", &[1; 256]]));
    assert_eq!(refused(&envelope), SshSignatureError::Key(KeyError::Rsa));
}

#[test]
fn the_kind_of_the_signature_is_that_of_the_key() {
    for kind in SshKind::ALL {
        for other in SshKind::ALL.into_iter().filter(|other| *other != kind) {
            let signature = good(other).signature(&good(other).signed(HERE, MESSAGE));
            let envelope = signer::envelope(&good(kind).blob(), HERE, "sha512", &signature);
            assert_eq!(
                refused(&envelope),
                SshSignatureError::OtherKind { key: kind, signature: other.name().into() }
            );
        }
    }
}

#[test]
fn integers_of_a_signature_have_their_shortest_form_and_either_s_is_taken() {
    let signer = good(SshKind::EcdsaP256);
    let raw = signer.raw(&signer.signed(HERE, MESSAGE));
    let mut reader = Reader::new(&raw);
    let (r, s) = (reader.string().unwrap().to_vec(), reader.string().unwrap().to_vec());
    let envelope = |r: &[u8], s: &[u8]| {
        let value = blob(&[r, s]);
        signer::envelope(
            &signer.blob(),
            HERE,
            "sha512",
            &blob(&[SshKind::EcdsaP256.name().as_bytes(), &value]),
        )
    };
    let with = |r: &[u8], s: &[u8]| read(&signer::armored(&envelope(r, s)));
    assert_eq!(with(&r, &s).unwrap().verify(HERE, MESSAGE), Ok(()));
    // n − s: the other signature over the same bytes, which anybody can make of this one.
    let mut digits = [0; 32];
    let plain: &[u8] = s.strip_prefix(&[0]).unwrap_or(&s);
    digits[32 - plain.len()..].copy_from_slice(plain);
    let scalar = p256::NonZeroScalar::try_from(digits.as_slice()).unwrap();
    let other = integer(&(-scalar).to_bytes());
    assert_ne!(other, s);
    assert_eq!(with(&r, &other).unwrap().verify(HERE, MESSAGE), Ok(()));
    let form = Err(SshSignatureError::Form(SshKind::EcdsaP256));
    for bad in [[&[0], r.as_slice()].concat(), vec![], vec![0], vec![0x80; 32], vec![0x7f; 33]] {
        assert_eq!(with(&bad, &s), form, "{bad:x?}");
        assert_eq!(with(&r, &bad), form, "{bad:x?}");
    }
    let ed25519 = good(SshKind::Ed25519);
    for length in [0, 63, 65] {
        let signature = blob(&[SshKind::Ed25519.name().as_bytes(), &vec![1; length]]);
        let envelope = signer::envelope(&ed25519.blob(), HERE, "sha512", &signature);
        assert_eq!(refused(&envelope), SshSignatureError::Form(SshKind::Ed25519));
    }
    let long = [ed25519.signature(&ed25519.signed(HERE, MESSAGE)), vec![0]].concat();
    let envelope = signer::envelope(&ed25519.blob(), HERE, "sha512", &long);
    assert_eq!(refused(&envelope), SshSignatureError::Form(SshKind::Ed25519));
}

proptest! {
    #[test]
    fn a_changed_byte_verifies_nothing(kind in 0usize..4, at: prop::sample::Index, byte: u8) {
        let mut text = good(SshKind::ALL[kind]).sign(HERE, MESSAGE).into_bytes();
        let at = at.index(text.len());
        prop_assume!(text[at] != byte);
        text[at] = byte;
        if let Ok(signature) = read(&String::from_utf8_lossy(&text)) {
            prop_assert!(signature.verify(HERE, MESSAGE).is_err());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(text: String, bytes: Vec<u8>, kind in 0usize..4) {
        let _ = read(&text);
        let _ = read(&signer::armored(&bytes));
        let envelope = signer::envelope(&good(SshKind::ALL[kind]).blob(), HERE, "sha512", &bytes);
        let _ = read(&signer::armored(&envelope));
        let named = [blob(&[SshKind::ALL[kind].name().as_bytes()]), bytes].concat();
        let _ = read(&signer::armored(&signer::envelope(&good(SshKind::ALL[kind]).blob(), HERE, "sha512", &named)));
    }
}

/// Made by the authenticator of these tests, because they are ever the same; `ssh-keygen` made the others beside them.
#[test]
fn golden_signatures_of_tokens_are_these() {
    let message = include_bytes!("../../../tests/golden/acts/act-approve.json");
    for (kind, golden) in [
        (SshKind::SkEd25519, include_str!("../../../tests/golden/acts/signature-sk-ed25519.sig")),
        (SshKind::SkEcdsaP256, include_str!("../../../tests/golden/acts/signature-sk-ecdsa.sig")),
    ] {
        assert_eq!(good(kind).sign(HERE, message), golden, "by {}", good(kind).line());
    }
}
