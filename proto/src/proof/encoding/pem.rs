//! PEM (RFC 7468, strict grammar): one block, 64 characters a line, nothing before or after it but white space.

use ::spki::der::pem::{self, LineEnding};

/// The label of a SubjectPublicKeyInfo (RFC 7468, section 13).
pub const PUBLIC_KEY: &str = "PUBLIC KEY";

/// Why a text is not the PEM that was expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PemError {
    /// Not PEM at all.
    #[error(
        "expected PEM: -----BEGIN {expected}-----, base64 in lines of 64 characters, -----END {expected}-----"
    )]
    Form {
        /// The label that was expected.
        expected: String,
    },
    /// PEM of something else.
    #[error("expected PEM with the label {expected}, this is {found}")]
    Label {
        /// The label that was expected.
        expected: String,
        /// The label that was found.
        found: String,
    },
}

/// The PEM of these bytes, with a newline at its end. The label is one of RFC 7468.
///
/// # Errors
/// [`PemError::Form`] for a label that no PEM can have.
pub fn encode(label: &str, der: &[u8]) -> Result<String, PemError> {
    pem::encode_string(label, LineEnding::LF, der)
        .map_err(|_only_the_label| PemError::Form { expected: label.into() })
}

/// The bytes of one PEM block with this label.
///
/// # Errors
/// [`PemError`] says what was expected and, where it was PEM of something else, what that is.
pub fn decode(label: &str, text: &str) -> Result<Vec<u8>, PemError> {
    let text = text.trim();
    let form = |_described_by_ours| PemError::Form { expected: label.into() };
    let (found, der) = pem::decode_vec(text.as_bytes()).map_err(form)?;
    if found != label {
        return Err(PemError::Label { expected: label.into(), found: found.into() });
    }
    // Reading is writing, line ends and the space around the block apart: nothing hides beside what was understood.
    if encode(label, &der)?.trim_end() != text.replace("\r\n", "\n") {
        return Err(PemError::Form { expected: label.into() });
    }
    Ok(der)
}
