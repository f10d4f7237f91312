//! `[backend.NAME]`: what is common to all kinds. Each kind's own settings are its backend's.

use std::path::PathBuf;

use ceremonies::form::{Form, Period};
use serde::Deserialize;

use crate::secret::SecretReference;

/// Settings of one backend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Settings {
    /// Keys in sealed files.
    Software(Software),
    /// Keys in an HSM.
    Pkcs11(Pkcs11),
}

/// `kind = "software"`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Software {
    /// Where the age identity is that the keys are sealed to.
    pub identity: SecretReference,
}

/// `kind = "pkcs11"`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11 {
    /// The vendor's module, an absolute path.
    pub module: PathBuf,
    /// The token, as `pkcs11:` URI (RFC 7512).
    pub token: String,
    /// Where the user PIN is.
    pub pin: Option<SecretReference>,
    /// Sessions, each with a thread of the host.
    #[serde(default)]
    pub sessions: Option<u16>,
    /// How long one call of the module may take.
    #[serde(default)]
    pub call_limit: Option<Limit>,
}

/// A length of time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limit(pub std::time::Duration);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Period::deserialize(deserializer).map(|period| Self(period.duration()))
    }
}

pub(super) fn read(name: &str, form: &mut Form<'_, '_>) -> Option<Settings> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
        form.problem("a backend's name has 1 to 64 lower-case letters, digits and `-`: it is in every record of its keys");
    }
    let kind: String = form.required("kind", "\"software\" or \"pkcs11\"")?;
    match kind.as_str() {
        "software" => form.whole().map(Settings::Software),
        "pkcs11" => form.whole().map(Settings::Pkcs11),
        other => {
            form.problem(format!("kind = \"{other}\": expected \"software\" or \"pkcs11\""));
            form.ignore_the_rest();
            None
        }
    }
}
