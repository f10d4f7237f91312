//! The signals of the system, and the end of the daemon.
//!
//! SIGHUP reloads, SIGTERM and SIGINT drain: nothing new is accepted, what is under way is finished within a bound, and
//! a second signal ends the waiting. Nothing is lost either way: whatever had an intent is sealed by a task of its own
//! or closed at the next start.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long a drain waits for what is under way.
pub const BOUND: Duration = Duration::from_secs(25);

/// The signals that the daemon listens to. Made once, before anything is served.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wish {
    /// SIGHUP: certificates, PIN files, and what the log has approved.
    Reload,
    /// SIGTERM or SIGINT.
    Stop,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drained {
    /// Everything under way was finished.
    Finished,
    /// The bound passed.
    TooLong,
    /// A second signal came.
    Hurried,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system's word.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next wish.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.hang_up.recv() => Wish::Reload,
        }
    }

    /// Waits until the daemon shall stop, and reloads whenever it is asked to.
    pub async fn until_stopped(&mut self, mut reload: impl AsyncFnMut()) {
        loop {
            match self.next().await {
                Wish::Stop => return tell(sd_notify::NotifyState::Stopping),
                Wish::Reload => {
                    tracing::info!("reloading");
                    reload().await;
                }
            }
        }
    }

    /// Waits for what is under way, at most `bound` long; a second signal ends the waiting.
    pub async fn drain(&mut self, under_way: impl Future<Output = ()>, bound: Duration) -> Drained {
        let hurried = async {
            while self.next().await == Wish::Reload {
                tracing::info!("not reloading: the daemon is stopping");
            }
        };
        tokio::select! {
            () = under_way => Drained::Finished,
            () = tokio::time::sleep(bound) => Drained::TooLong,
            () = hurried => Drained::Hurried,
        }
    }
}

/// Tells systemd that the daemon serves.
pub fn ready() {
    tell(sd_notify::NotifyState::Ready);
}

fn tell(state: sd_notify::NotifyState<'_>) {
    // Without systemd there is nobody to tell, and that is no error.
    if let Err(why) = sd_notify::notify(&[state]) {
        tracing::debug!(%why, "systemd was not told");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use rustix::process::{Signal as Number, getpid, kill_process};

    use super::*;

    fn send(number: Number) {
        kill_process(getpid(), number).unwrap();
    }

    // One test, because signals go to the process: two would hear each other's.
    #[tokio::test]
    async fn hup_reloads_term_stops_and_a_second_term_hurries() {
        let mut signals = Signals::listen().unwrap();
        let mut reloads = 0;
        send(Number::HUP);
        let until = signals.until_stopped(async || {
            reloads += 1;
            send(Number::TERM);
        });
        until.await;
        assert_eq!(reloads, 1);

        assert_eq!(signals.drain(async {}, BOUND).await, Drained::Finished);
        let never = std::future::pending();
        assert_eq!(signals.drain(never, Duration::ZERO).await, Drained::TooLong);
        send(Number::HUP);
        send(Number::TERM);
        let never = std::future::pending();
        assert_eq!(signals.drain(never, BOUND).await, Drained::Hurried);
    }
}
