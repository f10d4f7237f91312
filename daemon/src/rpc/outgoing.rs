//! What a connection writes in one turn leaves in one write.
//!
//! HTTP/2 asks for a flush behind each reply that is longer than a few hundred bytes, so a dozen replies of one commit cost
//! a dozen system calls and TLS records, and wake the other end a dozen times. Here they are held until the connection's
//! turn is over (`listen::tasks` sees that replies which are ready together meet in one turn), then they leave together.
//!
//! Promises: bytes leave in the order in which they were written, none is left behind at the end of a turn unless the
//! socket takes no more; at most [`MOST`] bytes and one write are held; an error of the socket reaches the connection.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are held without an attempt to send them: four of the longest TLS records.
const MOST: usize = 64 * 1024;

/// A socket whose bytes wait for the end of the turn: for the connection.
#[derive(Debug)]
pub struct Held<IO>(Arc<Mutex<State<IO>>>);

/// The same socket: for who gives the connection its turns.
#[derive(Debug)]
pub struct Outgoing<IO>(Arc<Mutex<State<IO>>>);

#[derive(Debug)]
struct State<IO> {
    io: IO,
    waiting: BytesMut,
    /// What the socket said at the end of a turn, until the connection asks.
    failed: Option<io::Error>,
}

/// Divides a socket.
pub fn held<IO>(io: IO) -> (Held<IO>, Outgoing<IO>) {
    let state = Arc::new(Mutex::new(State { io, waiting: BytesMut::new(), failed: None }));
    (Held(Arc::clone(&state)), Outgoing(state))
}

impl<IO: AsyncWrite + Unpin> Outgoing<IO> {
    /// Runs a connection to its end, or until this is dropped, and sends after each of its turns.
    pub async fn turns<F: Future>(&self, mut connection: Pin<&mut F>) -> F::Output {
        poll_fn(|cx| {
            let done = connection.as_mut().poll(cx);
            let mut state = locked(&self.0);
            if let Poll::Ready(Err(error)) = state.send(cx) {
                state.failed = Some(error);
                // It is told on its next turn.
                cx.waker().wake_by_ref();
            }
            done
        })
        .await
    }
}

impl<IO: AsyncWrite + Unpin> State<IO> {
    /// Sends what waits. Pending: the socket takes no more, and wakes the connection when it does.
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.waiting))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.waiting.advance(written),
            }
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Makes room for one more write.
    fn room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.failed.take() {
            Some(error) => Poll::Ready(Err(error)),
            None if self.waiting.len() < MOST => Poll::Ready(Ok(())),
            None => self.send(cx),
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Held<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = locked(&self.0);
        match state.failed.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut state.io).poll_read(cx, buf),
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Held<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = locked(&self.0);
        ready!(state.room(cx))?;
        state.waiting.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = locked(&self.0);
        ready!(state.room(cx))?;
        let before = state.waiting.len();
        bufs.iter().for_each(|buf| state.waiting.extend_from_slice(buf));
        Poll::Ready(Ok(state.waiting.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The end of the turn does it.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(locked(&self.0).failed.take().map_or(Ok(()), Err))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = locked(&self.0);
        ready!(state.send(cx))?;
        Pin::new(&mut state.io).poll_shutdown(cx)
    }
}

/// The lock is held for one call and by one task, so nobody ever waits for it.
fn locked<IO>(state: &Mutex<State<IO>>) -> MutexGuard<'_, State<IO>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
