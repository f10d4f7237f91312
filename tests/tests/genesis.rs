//! How instances begin: made by the real binary, signed by people with the real `ssh-keygen`, checked from outside.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "genesis/authorities.rs"]
mod authorities;
#[path = "genesis/desk.rs"]
mod desk;
#[path = "genesis/drafted.rs"]
mod drafted;
#[path = "genesis/killed.rs"]
mod killed;
#[path = "genesis/rehearsal.rs"]
mod rehearsal;
#[path = "genesis/site.rs"]
mod site;
