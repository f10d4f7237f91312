//! What one place (flags, environment, a file) says about the settings, and the order of the places.
//!
//! Promises: values stay text until they are settled, together with where they came from, so that every message can name the place.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// One setting, with its name in every place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// `https://host:port` or `unix:/path`.
    Address,
    /// The name that the server's certificate must carry.
    ServerName,
    /// Certificate authorities, PEM.
    Ca,
    /// The client's certificate, PEM.
    Certificate,
    /// The client's private key, PEM.
    Key,
    /// The log's origin: a bare DNS name.
    LogOrigin,
    /// The log's verifier key, or a file that holds it.
    LogKey,
    /// How long a command waits.
    Deadline,
    /// Where the newest checkpoints are kept.
    State,
    /// Who uses this client, by the id in the roster.
    Person,
    /// What this person signs with, as `ssh-keygen -f` takes it.
    SigningKey,
    /// SHA-256 of the genesis statement of the instance.
    Genesis,
}

impl Setting {
    /// Every setting.
    pub const ALL: [Self; 12] = [
        Self::Address,
        Self::ServerName,
        Self::Ca,
        Self::Certificate,
        Self::Key,
        Self::LogOrigin,
        Self::LogKey,
        Self::Deadline,
        Self::State,
        Self::Person,
        Self::SigningKey,
        Self::Genesis,
    ];

    /// Its flag, without the dashes.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::ServerName => "server-name",
            Self::Ca => "ca",
            Self::Certificate => "client-certificate",
            Self::Key => "client-key",
            Self::LogOrigin => "log-origin",
            Self::LogKey => "log-key",
            Self::Deadline => "deadline",
            Self::State => "state",
            Self::Person => "person",
            Self::SigningKey => "signing-key",
            Self::Genesis => "genesis-sha256",
        }
    }

    /// Its environment variable.
    #[must_use]
    pub fn variable(self) -> String {
        format!("COUNTERSIGN_{}", self.flag().to_uppercase().replace('-', "_"))
    }

    /// Its key in the configuration file.
    #[must_use]
    pub fn in_file(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::ServerName => "server_name",
            Self::Ca => "ca",
            Self::Certificate => "certificate",
            Self::Key => "key",
            Self::LogOrigin => "log_origin",
            Self::LogKey => "log_key",
            Self::Deadline => "deadline",
            Self::State => "state",
            Self::Person => "person",
            Self::SigningKey => "signing_key",
            Self::Genesis => "genesis_sha256",
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "address",
            Self::ServerName => "server name",
            Self::Ca => "certificate authority (PEM)",
            Self::Certificate => "client certificate (PEM)",
            Self::Key => "client key (PEM)",
            Self::LogOrigin => "log origin",
            Self::LogKey => "log key",
            Self::Deadline => "deadline",
            Self::State => "state directory",
            Self::Person => "person",
            Self::SigningKey => "signing key",
            Self::Genesis => "SHA-256 of the genesis statement",
        })
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag of this name.
    Flag(&'static str),
    /// An environment variable.
    Variable(String),
    /// A configuration file.
    File(PathBuf),
    /// The usual place of this user.
    Usual,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Variable(name) => write!(f, "${name}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Usual => f.write_str("the usual place"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The text as it was given.
    pub value: String,
    /// Where.
    pub origin: Origin,
}

impl Place {
    /// The value as a path: relative ones in a file are relative to that file, all others to the working directory.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match &self.origin {
            Origin::File(file) => file.parent().unwrap_or_else(|| Path::new("")).join(&self.value),
            Origin::Flag(_) | Origin::Variable(_) | Origin::Usual => PathBuf::from(&self.value),
        }
    }
}

/// What one place says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partial(BTreeMap<Setting, Place>);

impl Partial {
    /// What the flags say.
    pub fn from_flags(flags: impl IntoIterator<Item = (Setting, Option<String>)>) -> Self {
        Self(
            flags
                .into_iter()
                .filter_map(|(setting, value)| {
                    Some((setting, Place { value: value?, origin: Origin::Flag(setting.flag()) }))
                })
                .collect(),
        )
    }

    /// What the environment says. An empty variable is as good as none.
    pub fn from_environment(look: impl Fn(&str) -> Option<String>) -> Self {
        Self(
            Setting::ALL
                .into_iter()
                .filter_map(|setting| {
                    let name = setting.variable();
                    let value = look(&name).filter(|value| !value.is_empty())?;
                    Some((setting, Place { value, origin: Origin::Variable(name) }))
                })
                .collect(),
        )
    }

    /// What is usual for this user: only where the state is kept (`$XDG_STATE_HOME/countersign`, else `~/.local/state/countersign`).
    pub fn usual(look: impl Fn(&str) -> Option<String>) -> Self {
        let state = look("XDG_STATE_HOME")
            .filter(|path| Path::new(path).is_absolute())
            .map(PathBuf::from)
            .or_else(|| Some(home(&look)?.join(".local").join("state")));
        let place = state.map(|path| Place {
            value: path.join("countersign").display().to_string(),
            origin: Origin::Usual,
        });
        Self(place.into_iter().map(|place| (Setting::State, place)).collect())
    }

    /// What a file says, as pairs.
    pub fn from_file(path: &Path, pairs: impl IntoIterator<Item = (Setting, Option<String>)>) -> Self {
        Self(
            pairs
                .into_iter()
                .filter_map(|(setting, value)| {
                    Some((setting, Place { value: value?, origin: Origin::File(path.to_owned()) }))
                })
                .collect(),
        )
    }
}

/// The home directory, on any system.
pub(crate) fn home(look: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    ["HOME", "USERPROFILE"].into_iter().find_map(look).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The value of the first place that has one.
#[must_use]
pub fn first(places: &[Partial], setting: Setting) -> Option<&Place> {
    places.iter().find_map(|partial| partial.0.get(&setting))
}
