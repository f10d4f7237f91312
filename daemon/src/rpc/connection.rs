//! One connection: who is at its other end, and its HTTP/2 life.
//!
//! It ends by itself after its age (a tenth more or less, and never later than the client's certificate), when an authority
//! is gone that may have vouched for it, when the daemon drains, or when the other end shows no sign of life. Ending means: no new requests, those in progress get
//! their time, then it is closed. Where somebody else needs its place it is closed at once.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::front::Front;
use super::identity::Identity;
use super::limit::{Limits, Visitor};
use super::outgoing;
use crate::clock::Monotonic;

/// Where the other end is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peer {
    /// A network address.
    Network(SocketAddr),
    /// The Unix socket.
    Local,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) => address.fmt(f),
            Self::Local => f.write_str("local"),
        }
    }
}

/// What the requests of one connection share.
#[derive(Debug)]
pub struct Connection {
    /// Who is at the other end.
    pub identity: Identity,
    /// That, as traces have it.
    pub called: Arc<str>,
    /// Where that is.
    pub peer: Peer,
    /// What it holds of the room that there is.
    pub visitor: Arc<Visitor>,
    presented: Mutex<Option<Monotonic>>,
    ending: watch::Sender<bool>,
    withdrawn: watch::Receiver<bool>,
}

impl Connection {
    /// A connection that has just been made, whose other end nobody can disown.
    pub fn new(identity: Identity, peer: Peer, visitor: Arc<Visitor>) -> Arc<Self> {
        Self::vouched_for(identity, peer, visitor, watch::channel(false).1)
    }

    /// A connection that has just been made, by authorities that may be `withdrawn`.
    pub fn vouched_for(
        identity: Identity,
        peer: Peer,
        visitor: Arc<Visitor>,
        withdrawn: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let (presented, ending) = (Mutex::new(None), watch::Sender::new(false));
        let called = Arc::from(identity.id());
        Arc::new(Self { identity, called, peer, visitor, presented, ending, withdrawn })
    }

    /// Whether an authority is gone that may have vouched for the other end.
    pub fn is_disowned(&self) -> bool {
        *self.withdrawn.borrow() && !matches!(self.identity, Identity::Anonymous)
    }

    /// Waits until it is.
    async fn disowned(&self) {
        let waited = self.withdrawn.clone().wait_for(|withdrawn| *withdrawn).await.is_ok();
        if !waited || !self.is_disowned() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether the connection has been told to end: a stream that has nothing to say then ends, too.
    pub fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }

    /// Whether a checkpoint may be presented now: once a connection and minute. Counts the attempt if so.
    ///
    /// # Errors
    /// How long to wait.
    pub fn may_present(&self, now: Monotonic) -> Result<(), Duration> {
        const BETWEEN: Duration = Duration::from_secs(60);
        let mut presented = self.presented.lock().unwrap_or_else(PoisonError::into_inner);
        match *presented {
            Some(last) if now.since(last) < BETWEEN => Err(BETWEEN - now.since(last)),
            _ => {
                *presented = Some(now);
                Ok(())
            }
        }
    }
}

/// The age at which a connection is told to end: the bound, a tenth more or less, and not beyond `longest`.
pub fn age(limits: &Limits, longest: Option<Duration>) -> Duration {
    let mut random = [0; 2];
    // Without random bytes connections end together, which is unkind and not unsafe.
    let spread = match aws_lc_rs::rand::fill(&mut random) {
        Ok(()) => f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX),
        Err(aws_lc_rs::error::Unspecified) => 0.5,
    };
    let age = limits.age.mul_f64(0.9 + 0.2 * spread);
    longest.map_or(age, |longest| age.min(longest))
}

/// Serves a connection until it ends.
///
/// # Errors
/// What hyper says of a connection that ended otherwise than by agreement.
pub async fn serve<IO>(
    io: IO,
    front: Front,
    limits: &Limits,
    age: Duration,
    mut draining: watch::Receiver<bool>,
) -> hyper::Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let state = Arc::clone(front.connection());
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.headers)
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.keep_alive_answer)
        // What a connection can make the daemon hold before anybody reads it.
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        // Calls that are cancelled before they were looked at: many at once are a client's end, endlessly many an attack.
        .max_pending_accept_reset_streams(256)
        .auto_date_header(false);
    let (io, outgoing) = outgoing::held(io);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(io), front));
    tokio::select! {
        done = outgoing.turns(connection.as_mut()) => return done,
        () = state.visitor.cut().reached() => return made_room(&state),
        () = tokio::time::sleep(age) => {}
        () = state.disowned() => {}
        // An error means that the sender is gone, and with it the daemon's main task: that is draining, too.
        _stopping = draining.wait_for(|draining| *draining) => {}
    }
    state.ending.send_replace(true);
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        done = outgoing.turns(connection) => done,
        () = state.visitor.cut().reached() => made_room(&state),
        () = tokio::time::sleep(limits.grace) => Ok(()),
    }
}

fn made_room(connection: &Connection) -> hyper::Result<()> {
    tracing::debug!(peer = %connection.peer, "a connection was closed: somebody else needs its place");
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;
    use crate::rpc::limit::{Cut, Origin, Standing};

    #[test]
    fn a_checkpoint_may_be_presented_once_a_minute() {
        let visitor = Visitor::new(Origin::User(0), Standing::Caller, Cut::default());
        let connection = Connection::new(Identity::Anonymous, Peer::Local, visitor);
        let at = |seconds| Monotonic::from_start(Duration::from_secs(seconds));
        connection.may_present(at(5)).unwrap();
        assert_eq!(connection.may_present(at(15)), Err(Duration::from_secs(50)));
        connection.may_present(at(65)).unwrap();
        assert!(connection.may_present(at(66)).is_err());
    }

    #[test]
    fn ages_are_spread_and_bounded_by_the_certificate() {
        let limits = Limits::default();
        for _ in 0..100 {
            let age = age(&limits, None);
            assert!(age >= limits.age.mul_f64(0.89) && age <= limits.age.mul_f64(1.11));
        }
        assert_eq!(age(&limits, Some(Duration::from_secs(3))), Duration::from_secs(3));
    }
}
