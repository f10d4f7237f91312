//! countersignd: signs with keys that live in HSMs and cloud KMS, and records every signature before it leaves.

pub mod clock;
pub mod drain;
pub mod log;
pub mod measure;
pub mod secret;
pub mod sign;
pub mod store;
pub mod telemetry;
