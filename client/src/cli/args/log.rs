//! `log`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Read and check the signing log.
#[derive(Debug, Args)]
pub struct Log {
    /// What to read or check.
    #[command(subcommand)]
    pub what: LogCommand,
}

/// What to read or check.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// The newest checkpoint, checked against the newest one this client has seen
    Head,
    /// The newest records
    Tail(Tail),
    /// Records by digest, key, version, caller and time
    Search(Search),
    /// The keys of the log, one after the other, and what proves that they are
    Keys(Keys),
    /// Fetch the receipt of a record and check it
    Prove(Prove),
    /// Check a receipt, an exported range or a whole exported log, offline
    Verify(VerifyFile),
    /// Write records with everything that checking them offline needs, one JSON document a line
    Export(Export),
    /// Erase the details of records, never the records; over the local socket, by the right `redact`
    Redact(Redact),
}

/// Erase the details of records, never the records.
#[derive(Debug, Args)]
pub struct Redact {
    /// Indices of the records
    #[arg(required = true, value_name = "INDEX")]
    pub indices: Vec<u64>,
    /// Why; kept in the log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// The newest records.
#[derive(Debug, Args)]
pub struct Tail {
    /// How many
    #[arg(short = 'n', long, default_value_t = 10, value_name = "COUNT")]
    pub lines: u64,
    /// Then each new one as it is written
    #[arg(long, short = 'f')]
    pub follow: bool,
}

/// The keys of the log, one after the other, and what proves that they are.
#[derive(Debug, Args)]
pub struct Keys {
    /// Where what proves it goes, for `verify --log-keys` and `log verify --log-keys`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
}

/// Records by digest, key, version, caller and time.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("term").required(true).multiple(true))]
pub struct Search {
    /// What was signed, or one of its subjects
    #[arg(long, group = "term", value_name = "sha256:HEX")]
    pub digest: Option<String>,
    /// Digest of an in-toto subject: hexadecimal digits of any hash, for instance a git commit, or ALGORITHM:VALUE
    #[arg(long, group = "term", value_name = "HEX|ALGORITHM:VALUE")]
    pub subject: Option<String>,
    /// Repository of an image, as it was named when it was signed
    #[arg(long, group = "term", value_name = "REGISTRY/REPOSITORY")]
    pub repository: Option<String>,
    /// Predicate type of an in-toto statement, or payload type of other DSSE
    #[arg(long, group = "term", value_name = "TYPE")]
    pub predicate_type: Option<String>,
    /// KEY or KEY@VERSION
    #[arg(long, group = "term")]
    pub key: Option<String>,
    /// Stable id of a caller
    #[arg(long, group = "term", value_name = "ID")]
    pub caller: Option<String>,
    /// From then on: a time (2026-11-21T05:00:00Z), a day, or how long ago (2h)
    #[arg(long, group = "term", value_name = "TIME")]
    pub since: Option<String>,
    /// Up to then, exclusive
    #[arg(long, group = "term", value_name = "TIME")]
    pub until: Option<String>,
    /// Only records of this kind, for instance sign; may be repeated
    #[arg(long = "kind", value_name = "KIND")]
    pub kinds: Vec<String>,
    /// Request id given to sign; needs --caller
    #[arg(long, value_name = "ID", requires = "caller")]
    pub request_id: Option<String>,
    /// At most this many; 0 for all
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    pub limit: u32,
    /// Lowest index first
    #[arg(long)]
    pub oldest_first: bool,
}

/// Fetch the receipt of a record and check it.
#[derive(Debug, Args)]
pub struct Prove {
    /// Index of the record, operation id, or leaf hash (64 hexadecimal digits)
    #[arg(value_name = "INDEX|OPERATION|HASH")]
    pub record: String,
    /// Where the receipt goes
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where the record's detail goes (needs the auditor right)
    #[arg(long, value_name = "FILE")]
    pub detail: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
}

/// Check a receipt, an exported range or a whole exported log, offline.
#[derive(Debug, Args)]
pub struct VerifyFile {
    /// A receipt, or what `log export` wrote; `-` is standard input
    pub file: PathBuf,
    /// How the log's keys follow each other, as `log keys --out` writes it: for what is signed by another key than --log-key
    /// names. An export brings it along; where it is not given, what this client has followed counts
    #[arg(long, value_name = "FILE")]
    pub log_keys: Option<PathBuf>,
}

/// Write records with everything that checking them offline needs.
#[derive(Debug, Args)]
pub struct Export {
    /// First index
    #[arg(long, default_value_t = 0, value_name = "INDEX")]
    pub start: u64,
    /// One past the last index; the newest checkpoint where absent
    #[arg(long, value_name = "INDEX", conflicts_with = "follow")]
    pub end: Option<u64>,
    /// Where it goes; standard output where absent
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Then each new record as it is written: a feed, whose lines `log verify` cannot prove
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
}
