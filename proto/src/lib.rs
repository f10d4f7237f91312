//! Countersign.
pub mod hash;
pub mod proof;
