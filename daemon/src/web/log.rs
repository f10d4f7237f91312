//! `/log/checkpoint` and `/log/tile/…` (C2SP tlog-tiles).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use proto::proof::tile::{Resource, WIDTH};

use super::Pages;
use crate::log::LogError;

/// The newest checkpoint.
pub async fn checkpoint(State(pages): State<Arc<Pages>>) -> Response {
    let head = pages.log.head();
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, head.checkpoint.to_string()).into_response()
}

/// A tile of hashes, or a bundle of entries where leaves are public.
pub async fn tile(State(pages): State<Arc<Pages>>, Path(rest): Path<String>) -> Response {
    let resource: Resource = match format!("tile/{rest}").parse() {
        Ok(resource) => resource,
        Err(why) => return (StatusCode::NOT_FOUND, format!("{why}\n")).into_response(),
    };
    let (read, width) = match resource {
        Resource::Hashes { level, number, width } => (pages.log.tile(level, number, width).await, width),
        Resource::Entries { number, width } => {
            if !leaves_are_public(&pages) {
                let text = "the guardrails do not make leaves public; auditors use LogService.ListRecords\n";
                return (StatusCode::FORBIDDEN, text).into_response();
            }
            (pages.log.bundle(number, width).await, width)
        }
    };
    match read {
        Ok(bytes) => {
            // What is full never changes; what is partial is superseded.
            let full = usize::from(width) == WIDTH;
            let cache = if full { "public, max-age=31536000, immutable" } else { "public, max-age=60" };
            ([(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, cache)], bytes)
                .into_response()
        }
        Err(why @ LogError::Absent { .. }) => (StatusCode::NOT_FOUND, format!("{why}\n")).into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

fn leaves_are_public(pages: &Pages) -> bool {
    pages.keyring.snapshot().in_force().is_some_and(|force| force.loaded.document.leaves_public)
}
