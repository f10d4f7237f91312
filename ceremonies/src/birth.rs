//! What a generated key is called on its token, and what the token must say of it. Both names follow from the statement, so that
//! after a crash the daemon knows where to look, and nobody chooses them.
//!
//! `CKA_LABEL` is `cer-` and the ceremony id, 36 ASCII characters. `CKA_ID` is the first 20 bytes of the SHA-256 of the
//! statement's canonical bytes, the length that PKCS#11 modules expect of a SHA-1 of the key. Both are public: an object
//! under them proves nothing about where it came from.

use std::collections::BTreeMap;

use proto::hash::Hash;

use crate::statement::{CeremonyId, Statement};

/// The names of a generated key on its token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BirthNames {
    /// `CKA_LABEL`: `cer-<ceremony id>`.
    pub label: String,
    /// `CKA_ID`: `SHA-256(statement)[0..20]`.
    pub id: [u8; 20],
}

impl BirthNames {
    /// The names of the key that a ceremony over this statement makes.
    pub fn of(statement: &Statement) -> Self {
        Self::from_digest(statement.common().ceremony, statement.digest())
    }

    /// The names of the key that this ceremony makes, whose statement has this SHA-256.
    pub fn from_digest(ceremony: CeremonyId, statement: Hash) -> Self {
        let mut id = [0; 20];
        id.copy_from_slice(&statement.as_bytes()[..20]);
        Self { label: format!("cer-{ceremony}"), id }
    }

    /// Whether a `pkcs11:` URI names an object with this label and this id, each once.
    pub fn are_in(&self, uri: &str) -> bool {
        let Some(path) = uri.strip_prefix("pkcs11:") else { return false };
        let has = |wanted: &String| path.split(';').filter(|attribute| attribute == wanted).count() == 1;
        self.attributes().iter().all(has)
    }

    /// Whether a `pkcs11:` URI names an object with this label or with this id.
    pub fn touch(&self, uri: &str) -> bool {
        let wanted = self.attributes();
        let path = uri.strip_prefix("pkcs11:").unwrap_or_default();
        path.split(';').any(|attribute| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(attribute)))
    }

    /// As RFC 7512 writes them: `object=` and `id=`.
    fn attributes(&self) -> [String; 2] {
        let id: String = self.id.iter().map(|byte| format!("%{byte:02X}")).collect();
        [format!("object={}", self.label), format!("id={id}")]
    }
}

/// What a PKCS#11 token must say of a new private key.
const DEMANDED: [(&str, bool); 8] = [
    ("always-sensitive", true),
    ("extractable", false),
    ("local", true),
    ("never-extractable", true),
    ("private", true),
    ("sensitive", true),
    ("sign", true),
    ("token", true),
];

/// What it must not say, if it says anything about it: not every token knows all these uses.
const REFUSED: [&str; 4] = ["decrypt", "derive", "sign-recover", "unwrap"];

/// A token says of a new key what no new key may be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the token says `{attribute}` = {found} of the new key, where {wanted} is demanded")]
pub struct Unlike {
    /// The attribute, as it stands in the outputs.
    pub attribute: &'static str,
    /// What the token says.
    pub found: String,
    /// What it must say.
    pub wanted: bool,
}

/// Whether a token says of a new private key, by the names of its attributes without `CKA_`, what it must: it was made there, never
/// leaves it, and signs and does nothing else.
///
/// # Errors
/// The first attribute that is another one.
pub fn check_attributes(read: &BTreeMap<String, String>) -> Result<(), Unlike> {
    let says = |attribute: &str| read.get(attribute).map(String::as_str);
    let unlike = |attribute, wanted| {
        let found = says(attribute).unwrap_or("nothing").to_owned();
        Err(Unlike { attribute, found, wanted })
    };
    for (attribute, wanted) in DEMANDED {
        if says(attribute) != Some(if wanted { "true" } else { "false" }) {
            return unlike(attribute, wanted);
        }
    }
    match REFUSED.into_iter().find(|attribute| says(attribute).is_some_and(|found| found != "false")) {
        Some(attribute) => unlike(attribute, false),
        None => Ok(()),
    }
}
