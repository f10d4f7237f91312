//! Reading the signing log, and checking it offline.
//!
//! Promises: a record handed on as proven is under a checkpoint that the log key signed; what is only read says so. Offline checks
//! (`audit`) open no connection and hold a bounded part of the log in memory.

pub mod audit;
pub mod export;
pub mod line;
pub mod prove;
pub mod read;
pub mod redact;
