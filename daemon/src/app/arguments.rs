//! The command line of `countersignd`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use proto::algorithm::Algorithm;
use proto::name::KeyName;
use proto::purpose::Kind;

/// Signs with keys that live in HSMs and cloud KMS, and records every signature before it leaves.
#[derive(Debug, Parser)]
#[command(
    name = "countersignd",
    version,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
pub struct Arguments {
    /// Configuration file; runs the daemon.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Say everything that is wrong with the configuration, open nothing, and end.
    #[arg(long, requires = "config")]
    pub check_config: bool,
    /// What to do instead of running the daemon.
    #[command(subcommand)]
    pub task: Option<Task>,
}

/// What to do instead of running the daemon.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Make an instance: a rehearsal at once, or in two steps one whose people sign its beginning.
    Init(Box<Init>),
    /// Make a rehearsal instance with one key, if there is none yet, and run it.
    Dev(Dev),
    /// Bring a key into a rehearsal instance by a ceremony of which this machine plays all parts. The daemon must not be
    /// running.
    RehearseKey(RehearseKey),
    /// Places outside the database that keep the newest checkpoint.
    #[command(subcommand)]
    Anchor(Anchor),
    /// Copy the log while the daemon runs, verify the copy, and print the checkpoint that it ends at.
    Backup(Backup),
    /// Make the next key of the log, for a `log.rekey`, in a file that is not there yet, and print the key that verifies it.
    LogKey(LogKey),
    /// Begin a new log in place of one that lies behind what somebody holds of it, in two steps: its people sign in between.
    /// The daemon must not be running.
    Recover(Box<Recover>),
    /// Backends.
    #[command(subcommand)]
    Backends(Backends),
    /// The process that hosts one PKCS#11 module; started by the daemon.
    #[command(hide = true)]
    Pkcs11Host,
}

/// `countersignd init`.
#[derive(Debug, Default, clap::Args)]
pub struct Init {
    /// A rehearsal instance at once, with throw-away keys for its people: nothing that it signs is worth anything to anyone
    /// else.
    #[arg(long, conflicts_with_all = ["draft", "complete"])]
    pub rehearsal: bool,
    /// First step of any other instance: make the log key and write the genesis statement, for its people to sign.
    #[arg(long, conflicts_with = "complete",
        requires_all = ["name", "roster", "guardrails", "grants", "initiator", "justification", "ticket"])]
    pub draft: bool,
    /// Second step: check what people have signed, and make log and configuration.
    #[arg(long)]
    pub complete: bool,
    /// Directory of the instance. It must be empty or not there; with --complete, the one of the draft.
    #[arg(long, value_name = "DIR")]
    pub directory: PathBuf,
    /// Name of the instance and of its log, for instance `signing.example.org`; logs of rehearsals are called
    /// `rehearsal.` and this name. A rehearsal has one without being told.
    #[arg(long, conflicts_with = "complete")]
    pub name: Option<String>,
    /// What a draft says.
    #[command(flatten)]
    pub plan: Plan,
    /// Where the daemon listens.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7443", conflicts_with = "draft")]
    pub listen: String,
    /// Where metrics, checkpoints and tiles are served.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7480", conflicts_with = "draft")]
    pub web: String,
    /// A PKCS#11 module to configure as backend `hsm`.
    #[arg(long, value_name = "FILE", requires_all = ["token", "pin_file"], conflicts_with = "draft")]
    pub pkcs11: Option<PathBuf>,
    /// The token, as an RFC 7512 URI.
    #[arg(long, value_name = "URI", requires = "pkcs11")]
    pub token: Option<String>,
    /// A file that holds the token's user PIN.
    #[arg(long, value_name = "FILE", requires = "pkcs11")]
    pub pin_file: Option<PathBuf>,
    /// An environment variable for the module, which vendors read their configuration's place from. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", requires = "pkcs11")]
    pub module_environment: Vec<String>,
}

/// What the draft of a genesis says.
#[derive(Debug, Default, clap::Args)]
pub struct Plan {
    /// With --draft: `production` or `rehearsal`.
    #[arg(long, value_name = "MODE", requires = "draft", value_parser = ["production", "rehearsal"])]
    pub mode: Option<String>,
    /// With --draft: the environment, for instance `staging`; the mode's name where it is not said.
    #[arg(long, requires = "draft")]
    pub environment: Option<String>,
    /// With --draft: the first roster, TOML.
    #[arg(long, value_name = "FILE", requires = "draft")]
    pub roster: Option<PathBuf>,
    /// With --draft: the first guardrails, TOML. The files that it names are copied too; they are beside it.
    #[arg(long, value_name = "FILE", requires = "draft")]
    pub guardrails: Option<PathBuf>,
    /// With --draft: the first grants, Cedar.
    #[arg(long, value_name = "FILE", requires = "draft")]
    pub grants: Option<PathBuf>,
    /// With --draft: who proposes the genesis, an officer or operator of the roster.
    #[arg(long, value_name = "PERSON", requires = "draft")]
    pub initiator: Option<String>,
    /// With --draft: why there is to be this instance.
    #[arg(long, value_name = "TEXT", requires = "draft")]
    pub justification: Option<String>,
    /// With --draft: where it was asked for, for instance `OPS-4711`.
    #[arg(long, value_name = "TEXT", requires = "draft")]
    pub ticket: Option<String>,
    /// With --draft: production keys may live in the software backend, for good.
    #[arg(long, requires = "draft")]
    pub allow_software_backend: bool,
    /// With --draft: people may sign with keys that are files, for good; every transcript then says so.
    #[arg(long, requires = "draft")]
    pub allow_software_officer_keys: bool,
}

/// `countersignd dev`.
#[derive(Debug, clap::Args)]
pub struct Dev {
    /// Directory of the instance.
    #[arg(long, value_name = "DIR", default_value = "countersign-dev")]
    pub directory: PathBuf,
    /// Use a token that exists instead of the software backend: the module and the token's URI. The key is made in it.
    #[arg(long, num_args = 2, value_names = ["MODULE", "TOKEN"], requires = "pin_file")]
    pub pkcs11: Option<Vec<String>>,
    /// Adopt this key of that token instead of making one, as an RFC 7512 URI.
    #[arg(long, value_name = "URI", requires = "pkcs11")]
    pub key: Option<String>,
    /// A file that holds the token's user PIN.
    #[arg(long, value_name = "FILE", requires = "pkcs11")]
    pub pin_file: Option<PathBuf>,
    /// An environment variable for the module, which vendors read their configuration's place from. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", requires = "pkcs11")]
    pub module_environment: Vec<String>,
    /// Where it listens; what is not said is 127.0.0.1:7443.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where metrics, checkpoints and tiles are served; what is not said is 127.0.0.1:7480.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub web: Option<String>,
}

/// `countersignd rehearse-key`.
#[derive(Debug, clap::Args)]
pub struct RehearseKey {
    /// Name of the key, for instance `release/linux`.
    pub name: KeyName,
    /// How it signs, for life.
    #[arg(long, default_value = "ecdsa-p256-sha256")]
    pub algorithm: Algorithm,
    /// What it signs: `oci`, `blob`, `notation`, `x509`, `dsse:<predicate type>`, or `digest` alone. May be repeated.
    #[arg(long, required = true)]
    pub purpose: Vec<Kind>,
    /// Who answers for the key.
    #[arg(long, default_value = "rehearsal")]
    pub owner: String,
    /// Backend that holds the key, where there is more than one.
    #[arg(long)]
    pub backend: Option<String>,
    /// Adopt the key that is at this place instead of making one, for instance `pkcs11:object=first`.
    #[arg(long, value_name = "URI")]
    pub adopt: Option<String>,
    /// Directory with the people's private keys; `people` beside the state directory, where `init --rehearsal` put them.
    #[arg(long, value_name = "DIR")]
    pub people: Option<PathBuf>,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

impl RehearseKey {
    /// Where the people's keys are.
    pub fn people(&self, config: &crate::config::Config) -> PathBuf {
        self.people.clone().unwrap_or_else(|| config.instance.state_directory.with_file_name("people"))
    }
}

/// `countersignd anchor`.
#[derive(Debug, Subcommand)]
pub enum Anchor {
    /// Make a new anchor, record it, and say which line to add to the configuration. The daemon must not be running.
    Add {
        /// The file; or the address, or the PKCS#11 URI of a data object, that the configuration names with how it is
        /// reached. Nothing may be there yet.
        #[arg(value_name = "FILE|URL|URI")]
        place: String,
        /// Configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// `countersignd backup`.
#[derive(Debug, clap::Args)]
pub struct Backup {
    /// Directory for the copy; it must be empty or not there.
    pub directory: PathBuf,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `countersignd log-key`.
#[derive(Debug, clap::Args)]
pub struct LogKey {
    /// Where the private key goes, readable by its owner alone.
    #[arg(long, value_name = "FILE")]
    pub new: PathBuf,
    /// Configuration file: the key is made for the log whose present key it names.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `countersignd recover`.
#[derive(Debug, clap::Args)]
pub struct Recover {
    /// First step: read what is left of the log, make the new log's key and write the statement, for its people to sign.
    #[arg(long, required_unless_present = "complete",
        requires_all = ["origin", "gap", "initiator", "justification", "ticket"])]
    pub draft: bool,
    /// Second step: check what people have signed, and make the new log and its configuration.
    #[arg(long, conflicts_with = "draft")]
    pub complete: bool,
    /// Configuration file of the log that is lost: whose genesis it names, where its store and its anchors are.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Directory of the new log. It must be empty or not there; with --complete, the one of the draft.
    #[arg(long, value_name = "DIR")]
    pub directory: PathBuf,
    /// With --draft: name of the new log, another one than the lost log's; of a rehearsal it begins with `rehearsal.`.
    #[arg(long, value_name = "ORIGIN", conflicts_with = "complete")]
    pub origin: Option<String>,
    /// With --draft: a checkpoint of the lost log that somebody holds. May be repeated; clients keep theirs as `*.checkpoint`.
    #[arg(long, value_name = "FILE", conflicts_with = "complete")]
    pub checkpoint: Vec<PathBuf>,
    /// With --draft: what leads from the log keys of what is left to a later one, where the key was changed in the gap. May be
    /// repeated; clients keep theirs as `*.keys`, and `countersign log keys --out` has written it.
    #[arg(long, value_name = "FILE", conflicts_with = "complete")]
    pub log_keys: Vec<PathBuf>,
    /// With --draft: the lost log's private key is lost or exposed. Without a gap, the one reason to begin a new log.
    #[arg(long, conflicts_with = "complete")]
    pub log_key_lost: bool,
    /// With --draft: what is missing and how that is known, in words; the numbers are put before them.
    #[arg(long, value_name = "TEXT", conflicts_with = "complete")]
    pub gap: Option<String>,
    /// With --draft: who proposes it, an officer or operator of the roster.
    #[arg(long, value_name = "PERSON", conflicts_with = "complete")]
    pub initiator: Option<String>,
    /// With --draft: why there is to be another log.
    #[arg(long, value_name = "TEXT", conflicts_with = "complete")]
    pub justification: Option<String>,
    /// With --draft: where it was asked for, for instance `OPS-4711`.
    #[arg(long, value_name = "TEXT", conflicts_with = "complete")]
    pub ticket: Option<String>,
}

/// `countersignd backends`.
#[derive(Debug, Subcommand)]
pub enum Backends {
    /// Forget that a backend's PIN is known to be wrong.
    Unlock {
        /// Name of the backend in the configuration.
        name: String,
        /// Configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}
