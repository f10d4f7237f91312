//! Faults at an exact system call, from outside: strace kills the program, or lets the call fail, at the N-th one.
//!
//! So the product has no code for its own destruction. strace counts per thread: `nth` is the first thread's N-th call
//! of that name (on that path, where one is given). The program stays the test's own child (`strace -D`), so killing
//! and waiting are as without it. strace 6.1 injects nothing with `--seccomp-bpf`, so every call is stopped at, and a
//! traced program is several times slower: tests must not mind.

mod attach;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

pub use attach::Attached;

use crate::process::Process;

/// What happens at the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` as the call is entered: its effect does not come about.
    Kill,
    /// The call is not made and returns this error (`EIO`).
    Error(&'static str),
}

/// One place at which a program is hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Name of the system call.
    pub call: String,
    /// Which one of a thread, from 1.
    pub nth: usize,
    /// Only calls on this file count.
    pub path: Option<PathBuf>,
}

impl Point {
    /// strace's words for a fault here.
    fn injection(&self, fault: Fault) -> String {
        let what = match fault {
            Fault::Kill => "signal=KILL".to_owned(),
            Fault::Error(name) => format!("error={name}"),
        };
        format!("inject={}:{what}:when={}", self.call, self.nth)
    }
}

/// `fdatasync 7 of /…/log.db-wal`.
impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.call, self.nth)?;
        self.path.as_ref().map_or(Ok(()), |path| write!(f, " of {}", path.display()))
    }
}

/// The command run under strace, which notes the calls named and does nothing to them.
#[must_use]
pub fn watched(command: &Command, calls: &[&str], trace: &Path) -> Command {
    wrapped(command, trace, &[format!("trace={}", calls.join(","))], None)
}

/// The command run under strace, which strikes at the point.
#[must_use]
pub fn struck(command: &Command, point: &Point, fault: Fault, trace: &Path) -> Command {
    let expressions = [format!("trace={}", point.call), point.injection(fault)];
    wrapped(command, trace, &expressions, point.path.as_deref())
}

fn wrapped(command: &Command, trace: &Path, expressions: &[String], path: Option<&Path>) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-y", "-o"]).arg(trace);
    for expression in expressions {
        strace.args(["-e", expression]);
    }
    if let Some(path) = path {
        strace.arg("-P").arg(path);
    }
    strace.arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        strace.current_dir(directory);
    }
    strace
}

/// Calls of a running program that fail from now on, until this is dropped.
#[derive(Debug)]
pub struct Failing(Process);

impl Failing {
    /// Attaches to a process with its threads and children; each of these calls then fails with this error (`EROFS`).
    ///
    /// # Panics
    /// If strace may not attach.
    #[must_use]
    pub fn attach(process: u32, calls: &[&str], error: &str) -> Self {
        let calls = calls.join(",");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
        strace.args(["-e", &format!("inject={calls}:error={error}"), "-p", &process.to_string()]);
        let strace = Process::start(strace);
        let _said = strace.says("attached", crate::PATIENCE);
        Self(strace)
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        // Asked to end, strace lets go of every thread first.
        self.0.signal(rustix::process::Signal::TERM);
        self.0.ended(crate::PATIENCE);
    }
}

/// What strace noted. Complete when the tracer has ended: see [`Process::silent`].
#[derive(Debug, Default)]
pub struct Trace {
    /// Calls entered, in order: thread, name, arguments.
    pub calls: Vec<(u32, String, String)>,
}

impl Trace {
    /// Reads the file.
    ///
    /// # Panics
    /// If it is not there.
    #[must_use]
    pub fn read(file: &Path) -> Self {
        Self::parse(
            &std::fs::read_to_string(file).unwrap_or_else(|e| panic!("no trace at {}: {e}", file.display())),
        )
    }

    fn parse(text: &str) -> Self {
        let mut calls = Vec::new();
        for line in text.lines() {
            // `14020 fdatasync(3</x>) = 0`; `… <unfinished ...>` is an entry, `<... fdatasync resumed>` is not.
            let Some((thread, rest)) = line.split_once(char::is_whitespace) else { continue };
            let Ok(thread) = thread.parse() else { continue };
            let Some((name, arguments)) = rest.trim_start().split_once('(') else { continue };
            if name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
                calls.push((thread, name.to_owned(), arguments.to_owned()));
            }
        }
        Self { calls }
    }

    /// Every point that a run like this one reaches: each name with 1 to the most calls of one thread.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        self.points_where(|_, _| true)
    }

    /// Every point but most of the writes, of which there are many: each seventh of all points is kept whatever it is.
    #[must_use]
    pub fn some_points(&self) -> Vec<Point> {
        let points = self.points().into_iter().enumerate();
        points
            .filter(|(nth, point)| point.call != "pwrite64" || nth % 7 == 0)
            .map(|(_, point)| point)
            .collect()
    }

    /// The points at which some thread makes a call that is wanted, by its name and arguments.
    #[must_use]
    pub fn points_where(&self, wanted: impl Fn(&str, &str) -> bool) -> Vec<Point> {
        let mut counts: BTreeMap<(u32, &str), usize> = BTreeMap::new();
        let mut points = BTreeSet::new();
        for (thread, name, arguments) in &self.calls {
            let nth = counts.entry((*thread, name)).or_default();
            *nth += 1;
            if wanted(name, arguments) {
                points.insert((name.clone(), *nth));
            }
        }
        points.into_iter().map(|(call, nth)| Point { call, nth, path: None }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Trace;

    #[test]
    fn points_are_counted_per_thread_by_entries() {
        let trace = Trace::parse(
            "10 fdatasync(3</a>) = 0\n11 fdatasync(4</b> <unfinished ...>\n10 fdatasync(3</a>) = 0\n\
             11 <... fdatasync resumed>) = 0\n11 sendto(5<socket:[1]>, \"x\", 1, 0, NULL, 0) = 1\n\
             10 --- SIGCHLD {si_signo=SIGCHLD} ---\n10 +++ exited with 0 +++\n",
        );
        assert_eq!(trace.calls.len(), 4);
        let points: Vec<String> = trace.points().iter().map(ToString::to_string).collect();
        assert_eq!(points, ["fdatasync 1", "fdatasync 2", "sendto 1"]);
        let points = trace.points_where(|call, arguments| call == "sendto" || arguments.contains("/b"));
        let points: Vec<String> = points.iter().map(ToString::to_string).collect();
        assert_eq!(points, ["fdatasync 1", "sendto 1"]);
    }
}
