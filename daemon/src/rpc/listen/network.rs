//! One connection of the network: handshake, name, service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::rpc::connection::{self, Connection, Peer};
use crate::rpc::front::{Front, Shared};
use crate::rpc::identity::{self, Identity};
use crate::rpc::limit::{Arriving, Standing};
use crate::rpc::tls::Current;

/// Serves one connection from its first byte to its last.
pub async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    arriving: Arriving,
    tls: Arc<Current>,
    shared: Arc<Shared>,
    mut draining: watch::Receiver<bool>,
) {
    let limits = shared.gate().limits().clone();
    // Replies are small and complete: nothing is gained by waiting for more.
    if let Err(why) = stream.set_nodelay(true) {
        tracing::debug!(%why, %peer, "a connection was gone at once");
        return;
    }
    let Some(config) = tls.config.clone() else {
        return tracing::error!(%peer, "refused: the client authorities in force cannot be used, so nobody is let in");
    };
    let handshake = tokio::time::timeout(limits.handshake, TlsAcceptor::from(config).accept(stream));
    let stream = tokio::select! {
        done = handshake => match done {
            Ok(Ok(stream)) => stream,
            // rustls has sent the alert that says the same.
            Ok(Err(why)) => return tracing::warn!(%peer, %why, "TLS handshake failed"),
            Err(_elapsed) => return tracing::warn!(%peer, limit = ?limits.handshake, "TLS handshake took too long"),
        },
        () = arriving.cut().reached() => return tracing::debug!(%peer, "closed before its handshake: somebody else needs its place"),
        _stopping = draining.wait_for(|draining| *draining) => return,
    };
    let now = shared.clock().wall().microseconds().div_euclid(1_000_000);
    let (identity, left) = identify(&stream, now);
    let admitted = arriving.known(matches!(identity, Identity::Caller(_)));
    let visitor = Arc::clone(admitted.visitor());
    let standing = visitor.standing();
    if standing == Standing::Spare {
        tracing::warn!(%peer, caller = identity.id(), "too many connections are open: this one is for stops and signed acts alone");
    }
    let left = [left, limits.longest_of(standing)].into_iter().flatten().min();
    if let Identity::Misnamed(why) = &identity {
        tracing::warn!(%peer, %why, "a client's certificate names nobody");
    }
    let connection = Connection::vouched_for(identity, Peer::Network(peer), visitor, tls.withdrawn());
    let front = Front::new(shared, connection);
    let age = connection::age(&limits, left);
    if let Err(why) = connection::serve(stream, front, &limits, age, draining).await {
        tracing::debug!(%peer, %why, "a connection broke");
    }
    drop(admitted);
}

/// Who the certificate names, and how long it is still valid.
fn identify(stream: &TlsStream<TcpStream>, now: i64) -> (Identity, Option<Duration>) {
    let (_, session) = stream.get_ref();
    match session.peer_certificates().and_then(<[_]>::first) {
        None => (Identity::Anonymous, None),
        Some(certificate) => {
            let named = identity::of_certificate(certificate);
            let left = named.not_after.map(|end| u64::try_from(end.saturating_sub(now)).unwrap_or(0));
            (Identity::of_name(named.name), left.map(Duration::from_secs))
        }
    }
}
