//! Asks Countersign for signatures, and checks whatever comes back.
//!
//! Promises: nothing that a daemon answers is believed because it answered. Signatures are verified against the public key, receipts
//! against the log key, and every checkpoint against the newest one seen before, which is kept between runs. What is offline here
//! (`verify`, `log verify`, `ceremony verify`, `policy …`) opens no connection.
//!
//! Deliberately absent: private keys other than the client's own TLS key, registries, and trust in a key that nobody pinned.

pub mod address;
pub mod cli;
pub mod clock;
pub mod connect;
pub mod connection;
pub mod dsse;
pub mod enroll;
pub mod exit;
#[cfg(all(test, unix))]
mod fake;
pub mod files;
#[cfg(test)]
mod fixture;
pub mod image;
pub mod keys;
pub mod log;
pub mod people;
pub mod refused;
pub mod request_id;
pub mod retry;
pub mod seen;
pub mod settings;
pub mod sign;
pub mod stop;
pub mod trail;
pub mod transcript;
pub mod verify;
