#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use proptest::prelude::*;

use super::*;
use crate::ssh::signer::Signer;
use crate::ssh::wire::put;

fn line(name: &str, blob: &[u8]) -> String {
    format!("{name} {}", STANDARD.encode(blob))
}

/// A blob of these strings.
fn blob(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    parts.iter().for_each(|part| put(&mut out, part));
    out
}

fn refused(line: &str) -> KeyError {
    SshKey::parse(line).unwrap_err()
}

#[test]
fn the_four_kinds_are_read_with_or_without_a_comment() {
    for kind in SshKind::ALL {
        let signer = Signer::new(kind, 1);
        let key = SshKey::parse(&signer.line()).unwrap();
        assert_eq!((key.kind(), key.blob()), (kind, signer.blob().as_slice()));
        assert_eq!(key.application(), kind.is_fido().then_some("ssh:"));
        assert_eq!(key.to_string(), signer.line());
        assert_eq!(SshKey::parse(&format!("{} ada on her laptop", signer.line())).unwrap(), key);
        assert_eq!(SshKey::from_blob(&signer.blob()).unwrap(), key);
    }
}

#[test]
fn the_same_private_key_is_the_same_key_in_every_form() {
    let id = |kind, application: &str| {
        Signer { application: application.into(), ..Signer::new(kind, 9) }.public().id()
    };
    let ed25519 = id(SshKind::Ed25519, "");
    assert_eq!(id(SshKind::SkEd25519, "ssh:"), ed25519);
    assert_eq!(id(SshKind::SkEd25519, "ssh:approval"), ed25519);
    let ecdsa = id(SshKind::EcdsaP256, "");
    assert_eq!(id(SshKind::SkEcdsaP256, "ssh:"), ecdsa);
    assert_ne!(ecdsa, ed25519);
    assert_ne!(Signer::new(SshKind::Ed25519, 8).public().id(), ed25519);
    // The forms themselves differ: a signature must come under the one that is enrolled.
    assert_ne!(Signer::new(SshKind::Ed25519, 9).public(), Signer::new(SshKind::SkEd25519, 9).public());
}

#[test]
fn other_kinds_are_refused_by_name() {
    let of = |name: &str| refused(&line(name, &blob(&[name.as_bytes(), b"x"])));
    assert_eq!(of("ssh-rsa"), KeyError::Rsa);
    assert_eq!(of("ssh-dss"), KeyError::Dsa);
    assert_eq!(of("ecdsa-sha2-nistp384"), KeyError::Curve("nistp384".into()));
    assert_eq!(of("ecdsa-sha2-nistp521"), KeyError::Curve("nistp521".into()));
    for name in [
        "ssh-ed25519-cert-v01@openssh.com",
        "sk-ssh-ed25519-cert-v01@openssh.com",
        "ssh-rsa-cert-v01@openssh.com",
        "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    ] {
        assert_eq!(of(name), KeyError::Certificate(name.into()));
    }
    let browser = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com";
    assert_eq!(of(browser), KeyError::Browser(browser.into()));
    assert_eq!(of("ssh-ed448"), KeyError::Unknown("ssh-ed448".into()));
    assert!(of("ssh-rsa").to_string().contains("ssh-keygen -t ed25519-sk -O verify-required"));
}

#[test]
fn a_private_key_is_refused_without_showing_it() {
    let error = refused("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAA");
    assert_eq!(error, KeyError::Private);
    assert!(!error.to_string().contains("b3Bl"));
}

#[test]
fn other_texts_are_no_key() {
    let good = Signer::new(SshKind::Ed25519, 1).line();
    for bad in [
        "",
        "ssh-ed25519",
        "-----BEGIN PUBLIC KEY-----",
        "---- BEGIN SSH2 PUBLIC KEY ----",
        " x",
        "command=\"x\" ssh-ed25519 AAAA",
    ] {
        assert_eq!(refused(bad), KeyError::Form, "{bad}");
    }
    assert_eq!(refused(&format!("{good}\n{good}")), KeyError::Form);
    assert_eq!(refused(&format!("{good} {}", "c".repeat(1024))), KeyError::Long(good.len() + 1025));
    assert_eq!(refused(&good.replace("ssh-ed25519 ", "ssh-ed25519 =")), KeyError::Base64);
    assert_eq!(refused(&good.replace("ssh-ed25519 ", "ssh-ed25519  ")), KeyError::Form);
    // The last digit of the base64 holds two bits that belong to no byte.
    let text = Signer::new(SshKind::SkEd25519, 1).line();
    assert_eq!(refused(&format!("{}p=", text.strip_suffix("o=").unwrap())), KeyError::Base64);
}

#[test]
fn the_line_and_the_key_in_it_agree() {
    let signer = Signer::new(SshKind::Ed25519, 1);
    let error = refused(&line("sk-ssh-ed25519@openssh.com", &signer.blob()));
    assert_eq!(
        error,
        KeyError::TypesDiffer { line: "sk-ssh-ed25519@openssh.com".into(), blob: "ssh-ed25519".into() }
    );
    // An RSA key under another name is still called what it is.
    assert_eq!(refused(&line("ssh-ed25519", &blob(&[b"ssh-rsa", b"\x03", b"n"]))), KeyError::Rsa);
}

#[test]
fn a_blob_has_its_fields_and_nothing_else() {
    for kind in SshKind::ALL {
        let whole = Signer::new(kind, 3).blob();
        for end in 4 + kind.name().len()..whole.len() {
            let error = SshKey::from_blob(&whole[..end]).unwrap_err();
            assert_eq!(error, KeyError::Damaged(kind), "{kind} cut at {end}");
        }
        assert_eq!(SshKey::from_blob(&[whole, vec![0]].concat()), Err(KeyError::Damaged(kind)));
    }
    let p384 = blob(&[b"ecdsa-sha2-nistp256", b"nistp384", &[4; 65]]);
    assert_eq!(SshKey::from_blob(&p384), Err(KeyError::Damaged(SshKind::EcdsaP256)));
}

#[test]
fn points_that_belong_to_nobody_are_refused() {
    let of = |point: &[u8]| SshKey::from_blob(&blob(&[b"ssh-ed25519", point]));
    let with = |first: u8, middle: u8, last: u8| {
        let mut y = [middle; 32];
        (y[0], y[31]) = (first, last);
        y
    };
    let mut bad = ORDER_EIGHT.to_vec();
    // 0, 1, p − 1, and the spellings of 0 to 18 beyond p.
    bad.extend([with(0, 0, 0), with(1, 0, 0)]);
    bad.extend((0xec..=0xff).map(|first| with(first, 0xff, 0x7f)));
    for y in bad {
        let mut negative = y;
        negative[31] |= 0x80;
        assert_eq!(of(&y), Err(KeyError::Point(SshKind::Ed25519)), "{y:x?}");
        assert_eq!(of(&negative), Err(KeyError::Point(SshKind::Ed25519)), "{y:x?}");
    }
    let ec = |point: &[u8]| SshKey::from_blob(&blob(&[b"ecdsa-sha2-nistp256", b"nistp256", point]));
    let off_the_curve = [[4].as_slice(), &[1; 64]].concat();
    let good = Signer::new(SshKind::EcdsaP256, 1).blob();
    let point = &good[good.len() - 65..];
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    assert!(ec(point).is_ok());
    for bad in [&[0][..], &off_the_curve, &compressed, &point[..64]] {
        assert_eq!(ec(bad), Err(KeyError::Point(SshKind::EcdsaP256)), "{bad:x?}");
    }
}

#[test]
fn the_application_of_a_token_is_one_of_ssh() {
    for good in ["ssh:", "ssh:approval", "ssh:example.org"] {
        let signer = Signer { application: good.into(), ..Signer::new(SshKind::SkEcdsaP256, 1) };
        assert_eq!(signer.public().application(), Some(good));
    }
    for bad in [
        "",
        "ssh",
        "https://example.org",
        "SSH:",
        "ssh:a b",
        "ssh:ä",
        "ssh:\u{7f}",
        &format!("ssh:{}", "a".repeat(125)),
    ] {
        for kind in [SshKind::SkEd25519, SshKind::SkEcdsaP256] {
            let signer = Signer { application: bad.into(), ..Signer::new(kind, 1) };
            assert!(matches!(refused(&signer.line()), KeyError::Application(_)), "{bad}");
        }
    }
}

proptest! {
    #[test]
    fn one_key_has_one_blob(kind in 0usize..4, at: prop::sample::Index, bit in 0u8..8) {
        let signer = Signer::new(SshKind::ALL[kind], 5);
        let mut changed = signer.blob();
        let at = at.index(changed.len());
        changed[at] ^= 1 << bit;
        if let Ok(key) = SshKey::from_blob(&changed) {
            prop_assert_eq!(key.blob(), changed.as_slice());
            prop_assert_ne!(&key, &signer.public());
            prop_assert_eq!(SshKey::parse(&key.to_string()).unwrap(), key);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, text: String, kind in 0usize..4) {
        let _ = SshKey::from_blob(&bytes);
        let _ = SshKey::parse(&text);
        let _ = SshKey::parse(&line(SshKind::ALL[kind].name(), &bytes));
        let _ = SshKey::from_blob(&[blob(&[SshKind::ALL[kind].name().as_bytes()]), bytes].concat());
    }
}
