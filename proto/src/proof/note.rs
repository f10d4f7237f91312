//! Signed notes (C2SP signed-note): a text, an empty line, and signature lines.
//!
//! Only Ed25519 (type `0x01`) is signed and checked; lines of other keys and types are kept as they are and ignored
//! when checking, as the specification asks.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

mod key;

pub use key::{Ed25519Signer, KeyTextError, NoteSigner, SeedError, SignFailure, Verifier};

/// Signature lines that are read; the specification asks for at least 16.
pub const SIGNATURES_LIMIT: usize = 64;
/// Bytes of a note that are read.
pub const NOTE_LIMIT: usize = 1 << 20;

const LINE_START: &str = "\u{2014} ";

/// A text with the signatures that were made over it. Parsing one proves nothing: see [`SignedNote::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: String,
    /// The key's id within its name.
    pub key_id: [u8; 4],
    /// The signature, in the form of the key's type.
    pub signature: Vec<u8>,
}

/// Why a note cannot be read, checked or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note is longer than any that we read.
    #[error("the note has {found} bytes, at most {NOTE_LIMIT} are read")]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// The text does not end in a newline, or has other control characters.
    #[error("a note's text ends in a newline and has no other control characters")]
    Text,
    /// There is no empty line followed by signature lines.
    #[error(
        "a signed note is a text, an empty line, and one or more signature lines that each end in a newline"
    )]
    Shape,
    /// A signature line is malformed.
    #[error("signature line {line} is not \"\u{2014} <name> <base64 of key id and signature>\"")]
    Line {
        /// The line, counted from 1 after the empty line.
        line: usize,
    },
    /// Too many signature lines.
    #[error("the note has more than {SIGNATURES_LIMIT} signature lines")]
    TooMany,
    /// None of the known keys signed this note.
    #[error("the note is not signed by {expected}")]
    Unsigned {
        /// The keys that were looked for, by name and id.
        expected: String,
    },
    /// A known key's signature does not verify.
    #[error("the signature of {key} is wrong: the note was changed or forged")]
    Forged {
        /// The key's name and id.
        key: String,
    },
    /// The signer could not sign.
    #[error("the note could not be signed by {name}")]
    Sign {
        /// The signer's name.
        name: String,
        /// What it said.
        #[source]
        cause: SignFailure,
    },
}

/// Reads a signed note.
///
/// # Errors
/// [`NoteError`] when it does not have the one form of a note.
pub fn parse(note: &str) -> Result<SignedNote, NoteError> {
    if note.len() > NOTE_LIMIT {
        return Err(NoteError::TooLong { found: note.len() });
    }
    // The last empty line parts text and signatures.
    let split = note.rfind("\n\n").ok_or(NoteError::Shape)?;
    let (text, lines) = (&note[..=split], &note[split + 2..]);
    check_text(text)?;
    let lines = lines.strip_suffix('\n').ok_or(NoteError::Shape)?;
    let mut signatures = Vec::new();
    for (line, text) in (1..).zip(lines.split('\n')) {
        if line > SIGNATURES_LIMIT {
            return Err(NoteError::TooMany);
        }
        signatures.push(parse_line(text).ok_or(NoteError::Line { line })?);
    }
    Ok(SignedNote { text: text.to_owned(), signatures })
}

/// Signs a text with each of the keys.
///
/// # Errors
/// [`NoteError::Text`] for a text that cannot be a note's, [`NoteError::Sign`] when a key does not sign.
pub fn sign(text: &str, signers: &[&dyn NoteSigner]) -> Result<SignedNote, NoteError> {
    check_text(text)?;
    let mut note = SignedNote { text: text.to_owned(), signatures: Vec::new() };
    for signer in signers {
        note.add(*signer)?;
    }
    Ok(note)
}

impl SignedNote {
    /// The text that is signed, with its final newline. Unproven until [`verify`](SignedNote::verify) says otherwise.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in order.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Whether it has exactly the lines of these keys, in this order. It does not say that a signature is right: see
    /// [`Self::verify`].
    #[must_use]
    pub fn has_lines_of<'k>(&self, keys: impl IntoIterator<Item = &'k Verifier>) -> bool {
        let lines = self.signatures.iter().map(|line| (line.name.as_str(), line.key_id));
        lines.eq(keys.into_iter().map(|key| (key.name(), key.key_id())))
    }

    /// Adds the signature of one more key.
    ///
    /// # Errors
    /// [`NoteError::Sign`]; [`NoteError::TooMany`].
    pub fn add(&mut self, signer: &dyn NoteSigner) -> Result<(), NoteError> {
        if self.signatures.len() == SIGNATURES_LIMIT {
            return Err(NoteError::TooMany);
        }
        let verifier = signer.verifier();
        let signature = signer
            .sign(self.text.as_bytes())
            .map_err(|cause| NoteError::Sign { name: verifier.name().to_owned(), cause })?;
        self.signatures.push(NoteSignature {
            name: verifier.name().to_owned(),
            key_id: verifier.key_id(),
            signature: signature.to_vec(),
        });
        Ok(())
    }

    /// The text, if one of the keys signed it and no signature of any of them is wrong.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`], [`NoteError::Forged`].
    pub fn verify(&self, keys: &[&Verifier]) -> Result<&str, NoteError> {
        let mut signed = false;
        for line in &self.signatures {
            let known = |key: &&&Verifier| key.name() == line.name && key.key_id() == line.key_id;
            for key in keys.iter().filter(known) {
                if !key.verify(self.text.as_bytes(), &line.signature) {
                    return Err(NoteError::Forged { key: key.label() });
                }
                signed = true;
            }
        }
        if signed { Ok(&self.text) } else { Err(NoteError::unsigned(keys)) }
    }

    /// The same note with the lines of this key alone.
    #[must_use]
    pub fn only(self, key: &Verifier) -> Self {
        self.of([key])
    }

    /// The same note with the lines of these keys alone, in their order.
    #[must_use]
    pub fn of<'k>(self, keys: impl IntoIterator<Item = &'k Verifier>) -> Self {
        let lines = |key: &'k Verifier| {
            let own = move |line: &&NoteSignature| key.name() == line.name && key.key_id() == line.key_id;
            self.signatures.iter().filter(own).cloned()
        };
        Self { signatures: keys.into_iter().flat_map(lines).collect(), text: self.text.clone() }
    }
}

impl NoteError {
    /// None of these keys has signed.
    pub(super) fn unsigned(keys: &[&Verifier]) -> Self {
        let expected = keys.iter().map(|key| key.label()).collect::<Vec<_>>().join(" or ");
        Self::Unsigned { expected }
    }
}

impl FromStr for SignedNote {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        parse(note)
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(out, "{line}"))
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [self.key_id.as_slice(), &self.signature].concat();
        write!(out, "{LINE_START}{} {}", self.name, STANDARD.encode(blob))
    }
}

/// Whether a key may have this name: not empty, no spaces, no plus, no control characters.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

fn check_text(text: &str) -> Result<(), NoteError> {
    let control = text.bytes().any(|byte| byte < 0x20 && byte != b'\n');
    if text.ends_with('\n') && !control { Ok(()) } else { Err(NoteError::Text) }
}

fn parse_line(line: &str) -> Option<NoteSignature> {
    let (name, blob) = line.strip_prefix(LINE_START)?.split_once(' ')?;
    let blob = STANDARD.decode(blob).ok()?;
    let (key_id, signature) = blob.split_first_chunk::<4>()?;
    let proper = is_name(name) && !signature.is_empty();
    proper.then(|| NoteSignature { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
}
