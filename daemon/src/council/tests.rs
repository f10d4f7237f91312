//! Ceremonies in one process, with the people's signatures and a software backend.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod clock;
mod destroy;
mod people;
mod refusals;
mod rekey;
mod room;
mod rules;
mod stories;
mod suspend;
