//! Countersign.
#[cfg(feature = "wire")]
pub mod wire;
