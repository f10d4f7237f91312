//! The configuration file: one flat TOML table, unknown keys refused.
//!
//! ```toml
//! address = "https://signing.example.org:7443"      # or "unix:/run/countersign/sign.sock"
//! server_name = "signing.example.org"               # the address's host where absent
//! ca = "ca.pem"                                     # paths are relative to this file
//! certificate = "client.pem"                       # with `key`, for programs; people need neither
//! key = "client-key.pem"
//! log_origin = "signing.example.org"
//! log_key = "signing.example.org+1b2c3d4e+AQ…"      # or a file that holds it
//! deadline = "30s"
//! person = "ada"                                    # who this is, in ceremonies: the id in the roster
//! signing_key = "id_ed25519_sk"                     # as `ssh-keygen -f` takes it
//! genesis_sha256 = "9f3c…"                          # what the instance began with
//! ```

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::SettingsError;
use super::partial::{self, Partial, Setting};

/// The usual place, as people write it.
pub const USUAL_PLACE: &str = "~/.config/countersign/config.toml";

/// The variable that names another file.
pub const VARIABLE: &str = "COUNTERSIGN_CONFIG";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    address: Option<String>,
    server_name: Option<String>,
    ca: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
    log_origin: Option<String>,
    log_key: Option<String>,
    deadline: Option<String>,
    state: Option<String>,
    person: Option<String>,
    signing_key: Option<String>,
    genesis_sha256: Option<String>,
}

/// Reads one file.
///
/// # Errors
/// Where it cannot be read, or has a key or value that is not understood.
pub fn read(path: &Path) -> Result<Partial, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| SettingsError::Unreadable { path: path.to_owned(), cause })?;
    parse(path, &text)
}

/// Understands the text of a file.
///
/// # Errors
/// Where a key or value is not understood, with its line.
pub fn parse(path: &Path, text: &str) -> Result<Partial, SettingsError> {
    let text: Text = toml::from_str(text).map_err(|cause| SettingsError::NotUnderstood {
        path: path.to_owned(),
        cause: cause.to_string().trim().to_owned(),
    })?;
    Ok(Partial::from_file(
        path,
        [
            (Setting::Address, text.address),
            (Setting::ServerName, text.server_name),
            (Setting::Ca, text.ca),
            (Setting::Certificate, text.certificate),
            (Setting::Key, text.key),
            (Setting::LogOrigin, text.log_origin),
            (Setting::LogKey, text.log_key),
            (Setting::Deadline, text.deadline),
            (Setting::State, text.state),
            (Setting::Person, text.person),
            (Setting::SigningKey, text.signing_key),
            (Setting::Genesis, text.genesis_sha256),
        ],
    ))
}

/// The places that apply, the strongest first: flags, environment, file, what is usual.
///
/// The file is the one that `--config` or [`VARIABLE`] names and then must exist, else the usual one, which need not.
///
/// # Errors
/// Where the file cannot be read or is not understood.
pub fn places(
    flags: Partial,
    named: Option<&Path>,
    look: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Partial>, SettingsError> {
    let environment = Partial::from_environment(&look);
    let named = named
        .map(Path::to_owned)
        .or_else(|| look(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from));
    let file = match (named, usual_file(&look)) {
        (Some(path), _) => read(&path)?,
        (None, Some(path)) => match read(&path) {
            Err(SettingsError::Unreadable { cause, .. }) if cause.kind() == ErrorKind::NotFound => {
                Partial::default()
            }
            other => other?,
        },
        (None, None) => Partial::default(),
    };
    Ok(vec![flags, environment, file, Partial::usual(&look)])
}

/// `$XDG_CONFIG_HOME/countersign/config.toml`, else [`USUAL_PLACE`].
fn usual_file(look: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let base = look("XDG_CONFIG_HOME")
        .filter(|path| Path::new(path).is_absolute())
        .map(PathBuf::from)
        .or_else(|| Some(partial::home(look)?.join(".config")))?;
    Some(base.join("countersign").join("config.toml"))
}
