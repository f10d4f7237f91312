//! Keeps one host running, as long as the backend lives.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;

use super::super::message::{Answer, Ask, Class, Fault};
use super::history::{History, Next};
use super::line::Line;
use super::shared::Shared;
use super::spawn::{Process, Spawner};
use crate::backend::{Health, Lost};

/// How often a token that is well is asked, and one that is down is tried again.
const WELL: Duration = Duration::from_secs(2);
const DOWN: Duration = Duration::from_millis(300);
/// A wrong PIN is not mended by trying again, only noticed to be mended.
const LOCKED: Duration = Duration::from_secs(2);

/// Starts a host, watches it, and starts the next, until the backend is closed.
pub(crate) async fn keep(shared: Arc<Shared>, spawner: Spawner) {
    let mut history = History::default();
    while shared.opens() {
        let begun = shared.clock.monotonic();
        let started = start(&shared, &spawner).await;
        if let Ok((line, process)) = &started {
            shared.up(line.clone(), process.as_ref().map(Process::id));
        }
        shared.opened();
        let (how, cause) = match started {
            Ok((line, process)) => {
                let ended = attend(&shared, &line).await;
                shared.lower();
                if let Some(process) = process {
                    process.end().await;
                }
                ended
            }
            Err(failed) => failed,
        };
        let now = shared.clock.monotonic();
        let next = match how {
            Lost::Timeout => history.killed(now),
            Lost::Transport => history.ended(now.since(begun)),
        };
        match next {
            Next::Start(pause) => {
                shared.rest(Health::Down { cause }, pause);
                tokio::time::sleep(pause).await;
            }
            Next::Broken(pause) => {
                let cause = format!(
                    "{cause}, three times in ten minutes; it is left alone for {} s",
                    pause.as_secs()
                );
                shared.rest(Health::Broken { cause }, pause);
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Starts a host, or says how it could not be: a module that hangs while it is opened counts as a call that hangs.
async fn start(shared: &Shared, spawner: &Spawner) -> Result<(Arc<Line>, Option<Process>), (Lost, String)> {
    let failed = |cause: String| (Lost::Transport, cause);
    let (stream, process) = match &shared.settings.host {
        Some(socket) => {
            let stream = UnixStream::connect(socket).await;
            (stream.map_err(|e| failed(format!("no host answers at {}: {e}", socket.display())))?, None)
        }
        None => {
            let program = shared.place.program.clone();
            let spawned = spawner.spawn(program.clone(), shared.settings.environment.clone()).await;
            let (process, socket) =
                spawned.map_err(|e| failed(format!("{} cannot be started: {e}", program.display())))?;
            let connected = socket.set_nonblocking(true).and_then(|()| UnixStream::from_std(socket));
            let stream = connected.map_err(|e| failed(format!("the host's socket cannot be used: {e}")))?;
            (stream, Some(process))
        }
    };
    // Loading and initialising a module is several calls, each within the limit.
    let patience = shared.settings.call_limit.saturating_mul(3);
    let why = match tokio::time::timeout(patience, Line::begin(stream, shared.opening(), patience)).await {
        Ok(Ok((line, Answer::Ready(_) | Answer::Failed(_)))) => return Ok((line, process)),
        Ok(Ok((line, _))) => {
            line.end(Lost::Transport, "it does not speak the protocol".to_owned());
            failed("the host answered something else than a token".to_owned())
        }
        Ok(Err(error)) => failed(error.to_string()),
        Err(_elapsed) => {
            (Lost::Timeout, format!("the module was not open after {} ms", patience.as_millis()))
        }
    };
    if let Some(process) = process {
        process.end().await;
    }
    Err(why)
}

/// Until the host is gone, or must go: how, and why.
async fn attend(shared: &Arc<Shared>, line: &Arc<Line>) -> (Lost, String) {
    let (mut over, mut down) = (line.over(), line.down());
    let prober = tokio::spawn(probe(shared.clone(), line.clone()));
    let limit = shared.settings.call_limit;
    let tick = (limit / 10).clamp(Duration::from_millis(10), Duration::from_millis(250));
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = shared.clock.monotonic();
    say(shared, down.borrow_and_update().as_ref());
    loop {
        tokio::select! {
            _ = over.wait_for(|over| *over) => break,
            changed = down.changed() => {
                if changed.is_err() {
                    break;
                }
                say(shared, down.borrow_and_update().as_ref());
            }
            _ = ticks.tick() => {
                let now = shared.clock.monotonic();
                // If this process stood still, answers may lie unread: at most two ticks count.
                let passed = now.since(last).min(tick * 2);
                last = now;
                if line.pass(passed) {
                    let cause = format!("a call of the module did not return within {} ms, so its host was ended", limit.as_millis());
                    line.end(Lost::Timeout, cause);
                }
            }
        }
    }
    prober.abort();
    // A host that said why it could not go on is believed more than the end of its stream.
    let said = down.borrow().clone();
    match (line.ending(), said) {
        (Some(gone), Some(fault)) if gone.how == Lost::Transport => {
            (gone.how, format!("{}; {}", fault.cause, gone.cause))
        }
        (Some(gone), _) => (gone.how, gone.cause),
        (None, _) => (Lost::Transport, "the host's connection was dropped".to_owned()),
    }
}

fn say(shared: &Shared, down: Option<&Fault>) {
    shared.say(match down {
        None => Health::Ready,
        Some(fault) => Health::Down { cause: fault.cause.clone() },
    });
}

/// Asks the token how it is, and so brings it back when it is down. The line notes the answers.
async fn probe(shared: Arc<Shared>, line: Arc<Line>) {
    loop {
        let pace = match line.down().borrow().as_ref() {
            None => WELL,
            Some(fault) if fault.class == Class::Pin => LOCKED,
            Some(_) => DOWN,
        };
        tokio::time::sleep(pace).await;
        if line.call(Ask::Probe, 0, shared.settings.call_limit).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixListener;

    use super::super::super::frame::{self, Inbox};
    use super::super::super::message::{FromDaemon, FromHost, Hello, Reply, Token};
    use super::super::super::{Place, Settings};
    use super::*;
    use crate::backend::Capabilities;
    use crate::clock::ManualClock;

    /// A host that says nothing but its greeting until it is let, then that its token is well; then it ends when it is asked to.
    async fn host(
        listener: &UnixListener,
        asked: tokio::sync::oneshot::Sender<()>,
        go: tokio::sync::oneshot::Receiver<()>,
    ) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        frame::write(&FromHost::Hello(Hello::ours()), &mut bytes).unwrap();
        stream.write_all(&bytes).await.unwrap();
        let (mut inbox, mut told) = (Inbox::default(), Some((asked, go)));
        loop {
            if let Some(message) = inbox.next(frame::value::<FromDaemon>).unwrap() {
                let FromDaemon::Request(request) = message.unwrap() else { continue };
                match request.body {
                    Ask::Open(_) => {
                        let (asked, go) = told.take().unwrap();
                        asked.send(()).unwrap();
                        go.await.unwrap();
                        let text = || "t".to_owned();
                        let token =
                            Token { label: text(), manufacturer: text(), model: text(), serial: text() };
                        let reply = Reply { id: request.id, epoch: 1, body: Answer::Ready(token) };
                        let mut bytes = Vec::new();
                        frame::write(&FromHost::Reply(reply), &mut bytes).unwrap();
                        stream.write_all(&bytes).await.unwrap();
                    }
                    Ask::Quit => return,
                    other => panic!("{other:?}"),
                }
                continue;
            }
            let count = stream.read(inbox.room()).await.unwrap();
            assert_ne!(count, 0, "the daemon hung up before it asked the host to quit");
            inbox.came(count);
        }
    }

    #[tokio::test]
    async fn a_host_that_opens_when_its_backend_is_closed_is_let_finish_and_no_other_is_started() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("host.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let mut settings = Settings::new("/m.so", "pkcs11:token=t".parse().unwrap(), None);
        settings.host = Some(socket);
        let place = Place { program: "/d".into(), state_directory: directory.path().to_owned(), mode: None };
        let capabilities =
            Capabilities { kind: "pkcs11", abilities: vec![], external: true, generates: true, in_flight: 2 };
        let clock = Arc::new(ManualClock::default());
        let shared = Arc::new(Shared::new("hsm", settings, place, capabilities, clock));
        let keeper = tokio::spawn(keep(Arc::clone(&shared), Spawner::start("hsm").unwrap()));
        let ((asked, is_asked), (go, may_go)) =
            (tokio::sync::oneshot::channel(), tokio::sync::oneshot::channel());
        let playing = host(&listener, asked, may_go);
        let closing = async {
            is_asked.await.unwrap();
            tokio::join!(shared.quit(), async {
                // Time enough to give up, for a backend that would.
                tokio::time::sleep(Duration::from_millis(50)).await;
                go.send(()).unwrap();
            });
        };
        tokio::join!(playing, closing);
        keeper.await.unwrap();
        assert_eq!(shared.starts(), 1);
    }
}
