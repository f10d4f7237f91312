//! PKCS#11 URIs: reading what was written gives the same URI, whatever was read; nothing secret is in it.

use daemon::backend::pkcs11::uri::{LONGEST, Uri};

/// Words of URIs.
pub const WORDS: &[&str] = &[
    "pkcs11:",
    ";",
    "token=",
    "serial=",
    "object=",
    "id=%00",
    "id=%ff%FF",
    "type=private",
    "type=public",
    "%",
    "%zz",
    "%3B",
    "%00",
    "::::::::::::::::::::::::::::::::",
    "?pin-value=1234",
    "?module-name=x",
    "&",
    "\u{fc}",
];

/// Each attribute, every character that need not be encoded, and nothing.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    [
        "pkcs11:".to_owned(),
        "pkcs11:token=release;serial=0a1b2c3d".to_owned(),
        "pkcs11:token=a%20b;manufacturer=SoftHSM%20project;model=SoftHSM%20v2;serial=1;object=linux;id=%01%02;type=private"
            .to_owned(),
        "pkcs11:object=-._~:[]@!$'()*+,=&".to_owned(),
        "pkcs11:id=abc".to_owned(),
        // What is written is longer than what is read: each colon becomes three bytes.
        format!("pkcs11:token={}", ":".repeat(600)),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(uri) = text.parse::<Uri>() else { return false };
    assert!(text.len() <= LONGEST);
    let written = uri.to_string();
    let again: Uri = written.parse().unwrap_or_else(|e| panic!("{text} was read, {written} is not: {e}"));
    assert_eq!(again, uri, "{text}");
    assert_eq!(again.to_string(), written, "one form");
    let rest = written.strip_prefix("pkcs11:").unwrap();
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut attributes = path.split(';').chain(query.split('&'));
    assert!(!attributes.any(|attribute| attribute.starts_with("pin-")), "{written}");
    true
}
