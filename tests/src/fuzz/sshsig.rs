//! SSH signatures and the public keys in them: one spelling; what is read verifies over its own message or over none.

use ceremonies::ssh::key::SshKey;
use ceremonies::ssh::signature::{LONGEST, SshSignature};

/// Words of signatures: of the armor, and of base64 that begins at a multiple of three bytes.
pub const WORDS: &[&str] = &[
    "-----BEGIN SSH SIGNATURE-----\n",
    "\n-----END SSH SIGNATURE-----\n",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n",
    "\r\n",
    "\n",
    "=",
    "==",
    "U1NIU0lHAAAAAQ",
    "AAAA",
    "////",
    "gAAA",
    "ssh-rsa ",
    "ssh-ed25519 ",
    "sk-ssh-ed25519@openssh.com ",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com ",
    " comment",
];

/// The golden signatures, made by `ssh-keygen` and by the tests' authenticator, and the keys that made them.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = super::golden("ceremonies/tests/golden/acts", "signature-");
    for file in super::golden("ceremonies/tests/golden/acts", "keys") {
        seeds.extend(file.trim_ascii_end().split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
    }
    seeds
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut read = false;
    if let Ok(signature) = SshSignature::parse(text) {
        assert!(text.len() <= LONGEST);
        assert!(text.starts_with("-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQ"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 70) && text.ends_with("-----END SSH SIGNATURE-----\n"));
        assert!(signature.verify("countersign.act.production.v1", b"{}").is_err(), "nobody has signed this");
        assert_eq!(signature.fido().is_some(), signature.key().kind().is_fido());
        key(signature.key());
        read = true;
    }
    if let Ok(found) = SshKey::parse(text) {
        assert!(text.starts_with(found.kind().name()), "{text}");
        key(&found);
        read = true;
    }
    read
}

fn key(key: &SshKey) {
    let line = key.to_string();
    assert_eq!(SshKey::parse(&line).as_ref(), Ok(key), "a key written again: {line}");
    assert_eq!(SshKey::from_blob(key.blob()).as_ref(), Ok(key));
    assert_eq!(key.application().is_some(), key.kind().is_fido());
    assert!(key.application().is_none_or(|application| application.starts_with("ssh:")), "{line}");
}
