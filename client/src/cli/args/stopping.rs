//! `stop`.

use clap::Args;

/// Stop a key, a caller, a backend or everything, now.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("target").required(true).multiple(false))]
#[command(
    after_help = "Asks nothing and waits for nothing but the answer. A stop stays until a ceremony lifts it.\n\
                  With --sign the stop is your own signed act: `signing_key` and `genesis_sha256` in the settings are enough, \
                  over any connection."
)]
pub struct Stop {
    /// KEY, every version of it, or KEY@VERSION
    #[arg(group = "target")]
    pub key: Option<String>,
    /// Stable id of a caller, for instance spiffe://example.org/ci/linux
    #[arg(long, group = "target", value_name = "ID")]
    pub caller: Option<String>,
    /// Every caller whose token this issuer signed
    #[arg(long, group = "target", value_name = "URL")]
    pub issuer: Option<String>,
    /// Every caller with this verified claim
    #[arg(long, group = "target", value_name = "NAME=VALUE")]
    pub claim: Option<String>,
    /// Every key of a backend
    #[arg(long, group = "target", value_name = "NAME")]
    pub backend: Option<String>,
    /// Everything
    #[arg(long, group = "target")]
    pub all: bool,
    /// Sign the stop with your SSH key (officers, witnesses, responders): needs no client certificate
    #[arg(long)]
    pub sign: bool,
    /// Why, for the log: 1 to 4,096 bytes
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}
