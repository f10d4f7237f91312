//! Composition: where concrete backends and the store get their names, and how the daemon starts and stops.
//!
//! Everything here is wiring: it decides nothing about signatures, and each task of the command line is one file.

mod account;
mod anchor;
mod arguments;
mod backends;
mod backup;
mod boot;
mod dev;
mod harden;
mod init;
mod log_key;
mod reach;
mod recover;
mod rehearse;
mod serve;
mod unlock;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

pub use arguments::Arguments;
use arguments::{Anchor, Backends, Task};

use crate::backend::pkcs11;
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config};

/// What ends a task that failed: a sentence that says what happened and what to do.
#[derive(Debug)]
pub(crate) struct Failed(String);

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let inner_text = inner.to_string();
            if !text.contains(&inner_text) {
                text = format!("{text}: {inner_text}");
            }
            cause = inner.source();
        }
        Self(text)
    }
}

impl Failed {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Does what the command line says.
#[expect(clippy::print_stderr, reason = "the end of a task that failed, for whoever started it")]
pub fn run(arguments: Arguments) -> ExitCode {
    match perform(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(text)) => {
            eprintln!("countersignd: {text}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: Arguments) -> Result<(), Failed> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    // Before anything is read: most tasks hold the log's key, a CA's or a backend's. A host hardens itself its own way. What is
    // refused says the daemon, in its log; whoever starts another task sees what he asked for.
    let unmet = match &arguments.task {
        Some(Task::Pkcs11Host) => Vec::new(),
        _ => harden::process(),
    };
    match (arguments.task, arguments.config) {
        (None, Some(path)) if arguments.check_config => check(&path),
        (None, Some(path)) => serve::run(config(&path)?, clock, &unmet),
        (None, None) => Err(Failed::new("say --config FILE to run the daemon, or `countersignd --help`")),
        (Some(Task::Init(init)), _) => init::run(&init, clock.as_ref()),
        (Some(Task::Dev(dev)), _) => dev::run(&dev, clock, &unmet),
        (Some(Task::RehearseKey(key)), _) => rehearse::run(&config(&key.config)?, &key, clock),
        (Some(Task::Anchor(Anchor::Add { place, config: file })), _) => {
            anchor::add(config(&file)?, &place, clock)
        }
        (Some(Task::Recover(recover)), _) => recover::run(&config(&recover.config)?, &recover, clock),
        (Some(Task::Backup(backup)), _) => backup::run(&config(&backup.config)?, &backup.directory),
        (Some(Task::Backends(Backends::Unlock { name, config: file })), _) => {
            unlock::run(&config(&file)?, &name)
        }
        (Some(Task::LogKey(key)), _) => log_key::make(&config(&key.config)?, &key.new),
        (Some(Task::Pkcs11Host), _) => Ok(pkcs11::host::run()?),
    }
}

fn config(path: &Path) -> Result<Config, Failed> {
    Ok(config::load(path)?)
}

#[expect(clippy::print_stdout, reason = "the answer of --check-config")]
fn check(path: &Path) -> Result<(), Failed> {
    let config = config(path)?;
    println!("{}: good, instance {}", path.display(), config.instance.name);
    Ok(())
}

/// A runtime for tasks that are not the daemon.
fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
