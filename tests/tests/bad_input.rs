//! Bad input, at the doors of the whole daemon: each is refused with a sentence that says what was expected, a stable
//! reason, and before anything is touched.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "bad_input/callers.rs"]
mod callers;
#[path = "bad_input/configured.rs"]
mod configured;
#[path = "bad_input/documents.rs"]
mod documents;
#[path = "bad_input/fields.rs"]
mod fields;
#[path = "bad_input/pin.rs"]
mod pin;
#[path = "bad_input/setup.rs"]
mod setup;
#[path = "bad_input/site.rs"]
mod site;
#[path = "bad_input/stops.rs"]
mod stops;
