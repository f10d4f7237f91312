//! Proofs, notes and signatures against other people's code, by properties, and against malformed input.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "proof/anchor.rs"]
mod anchor;
#[path = "proof/check.rs"]
mod check;
#[path = "proof/formats.rs"]
mod formats;
#[path = "proof/oracle.rs"]
mod oracle;
#[path = "proof/signatures.rs"]
mod signatures;
#[path = "proof/tree.rs"]
mod tree;
