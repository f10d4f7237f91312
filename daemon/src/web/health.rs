//! `/healthz`: one line for the log, each anchor off its host and each backend, and a status for those who read no lines.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Pages;
use crate::backend::Health;
use crate::log::{AnchorHealth, LogHealth};

/// 200 while the log takes records, else 503. A backend that is down is named and changes no
/// status: the others sign; nor does an anchor off the host that is not kept: a file keeps what it should.
pub async fn page(State(pages): State<Arc<Pages>>) -> Response {
    let log = pages.log.health().borrow().clone();
    let status = match log {
        LogHealth::Ready => StatusCode::OK,
        LogHealth::Refusing { .. } | LogHealth::Failed { .. } => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut text = match log {
        LogHealth::Ready => "log: serving\n".to_owned(),
        LogHealth::Refusing { cause } | LogHealth::Failed { cause } => format!("log: not serving: {cause}\n"),
    };
    for (name, health) in pages.log.off_host() {
        // Writing to a String cannot fail.
        let _written = match &*health.borrow() {
            AnchorHealth::Kept => writeln!(text, "anchor {name}: kept"),
            AnchorHealth::Away { cause } => writeln!(text, "anchor {name}: not kept: {cause}"),
        };
    }
    for (name, backend) in pages.keyring.backends() {
        let health = backend.health().borrow().clone();
        // Writing to a String cannot fail.
        let _written = match health {
            Health::Ready => writeln!(text, "backend/{name}: serving"),
            Health::Starting => writeln!(text, "backend/{name}: not serving: it has not answered yet"),
            Health::Down { cause } | Health::Broken { cause } => {
                writeln!(text, "backend/{name}: not serving: {cause}")
            }
        };
    }
    (status, text).into_response()
}
