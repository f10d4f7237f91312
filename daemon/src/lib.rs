//! countersignd: signs with keys that live in HSMs and cloud KMS, and records every signature before it leaves.

pub mod ahead;
pub mod app;
pub mod audit;
pub mod backend;
pub mod clock;
pub mod config;
pub mod council;
pub mod denials;
pub mod drain;
pub mod enroll;
pub mod incident;
pub mod keyring;
pub mod keys;
pub mod log;
pub mod measure;
pub mod policy;
pub mod random;
pub mod room;
pub mod rpc;
pub mod secret;
pub mod sign;
pub mod store;
pub mod telemetry;
pub mod tick;
pub mod trace;
pub mod web;
