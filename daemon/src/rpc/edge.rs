//! The running edge: listeners, their TLS, and the end of it all.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use super::front::Shared;
use super::health::{Board, Condition};
use super::limit::{Gate, Limits};
use super::listen::{self, BindError, Inherited, Settings, Tasks};
use super::paths::Paths;
use super::tls::{Tls, TlsError};
use crate::clock::Clock;

/// Why the edge does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Its TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nothing to listen on.
    #[error("nothing to listen on: add [listen.network], [listen.local] or both to the configuration")]
    Nowhere,
}

/// The edge while it runs.
pub struct Edge {
    tls: Option<Arc<Tls>>,
    address: Option<SocketAddr>,
    socket: Option<PathBuf>,
    tasks: Tasks,
    draining: watch::Sender<bool>,
    board: Board,
}

/// Listeners that are bound, with everything that may be wrong behind them; nobody is served yet.
pub struct Bound {
    tls: Option<Arc<Tls>>,
    network: Option<TcpListener>,
    local: Option<(UnixListener, PathBuf)>,
    shared: Arc<Shared>,
    board: Board,
}

impl Bound {
    /// Begins to serve.
    pub fn serve(self) -> Edge {
        let Self { tls, network, local, shared, board } = self;
        let address = network.as_ref().and_then(|listener| listener.local_addr().ok());
        let (tasks, draining) = (Tasks::default(), watch::Sender::new(false));
        if let (Some(listener), Some(tls)) = (network, &tls) {
            let (tls, shared, all, stop) =
                (Arc::clone(tls), Arc::clone(&shared), tasks.clone(), draining.subscribe());
            tasks.spawn(listen::network(listener, tls, shared, all, stop));
        }
        let socket = local.map(|(listener, socket)| {
            tasks.spawn(listen::local(listener, shared, tasks.clone(), draining.subscribe()));
            socket
        });
        Edge { tls, address, socket, tasks, draining, board }
    }
}

impl Edge {
    /// Binds the listeners, and serves nobody.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn bind(
        settings: &Settings,
        inherited: &mut Inherited,
        authorities: &[CertificateDer<'static>],
        paths: impl Into<Paths>,
        board: Board,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Result<Bound, StartError> {
        if settings.network.is_none() && settings.local.is_none() {
            return Err(StartError::Nowhere);
        }
        let tls = match &settings.network {
            Some(network) => Some(Arc::new(Tls::new(network.source(), authorities, Arc::clone(&clock))?)),
            None => None,
        };
        let network = match &settings.network {
            Some(network) => Some(inherited.network(network.address).await?),
            None => None,
        };
        let local = match &settings.local {
            Some(local) => Some((inherited.local(&local.socket)?, local.socket.clone())),
            None => None,
        };
        let shared = Shared::new(paths.into(), Gate::new(limits), clock);
        Ok(Bound { tls, network, local, shared, board })
    }

    /// The address of the network listener: the real port where port 0 was asked for.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Reads certificate and key again and takes these client authorities. Open connections go on as they began, unless an
    /// authority is gone: then they end.
    ///
    /// # Errors
    /// [`TlsError`]; what was in use stays in use.
    pub fn reload(&self, authorities: &[CertificateDer<'static>]) -> Result<(), TlsError> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.reload(authorities))
    }

    /// The network listener's TLS, for whoever follows the authorities in force.
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// Stops accepting, tells every connection to end, and waits for the requests in progress, at most `bound` long.
    /// Gives the number of connections that had not ended by then; whatever they waited for is sealed by its own task.
    pub async fn drain(self, bound: Duration) -> usize {
        for name in self.board.names().iter().map(String::as_str).chain([""]) {
            self.board.report(name, Condition::Refusing("the daemon is stopping".to_owned()));
        }
        self.draining.send_replace(true);
        let _in_time = tokio::time::timeout(bound, self.tasks.ended()).await.is_ok();
        if let Some(socket) = &self.socket
            && let Err(why) = std::fs::remove_file(socket)
        {
            tracing::debug!(%why, socket = %socket.display(), "the socket was gone");
        }
        self.tasks.running()
    }
}
