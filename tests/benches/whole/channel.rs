//! One connection to a server: TCP without delay, TLS 1.3 both ways, HTTP/2 as tonic speaks it.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::pki::{self, Identity};

/// Connects now, so that no handshake falls into a measurement.
pub async fn connect(address: SocketAddr, identity: &Identity) -> Result<Channel, String> {
    let connector = TlsConnector::from(Arc::new(pki::client(identity)));
    let dial = tower::service_fn(move |_: Uri| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
            connector.connect(name, stream).await.map(TokioIo::new)
        }
    });
    // The connector speaks TLS itself, so tonic must not see `https` where it dials.
    let origin: Uri = format!("https://localhost:{}", address.port()).parse().unwrap();
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap().origin(origin);
    endpoint.connect_with_connector(dial).await.map_err(|e| format!("cannot connect to {address}: {e:?}"))
}
