//! The transport as a whole, over real sockets.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod acts;
mod authority;
mod client;
mod denials;
mod garbage;
mod handshake;
mod hold;
mod proofs;
mod reasons;
mod reload;
mod services;
mod site;
