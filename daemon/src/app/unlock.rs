//! `countersignd backends unlock`: forgets that PINs are known to be wrong.

use super::Failed;
use crate::backend::Settings;
use crate::backend::pkcs11;
use crate::config::Config;

/// Forgets them.
#[expect(clippy::print_stdout, reason = "the answer of the task")]
pub(super) fn run(config: &Config, name: &str) -> Result<(), Failed> {
    match config.backends.get(name) {
        Some(Settings::Pkcs11(_)) => {}
        Some(Settings::Software(_)) => return Err(Failed::new(format!("backend `{name}` has no PIN"))),
        None => return Err(Failed::new(format!("there is no backend `{name}` in the configuration"))),
    }
    let forgotten = pkcs11::latch(&config.instance.state_directory, name).unlock()?;
    println!(
        "{}",
        if forgotten {
            "the PIN is tried again: within seconds by a daemon that runs, else when it starts"
        } else {
            "no PIN was known to be wrong"
        }
    );
    Ok(())
}
