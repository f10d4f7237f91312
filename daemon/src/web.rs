//! HTTP for tools that no one here wrote: metrics, health in plain text, checkpoints and tiles (C2SP tlog-tiles).
//!
//! Everything is read-only, open, and on an address of its own. Hashes are shown to everybody; the leaves themselves
//! only if the guardrails say that they are public. Details are never shown here.
//!
//! Connections are few, and whoever has most makes room: a descriptor that a page takes is none that a stop needs.

mod health;
mod listen;
mod log;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

use crate::keyring::Keyring;
use crate::log::Log;

/// What the pages show.
#[derive(Clone)]
pub struct Pages {
    /// The log.
    pub log: Log,
    /// The keys, for the health of their backends and the guardrails in force.
    pub keyring: Arc<Keyring>,
    /// The metrics.
    pub metrics: PrometheusHandle,
}

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for the web pages: {cause}")]
pub struct BindError {
    /// What was asked for.
    pub address: SocketAddr,
    /// The system's word.
    pub cause: std::io::Error,
}

/// Open connections to the pages.
pub const CONNECTIONS: usize = 256;

/// Binds the address: `[web]` of the configuration, for instance `127.0.0.1:7480`.
///
/// # Errors
/// [`BindError`].
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|cause| BindError { address, cause })
}

/// Serves the pages until `ended`.
///
/// # Errors
/// The system's word, if accepting ends otherwise.
pub async fn serve(
    listener: TcpListener,
    pages: Pages,
    ended: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let listener = listen::Bounded::new(listener, CONNECTIONS);
    axum::serve(listener, router(pages)).with_graceful_shutdown(ended).await
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(health::page))
        .route("/log/checkpoint", get(log::checkpoint))
        .route("/log/tile/{*rest}", get(log::tile))
        .fallback(nothing)
        .with_state(Arc::new(pages))
}

async fn metrics(State(pages): State<Arc<Pages>>) -> Response {
    pages.metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], pages.metrics.render())
        .into_response()
}

async fn nothing() -> Response {
    let text = "expected /metrics, /healthz, /log/checkpoint or /log/tile/…\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

#[cfg(test)]
mod tests;
