//! The Unix socket of the same machine.

use std::io;
use std::path::Path;

/// Dials a Unix socket.
///
/// # Errors
/// As the operating system gives them, with the path.
#[cfg(unix)]
pub async fn local(path: &Path) -> io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(path)
        .await
        .map_err(|cause| io::Error::new(cause.kind(), format!("{}: {cause}", path.display())))
}

/// There is no such socket here.
///
/// # Errors
/// Always: this system has no Unix sockets that tokio can dial.
#[cfg(not(unix))]
pub async fn local(path: &Path) -> io::Result<tokio::net::TcpStream> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        format!("{}: Unix sockets are not available on this system; use an https:// address", path.display()),
    ))
}
