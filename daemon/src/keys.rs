//! The pure life of a key: versions, rings, and the fold of control records that makes them.
//!
//! Nothing here is stored: state is what the log's control records say, folded in order, and a restart folds them again.
//! No IO, no clock: everything that has happened carries its own time.
//!
//! Promises: at most one active version per key; a stopped version signs again only after a completed ceremony; equal histories fold to
//! equal states; a record that makes no sense is refused, and then nothing of it has happened.
//!
//! Does not: check hashes (the log does, before a record comes here), nor open keys (the keyring does).

pub mod fold;
pub mod ring;
pub mod sessions;
pub mod signed;
pub mod state;
#[cfg(test)]
pub(crate) mod trial;
