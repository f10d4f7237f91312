//! Settings of the software backend.

use serde::Deserialize;

use crate::secret::SecretReference;

/// `[backend.NAME]` with `kind = "software"`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the age identity is that the keys are sealed to (`AGE-SECRET-KEY-1…`).
    pub identity: SecretReference,
    /// Which signatures are verified before release.
    #[serde(default)]
    pub verify: Verify,
    /// How many calls may wait, in all.
    #[serde(default = "queue")]
    pub queue: usize,
    /// How many calls of one caller may wait.
    #[serde(default = "queue_per_caller")]
    pub queue_per_caller: usize,
}

const fn queue() -> usize {
    8192
}

const fn queue_per_caller() -> usize {
    2048
}

/// Which signatures of software keys are verified before release. Keys outside the process have no such choice.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// The proof of the pair when it is loaded.
    #[default]
    Load,
    /// Every signature too.
    Every,
}

/// Whether an instance admits keys in software.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// A rehearsal, or a genesis that says `allow_software_backend`.
    Admitted,
    /// Production.
    Refused,
}

impl Settings {
    /// What is wrong with them, all at once. Opens nothing.
    pub fn problems(&self) -> Vec<String> {
        match self.queue >= self.queue_per_caller && self.queue_per_caller > 0 {
            true => Vec::new(),
            false => vec!["queue_per_caller is at least 1 and at most queue".to_owned()],
        }
    }
}
