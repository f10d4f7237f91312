//! What a person's machine does in a ceremony: holds what it is shown against what it knows, and signs what was read.
//!
//! Promises: nothing is signed for an instance whose genesis is not the one in the settings, or that is shown a log which does not
//! extend the newest head seen here; what is signed names the digest of the bytes that were shown; every signature is checked here
//! before it leaves. Private keys stay with `ssh-keygen`, its agents and tokens. Deliberately prints nothing: `cli` does.

pub mod act;
pub mod calls;
pub mod desk;
pub mod duty;
pub mod error;
pub mod instance;
pub mod me;
pub mod open;
pub mod sign;
pub mod stopping;
pub mod text;
pub mod transcript;
