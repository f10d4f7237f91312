//! Where a verification ended, and why.

use std::error::Error;
use std::fmt;

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// The steps of a verification, in their order.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Step { $($(#[$doc])* $name,)* }

        impl Step {
            /// As verdicts name it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

steps! {
    /// Every file is there, none more, none too large.
    Files = "files";
    /// The manifest is canonical.
    Manifest = "manifest";
    /// Every file has the digest that the manifest names.
    Hashes = "hashes";
    /// The genesis statement is the one that was asked for.
    GenesisDigest = "genesis digest";
    /// The control records are chained from record 0.
    Control = "control records";
    /// The details are those that the records name, and hold what their steps need.
    Details = "details";
    /// The genesis statement was signed by all officers and enough witnesses.
    Genesis = "genesis";
    /// Each log key after the first was made by a ceremony that is valid itself.
    LogKeys = "log keys";
    /// The log key in force signed the checkpoint, which names the newest control record.
    Checkpoint = "checkpoint";
    /// The log holds the completion, which names this statement, manifest and chain.
    Completion = "completion";
    /// Records and heads are in the checkpoint's tree.
    Proofs = "proofs";
    /// Each roster after the first was made by a ceremony that is valid itself.
    Rosters = "rosters";
    /// The guardrails are those in force.
    Guardrails = "guardrails";
    /// Every act is its person's, and the records say what the acts say.
    Acts = "acts";
    /// The records lead from the proposal to the completion.
    Session = "course";
    /// The outputs are those of the statement.
    Outputs = "outputs";
    /// The private key is there.
    Possession = "proof of possession";
    /// What is put in force is what was asked for.
    Effect = "effect";
    /// The copies for people are those of the sources.
    Copies = "copies";
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is wrong with a transcript: the first step that failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{step}: {reason}")]
pub struct Invalid {
    /// The step.
    pub step: Step,
    /// What was found and what was expected.
    pub reason: String,
}

impl Invalid {
    pub(super) fn new(step: Step, reason: impl Into<String>) -> Self {
        Self { step, reason: reason.into() }
    }
}

/// Ends a verification at a step unless something holds.
pub(super) fn hold(holds: bool, step: Step, reason: impl FnOnce() -> String) -> Result<(), Invalid> {
    if holds { Ok(()) } else { Err(Invalid::new(step, reason())) }
}

/// Says at which step an error ended the verification, with all of its causes.
pub(super) trait At<T> {
    fn at(self, step: Step, what: impl fmt::Display) -> Result<T, Invalid>;
}

impl<T, E: Error> At<T> for Result<T, E> {
    fn at(self, step: Step, what: impl fmt::Display) -> Result<T, Invalid> {
        self.map_err(|error| {
            let mut reason = format!("{what}: {error}");
            let mut cause = error.source();
            while let Some(deeper) = cause {
                let said = deeper.to_string();
                // Transparent errors say the same thing twice.
                if !reason.ends_with(&said) {
                    reason.push_str(": ");
                    reason.push_str(&said);
                }
                cause = deeper.source();
            }
            Invalid { step, reason }
        })
    }
}

impl<T> At<T> for Option<T> {
    fn at(self, step: Step, what: impl fmt::Display) -> Result<T, Invalid> {
        self.ok_or_else(|| Invalid::new(step, what.to_string()))
    }
}
