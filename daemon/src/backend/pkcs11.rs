//! Keys in an HSM behind a PKCS#11 module, which runs in a process of its own.

pub mod frame;
pub mod host;
pub mod latch;
pub mod message;
pub mod octets;
mod settings;
pub mod uri;

pub use settings::Settings;
