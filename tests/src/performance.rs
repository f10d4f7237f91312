//! What a run of the bench found, and how it is shown: cells, tables, a plot, the page in `docs/`.
//!
//! Pure: measures nothing and reads no clock. `cargo xtask bench` measures (`tests/benches/whole`), writes cells as
//! JSON, and everything that people read is made from that JSON alone, so no figure can be written by hand.

pub mod cell;
pub mod histogram;
pub mod page;
pub mod plot;
pub mod spread;
pub mod table;
