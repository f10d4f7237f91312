//! The gRPC edge: convert, call one method, convert back.
//!
//! Connections come in through [`listen`] (TLS 1.3 or the Unix socket), get an [`identity`], pass the common
//! [`front`] (bounds, deadline, request id, reasons for what the libraries refuse) and reach a service. Services
//! decide nothing and perform nothing: each call becomes one call of a use case, and every error becomes a status in
//! [`status`]. This is the only module that imports tonic.
//!
//! Invariant: every refusal carries an `ErrorInfo` of our domain, tonic's own included
//! (`every_refusal_of_the_transport_says_its_reason`).

mod ceremony;
pub mod connection;
pub mod edge;
mod enrollment;
pub mod front;
pub mod health;
pub mod identity;
mod incident;
mod keys;
pub mod limit;
pub mod listen;
mod log;
mod outgoing;
pub mod paths;
pub mod reflection;
pub mod services;
pub mod signing;
pub mod status;
pub mod tls;

#[cfg(test)]
mod tests;
