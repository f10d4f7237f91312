//! What a generated key is called on its token: both names follow from the statement, so that after a crash the daemon
//! knows where to look, and nobody chooses them.
//!
//! `CKA_LABEL` is `cer-` and the ceremony id, 36 ASCII characters. `CKA_ID` is the first 20 bytes of the SHA-256 of the
//! statement's canonical bytes, the length that PKCS#11 modules expect of a SHA-1 of the key. Both are public: an object
//! under them proves nothing about where it came from.

use crate::statement::Statement;

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
        let digest = statement.digest();
        let mut id = [0; 20];
        id.copy_from_slice(&digest.as_bytes()[..20]);
        Self { label: format!("cer-{}", statement.common().ceremony), id }
    }
}
