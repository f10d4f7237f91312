//! May this caller do this? A pure decision, made fast.
//!
//! What access policy *is* (schema, rules, what they mean) lives in `ceremonies::access`, where people check it offline
//! with the same code. This module makes it fast ([`mod@slice`]: rules sliced by action, key and principal; entities built
//! once per caller; one decision for a whole batch where no rule looks at the item) and turns a decision into a
//! [`Permit`], which is the only way to the next step. [`quota`] counts beside it.
//!
//! Promises: default deny; an evaluation error denies; a caller that no grant is for is not authenticated; a slice
//! decides exactly as all rules would (`a_slice_decides_as_all_rules_do`).
//!
//! Does not: know stops, key states, or the log; read files.

pub mod caller;
pub mod facts;
pub mod permit;
pub mod quota;
pub mod rules;
pub mod slice;

pub use permit::{Approach, Denied, Permit, decide};
