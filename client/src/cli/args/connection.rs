//! Which instance to talk to, and as whom: flags that every command takes.

use std::path::PathBuf;

use clap::Args;

use crate::settings::{Partial, Setting};

/// Connection settings. Each can also come from the environment or from the configuration file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// Configuration file to read in place of the usual one [env: COUNTERSIGN_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// https://HOST:PORT or unix:/PATH [env: COUNTERSIGN_ADDRESS]
    #[arg(long, global = true)]
    pub address: Option<String>,
    /// Name that the server's certificate must carry, where it is not the host [env: COUNTERSIGN_SERVER_NAME]
    #[arg(long, global = true, value_name = "NAME")]
    pub server_name: Option<String>,
    /// Certificate authorities of the server, PEM [env: COUNTERSIGN_CA]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca: Option<String>,
    /// Certificate of this client, PEM [env: COUNTERSIGN_CLIENT_CERTIFICATE]
    #[arg(long, global = true, value_name = "FILE")]
    pub client_certificate: Option<String>,
    /// Private key of this client, PEM [env: COUNTERSIGN_CLIENT_KEY]
    #[arg(long, global = true, value_name = "FILE")]
    pub client_key: Option<String>,
    /// Origin that the log must have [env: COUNTERSIGN_LOG_ORIGIN]
    #[arg(long, global = true, value_name = "NAME")]
    pub log_origin: Option<String>,
    /// Key that proves the log: origin+hash+base64, or a file that holds it [env: COUNTERSIGN_LOG_KEY]
    #[arg(long, global = true, value_name = "KEY")]
    pub log_key: Option<String>,
    /// How long to wait altogether, for instance 30s [env: COUNTERSIGN_DEADLINE]
    #[arg(long, global = true, value_name = "TIME")]
    pub deadline: Option<String>,
    /// Directory for the newest checkpoints that were seen [env: COUNTERSIGN_STATE]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<String>,
    /// Who you are in ceremonies, by the id in the roster [env: COUNTERSIGN_PERSON]
    #[arg(long, global = true, value_name = "ID", help_heading = "Ceremonies")]
    pub person: Option<String>,
    /// What you sign with: a key file, or the public key of one that an agent holds [env: COUNTERSIGN_SIGNING_KEY]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Ceremonies")]
    pub signing_key: Option<String>,
    /// SHA-256 of the instance's genesis statement [env: COUNTERSIGN_GENESIS_SHA256]
    #[arg(long, global = true, value_name = "HEX", help_heading = "Ceremonies")]
    pub genesis_sha256: Option<String>,
}

impl Connection {
    /// What the flags say.
    #[must_use]
    pub fn partial(&self) -> Partial {
        Partial::from_flags([
            (Setting::Address, self.address.clone()),
            (Setting::ServerName, self.server_name.clone()),
            (Setting::Ca, self.ca.clone()),
            (Setting::Certificate, self.client_certificate.clone()),
            (Setting::Key, self.client_key.clone()),
            (Setting::LogOrigin, self.log_origin.clone()),
            (Setting::LogKey, self.log_key.clone()),
            (Setting::Deadline, self.deadline.clone()),
            (Setting::State, self.state.clone()),
            (Setting::Person, self.person.clone()),
            (Setting::SigningKey, self.signing_key.clone()),
            (Setting::Genesis, self.genesis_sha256.clone()),
        ])
    }
}
