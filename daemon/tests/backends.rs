//! Backends from outside: one conformance suite that each must pass, and what HSMs, their modules, hosts and wires do wrong.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "backends/conformance.rs"]
mod conformance;
#[path = "backends/faults.rs"]
mod faults;
#[path = "backends/hosts.rs"]
mod hosts;
#[path = "backends/objects.rs"]
mod objects;
#[path = "backends/protocol.rs"]
mod protocol;
#[path = "backends/queueing.rs"]
mod queueing;
#[path = "backends/rig.rs"]
mod rig;
#[path = "backends/tokens.rs"]
mod tokens;
