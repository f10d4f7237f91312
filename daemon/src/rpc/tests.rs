//! The transport as a whole, over real sockets.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod acts;
mod authority;
mod client;
mod denials;
mod flood;
mod garbage;
mod handshake;
mod hold;
mod life;
mod proofs;
mod reasons;
mod reload;
mod services;
mod site;
