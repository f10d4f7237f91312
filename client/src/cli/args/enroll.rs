//! `invite` and `enroll`.

use std::path::PathBuf;

use clap::Args;

/// Invite a caller to come by a client certificate.
#[derive(Debug, Args)]
#[command(
    after_help = "Needs the right `invite` of that caller. The token is shown once and is good once: give it to whoever is \
                        invited by a way that nobody else reads. What the caller may then do is for the grants to say."
)]
pub struct Invite {
    /// Who: spiffe://example.org/ci/linux, or dns:build.example.org
    #[arg(value_name = "ID")]
    pub caller: String,
    /// How long the token is good: 1m to 24h
    #[arg(long, value_name = "TIME", default_value = "15m")]
    pub valid_for: String,
}

/// Exchange an invitation for a client certificate.
#[derive(Debug, Args)]
#[command(
    after_help = "Makes a private key, which never leaves this machine, and asks the instance's CA for a certificate with the \
                        name that the invitation says. Needs an address and, over a network, `--ca`: nothing else."
)]
pub struct Enroll {
    /// The token, as `countersign invite` printed it; `-` reads it from standard input
    #[arg(value_name = "TOKEN")]
    pub token: String,
    /// The name that you expect: anything else is refused, after it was issued
    #[arg(long, value_name = "ID")]
    pub expect: Option<String>,
    /// Where to write: FILE.pem and FILE.key, neither of which may exist
    #[arg(long, value_name = "FILE", default_value = "countersign-client")]
    pub out: PathBuf,
}
