//! The configuration of the new log: that of the old one, with what is another's now; and what a state directory holds beside the
//! log.

use std::path::{Path, PathBuf};

use ceremonies::genesis::Genesis;
use toml::{Table, Value};

use super::super::init::{Files, InitError};
use crate::app::Failed;
use crate::config::Config;

/// Directories of a state directory that belong to backends: keys in software, and which PINs are known to be wrong.
const BROUGHT: [&str; 2] = ["software", "backends"];

/// The values that change, by section and name.
fn changed(files: &Files, genesis: &Genesis) -> [(&'static str, &'static str, Value); 4] {
    let file = |name: &str| Value::String(files.path(name).display().to_string());
    let named = |name: &str| Value::Table([("file".to_owned(), file(name))].into_iter().collect());
    [
        ("instance", "genesis_sha256", Value::String(genesis.digest().to_string())),
        ("instance", "state_directory", file("state")),
        ("log", "key", named("state/log.key")),
        ("log", "anchors", Value::Array(vec![named("anchor/countersign.anchor")])),
    ]
}

/// What is to be changed in a configuration that people keep themselves.
pub(super) fn lines(files: &Files, genesis: &Genesis) -> String {
    let mut text = String::from("\nIn that configuration, other than in the old one:\n");
    let mut section = "";
    for (of, name, value) in changed(files, genesis) {
        if of != section {
            text.push_str(&format!("  [{of}]\n"));
            section = of;
        }
        text.push_str(&format!("  {name} = {value}\n"));
    }
    text.push_str("  no next_key in [log]\n");
    text.push_str("  and paths below the old state directory, which are below the new one\n");
    text
}

/// The configuration of the new log. What lies in the old state directory lies in the new one; anchors off the host are left
/// out, because they keep what the old log had.
pub(super) fn text(old: &str, config: &Config, files: &Files, genesis: &Genesis) -> Result<String, Failed> {
    let mut table: Table = old.parse()?;
    moved(&mut table, &config.instance.state_directory, &files.path("state"));
    for (of, name, value) in changed(files, genesis) {
        let section = table.get_mut(of).and_then(Value::as_table_mut);
        let section =
            section.ok_or_else(|| Failed::new(format!("the configuration has no section [{of}]")))?;
        section.insert(name.to_owned(), value);
    }
    // The next key of the old log is none of the new one's.
    if let Some(log) = table.get_mut("log").and_then(Value::as_table_mut) {
        log.remove("next_key");
    }
    let text = format!(
        "# The log {} in place of {}, by `countersignd recover`: the old configuration, with what changed.\n\n{}",
        genesis.origin(),
        genesis.statement().common().log.origin,
        toml::to_string(&table)?
    );
    crate::config::check(&text).map_err(|problems| {
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failed::new(format!("the new configuration: {}", said.join("; ")))
    })?;
    Ok(text)
}

fn moved(table: &mut Table, from: &Path, to: &Path) {
    for (_, value) in table.iter_mut() {
        one_moved(value, from, to);
    }
}

fn one_moved(value: &mut Value, from: &Path, to: &Path) {
    match value {
        Value::String(text) => {
            if let Ok(inner) = Path::new(text.as_str()).strip_prefix(from) {
                *text = to.join(inner).display().to_string();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| one_moved(item, from, to)),
        Value::Table(table) => moved(table, from, to),
        _ => {}
    }
}

/// Copies what backends keep in the old state directory: without it, keys in software would be gone with it. Files that are
/// there from an attempt before are the same ones.
pub(super) fn bring(config: &Config, files: &Files) -> Result<(), Failed> {
    let old = &config.instance.state_directory;
    for name in BROUGHT {
        if old.join(name).is_dir() {
            files.directory(&format!("state/{name}"))?;
            let failed = |source| InitError::File { path: old.join(name), source };
            for entry in std::fs::read_dir(old.join(name)).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                if path.is_file() {
                    copied(files, &path, &format!("state/{name}"))?;
                }
            }
        }
    }
    for entry in identities(config) {
        if let Ok(inner) = entry.strip_prefix(old)
            && inner.components().count() == 1
        {
            copied(files, &entry, "state")?;
        }
    }
    Ok(())
}

/// Files in which software backends have their identity.
fn identities(config: &Config) -> Vec<PathBuf> {
    let of = |settings: &crate::backend::Settings| match settings {
        crate::backend::Settings::Software(software) => match &software.identity {
            crate::secret::SecretReference::File { path } => Some(path.clone()),
            _ => None,
        },
        crate::backend::Settings::Pkcs11(_) => None,
    };
    config.backends.values().filter_map(of).collect()
}

fn copied(files: &Files, from: &Path, to: &str) -> Result<(), Failed> {
    let failed = |source| InitError::File { path: from.to_owned(), source };
    let bytes = std::fs::read(from).map_err(failed)?;
    let Some(name) = from.file_name() else { return Ok(()) };
    let name = format!("{to}/{}", name.to_string_lossy());
    match std::fs::read(files.path(&name)) {
        Ok(there) if there == bytes => Ok(()),
        _ => Ok(files.secret(&name, &bytes)?),
    }
}
