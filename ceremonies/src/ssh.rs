//! SSH keys and SSH signatures, as far as people sign acts with them.
//!
//! Four kinds of key and no other: Ed25519 and ECDSA on P-256, each as a plain key or on a FIDO token. Everything that is
//! read has one spelling: base64 with padding in lines of 70, shortest integers, nothing after the end. So whoever keeps
//! the text keeps the signature, and a changed byte is never the same text. Verification itself is [`proto::proof`]'s,
//! with the one crypto library that there is.

pub mod key;
pub mod private;
pub mod signature;
mod wire;

#[cfg(test)]
pub(crate) mod signer;
