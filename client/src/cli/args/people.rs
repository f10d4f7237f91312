//! `approve` and `attest`.

use std::path::PathBuf;

use clap::Args;

/// Read a statement and approve it, or refuse.
#[derive(Debug, Args)]
#[command(
    after_help = "With a FILE (canonical JSON, as `ceremony new` writes it) nothing is connected to: the act and its signature \
                        are written beside it, and `countersign ceremony submit` brings them in later.\n\
                        The key that signs is `signing_key` in the settings; agents and FIDO tokens work as with ssh-keygen."
)]
pub struct Approve {
    /// Id of the ceremony, or a statement's file
    #[arg(value_name = "ID|FILE")]
    pub what: String,
    /// Refuse instead: your consent does not count here until you withdraw the refusal
    #[arg(long, requires = "reason")]
    pub refuse: bool,
    /// Why; a refusal needs one
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Template that the statement must be made from
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// Do not ask; taken in rehearsals alone
    #[arg(long)]
    pub yes: bool,
}

/// Read a statement, or what an execution came to, and attest it as a witness.
#[derive(Debug, Args)]
#[command(
    after_help = "Before an execution you attest that you have read the statement; after it, that these are the outputs \
                  and deviations that you saw. With a FILE only the beginning of a log is attested, a genesis or a recovery: \
                  every other attestation needs a recent head of the log."
)]
pub struct Attest {
    /// Id of the ceremony, or a statement's file
    #[arg(value_name = "ID|FILE")]
    pub what: String,
    /// Refuse instead: after an execution this ends the ceremony, and its output is quarantined
    #[arg(long, requires = "reason")]
    pub refuse: bool,
    /// Why; a refusal needs one
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Do not ask; taken in rehearsals alone
    #[arg(long)]
    pub yes: bool,
}
