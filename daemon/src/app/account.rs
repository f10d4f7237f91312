//! With what this process runs, for the log: the configuration file as it was read, the backends and their modules.

use proto::canonical::Map;
use proto::hash::Hash;
use proto::record::config::{BackendDetail, Cause};

use crate::backend::Settings;
use crate::config::Config;
use crate::keyring::Account;

/// What the log is told at the start. Reads the modules' files: a process that hosts one maps what it finds when it begins,
/// which may be another file by then, and says so itself at each birth of a key.
pub(super) fn at_start(config: &Config) -> Account {
    let backends = config.backends.iter().map(|(name, settings)| {
        let (kind, module) = match settings {
            Settings::Software(_) => ("software", None),
            // Where only the host's own user may read it, nothing is said of it here.
            Settings::Pkcs11(settings) => ("pkcs11", std::fs::read(&settings.module).ok()),
        };
        let module = module.map(|bytes| Hash::of(&bytes));
        (name.clone(), BackendDetail { kind: kind.to_owned(), module })
    });
    Account { cause: Cause::Start, file: config.sha256, backends: Map::from_iter(backends) }
}
