//! Tests of the log as a whole, on real files, with a clock that stands still until it is moved.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod basic;
mod company;
mod disk;
mod erase;
mod index;
mod keys;
mod model;
mod oracle;
mod owe;
mod recover;
mod stop;
mod support;
mod tamper;
mod wiped;
