//! Signing by `ssh-keygen -Y sign`: with a key file, an agent or a FIDO token, whichever the key is.
//!
//! Promises: no private key is read here; the document is signed as it is, from a directory that its owner alone can look into; the
//! terminal belongs to `ssh-keygen` while it runs, so that PIN and touch are asked for. What a crash here leaves behind is that
//! directory, with a document and at most its signature: nothing secret.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use ceremonies::ssh::key::SshKey;

/// The largest signature that is taken, in bytes.
const LARGEST: u64 = 8 * 1024;

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The tool is not there.
    #[error("ssh-keygen is not installed, and it is what signs")]
    NoTool,
    /// The tool, the token or the person said no.
    #[error("ssh-keygen signed nothing with {key} ({status})")]
    Refused {
        /// The key.
        key: PathBuf,
        /// How it ended.
        status: String,
    },
    /// The document could not be put where it is signed, or the signature not be read.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// More than a signature.
    #[error("ssh-keygen wrote more than {LARGEST} bytes")]
    Large,
}

impl SignError {
    /// What to do.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoTool => {
                "install OpenSSH: `apt install openssh-client`, `dnf install openssh-clients`, or its like"
            }
            Self::Refused { .. } => {
                "see what it said above: plug the token in, touch it when it blinks, or add the key to the agent; then the same command again"
            }
            Self::Io { .. } | Self::Large => {
                "check the directory for temporary files (TMPDIR) and its free space"
            }
        }
    }
}

/// A directory for one document, gone at the end.
struct Desk(PathBuf);

impl Desk {
    fn new() -> Result<Self, SignError> {
        let mut random = [0; 16];
        let base = std::env::temp_dir();
        if SystemRandom::new().fill(&mut random).is_err() {
            return Err(SignError::Io {
                path: base,
                cause: io::Error::other("no random numbers for a name"),
            });
        }
        let path = base.join(format!("countersign-{}", hex::encode(random)));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(0o700);
        }
        // Not recursive: a name that is taken is an error, never somebody else's directory.
        builder.create(&path).map_err(|cause| SignError::Io { path: path.clone(), cause })?;
        Ok(Self(path))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // What cannot be removed holds nothing secret.
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// Signs a document in a namespace, and gives the signature as the tool wrote it.
///
/// # Errors
/// [`SignError`].
pub fn sign(key: &Path, namespace: &str, document: &[u8]) -> Result<String, SignError> {
    by("ssh-keygen", key, namespace, document)
}

fn by(tool: &str, key: &Path, namespace: &str, document: &[u8]) -> Result<String, SignError> {
    let desk = Desk::new()?;
    let (file, written) = (desk.0.join("act.json"), desk.0.join("act.json.sig"));
    let io = |path: &Path| {
        let path = path.to_owned();
        move |cause| SignError::Io { path, cause }
    };
    fs::write(&file, document).map_err(io(&file))?;
    let mut command = Command::new(tool);
    command
        .args(["-q", "-Y", "sign", "-f"])
        .arg(key)
        .args(["-n", namespace])
        .arg(&file)
        .stdout(Stdio::null());
    let status = match command.status() {
        Ok(status) => status,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(SignError::NoTool),
        Err(cause) => return Err(SignError::Io { path: PathBuf::from(tool), cause }),
    };
    if !status.success() {
        return Err(SignError::Refused { key: key.to_owned(), status: status.to_string() });
    }
    if fs::metadata(&written).map_err(io(&written))?.len() > LARGEST {
        return Err(SignError::Large);
    }
    fs::read_to_string(&written).map_err(io(&written))
}

/// The public key that belongs to a signing key, where it can be read without asking anybody: the file itself, or the one beside it.
#[must_use]
pub fn public_key(key: &Path) -> Option<SshKey> {
    let read = |path: &Path| {
        let text = fs::read_to_string(path).ok()?;
        SshKey::parse(text.trim_end()).ok()
    };
    read(key).or_else(|| read(&crate::files::with_ending(key, ".pub")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;
    use ceremonies::ssh::signature::SshSignature;

    #[test]
    fn the_tool_signs_and_the_signature_is_over_these_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let key = crate::fixture::people::key(directory.path(), "ada");
        let text = sign(&key, "countersign.act.rehearsal.v1", b"a document").unwrap();
        let signature = SshSignature::parse(&text).unwrap();
        signature.verify("countersign.act.rehearsal.v1", b"a document").unwrap();
        assert_eq!(signature.key(), &public_key(&key).unwrap());
        let public = crate::files::with_ending(&key, ".pub");
        assert_eq!(public_key(&public), public_key(&key));
    }

    #[test]
    fn what_does_not_sign_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let none = directory.path().join("none");
        fs::write(&none, "not a key").unwrap();
        assert!(matches!(sign(&none, "n", b"x").unwrap_err(), SignError::Refused { .. }));
        assert!(matches!(by("no-such-tool-here", &none, "n", b"x").unwrap_err(), SignError::NoTool));
        assert!(SignError::NoTool.advice().contains("apt install openssh-client"));
    }
}
