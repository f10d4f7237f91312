//! strace on a program that runs already: its threads as they are and those to come, but no child that it had before.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::{Fault, Point};
use crate::process::Process;

/// A tracer at work. It lets go when dropped.
#[derive(Debug)]
pub struct Attached {
    strace: Process,
    /// What ends it: one that only watches writes down the rest first.
    end: Signal,
}

impl Attached {
    /// Notes the calls named, and does nothing to them.
    ///
    /// # Panics
    /// If strace may not attach.
    #[must_use]
    pub fn watch(process: u32, calls: &[&str], trace: &Path) -> Self {
        Self::to(process, &[format!("trace={}", calls.join(","))], None, trace, Signal::TERM)
    }

    /// Strikes at the point, counted from now on.
    ///
    /// # Panics
    /// If strace may not attach.
    #[must_use]
    pub fn strike(process: u32, point: &Point, fault: Fault, trace: &Path) -> Self {
        let expressions = [format!("trace={}", point.call), point.injection(fault)];
        // A tracer that is asked to end while what it traced is dying waits for ever. One that is killed lets go.
        Self::to(process, &expressions, point.path.as_deref(), trace, Signal::KILL)
    }

    fn to(process: u32, expressions: &[String], path: Option<&Path>, trace: &Path, end: Signal) -> Self {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-y", "-o"]).arg(trace);
        for expression in expressions {
            strace.args(["-e", expression]);
        }
        if let Some(path) = path {
            strace.arg("-P").arg(path);
        }
        strace.args(["-p", &process.to_string()]);
        let strace = Process::start(strace);
        let _said = strace.says("attached", crate::PATIENCE);
        Self { strace, end }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.strace.signal(self.end);
        self.strace.ended(crate::PATIENCE);
    }
}
