//! Access policy: who may ask for what. Cedar, with one schema, read and decided here alone.
//!
//! Principals are [callers](Caller), actions are the [calls](Action), resources are [keys](Resource) (and what a stop can
//! name), the context holds the [facts](Facts) of the payload, the caller's verified claims and, apart from them, the
//! caller's own annotations. `permit` rules are *grants*, `forbid` rules are *guardrails*. Default deny; an evaluation
//! error denies (Cedar alone would skip the rule).
//!
//! [`Policies`] reads both files and says everything that is wrong with them; [`Policies::decide`] asks Cedar about all
//! rules. The daemon decides on slices of the same rules ([`Rule::principal`], [`Rule::resource`]), and a property test holds the two equal.
//! [`cases`] runs a table of cases, [`explain`] says which rule decides and what each other one says.
//!
//! What this does not do: quotas, stops, key states; none of them is a matter of policy.

pub mod action;
pub mod caller;
pub mod cases;
pub mod decide;
pub mod entities;
pub mod explain;
pub mod facts;
pub mod needs;
pub mod policies;
pub mod rule;
pub mod schema;

pub use action::Action;
pub use caller::{Caller, CallerKind};
pub use decide::{Decision, Denial, Question};
pub use facts::{Facts, Resource};
pub use needs::Needs;
pub use policies::Policies;
pub use rule::{Effect, Rule};
