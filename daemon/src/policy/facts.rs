//! What a request is about, as policy sees it.

pub use ceremonies::access::{Action, Facts, Resource};
pub use proto::record::StopTarget as Target;
