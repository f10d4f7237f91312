//! `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Check, test and explain access policy, offline.
#[derive(Debug, Args)]
pub struct Policy {
    /// What to do with it.
    #[command(subcommand)]
    pub what: PolicyCommand,
}

/// What to do with a policy.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Check guardrails and grants against the schema, and everything they name
    Check(Files),
    /// Run a table of cases
    Test(Test),
    /// Say which rule decides a request, and what every other rule says
    Explain(Box<Explain>),
}

/// The files of a policy.
#[derive(Debug, Clone, Args)]
pub struct Files {
    /// Guardrails, TOML; what they name is read beside them
    #[arg(long, value_name = "FILE")]
    pub guardrails: Option<PathBuf>,
    /// Grants, Cedar
    #[arg(long, value_name = "FILE")]
    pub grants: PathBuf,
}

/// Run a table of cases.
#[derive(Debug, Args)]
pub struct Test {
    /// The policy.
    #[command(flatten)]
    pub files: Files,
    /// Tables of cases, TOML
    #[arg(required = true, value_name = "CASES")]
    pub cases: Vec<PathBuf>,
}

/// Say which rule decides a request.
#[derive(Debug, Args)]
pub struct Explain {
    /// The policy.
    #[command(flatten)]
    pub files: Files,
    /// Who asks: spiffe://…, dns:… or unix:UID
    #[arg(long, value_name = "ID")]
    pub caller: String,
    /// For what: sign, get-public-key, list-keys, read-log, stop, …
    #[arg(long, default_value = "sign")]
    pub action: String,
    /// Name of the key
    #[arg(long)]
    pub key: Option<String>,
    /// Kind of input: blob, digest, oci, notation, dsse:TYPE
    #[arg(long)]
    pub kind: Option<String>,
    /// Repository of an image
    #[arg(long, value_name = "NAME")]
    pub repository: Option<String>,
    /// Digest of the input; may be repeated
    #[arg(long = "digest", value_name = "sha256:HEX")]
    pub digests: Vec<String>,
    /// Subject of an in-toto statement, as a digest; may be repeated
    #[arg(long = "subject", value_name = "sha256:HEX")]
    pub subjects: Vec<String>,
    /// Predicate type of an in-toto statement
    #[arg(long, value_name = "TYPE")]
    pub predicate_type: Option<String>,
    /// Annotation of the request; may be repeated
    #[arg(long = "annotation", value_name = "NAME=VALUE")]
    pub annotations: Vec<String>,
    /// Issuer of the caller's token
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// Verified claim of the caller; may be repeated
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    pub claims: Vec<String>,
    /// Purpose of the key, where it is not the kind asked for; may be repeated
    #[arg(long, value_name = "KIND")]
    pub purpose: Vec<String>,
    /// Owner of the key
    #[arg(long)]
    pub owner: Option<String>,
    /// Target of a stop: all, key:NAME, caller:ID, issuer:URL, claim:NAME=VALUE, backend:NAME
    #[arg(long)]
    pub target: Option<String>,
}
