//! A module in front of the module: a slow wire and faults, switched by files (`wire/wire.c` says which).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{TokenError, file, run};

const SOURCE: &str = include_str!("../wire/wire.c");

/// The module in front, and its switches.
#[derive(Debug)]
pub struct Wire {
    directory: PathBuf,
}

impl Wire {
    /// Builds a module in front of `module`, in this (existing) directory.
    ///
    /// # Errors
    /// If there is no C compiler or it fails.
    pub fn build(directory: &Path, module: &Path) -> Result<Self, TokenError> {
        let directory = directory.join("wire");
        file("making the wire's directory", std::fs::create_dir_all(&directory))?;
        let source = directory.join("wire.c");
        file("writing wire.c", std::fs::write(&source, SOURCE))?;
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-O2", "-w", "-o"]).arg(directory.join("libwire.so"));
        command.arg(format!("-DREAL=\"{}\"", module.display()));
        command.arg(format!("-DFAULTS=\"{}\"", directory.display()));
        run("cc", command.arg(source).arg("-ldl"))?;
        Ok(Self { directory })
    }

    /// Path of the module in front.
    pub fn module(&self) -> PathBuf {
        self.directory.join("libwire.so")
    }

    /// Makes `C_Sign` take this much longer, each way: a model of an HSM behind a network.
    ///
    /// # Errors
    /// If the switch cannot be written.
    pub fn delay(&self, each_way: Duration) -> Result<(), TokenError> {
        self.set("wire", &each_way.as_micros().to_string())
    }

    /// `function` (without its `C_`) does not return until [`clear`](Self::clear).
    ///
    /// # Errors
    /// If the switch cannot be written.
    pub fn hang(&self, function: &str) -> Result<(), TokenError> {
        self.set(&format!("hang.{function}"), "")
    }

    /// The next call of `function` aborts the process.
    ///
    /// # Errors
    /// If the switch cannot be written.
    pub fn crash(&self, function: &str) -> Result<(), TokenError> {
        self.set(&format!("crash.{function}"), "")
    }

    /// Whoever loads the module is aborted by it, until [`clear`](Self::clear).
    ///
    /// # Errors
    /// If the switch cannot be written.
    pub fn kill_on_load(&self) -> Result<(), TokenError> {
        self.set("dead", "")
    }

    /// `function` answers this code until [`clear`](Self::clear).
    ///
    /// # Errors
    /// If the switch cannot be written.
    pub fn fail(&self, function: &str, code: u64) -> Result<(), TokenError> {
        self.set(&format!("fail.{function}"), &format!("{code:x}"))
    }

    /// The next call of `function` answers this code.
    ///
    /// # Errors
    /// If the switch cannot be written.
    pub fn fail_once(&self, function: &str, code: u64) -> Result<(), TokenError> {
        self.set(&format!("once.{function}"), &format!("{code:x}"))
    }

    /// Signatures come back with one bit flipped, until [`clear`](Self::clear).
    ///
    /// # Errors
    /// If the switch cannot be written.
    pub fn flip(&self) -> Result<(), TokenError> {
        self.set("flip", "")
    }

    /// Key pairs are not generated where the template says what the private key shall not do, until [`clear`](Self::clear): as
    /// some tokens refuse to be told that.
    ///
    /// # Errors
    /// If the switch cannot be written.
    pub fn terse(&self) -> Result<(), TokenError> {
        self.set("terse", "")
    }

    /// From now on calls of `SignInit` are counted, too: not where it is measured how fast one signs.
    ///
    /// # Errors
    /// If the switch cannot be written.
    pub fn count(&self) -> Result<(), TokenError> {
        self.set("count", "")
    }

    /// Ends every fault and the delay.
    ///
    /// # Errors
    /// If a switch cannot be removed.
    pub fn clear(&self) -> Result<(), TokenError> {
        for entry in file("reading the switches", std::fs::read_dir(&self.directory))? {
            let entry = file("reading the switches", entry)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name == "wire"
                || name == "flip"
                || name == "dead"
                || name == "terse"
                || name.contains('.') && !["libwire.so", "wire.c"].contains(&&*name)
            {
                match std::fs::remove_file(entry.path()) {
                    Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
                    other => file("removing a switch", other)?,
                }
            }
        }
        Ok(())
    }

    /// How often `function` was called, by any process, since the wire was built. Not counted: `Sign`, and `SignInit` before
    /// [`count`](Self::count).
    ///
    /// # Errors
    /// If the list of calls cannot be read.
    pub fn calls(&self, function: &str) -> Result<usize, TokenError> {
        let list = match std::fs::read_to_string(self.directory.join("calls")) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => String::new(),
            other => file("reading the list of calls", other)?,
        };
        Ok(list.lines().filter(|line| *line == function).count())
    }

    fn set(&self, switch: &str, content: &str) -> Result<(), TokenError> {
        // Written whole before it is there: the module may look at any moment.
        let new = self.directory.join("new");
        file("writing a switch", std::fs::write(&new, content))?;
        file("turning a switch", std::fs::rename(new, self.directory.join(switch)))
    }
}
