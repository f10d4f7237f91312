//! Bodies: the request's is measured while it is read, the reply's holds on to what must outlive it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use proto::reason::Reason;
use proto::refusal::Refusal;
use tokio::sync::watch;
use tonic::{Code, Status};

use super::{Deadline, Held, write};
use crate::clock::Clock;
use crate::measure;
use crate::rpc::limit::InProgress;
use crate::rpc::status;

/// A request's body; its bytes are counted against the bounds.
pub struct Measured {
    inner: Incoming,
    in_progress: Arc<InProgress>,
}

impl Measured {
    /// Measures this body.
    pub fn new(inner: Incoming, in_progress: Arc<InProgress>) -> Self {
        Self { inner, in_progress }
    }
}

impl Body for Measured {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(cx)) else {
            self.in_progress.has_arrived();
            return Poll::Ready(None);
        };
        let frame = frame.map_err(|why| {
            let message = format!("the request did not arrive whole: {why}");
            status::of(&Refusal::new(Reason::Cancelled, message))
        })?;
        if let Some(data) = frame.data_ref() {
            self.in_progress.read(data.len()).map_err(|refusal| status::of(&refusal))?;
        }
        if self.inner.is_end_stream() {
            self.in_progress.has_arrived();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A reply's body. It is dropped when the connection has taken the last of it, or given it up, and what it holds is
/// dropped with it: the guards that a stop waits for, and the request's place among those in progress.
///
/// Invariant: a reply that a stop covers before its first byte was taken is not sent, however late that is
/// (`a_reply_that_nobody_has_taken_yet_is_withheld_by_the_last_look`).
pub struct Reply {
    inner: Option<tonic::body::Body>,
    hold: Option<Hold>,
}

struct Hold {
    held: Option<Held>,
    looked: bool,
    _in_progress: Arc<InProgress>,
    method: Arc<str>,
    ends: Ends,
    waiting: Option<Pin<Box<dyn Future<Output = Refusal> + Send>>>,
}

/// What ends a reply that has nothing to send.
#[derive(Clone)]
pub struct Ends {
    /// The deadline that the caller gave.
    pub deadline: Option<Deadline>,
    /// Tells how far it is.
    pub clock: Arc<dyn Clock>,
    /// Whether the connection has been told to end.
    pub connection: watch::Receiver<bool>,
}

/// A stream that says nothing for so long on a connection that is to end is ended with it.
const SILENCE: Duration = Duration::from_secs(1);

impl Ends {
    /// Waits for the first of them.
    async fn reached(mut self) -> Refusal {
        let passed = async {
            match &self.deadline {
                Some(deadline) => tokio::time::sleep(deadline.left(self.clock.monotonic())).await,
                None => std::future::pending().await,
            }
        };
        let silent = async {
            // An error means that the connection is gone, and nobody polls this any more.
            let _gone = self.connection.wait_for(|ending| *ending).await.is_err();
            tokio::time::sleep(SILENCE).await;
        };
        tokio::select! {
            () = passed => {
                let message = self.deadline.as_ref().map(Deadline::passed).unwrap_or_default();
                Refusal::new(Reason::DeadlineExceeded, message)
            }
            () = silent => Refusal::new(Reason::ShuttingDown, "this connection is ending; connect again"),
        }
    }
}

impl Reply {
    /// A reply with what it holds, and what ends it where it is a stream that has nothing to send.
    pub fn new(
        inner: tonic::body::Body,
        held: Option<Held>,
        in_progress: Arc<InProgress>,
        method: Arc<str>,
        ends: Ends,
    ) -> Self {
        let hold = Hold { held, looked: false, _in_progress: in_progress, method, ends, waiting: None };
        Self { inner: Some(inner), hold: Some(hold) }
    }

    /// A reply of headers alone.
    pub fn empty() -> Self {
        Self { inner: None, hold: None }
    }
}

impl Hold {
    /// Asked once, before the first byte: why the reply must not leave any more.
    fn last_look(&mut self) -> Option<Refusal> {
        if std::mem::replace(&mut self.looked, true) {
            return None;
        }
        let held = self.held.as_ref()?;
        let refusal = held.last_look();
        if refusal.is_none() {
            measure::handed_over();
        }
        refusal
    }

    /// Why the reply ends now, while it has nothing to send.
    fn has_ended(&mut self, cx: &mut Context<'_>) -> Poll<Refusal> {
        let ends = &self.ends;
        self.waiting.get_or_insert_with(|| Box::pin(ends.clone().reached())).as_mut().poll(cx)
    }
}

/// Whether these trailers say that all went well, as nearly all do: a status that is read whole costs more than that.
fn is_well(trailers: &HeaderMap) -> bool {
    trailers.get(Status::GRPC_STATUS).is_some_and(|code| code == "0")
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    write(status, &mut trailers);
    trailers
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let (Some(inner), Some(hold)) = (&mut this.inner, &mut this.hold) else { return Poll::Ready(None) };
        if let Some(refusal) = hold.last_look() {
            this.inner = None;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers(&status::of(&refusal))))));
        }
        match Pin::new(inner).poll_frame(cx) {
            Poll::Pending => match hold.has_ended(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(refusal) => {
                    this.inner = None;
                    Poll::Ready(Some(Ok(Frame::trailers(trailers(&status::of(&refusal))))))
                }
            },
            Poll::Ready(Some(Ok(frame))) => {
                hold.waiting = None;
                match frame.into_trailers() {
                    Ok(mut map) => {
                        if !is_well(&map)
                            && let Some(said) = Status::from_header_map(&map)
                            && said.code() != Code::Ok
                        {
                            write(&status::adopt(said, &hold.method), &mut map);
                        }
                        Poll::Ready(Some(Ok(Frame::trailers(map))))
                    }
                    Err(frame) => Poll::Ready(Some(Ok(frame))),
                }
            }
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
