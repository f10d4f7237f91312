//! The grammar of the command line.
//!
//! Promises: what can be told wrong from the words alone (two inputs, a version without a key) is refused before any file is read.

pub mod ceremony;
pub mod connection;
pub mod enroll;
pub mod log;
pub mod people;
pub mod policy;
pub mod signing;
pub mod stopping;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::screen::Output;

/// Ask Countersign for signatures, check them, stop keys, and read the log.
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    disable_help_subcommand = true,
    propagate_version = true,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 unavailable: try again.\n\
                  Settings come from flags, then COUNTERSIGN_* variables, then ~/.config/countersign/config.toml."
)]
pub struct Arguments {
    /// Which instance to talk to, and as whom.
    #[command(flatten)]
    pub connection: connection::Connection,
    /// For people (table) or for programs (json).
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "table",
        env = "COUNTERSIGN_OUTPUT",
        hide_env = true,
        help_heading = "Output"
    )]
    pub output: Output,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Have files, a digest, an image or a DSSE payload signed
    Sign(signing::Sign),
    /// Check a signature and its receipt, offline
    Verify(signing::Verify),
    /// Stop a key, a caller, a backend or everything, now
    Stop(stopping::Stop),
    /// Keys, their versions and states
    Keys(Keys),
    /// Read and check the signing log
    Log(log::Log),
    /// What waits for you: open ceremonies that lack your act
    Inbox,
    /// Read a statement and approve it, or refuse
    Approve(people::Approve),
    /// Read a statement, or what an execution came to, and attest it as a witness
    Attest(people::Attest),
    /// Draft, propose, lead, watch and end ceremonies
    Ceremony(ceremony::Ceremony),
    /// Invite a caller to come by a client certificate
    Invite(enroll::Invite),
    /// Exchange an invitation for a client certificate
    Enroll(enroll::Enroll),
    /// Check, test and explain access policy, offline
    Policy(policy::Policy),
    /// Print the completion script of a shell
    Completion(Completion),
    /// Print a manual page, or write all of them
    Man(Manual),
}

/// Keys, their versions and states.
#[derive(Debug, Args)]
pub struct Keys {
    /// What about them.
    #[command(subcommand)]
    pub what: KeysCommand,
}

/// What about keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// All keys that this caller may list
    List {
        /// Only names that begin with this
        #[arg(default_value = "")]
        prefix: String,
    },
    /// One key with all its versions
    Show {
        /// Name of the key, for instance release/linux
        key: String,
    },
    /// Print a public key as PEM
    Public {
        /// KEY for the version that signs now, or KEY@VERSION
        key: String,
    },
    /// The state of every key, then each change as it happens
    Watch {
        /// Only names that begin with this
        #[arg(default_value = "")]
        prefix: String,
    },
}

/// Print the completion script of a shell.
#[derive(Debug, Args)]
pub struct Completion {
    /// Which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Print a manual page, or write all of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    countersign man log search | man -l -\n  \
    countersign man --directory /usr/local/share/man/man1")]
pub struct Manual {
    /// Command whose page is printed, for instance `log search`; the page of the whole where absent
    #[arg(value_name = "COMMAND", conflicts_with = "directory")]
    pub command: Vec<String>,
    /// Write the page of every command into this directory; older ones there are replaced
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
