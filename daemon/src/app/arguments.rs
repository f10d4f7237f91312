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
    /// Make a rehearsal instance: log, log key, CA, first client certificate, policy and configuration.
    Init(Init),
    /// Make a rehearsal instance with one key, if there is none yet, and run it.
    Dev(Dev),
    /// Record a key of a rehearsal instance. The daemon must not be running.
    EnrollKey(EnrollKey),
    /// Places outside the database that keep the newest checkpoint.
    #[command(subcommand)]
    Anchor(Anchor),
    /// Copy the log while the daemon runs, verify the copy, and print the checkpoint that it ends at.
    Backup(Backup),
    /// Backends.
    #[command(subcommand)]
    Backends(Backends),
    /// The process that hosts one PKCS#11 module; started by the daemon.
    #[command(hide = true)]
    Pkcs11Host,
}

/// `countersignd init`.
#[derive(Debug, clap::Args)]
pub struct Init {
    /// A rehearsal instance: nothing that it signs is worth anything to anyone else. Production instances begin with a
    /// ceremony.
    #[arg(long)]
    pub rehearsal: bool,
    /// Directory of the new instance. It must be empty or not there.
    #[arg(long, value_name = "DIR")]
    pub directory: PathBuf,
    /// Name of the instance; the log's origin is `rehearsal.` and this name.
    #[arg(long, default_value = "countersign.example.org")]
    pub name: String,
    /// Where the daemon listens.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7443")]
    pub listen: String,
    /// Where metrics, checkpoints and tiles are served.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7480")]
    pub web: String,
    /// A PKCS#11 module to configure as backend `hsm`.
    #[arg(long, value_name = "FILE", requires_all = ["token", "pin_file"])]
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

/// `countersignd dev`.
#[derive(Debug, clap::Args)]
pub struct Dev {
    /// Directory of the instance.
    #[arg(long, value_name = "DIR", default_value = "countersign-dev")]
    pub directory: PathBuf,
    /// Use a token that exists instead of the software backend: the module and the token's URI.
    #[arg(long, num_args = 2, value_names = ["MODULE", "TOKEN"], requires_all = ["pin_file", "key"])]
    pub pkcs11: Option<Vec<String>>,
    /// The key to enrol from that token, as an RFC 7512 URI.
    #[arg(long, value_name = "URI", requires = "pkcs11")]
    pub key: Option<String>,
    /// A file that holds the token's user PIN.
    #[arg(long, value_name = "FILE", requires = "pkcs11")]
    pub pin_file: Option<PathBuf>,
}

/// `countersignd enroll-key`.
#[derive(Debug, clap::Args)]
pub struct EnrollKey {
    /// Name of the key, for instance `release/linux`.
    pub name: KeyName,
    /// Where the key is: `software:` makes a new one, `pkcs11:object=…` names one in a token.
    pub uri: String,
    /// How it signs, for life.
    #[arg(long)]
    pub algorithm: Algorithm,
    /// What it signs: `oci`, `blob`, `notation`, `x509`, `dsse:<predicate type>`, or `digest` alone. May be repeated.
    #[arg(long, required = true)]
    pub purpose: Vec<Kind>,
    /// Who answers for the key.
    #[arg(long, default_value = "rehearsal")]
    pub owner: String,
    /// Backend that holds the key, where more than one fits the URI.
    #[arg(long)]
    pub backend: Option<String>,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
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
