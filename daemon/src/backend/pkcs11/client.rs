//! The daemon's end of the host protocol.
//!
//! [`keep`] keeps a host running and says how it fares; a [`Line`](line::Line) is one running host with what is in flight;
//! a [`Key`] signs. What is known of an earlier host is worth nothing for the next one: numbers of keys carry the epoch
//! they are of, and are looked up again, with the public key, in a new one.

mod history;
mod keeper;
mod key;
mod line;
#[cfg(test)]
mod played;
mod shared;
mod spawn;

pub(super) use keeper::keep;
pub(super) use key::Key;
pub(super) use shared::{Shared, nonsense};
pub(super) use spawn::Spawner;
