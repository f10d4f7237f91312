//! Where a secret is, in place of the secret.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Secret;

/// No secret is longer than this; a reference that points to something larger points to the wrong file.
const LONGEST: u64 = 64 * 1024;

/// The place of a secret: `{ file = "/path" }` or `{ credential = "name" }` in configuration.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum SecretReference {
    /// A file, read when the secret is needed. Nobody but its owner and group may have any right on it.
    File {
        /// Its path.
        path: PathBuf,
    },
    /// A systemd credential: the file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential {
        /// Its name: 1 to 255 bytes, no `/`.
        name: String,
    },
}

/// A secret cannot be read. The text says where it was looked for, never what was found.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No file there, or no right to read it.
    #[error("cannot read the secret {place}: {cause}")]
    Unreadable {
        /// Where.
        place: String,
        /// The system's word.
        cause: std::io::Error,
    },
    /// The process was not started by systemd with this credential.
    #[error(
        "the credential {name} needs $CREDENTIALS_DIRECTORY: start the daemon as a systemd unit with LoadCredential={name}:…, \
         or name a file in the configuration"
    )]
    NoCredentials {
        /// The credential's name.
        name: String,
    },
    /// Others could read it.
    #[error("{} is readable or writable by everybody (mode {mode:04o}): chmod o= {}", .path.display(), .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Too long, or not a file.
    #[error("{} is not a file of at most {LONGEST} bytes, so it is not a secret", .path.display())]
    NotASecret {
        /// The file.
        path: PathBuf,
    },
    /// Nothing in it.
    #[error("{} is empty", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl SecretReference {
    /// A reference to a file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File { path: path.into() }
    }

    /// A reference to a systemd credential.
    ///
    /// # Errors
    /// If the name is not one: it must be a plain file name.
    pub fn credential(name: &str) -> Result<Self, NotACredential> {
        let plain = !name.is_empty()
            && name.len() <= 255
            && !name.contains(['/', '\0'])
            && name != "."
            && name != "..";
        if plain { Ok(Self::Credential { name: name.to_owned() }) } else { Err(NotACredential) }
    }

    /// Where it is. For a credential the directory is that of this process's environment.
    ///
    /// # Errors
    /// If it is a credential and there is no directory of credentials.
    pub fn path(&self) -> Result<PathBuf, SecretError> {
        self.path_under(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from).as_deref())
    }

    fn path_under(&self, credentials: Option<&Path>) -> Result<PathBuf, SecretError> {
        match self {
            Self::File { path } => Ok(path.clone()),
            Self::Credential { name } => match credentials {
                Some(directory) => Ok(directory.join(name)),
                None => Err(SecretError::NoCredentials { name: name.clone() }),
            },
        }
    }

    /// Reads the secret, whole and as it is (see [`Secret::without_line_end`]).
    ///
    /// # Errors
    /// If there is none, if everybody could read it, or if it is empty or longer than 64 KiB.
    pub fn read(&self) -> Result<Secret, SecretError> {
        self.read_under(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from).as_deref())
    }

    fn read_under(&self, credentials: Option<&Path>) -> Result<Secret, SecretError> {
        let path = self.path_under(credentials)?;
        let unreadable = |cause| SecretError::Unreadable { place: self.to_string(), cause };
        let file = std::fs::File::open(&path).map_err(unreadable)?;
        // The rights are those of the file that is open, not of what the path may name a moment later.
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() || metadata.len() > LONGEST {
            return Err(SecretError::NotASecret { path });
        }
        refuse_open_rights(&path, &metadata)?;
        let length = usize::try_from(metadata.len()).unwrap_or(0);
        // One allocation that never grows: a grown vector leaves its bytes behind in freed memory.
        let mut secret = Secret::new(Vec::with_capacity(length + 1));
        file.take(length as u64).read_to_end(&mut secret.0).map_err(unreadable)?;
        if secret.0.is_empty() { Err(SecretError::Empty { path }) } else { Ok(secret) }
    }
}

fn refuse_open_rights(path: &Path, metadata: &std::fs::Metadata) -> Result<(), SecretError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o007 == 0 { Ok(()) } else { Err(SecretError::Open { path: path.to_owned(), mode }) }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path } => write!(f, "file {}", path.display()),
            Self::Credential { name } => write!(f, "credential {name}"),
        }
    }
}

/// Not the name of a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected the name of a systemd credential: 1 to 255 bytes, a file name without '/'")]
pub struct NotACredential;

/// Not a reference to a secret.
const EXPECTED: &str = r#"expected { file = "/path" } or { credential = "name" }, never the secret itself"#;

impl<'de> Deserialize<'de> for SecretReference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not `deserialize_map`: behind a tagged enum serde would show the value that it did not expect.
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> serde::de::Visitor<'de> for Visitor {
    type Value = SecretReference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED.trim_start_matches("expected "))
    }

    // A PIN written where its place belongs must not be shown back, in a log for instance.
    fn visit_str<E: serde::de::Error>(self, _perhaps_secret: &str) -> Result<Self::Value, E> {
        Err(E::custom(EXPECTED))
    }

    fn visit_i64<E: serde::de::Error>(self, _perhaps_secret: i64) -> Result<Self::Value, E> {
        Err(E::custom(EXPECTED))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        use serde::de::Error as _;
        let reference = match map.next_key::<String>()?.as_deref() {
            Some("file") => SecretReference::file(map.next_value::<PathBuf>()?),
            Some("credential") => {
                SecretReference::credential(&map.next_value::<String>()?).map_err(A::Error::custom)?
            }
            _ => return Err(A::Error::custom(EXPECTED)),
        };
        if map.next_key::<String>()?.is_some() {
            return Err(A::Error::custom(EXPECTED));
        }
        Ok(reference)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(directory: &Path, name: &str, content: &[u8], mode: u32) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_file_is_read_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path(), "pin", b"1234\n", 0o600);
        assert_eq!(SecretReference::file(path).read().unwrap().expose(), b"1234\n");
    }

    #[test]
    fn a_file_that_everybody_can_read_is_refused_with_the_command_that_helps() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path(), "pin", b"1234", 0o644);
        let error = SecretReference::file(&path).read().unwrap_err().to_string();
        assert!(error.ends_with(&format!("(mode 0644): chmod o= {}", path.display())), "{error}");
    }

    #[test]
    fn empty_long_and_missing_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let read = |path: PathBuf| SecretReference::file(path).read();
        assert!(matches!(read(file(directory.path(), "empty", b"", 0o600)), Err(SecretError::Empty { .. })));
        let long = vec![b'x'; usize::try_from(LONGEST).unwrap() + 1];
        assert!(matches!(
            read(file(directory.path(), "long", &long, 0o600)),
            Err(SecretError::NotASecret { .. })
        ));
        assert!(matches!(read(directory.path().to_owned()), Err(SecretError::NotASecret { .. })));
        assert!(matches!(read(directory.path().join("missing")), Err(SecretError::Unreadable { .. })));
    }

    #[test]
    fn a_credential_is_a_file_in_the_directory_that_systemd_names() {
        let directory = tempfile::tempdir().unwrap();
        file(directory.path(), "log.key", b"seed", 0o400);
        let reference = SecretReference::credential("log.key").unwrap();
        assert_eq!(reference.read_under(Some(directory.path())).unwrap().expose(), b"seed");
        let error = reference.read_under(None).unwrap_err().to_string();
        assert!(error.contains("LoadCredential=log.key:"), "{error}");
    }

    #[test]
    fn a_credential_name_cannot_leave_its_directory() {
        for bad in ["", "..", ".", "a/b", "/etc/shadow"] {
            assert_eq!(SecretReference::credential(bad), Err(NotACredential), "{bad}");
        }
    }

    #[derive(Deserialize)]
    struct Place {
        pin: SecretReference,
    }

    #[test]
    fn both_forms_are_read_and_the_secret_itself_is_refused_without_showing_it() {
        let read = |text: &str| toml::from_str::<Place>(text).map(|place| place.pin);
        assert_eq!(read(r#"pin = { file = "/a" }"#).unwrap(), SecretReference::file("/a"));
        assert_eq!(read(r#"pin = { credential = "a" }"#).unwrap(), SecretReference::credential("a").unwrap());
        for bad in [
            r#"pin = "987654""#,
            "pin = 987654",
            r#"pin = { value = "987654" }"#,
            r#"pin = { file = "a", credential = "b" }"#,
        ] {
            let error = read(bad).map(|_| ()).unwrap_err();
            assert!(error.message().contains("{ file = "), "{error}");
            assert!(!error.message().contains("987654"), "{error}");
        }
    }
}
