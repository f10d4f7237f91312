//! The wire: gRPC messages of package `countersign.v1`, and what turns them into the vocabulary and back.
//!
//! The code of the messages is made from `proto/proto` by `cargo xtask generate` and checked in. Conversions here
//! check everything that a single value can be checked for (lengths, names, enumerations) and say what was
//! expected; they decide nothing. Servers and clients share them, so that both read a message in one way.

pub mod codec;
pub mod digest;
pub mod receipt;
pub mod refusal;
pub mod time;
pub mod value;

/// Messages, clients and servers of `countersign.v1`, as the protobuf compiler makes them.
#[allow(
    missing_docs,
    reason = "the documentation is in the .proto files; the compiler adds items of its own"
)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all, reason = "generated code")]
pub mod v1 {
    include!("wire/generated/countersign.v1.rs");
}

/// The `FileDescriptorSet` of the package and its imports, for server reflection.
pub const DESCRIPTOR: &[u8] = include_bytes!("wire/generated/countersign.v1.binpb");

/// The largest request that the transport takes, in bytes. Messages inside have limits of their own.
pub const LARGEST_REQUEST: usize = 8 * 1024 * 1024;
