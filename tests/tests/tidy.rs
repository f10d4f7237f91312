//! What the repository promises about its own shape, held by tests: layers, crate edges, sizes, habits.
//!
//! Each rule is a function from sources to complaints. It is run twice: on the repository, where it must say nothing, and
//! on a bad example, where it must say what is wrong; so no rule can pass because it looks at nothing.
//! It does not judge behaviour: the other tests do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tidy {
    pub mod edges;
    pub mod habits;
    pub mod layers;
    pub mod pages;
    pub mod places;
    pub mod service;
    pub mod sizes;
    pub mod source;
    pub mod words;
}
