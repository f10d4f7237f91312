//! `[backend.NAME]`, of whichever kind.

use serde::Deserialize;

use super::{pkcs11, software};

/// Settings of one backend.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Settings {
    /// Keys in sealed files.
    Software(software::Settings),
    /// Keys in an HSM.
    Pkcs11(Box<pkcs11::Settings>),
}

impl Settings {
    /// What is wrong with them, all at once. Opens nothing.
    pub fn problems(&self) -> Vec<String> {
        match self {
            Self::Software(settings) => settings.problems(),
            Self::Pkcs11(settings) => settings.problems(),
        }
    }
}
