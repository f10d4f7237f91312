//! One running host: what is in flight, how the token fares, and when it all is over.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};

use super::super::frame::{self, FrameError, Inbox};
use super::super::message::{Answer, Ask, Class, Fault, FromDaemon, FromHost, Hello, Open, Reply, Request};
use crate::backend::Lost;

/// A connection that is over, for a call.
#[derive(Clone, Debug)]
pub(crate) struct Gone {
    /// Whether the request had been sent: then it may have been executed.
    pub(super) sent: bool,
    /// How the answer got lost.
    pub(super) how: Lost,
    /// What happened.
    pub(crate) cause: String,
}

/// One running host.
pub(crate) struct Line {
    workers: usize,
    flights: Mutex<Flights>,
    epoch: AtomicU64,
    /// What the host last said of its token: `None` is well.
    down: watch::Sender<Option<Fault>>,
    over: watch::Sender<bool>,
}

struct Flights {
    next: u64,
    open: BTreeMap<u64, Flight>,
    outbound: mpsc::UnboundedSender<Vec<u8>>,
    over: Option<Gone>,
}

struct Flight {
    /// How long it has been among the oldest, which the workers have in hand.
    ran: Duration,
    limit: Duration,
    done: oneshot::Sender<Result<Reply, Gone>>,
}

impl Line {
    /// Greets a host and opens its token. The answer says how the token is; the line is there either way.
    pub(super) async fn begin(
        mut stream: UnixStream,
        open: Open,
        limit: Duration,
    ) -> Result<(Arc<Self>, Answer), FrameError> {
        let mut hello = Vec::new();
        frame::write(&FromDaemon::Hello(Hello::ours()), &mut hello)?;
        stream.write_all(&hello).await?;
        let mut inbox = Inbox::default();
        greeted(&mut stream, &mut inbox).await?;

        let (reader, writer) = stream.into_split();
        let (outbound, queued) = mpsc::unbounded_channel();
        let line = Arc::new(Self {
            workers: usize::from(open.sessions.max(1)),
            flights: Mutex::new(Flights { next: 1, open: BTreeMap::new(), outbound, over: None }),
            epoch: AtomicU64::new(open.epoch),
            down: watch::Sender::new(None),
            over: watch::Sender::new(false),
        });
        tokio::spawn(write_all(writer, queued, line.clone()));
        tokio::spawn(read_all(reader, inbox, line.clone()));
        let mut unopened = Unopened(Some(line.clone()));
        match line.call(Ask::Open(Box::new(open)), 0, limit).await {
            Ok(reply) => {
                unopened.0 = None;
                Ok((line, reply.body))
            }
            Err(gone) => Err(std::io::Error::other(gone.cause).into()),
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(super) fn down(&self) -> watch::Receiver<Option<Fault>> {
        self.down.subscribe()
    }

    pub(super) fn over(&self) -> watch::Receiver<bool> {
        self.over.subscribe()
    }

    /// Sends a request and waits for its answer, as long as the line holds. `limit` is the module's, in time that a
    /// worker has the request in hand.
    pub(crate) async fn call(&self, body: Ask, timeout: u32, limit: Duration) -> Result<Reply, Gone> {
        let (done, reply) = oneshot::channel();
        {
            let mut flights = self.locked();
            if let Some(over) = &flights.over {
                return Err(Gone { sent: false, ..over.clone() });
            }
            let id = flights.next;
            let mut bytes = Vec::with_capacity(256);
            if let Err(error) = frame::write(&FromDaemon::Request(Request { id, timeout, body }), &mut bytes)
            {
                return Err(Gone { sent: false, how: Lost::Transport, cause: error.to_string() });
            }
            flights.next += 1;
            flights.open.insert(id, Flight { ran: Duration::ZERO, limit, done });
            // The writer holds its end as long as the line is not over, which was just looked at.
            let _queued = flights.outbound.send(bytes);
        }
        reply.await.unwrap_or_else(|_dropped| {
            Err(Gone {
                sent: true,
                how: Lost::Transport,
                cause: "the host's connection was dropped".to_owned(),
            })
        })
    }

    /// Time passes. `true` once a call that a worker has in hand is past its limit.
    ///
    /// The host takes requests in order, so the oldest `workers` of them are in hand and the others wait: those do not
    /// count. The daemon's own pauses do not count either: `passed` is bounded by the caller.
    pub(super) fn pass(&self, passed: Duration) -> bool {
        let mut flights = self.locked();
        let mut overdue = false;
        for flight in flights.open.values_mut().take(self.workers) {
            flight.ran += passed;
            overdue |= flight.ran > flight.limit;
        }
        overdue
    }

    /// It is over: every call in flight learns how.
    pub(super) fn end(&self, how: Lost, cause: String) {
        let lost = {
            let mut flights = self.locked();
            if flights.over.is_none() {
                flights.over = Some(Gone { sent: true, how, cause: cause.clone() });
            }
            // Closes the writer's queue, and with it the socket.
            flights.outbound = mpsc::unbounded_channel().0;
            std::mem::take(&mut flights.open)
        };
        for flight in lost.into_values() {
            // A caller that does not wait any more needs no answer.
            let _gone = flight.done.send(Err(Gone { sent: true, how, cause: cause.clone() }));
        }
        self.over.send_replace(true);
    }

    /// How it ended.
    pub(super) fn ending(&self) -> Option<Gone> {
        self.locked().over.clone()
    }

    fn take(&self, message: FromHost) -> Result<(), String> {
        match message {
            FromHost::Reply(reply) => {
                self.epoch.fetch_max(reply.epoch, Ordering::AcqRel);
                match &reply.body {
                    Answer::Ready(_) | Answer::Signed(_) => self.hear(None),
                    Answer::Failed(fault) if matches!(fault.class, Class::Unavailable | Class::Pin) => {
                        self.hear(Some(fault.clone()));
                    }
                    _ => {}
                }
                let Some(flight) = self.locked().open.remove(&reply.id) else {
                    return Err(format!("the host answered request {}, which nobody made", reply.id));
                };
                let _gone = flight.done.send(Ok(reply));
                Ok(())
            }
            FromHost::Notice(notice) => {
                self.epoch.fetch_max(notice.epoch, Ordering::AcqRel);
                self.hear(notice.down);
                Ok(())
            }
            FromHost::Hello(_) => Err("the host greeted twice".to_owned()),
        }
    }

    fn hear(&self, down: Option<Fault>) {
        self.down.send_if_modified(|now| {
            let changed = *now != down;
            if changed {
                *now = down;
            }
            changed
        });
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever gives up waiting for a token to be opened closes the connection with it.
struct Unopened(Option<Arc<Line>>);

impl Drop for Unopened {
    fn drop(&mut self) {
        if let Some(line) = self.0.take() {
            line.end(Lost::Transport, "the token was not opened".to_owned());
        }
    }
}

async fn greeted(stream: &mut UnixStream, inbox: &mut Inbox) -> Result<(), FrameError> {
    loop {
        if let Some(message) = inbox.next(frame::value)? {
            let theirs = match message? {
                FromHost::Hello(hello) => hello,
                _ => return Err(std::io::Error::other("the host did not greet first").into()),
            };
            let ours = Hello::ours();
            if theirs == ours {
                return Ok(());
            }
            let said = format!(
                "the host is another build ({}, here {}): restart daemon and host from the same installation",
                theirs.build, ours.build
            );
            return Err(std::io::Error::other(said).into());
        }
        match stream.read(inbox.room()).await? {
            0 => return Err(std::io::Error::other("the host ended before it greeted").into()),
            count => inbox.came(count),
        }
    }
}

/// Writes what is queued, all of it at once. A commit of the log sets many requests free: their tasks, which are ready by
/// now, go first, so that the host is woken once and not for each of them (as with connections, decision 51).
async fn write_all(
    mut writer: OwnedWriteHalf,
    mut queued: mpsc::UnboundedReceiver<Vec<u8>>,
    line: Arc<Line>,
) {
    while let Some(mut bytes) = queued.recv().await {
        tokio::task::yield_now().await;
        while let Ok(more) = queued.try_recv() {
            bytes.extend_from_slice(&more);
        }
        if let Err(error) = writer.write_all(&bytes).await {
            line.end(Lost::Transport, format!("the host's connection failed: {error}"));
            return;
        }
    }
}

async fn read_all(mut reader: OwnedReadHalf, mut inbox: Inbox, line: Arc<Line>) {
    let mut over = line.over();
    let cause = loop {
        match inbox.next(frame::value) {
            Ok(Some(message)) => {
                let taken = message.map_err(|e| e.to_string()).and_then(|message| line.take(message));
                if let Err(cause) = taken {
                    break cause;
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => break error.to_string(),
        }
        tokio::select! {
            read = reader.read(inbox.room()) => match read {
                Ok(0) => break "the host process ended".to_owned(),
                Ok(count) => inbox.came(count),
                Err(error) => break format!("the host's connection failed: {error}"),
            },
            _ = over.wait_for(|over| *over) => return,
        }
    };
    line.end(Lost::Transport, cause);
}

#[cfg(test)]
mod tests;
