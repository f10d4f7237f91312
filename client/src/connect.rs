//! One connection to the daemon: TLS 1.3 with the client's certificate and a pinned authority, or a Unix socket.
//!
//! Promises: only the authorities of the settings are believed, never the system's; nothing older than TLS 1.3 is spoken; a broken
//! connection is dialled again by the next call. Deliberately asks nothing of the daemon by itself: what a command does first is the
//! command's decision (a stop waits for nothing).

pub mod stream;
pub mod tls;

use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint};

use crate::address::Address;
use crate::settings::Settings;
use tls::TlsError;

/// The largest answer that is read: a full batch of receipts, each with a record of at most 65,535 bytes, is streamed in less.
pub const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Why a connection cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A certificate or key file is not usable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address cannot be written as a URI.
    #[error("`{address}` cannot be dialled: {cause}")]
    Address {
        /// The address.
        address: Address,
        /// Why not.
        cause: String,
    },
}

/// Prepares a connection. Nothing is dialled before the first call.
///
/// # Errors
/// Where certificate, key or authority cannot be read or used.
pub fn channel(settings: &Settings) -> Result<Channel, ConnectError> {
    let refuse = |cause: String| ConnectError::Address { address: settings.address.clone(), cause };
    // The connector speaks TLS itself, so tonic must not see `https` where it dials; the daemon sees the origin.
    let (place, origin) = match &settings.address {
        Address::Network { host, port } => {
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            (format!("http://{host}:{port}"), format!("https://{host}:{port}"))
        }
        Address::Local { .. } => ("http://localhost".to_owned(), "http://localhost".to_owned()),
    };
    let origin: Uri = origin.parse().map_err(|cause: http::uri::InvalidUri| refuse(cause.to_string()))?;
    let endpoint = Endpoint::from_shared(place)
        .and_then(|endpoint| endpoint.user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION"))))
        .map_err(|cause| refuse(cause.to_string()))?
        .origin(origin)
        .connect_timeout(settings.deadline)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(false);
    Ok(match (&settings.address, &settings.tls) {
        (Address::Network { host, port }, Some(files)) => {
            let connector = tls::Connector::new(files, host)?;
            let target = (host.clone(), *port);
            endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
                let (connector, target) = (connector.clone(), target.clone());
                async move { connector.dial(&target.0, target.1).await.map(TokioIo::new) }
            }))
        }
        (Address::Network { .. }, None) => {
            return Err(refuse(
                "a network address needs certificates, and the settings have none".to_owned(),
            ));
        }
        (Address::Local { path }, _) => {
            let path = path.clone();
            endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
                let path = path.clone();
                async move { stream::local(&path).await.map(TokioIo::new) }
            }))
        }
    })
}
