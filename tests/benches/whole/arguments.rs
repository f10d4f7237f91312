//! The command line of the bench.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Measures a release build of `countersignd` against ceilings measured in the same run.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", disable_help_subcommand = true)]
pub struct Arguments {
    /// The log holds 10,000,000 records instead of 1,000,000, and every cell is measured for longer.
    #[arg(long)]
    pub full: bool,
    /// Write the cells to this file, as a JSON list.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Measure only the groups that have cells whose name begins so: `unary`, `batch`, `softhsm`, `network`, `lone`,
    /// `fair`, `growth`, `control`. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Draw the judged cells into this file.
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Write `docs/performance.{json,svg,md}` of this repository from what was measured, or from `--from`.
    #[arg(long)]
    pub write_docs: bool,
    /// Measure nothing: show the cells of this file of an earlier run.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Rounds of every cell.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Seconds of one round of one cell; 3, or 10 with `--full`.
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Records in the pre-filled log, instead of 1,000,000. A run with another number says so and has no bars for growth.
    #[arg(long)]
    pub records: Option<u64>,
    /// Directory for instances and tokens; removed at the end. Its disk is the one that is measured.
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// The `countersignd` to measure.
    #[arg(long, value_name = "FILE")]
    pub daemon: Option<PathBuf>,
    /// What cargo gives to every bench.
    #[arg(long, hide = true)]
    pub bench: bool,
    /// Another role of this binary.
    #[command(subcommand)]
    pub role: Option<Role>,
}

/// What this binary is when it starts itself again.
#[derive(Debug, Subcommand)]
pub enum Role {
    /// The server of the ceilings.
    #[command(hide = true)]
    Ceiling {
        /// Holds its certificates.
        directory: PathBuf,
    },
    /// The raw loop over a PKCS#11 module.
    #[command(hide = true)]
    Raw(Raw),
}

/// What the raw loop signs with, and for how long.
#[derive(Args, Clone, Debug)]
pub struct Raw {
    /// The module.
    #[arg(long)]
    pub module: PathBuf,
    /// Label of the token.
    #[arg(long)]
    pub token: String,
    /// File with the user PIN.
    #[arg(long)]
    pub pin_file: PathBuf,
    /// Label of the key.
    #[arg(long)]
    pub object: String,
    /// Sessions, each on a thread of its own.
    #[arg(long)]
    pub sessions: usize,
    /// How long.
    #[arg(long)]
    pub seconds: f64,
}
