//! Sockets: inherited from systemd, or bound here.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is taken, not ours, or not allowed.
    #[error("cannot listen on {address}: {cause}")]
    Address {
        /// What was asked for.
        address: SocketAddr,
        /// The system's word.
        cause: io::Error,
    },
    /// The socket cannot be made.
    #[error("cannot make the socket {}: {cause}", .path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// The system's word.
        cause: io::Error,
    },
    /// Somebody answers there.
    #[error("{} is in use by a running process; stop that one first", .0.display())]
    InUse(PathBuf),
    /// Something else lies there.
    #[error("{} is no socket; move it away or choose another path", .0.display())]
    NoSocket(PathBuf),
    /// systemd handed over something that is no listener of ours.
    #[error("an inherited socket cannot be used: {0}; expected one TCP and one Unix stream listener at most")]
    Inherited(io::Error),
}

/// Listeners that systemd's socket activation handed over: at most one of each kind is used.
#[derive(Debug, Default)]
pub struct Inherited {
    network: Option<std::net::TcpListener>,
    local: Option<std::os::unix::net::UnixListener>,
}

impl Inherited {
    /// Takes over what the environment names. Call once, before any thread is started.
    ///
    /// # Errors
    /// [`BindError::Inherited`] for what cannot be used.
    pub fn from_environment() -> Result<Self, BindError> {
        let mut handed = ListenFd::from_env();
        let mut inherited = Self::default();
        for index in 0..handed.len() {
            // A descriptor of another kind stays in its place and is asked for as the next kind.
            if let Ok(Some(listener)) = handed.take_unix_listener(index) {
                inherited.local.get_or_insert(listener);
            } else {
                let listener = handed.take_tcp_listener(index).map_err(BindError::Inherited)?;
                inherited.network = inherited.network.or(listener);
            }
        }
        Ok(inherited)
    }

    /// The network listener: the inherited one, or one bound to `address`.
    ///
    /// # Errors
    /// [`BindError`].
    pub async fn network(&mut self, address: SocketAddr) -> Result<TcpListener, BindError> {
        match self.network.take() {
            Some(listener) => {
                listener.set_nonblocking(true).map_err(BindError::Inherited)?;
                TcpListener::from_std(listener).map_err(BindError::Inherited)
            }
            None => TcpListener::bind(address).await.map_err(|cause| BindError::Address { address, cause }),
        }
    }

    /// The local listener: the inherited one, or a new socket at `path`. One that nobody answers on any more is
    /// replaced.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn local(&mut self, path: &Path) -> Result<UnixListener, BindError> {
        if let Some(listener) = self.local.take() {
            listener.set_nonblocking(true).map_err(BindError::Inherited)?;
            return UnixListener::from_std(listener).map_err(BindError::Inherited);
        }
        let failed = |cause| BindError::Socket { path: path.to_owned(), cause };
        match std::fs::symlink_metadata(path) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            Err(why) => return Err(failed(why)),
            Ok(found) if !found.file_type().is_socket() => return Err(BindError::NoSocket(path.to_owned())),
            Ok(_left_behind) => match UnixStream::connect(path) {
                Ok(_answered) => return Err(BindError::InUse(path.to_owned())),
                Err(_nobody) => std::fs::remove_file(path).map_err(failed)?,
            },
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).map_err(failed)?;
        Ok(listener)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[tokio::test]
    async fn a_socket_that_nobody_answers_on_is_replaced_and_a_living_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sign.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let living = Inherited::default().local(&path).unwrap();
        assert!(matches!(Inherited::default().local(&path), Err(BindError::InUse(_))));
        drop(living);
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes.txt");
        std::fs::write(&path, "keep me").unwrap();
        assert!(matches!(Inherited::default().local(&path), Err(BindError::NoSocket(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"keep me");
        let nowhere = directory.path().join("missing/sign.sock");
        assert!(matches!(Inherited::default().local(&nowhere), Err(BindError::Socket { .. })));
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_named() {
        let taken = Inherited::default().network("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = taken.local_addr().unwrap();
        let refused = Inherited::default().network(address).await.unwrap_err().to_string();
        assert!(refused.starts_with(&format!("cannot listen on {address}")), "{refused}");
    }
}
