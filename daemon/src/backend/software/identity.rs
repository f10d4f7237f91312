//! The age identity that software keys are sealed to.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use age::secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use crate::backend::Failure;
use crate::secret::SecretReference;

/// The X25519 identity: it seals and opens.
pub struct Identity(age::x25519::Identity);

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(redacted)")
    }
}

/// What cannot be read does not stay so for ever: an operator mends it.
pub(super) fn unavailable(cause: String) -> Failure {
    Failure::Unavailable { cause, retry_after: Duration::from_secs(5) }
}

impl Identity {
    /// Reads the identity: the one line of the file that begins with `AGE-SECRET-KEY-1`, as `age-keygen` writes it.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] where it cannot be read or holds no identity.
    pub fn read(reference: &SecretReference) -> Result<Self, Failure> {
        let secret = reference.read().map_err(|e| unavailable(e.to_string()))?;
        let no_identity = || {
            unavailable(format!(
                "{reference} holds no age identity: expected one line AGE-SECRET-KEY-1…, as age-keygen writes it"
            ))
        };
        let text = secret.text().map_err(|_not_text| no_identity())?;
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let line = lines.next().filter(|_| lines.next().is_none()).ok_or_else(no_identity)?;
        line.parse().map(Self).map_err(|_reason: &str| no_identity())
    }

    /// Seals bytes to this identity.
    pub(super) fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, Failure> {
        age::encrypt(&self.0.to_public(), plain)
            .map_err(|e| unavailable(format!("sealing a key failed: {e}")))
    }

    /// Opens what was sealed to it.
    pub(super) fn unseal(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
        age::decrypt(&self.0, sealed).map(Zeroizing::new).map_err(|e| Failure::Refused {
            cause: format!("a key file cannot be opened with the configured identity: {e}"),
        })
    }
}

/// Makes a new identity in a new file that its owner alone can read. For `init` and `dev`.
///
/// # Errors
/// If the file exists or cannot be written.
pub fn create(path: &Path) -> std::io::Result<()> {
    let identity = age::x25519::Identity::generate();
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(identity.to_string().expose_secret().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}
