//! A program that a test starts: what it says, how it ends. It is killed when it goes out of scope.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A running program with its standard output and error collected.
///
/// Signals go through a pidfd, so they reach this program or nothing.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    handle: OwnedFd,
    said: Arc<Said>,
}

#[derive(Debug, Default)]
struct Said {
    lines: Mutex<Lines>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    /// How many of the two streams have ended, because every process that held them has.
    ended: usize,
}

impl Process {
    /// Starts a program with nothing on its standard input.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        let name = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {name}: {e}"));
        let pid = Pid::from_child(&child);
        let handle = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let said = Arc::new(Said::default());
        listen(child.stdout.take().unwrap(), &said);
        listen(child.stderr.take().unwrap(), &said);
        Self { name, child, handle, said }
    }

    /// Runs a program to its end and returns what it wrote on standard output.
    ///
    /// # Panics
    /// If it fails, with all that it said.
    #[must_use]
    pub fn output(mut command: Command) -> String {
        let output =
            command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{command:?} ended with {}:\n{out}{err}", output.status);
        out
    }

    /// The process's number, for tools that are told it.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal; one that has ended takes it without effect.
    ///
    /// # Panics
    /// If it may not be sent.
    pub fn signal(&self, signal: Signal) {
        match pidfd_send_signal(&self.handle, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => panic!("cannot send a signal to {}: {error}", self.name),
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.ended(crate::PATIENCE)
    }

    /// A descriptor that becomes readable when the program has ended.
    #[must_use]
    pub fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    /// Waits for its end. What it said last may not have been read yet: see [`Self::finished`].
    ///
    /// # Panics
    /// If it has not ended within the time, with all that it said.
    pub fn ended(&mut self, within: Duration) -> ExitStatus {
        let mut ends = [PollFd::new(&self.handle, PollFlags::IN)];
        let ready = poll(&mut ends, Some(&Timespec::try_from(within).unwrap())).unwrap();
        assert!(ready == 1, "{} has not ended within {within:?}; it said:\n{}", self.name, self.said());
        self.child.wait().unwrap()
    }

    /// Waits for its end and for that of every process that shares its output: [`Self::said`] is all that it said.
    ///
    /// # Panics
    /// If either has not come within the time.
    pub fn finished(&mut self, within: Duration) -> ExitStatus {
        let status = self.ended(within);
        self.silent(within);
        status
    }

    /// Waits until every process that shares its output (its children, a tracer) has ended too.
    ///
    /// # Panics
    /// If that has not come within the time.
    pub fn silent(&self, within: Duration) {
        self.until(within, "its output to end", |lines| (lines.ended == 2).then_some(()));
    }

    /// Waits for a line that holds these words, said before or from now on, and returns it.
    ///
    /// # Panics
    /// If the line has not come within the time, or the program ended without it.
    #[must_use]
    pub fn says(&self, words: &str, within: Duration) -> String {
        self.until(within, words, |lines| lines.lines.iter().find(|line| line.contains(words)).cloned())
    }

    /// Everything said so far, both streams in the order in which they were read.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.lines.lock().unwrap_or_else(PoisonError::into_inner).lines.join("\n")
    }

    fn until<T>(&self, within: Duration, what: &str, look: impl Fn(&Lines) -> Option<T>) -> T {
        let end = Instant::now() + within;
        let mut lines = self.said.lines.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = look(&lines) {
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            let over = left.is_zero() || lines.ended == 2;
            assert!(!over, "{}: waited for {what:?}; it said:\n{}", self.name, lines.lines.join("\n"));
            lines = self.said.news.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Whether it was ended by `SIGKILL`, as a kill test expects.
#[must_use]
pub fn killed(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::KILL.as_raw())
}

fn listen(stream: impl Read + Send + 'static, said: &Arc<Said>) {
    let said = Arc::clone(said);
    // Ends with the stream, that is with the last process that holds it.
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            said.lines.lock().unwrap_or_else(PoisonError::into_inner).lines.push(line);
            said.news.notify_all();
        }
        said.lines.lock().unwrap_or_else(PoisonError::into_inner).ended += 1;
        said.news.notify_all();
    });
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("-- {} said:\n{}\n--", self.name, self.said());
        }
        // Ours alone: the pidfd cannot name another process. Already waited for means nothing is left to do.
        if pidfd_send_signal(&self.handle, Signal::KILL).is_ok() {
            self.child.wait().ok();
        }
    }
}
