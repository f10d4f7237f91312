//! Waiting for a service to say that it is ready, by systemd's protocol (`sd_notify(3)`): a datagram, not a guess.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::process::Process;

/// The variable that tells a service where to say it.
pub const VARIABLE: &str = "NOTIFY_SOCKET";

/// The socket that a service is started with.
#[derive(Debug)]
pub struct Ready {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Ready {
    /// Opens the socket in a directory, in place of an earlier one.
    ///
    /// # Panics
    /// If the directory cannot hold a socket.
    #[must_use]
    pub fn listen(directory: &Path) -> Self {
        let path = directory.join("notify.sock");
        // A socket of the last start, which nobody listens to any more; absent the first time.
        std::fs::remove_file(&path).ok();
        let socket =
            UnixDatagram::bind(&path).unwrap_or_else(|e| panic!("cannot bind {}: {e}", path.display()));
        socket.set_nonblocking(true).unwrap();
        Self { socket, path }
    }

    /// Where the service must say it: the value of [`VARIABLE`].
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until the service says this line, `READY=1` for instance.
    ///
    /// # Panics
    /// If it ends first or does not say it within the time, with all that it said.
    pub fn wait(&self, line: &str, process: &mut Process, within: Duration) {
        if let Err(why) = self.wait_or_end(line, process, within) {
            panic!("{why}; it said:\n{}", process.said());
        }
    }

    /// Waits until the service says this line, or ends: for tests that kill it on the way.
    ///
    /// # Errors
    /// What happened instead; of one that has ended, all that it said has been read.
    ///
    /// # Panics
    /// If a process that shares the output of one that has ended does not end within the time.
    pub fn wait_or_end(&self, line: &str, process: &mut Process, within: Duration) -> Result<(), String> {
        let end = Instant::now() + within;
        let mut datagram = [0; 4096];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let (said, gone) = {
                let mut events =
                    [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(process.handle(), PollFlags::IN)];
                poll(&mut events, Some(&Timespec::try_from(left).unwrap())).unwrap();
                (!events[0].revents().is_empty(), !events[1].revents().is_empty())
            };
            if said {
                let length = self.socket.recv(&mut datagram).unwrap();
                if datagram[..length].split(|byte| *byte == b'\n').any(|own| own == line.as_bytes()) {
                    return Ok(());
                }
            } else if gone {
                let status = process.finished(within);
                return Err(format!("it ended with {status} before it said {line}"));
            } else if left.is_zero() {
                return Err(format!("it has not said {line} within {within:?}"));
            }
        }
    }
}
