//! Callers: authenticated identities, as policy and people write them.

pub use ceremonies::access::caller::NotACaller;
pub use ceremonies::access::{Caller, CallerKind};
