//! How the client reaches its instance: flags, then environment, then one file.
//!
//! Promises: each setting comes from the first place that has it, and a message about a setting names the place it came from.
//! Deliberately has no default address and no default trust: which instance signs, and which log key proves it, is never a guess.

pub mod file;
pub mod partial;

use std::path::PathBuf;
use std::time::Duration;

use proto::proof::note::Verifier;

use crate::address::{Address, AddressError};
pub use partial::{Origin, Partial, Place, Setting};

/// How long a command waits for the daemon when nothing else is said.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// What this client is known by, and whom it believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM of the certificate authorities that may have issued the server's certificate. Nothing else is trusted.
    pub ca: PathBuf,
    /// What the client shows of itself. People need nothing: what they do is signed by their own keys.
    pub own: Option<Identity>,
    /// The name that the server's certificate must carry; the address's host where absent.
    pub server_name: Option<String>,
}

/// The certificate of a client, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// PEM of the client's certificate chain, leaf first.
    pub certificate: PathBuf,
    /// PEM of the client's private key.
    pub key: PathBuf,
}

/// Everything a command needs to talk to an instance.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the daemon listens.
    pub address: Address,
    /// Present exactly for network addresses.
    pub tls: Option<TlsFiles>,
    /// The log key that proves this instance's log.
    pub log_key: Option<Verifier>,
    /// How long a command waits altogether, retries included.
    pub deadline: Duration,
    /// Where the newest checkpoints that were seen are kept.
    pub state_directory: PathBuf,
}

/// What is wrong with the settings, and what was expected.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No place names an address.
    #[error("no address is set: nothing says which instance to talk to")]
    NoAddress,
    /// A network address needs certificates.
    #[error("{address} needs a {name}, and none is set")]
    Missing {
        /// The address that needs it.
        address: Address,
        /// Name of the setting that is missing.
        name: Setting,
    },
    /// A certificate without its key, or the reverse.
    #[error("{given} is set, from {origin}, and no {missing}: a client shows both or nothing")]
    Half {
        /// The setting that is there.
        given: Setting,
        /// Where it came from.
        origin: Origin,
        /// The setting that is not.
        missing: Setting,
    },
    /// The address is not one.
    #[error("address, from {origin}: {cause}")]
    Address {
        /// Where the value came from.
        origin: Origin,
        /// What was expected.
        #[source]
        cause: AddressError,
    },
    /// The log key is neither a verifier key nor a file that holds one.
    #[error("log key, from {origin}: {cause}")]
    LogKey {
        /// Where the value came from.
        origin: Origin,
        /// What was expected.
        cause: String,
    },
    /// The log key's name is not the configured origin.
    #[error("the log key is of `{key}`, but the log origin set by {origin} is `{expected}`")]
    OtherOrigin {
        /// Name in the verifier key.
        key: String,
        /// Where the expected origin came from.
        origin: Origin,
        /// The configured origin.
        expected: String,
    },
    /// Not a duration.
    #[error("deadline, from {origin}: `{value}` is not a duration: expected for instance `30s` or `2m`")]
    Deadline {
        /// Where the value came from.
        origin: Origin,
        /// The text.
        value: String,
    },
    /// The configuration file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The configuration file is not understood.
    #[error("{path} is not understood: {cause}")]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// What was expected, with line and column.
        cause: String,
    },
    /// Neither the state directory nor the home directory is known.
    #[error("no directory for the newest checkpoints: neither XDG_STATE_HOME nor HOME is set")]
    NoStateDirectory,
}

impl SettingsError {
    /// The sentence that says what to do.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::NoAddress => format!(
                "give --address https://HOST:PORT or unix:/PATH, set {}, or write `address` into {}",
                Setting::Address.variable(),
                file::USUAL_PLACE,
            ),
            Self::Missing { name, .. } | Self::Half { missing: name, .. } => {
                format!(
                    "give --{} FILE, set {}, or write `{}` into the configuration file",
                    name.flag(),
                    name.variable(),
                    name.in_file()
                )
            }
            Self::LogKey { .. } | Self::OtherOrigin { .. } => {
                "take the log key from the instance's genesis or trust bundle: one line, `origin+hash+base64`"
                    .to_owned()
            }
            Self::Unreadable { .. } => "check the path and its permissions, or give --config FILE".to_owned(),
            Self::Address { .. } | Self::Deadline { .. } | Self::NotUnderstood { .. } => {
                "correct it where it was set".to_owned()
            }
            Self::NoStateDirectory => "set COUNTERSIGN_STATE to a directory of your own".to_owned(),
        }
    }
}

impl Settings {
    /// Settles every setting from the places given, the strongest first.
    ///
    /// # Errors
    /// The first thing that is missing or not understood, with the place it came from.
    pub fn settle(places: &[Partial]) -> Result<Self, SettingsError> {
        let find = |setting: Setting| partial::first(places, setting);
        let address = find(Setting::Address).ok_or(SettingsError::NoAddress)?;
        let address: Address = address
            .value
            .parse()
            .map_err(|cause| SettingsError::Address { origin: address.origin.clone(), cause })?;
        let file = |setting: Setting| {
            find(setting)
                .map(|place| place.path())
                .ok_or_else(|| SettingsError::Missing { address: address.clone(), name: setting })
        };
        let tls = match &address {
            Address::Local { .. } => None,
            Address::Network { .. } => Some(TlsFiles {
                ca: file(Setting::Ca)?,
                own: own(places)?,
                server_name: find(Setting::ServerName).map(|place| place.value.clone()),
            }),
        };
        Ok(Self {
            tls,
            log_key: log_key(places)?,
            deadline: deadline(places)?,
            state_directory: find(Setting::State)
                .map(|place| place.path())
                .ok_or(SettingsError::NoStateDirectory)?,
            address,
        })
    }
}

/// What the client shows of itself: certificate and key, or neither.
fn own(places: &[Partial]) -> Result<Option<Identity>, SettingsError> {
    let find = |setting| partial::first(places, setting);
    let half =
        |given, place: &Place, missing| SettingsError::Half { given, origin: place.origin.clone(), missing };
    match (find(Setting::Certificate), find(Setting::Key)) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => {
            Ok(Some(Identity { certificate: certificate.path(), key: key.path() }))
        }
        (Some(place), None) => Err(half(Setting::Certificate, place, Setting::Key)),
        (None, Some(place)) => Err(half(Setting::Key, place, Setting::Certificate)),
    }
}

/// The log key of the first place that has one, held against the origin of the first place that has one.
///
/// # Errors
/// Where the key is not one, or its name is not the origin that was set.
pub fn log_key(places: &[Partial]) -> Result<Option<Verifier>, SettingsError> {
    let Some(place) = partial::first(places, Setting::LogKey) else { return Ok(None) };
    let refuse = |cause: String| SettingsError::LogKey { origin: place.origin.clone(), cause };
    let verifier = if let Ok(verifier) = place.value.trim().parse::<Verifier>() {
        verifier
    } else {
        let path = place.path();
        let text = std::fs::read_to_string(&path).map_err(|cause| {
            refuse(format!(
                "`{}` is neither a key of the form `origin+hash+base64` nor a file to read one from: {cause}",
                place.value
            ))
        })?;
        text.trim().parse::<Verifier>().map_err(|cause| {
            refuse(format!("{} holds no key of the form `origin+hash+base64`: {cause}", path.display()))
        })?
    };
    if let Some(origin) = partial::first(places, Setting::LogOrigin)
        && origin.value != verifier.name()
    {
        return Err(SettingsError::OtherOrigin {
            key: verifier.name().to_owned(),
            origin: origin.origin.clone(),
            expected: origin.value.clone(),
        });
    }
    Ok(Some(verifier))
}

/// The deadline of the first place that has one, else the usual one.
fn deadline(places: &[Partial]) -> Result<Duration, SettingsError> {
    let Some(place) = partial::first(places, Setting::Deadline) else { return Ok(DEFAULT_DEADLINE) };
    let refuse = || SettingsError::Deadline { origin: place.origin.clone(), value: place.value.clone() };
    let Ok(duration) = place.value.parse::<jiff::SignedDuration>() else { return Err(refuse()) };
    match Duration::try_from(duration) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(refuse()),
    }
}

#[cfg(test)]
mod tests;
