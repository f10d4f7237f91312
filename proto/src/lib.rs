//! What Countersign says, and how anyone checks it.
//!
//! The vocabulary (names, algorithms, digests, times, reasons, records) and the pure checks over it. Whoever verifies
//! offline (client, transcripts, auditors' tools) uses exactly what the daemon uses. The gRPC messages are behind the
//! feature `wire`; everything else does without a network stack.
//!
//! What this crate promises: no IO, no clock, no randomness; every parser refuses bad input with a sentence that says
//! what was expected and never panics.

pub mod action;
pub mod algorithm;
pub mod canonical;
pub mod ceremony_id;
pub mod digest;
pub mod hash;
mod hex_text;
pub mod key_id;
pub mod name;
pub mod operation;
pub mod origin;
pub mod proof;
pub mod purpose;
pub mod reason;
pub mod record;
pub mod refusal;
pub mod term;
pub mod time;
#[cfg(feature = "wire")]
pub mod wire;
