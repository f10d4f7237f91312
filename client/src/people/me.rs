//! Who uses this client, by its settings: the person, the key, and the instance that is meant.
//!
//! Promises: a setting that is missing or is none is an error that names the line to add. None of the three is ever guessed.

use std::path::PathBuf;

use ceremonies::person::PersonId;
use proto::hash::Hash;

use crate::settings::file::USUAL_PLACE;
use crate::settings::partial::first;
use crate::settings::{Origin, Partial, Setting};

/// A setting that ceremonies need and that is not there, or is none.
#[derive(Debug, thiserror::Error)]
pub enum MeError {
    /// It is nowhere.
    #[error("no {} is set, and ceremonies need one", .0.in_file())]
    Missing(Setting),
    /// It is of another form.
    #[error("{}, from {origin}: {cause}", .setting.in_file())]
    Form {
        /// Which one.
        setting: Setting,
        /// Where it came from.
        origin: Origin,
        /// What was expected.
        cause: String,
    },
}

impl MeError {
    /// What to do.
    #[must_use]
    pub fn advice(&self) -> String {
        let setting = match self {
            Self::Missing(setting) => *setting,
            Self::Form { .. } => return "correct it where it was set".to_owned(),
        };
        let example = match setting {
            Setting::Person => "\"ada\"",
            Setting::SigningKey => "\"id_ed25519_sk\"",
            _ => "\"<the 64 digits that `init` printed, from paper and not from the daemon>\"",
        };
        format!(
            "add the line `{} = {example}` to {USUAL_PLACE}, give --{}, or set {}",
            setting.in_file(),
            setting.flag(),
            setting.variable()
        )
    }
}

/// Who uses this client.
///
/// # Errors
/// [`MeError`].
pub fn person(places: &[Partial]) -> Result<PersonId, MeError> {
    read(places, Setting::Person, |text| text.parse().map_err(|cause| format!("{cause}")))
}

/// SHA-256 of the genesis statement of the instance that is meant.
///
/// # Errors
/// [`MeError`].
pub fn genesis(places: &[Partial]) -> Result<Hash, MeError> {
    read(places, Setting::Genesis, |text| text.parse().map_err(|cause| format!("`{text}`: {cause}")))
}

/// What the person signs with: a path that is there.
///
/// # Errors
/// [`MeError`].
pub fn signing_key(places: &[Partial]) -> Result<PathBuf, MeError> {
    let place = first(places, Setting::SigningKey).ok_or(MeError::Missing(Setting::SigningKey))?;
    let path = place.path();
    if path.is_file() {
        return Ok(path);
    }
    Err(MeError::Form {
        setting: Setting::SigningKey,
        origin: place.origin.clone(),
        cause: format!(
            "{} is no file: expected a key of ssh-keygen, or the public key of one that an agent or a token holds",
            path.display()
        ),
    })
}

fn read<T>(
    places: &[Partial],
    setting: Setting,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, MeError> {
    let place = first(places, setting).ok_or(MeError::Missing(setting))?;
    parse(place.value.trim()).map_err(|cause| MeError::Form { setting, origin: place.origin.clone(), cause })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    fn flags(pairs: &[(Setting, &str)]) -> Vec<Partial> {
        vec![Partial::from_flags(pairs.iter().map(|(setting, value)| (*setting, Some((*value).to_owned()))))]
    }

    #[test]
    fn what_is_missing_is_named_with_the_line_to_add() {
        for (error, line) in [
            (person(&[]).unwrap_err(), "`person = \"ada\"`"),
            (signing_key(&[]).unwrap_err(), "`signing_key = \"id_ed25519_sk\"`"),
            (genesis(&[]).unwrap_err(), "`genesis_sha256 = "),
        ] {
            let advice = error.advice();
            assert!(advice.contains(line) && advice.contains("COUNTERSIGN_"), "{advice}");
        }
    }

    #[test]
    fn what_is_none_names_the_place_it_came_from() {
        let error = person(&flags(&[(Setting::Person, "Ada")])).unwrap_err().to_string();
        assert!(error.starts_with("person, from --person: `Ada` is no person's id"), "{error}");
        let error = genesis(&flags(&[(Setting::Genesis, "9f3c")])).unwrap_err().to_string();
        assert!(error.contains("expected 64 lower-case hexadecimal digits"), "{error}");
        let error = signing_key(&flags(&[(Setting::SigningKey, "none")])).unwrap_err().to_string();
        assert!(error.contains("none is no file"), "{error}");
    }
}
