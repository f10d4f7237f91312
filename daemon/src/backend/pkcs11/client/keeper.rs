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
        let (how, cause) = match start(&shared, &spawner).await {
            Ok((line, process)) => {
                shared.up(line.clone(), process.as_ref().map(Process::id));
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
    use tokio::net::UnixListener;

    use super::super::played::{self, Host, ready};
    use super::*;
    use crate::clock::ManualClock;

    #[tokio::test]
    async fn a_host_that_opens_when_its_backend_is_closed_is_let_finish_and_no_other_is_started() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("host.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let clock = Arc::new(ManualClock::default());
        let shared = Arc::new(played::shared(clock, |settings| settings.host = Some(socket)));
        let keeper = tokio::spawn(keep(Arc::clone(&shared), Spawner::start("hsm").unwrap()));
        let mut host = Host::on(listener.accept().await.unwrap().0);
        host.greet().await;
        let open = host.request().await;
        assert!(matches!(open.body, Ask::Open(_)));
        let playing = async {
            // Time enough to give up, for a backend that would.
            tokio::time::sleep(Duration::from_millis(50)).await;
            host.reply(open.id, ready()).await;
            assert_eq!(host.request().await.body, Ask::Quit);
            drop(host);
        };
        tokio::join!(shared.quit(), playing);
        keeper.await.unwrap();
        assert_eq!(shared.starts(), 1);
    }
}
