//! Listeners: the network with TLS, the Unix socket with peer credentials; inherited from systemd or bound here.
//!
//! A listener accepts, finds room for a connection, learns who is at the other end, and serves it in a task
//! of its own. What goes wrong with one connection is written down and ends with it; a listener ends only when the
//! daemon drains.

mod bind;
mod network;
mod tasks;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

pub use bind::{BindError, Inherited};
pub use tasks::Tasks;

use super::connection::{self, Connection, Peer};
use super::front::{Front, Shared};
use super::identity::Identity;
use super::limit::Origin;
use super::tls::{ClientCertificate, Source, Tls};
use crate::secret::SecretReference;

/// `[listen]` of the configuration. At least one of the two.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `[listen.network]`.
    pub network: Option<Network>,
    /// `[listen.local]`.
    pub local: Option<Local>,
}

/// The network listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// For instance `0.0.0.0:7443`.
    pub address: SocketAddr,
    /// PEM, leaf first.
    pub certificate: SecretReference,
    /// PEM.
    pub key: SecretReference,
    /// `optional` or `required`.
    #[serde(default)]
    pub client_certificate: ClientCertificate,
}

/// The local listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Local {
    /// The socket's path. Everybody on the machine may connect, if the directory lets them: the kernel says who they
    /// are, and policy what they may do.
    pub socket: PathBuf,
}

impl Network {
    /// Where its certificate and key are.
    pub fn source(&self) -> Source {
        Source {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            client_certificate: self.client_certificate,
        }
    }
}

/// Waits between two tries to accept when the system says that it cannot, for want of descriptors for instance.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Accepts connections of the network until the daemon drains.
pub async fn network(
    listener: TcpListener,
    tls: Arc<Tls>,
    shared: Arc<Shared>,
    tasks: Tasks,
    mut draining: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _stopping = draining.wait_for(|draining| *draining) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let arriving = shared.gate().arrive(Origin::of(peer.ip()));
                let (tls, shared, draining) = (tls.current(), Arc::clone(&shared), draining.clone());
                tasks.spawn(network::serve(stream, peer, arriving, tls, shared, draining));
            }
            Err(why) => {
                tracing::error!(%why, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Accepts connections of the Unix socket until the daemon drains.
pub async fn local(
    listener: UnixListener,
    shared: Arc<Shared>,
    tasks: Tasks,
    mut draining: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _stopping = draining.wait_for(|draining| *draining) => return,
        };
        let stream = match accepted {
            Ok((stream, _unnamed)) => stream,
            Err(why) => {
                tracing::error!(%why, "cannot accept a local connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // The kernel's word at the time of connecting. Without it nobody is at the other end.
        let user = match stream.peer_cred() {
            Ok(credentials) => credentials.uid(),
            Err(why) => {
                tracing::warn!(%why, "refused a local connection: no peer credentials");
                continue;
            }
        };
        let (shared, draining) = (Arc::clone(&shared), draining.clone());
        let admitted = shared.gate().local(user);
        tasks.spawn(async move {
            let visitor = Arc::clone(admitted.visitor());
            let limits = shared.gate().limits().clone();
            let age = connection::age(&limits, limits.longest_of(visitor.standing()));
            let front = Front::new(shared, Connection::new(Identity::of_user(user), Peer::Local, visitor));
            if let Err(why) = connection::serve(stream, front, &limits, age, draining).await {
                tracing::debug!(%why, user, "a local connection broke");
            }
            drop(admitted);
        });
    }
}
