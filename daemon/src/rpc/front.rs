//! What every call passes before and after tonic.
//!
//! Before: it is counted against the bounds, given a request id and a deadline, and its body is measured while it is
//! read. After: a refusal that tonic made by itself gets its reason, and whatever a reply holds until it has been
//! handed to its connection ([`Held`]) moves from the response into the body.
//!
//! What this does not do: decide who may do what (the services), or end an operation: a deadline ends the caller's
//! wait.

mod body;
mod deadline;
mod held;

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use proto::reason::Reason;
use proto::refusal::Refusal;
use tonic::{Code, Status};

pub use body::{Ends, Measured, Reply};
pub use deadline::Deadline;
pub use held::Held;

use super::connection::Connection;
use super::limit::{Class, Gate, InProgress};
use super::paths::Paths;
use super::status;
use crate::clock::Clock;
use crate::random;
use crate::trace::Call;

/// The name of a request in traces and in the metadata of internal faults: 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestId(u64);

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Answers of the use case come first; only a call that says nothing by then is ended from here.
const PATIENCE: Duration = Duration::from_millis(100);

/// The services behind their common front; one for the daemon, shared by all connections.
pub struct Shared {
    paths: Paths,
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    next: AtomicU64,
}

impl Shared {
    /// Puts services behind the front.
    pub fn new(paths: Paths, gate: Arc<Gate>, clock: Arc<dyn Clock>) -> Arc<Self> {
        // Request ids are told apart from those of the run before by where they begin; they are no secret.
        let next = random::bytes().map_or_else(|_none| clock.wall().milliseconds() << 20, u64::from_le_bytes);
        Arc::new(Self { paths, gate, clock, next: AtomicU64::new(next) })
    }

    /// The gate that connections pass.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

/// The front as one connection sees it.
#[derive(Clone)]
pub struct Front {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
}

impl Front {
    /// The front of one connection.
    pub fn new(shared: Arc<Shared>, connection: Arc<Connection>) -> Self {
        Self { shared, connection }
    }

    /// The connection.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    fn admit<B>(&self, request: &Request<B>) -> Result<(Arc<InProgress>, Deadline), Refusal> {
        if self.connection.is_disowned() {
            return Err(Refusal::new(
                Reason::Unauthenticated,
                "an authority that vouched for callers is gone since this connection began: connect again",
            ));
        }
        let class = Class::of(request.uri().path());
        let in_progress = self.shared.gate.enter(&self.connection.visitor, class)?;
        if request.method() != Method::POST || !is_grpc(request) {
            return Err(Refusal::new(
                Reason::MalformedRequest,
                "expected a gRPC request: POST with content-type application/grpc",
            ));
        }
        let longest = self.shared.gate.limits().longest;
        Ok((in_progress, Deadline::of_headers(request.headers(), self.shared.clock.monotonic(), longest)?))
    }
}

/// The path of a call, cut where it is longer than any of ours: it goes into traces and messages.
fn method(path: &str) -> Arc<str> {
    const LONGEST: usize = 128;
    match path.char_indices().nth(LONGEST) {
        None => path.into(),
        Some((end, _)) => path[..end].into(),
    }
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    // `application/grpc`, `application/grpc+proto`; the JSON and web variants are not spoken.
    matches!(kind, Some(b"application/grpc" | b"application/grpc+proto"))
}

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response<Reply>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Reply>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let id = RequestId(self.shared.next.fetch_add(1, Ordering::Relaxed));
        let method = method(request.uri().path());
        let call = Call::new(id.0, Arc::clone(&method), Arc::clone(&self.connection.called));
        let (in_progress, deadline) = match self.admit(&request) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                call.while_named(|| tracing::debug!(%refusal, "refused at the front"));
                let response = refused(&status::of(&refusal));
                return Box::pin(std::future::ready(Ok(response)));
            }
        };
        let front = self.clone();
        let answer = async move {
            let outcome = front.ask(request, id, &in_progress, deadline).await;
            let (mut parts, body) = match outcome {
                Ok(response) => response.into_parts(),
                Err(refusal) => return Ok(refused(&status::of(&refusal))),
            };
            adopt_headers(&mut parts.headers, &method);
            let held = parts.extensions.remove::<Held>();
            let ends = Ends {
                deadline: Some(deadline).filter(Deadline::is_the_callers),
                clock: Arc::clone(&front.shared.clock),
                connection: front.connection.ending(),
            };
            Ok(Response::from_parts(parts, Reply::new(body, held, in_progress, method, ends)))
        };
        Box::pin(call.names(answer))
    }
}

impl Front {
    /// Hands the request to its service, and waits as long as its deadline allows.
    async fn ask(
        &self,
        request: Request<Incoming>,
        id: RequestId,
        in_progress: &Arc<InProgress>,
        deadline: Deadline,
    ) -> Result<Response<tonic::body::Body>, Refusal> {
        let mut request = request.map(|body| Measured::new(body, Arc::clone(in_progress)));
        request.extensions_mut().insert(Arc::clone(&self.connection));
        request.extensions_mut().insert(deadline);
        request.extensions_mut().insert(id);
        let answer = AssertUnwindSafe(self.shared.paths.answer(request)).catch_unwind();
        let left = deadline.left(self.shared.clock.monotonic()).saturating_add(PATIENCE);
        match tokio::time::timeout(left, answer).await {
            Ok(Ok(Ok(response))) => Ok(response),
            Ok(Ok(Err(never))) => match never {},
            Ok(Err(_panic)) => {
                // The panic hook has written what happened, and named this call.
                tracing::error!(%id, "a call panicked");
                Err(Refusal::new(Reason::Internal, "a fault of the daemon; nothing was released")
                    .with("request", id))
            }
            Err(_elapsed) => Err(Refusal::new(Reason::DeadlineExceeded, deadline.passed())),
        }
    }
}

/// Gives a status in headers, where a call is refused before its first message, a reason of ours.
fn adopt_headers(headers: &mut http::HeaderMap, method: &str) {
    if !headers.contains_key(Status::GRPC_STATUS) {
        return;
    }
    if let Some(status) = Status::from_header_map(headers).filter(|status| status.code() != Code::Ok) {
        let adopted = status::adopt(status, method);
        write(&adopted, headers);
    }
}

/// Writes a status over the one that is there.
fn write(status: &Status, headers: &mut http::HeaderMap) {
    for name in [Status::GRPC_STATUS, Status::GRPC_MESSAGE, Status::GRPC_STATUS_DETAILS] {
        headers.remove(name);
    }
    if status.add_header(headers).is_err() {
        // Only a message that cannot be a header fails here; percent encoding leaves none.
        headers.insert(Status::GRPC_STATUS, http::HeaderValue::from_static("13"));
    }
}

fn refused(status: &Status) -> Response<Reply> {
    let mut response = Response::new(Reply::empty());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/grpc"));
    write(status, response.headers_mut());
    response
}
