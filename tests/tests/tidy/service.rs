//! The systemd unit is hardened: `systemd-analyze security` rates its exposure below 2.0, without systemd running.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::source::{caught, clean, root};

/// The rating's words, or the reason why it is above the threshold. 20 is an exposure of 2.0.
fn rated(unit: &Path) -> Result<String, String> {
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
        .arg(unit)
        .output()
        .expect("systemd-analyze comes with Debian's package systemd (`cargo xtask test` installs it)");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let last = said
        .lines()
        .rev()
        .find(|line| line.contains("Overall exposure level"))
        .unwrap_or_default()
        .to_owned();
    assert!(!last.is_empty(), "systemd-analyze gave no rating: {said}");
    if output.status.success() { Ok(last) } else { Err(last) }
}

#[test]
fn the_unit_is_hardened() {
    let unit = root().join("daemon/systemd/countersignd.service");
    let rating = rated(&unit).unwrap();
    assert!(rating.contains("countersignd.service"), "{rating}");
    let text = std::fs::read_to_string(unit).unwrap();
    // What the rating does not count and the daemon needs.
    for line in
        ["Type=notify", "LimitCORE=0", "LimitMEMLOCK=infinity", "LoadCredential=log.key:", "PrivateUsers=no"]
    {
        assert!(text.lines().any(|own| own.starts_with(line)), "the unit lacks {line}");
    }
}

#[test]
fn a_unit_without_hardening_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let unit = directory.path().join("bare.service");
    std::fs::write(&unit, "[Service]\nExecStart=/bin/true\n").unwrap();
    let rating = rated(&unit).unwrap_err();
    assert!(rating.contains("bare.service"), "{rating}");
}

/// Credentials that the configuration names and the unit does not load, or the other way round.
fn unmatched(unit: &str, config: &str) -> Vec<String> {
    let loaded = |line: &str| Some(line.strip_prefix("LoadCredential=")?.split(':').next()?.to_owned());
    let named = |line: &str| Some(line.split("credential = \"").nth(1)?.split('"').next()?.to_owned());
    let loaded: BTreeSet<String> = unit.lines().filter_map(loaded).collect();
    let named: BTreeSet<String> = config.lines().filter_map(named).collect();
    loaded
        .symmetric_difference(&named)
        .map(|name| format!("credential `{name}` is in one of the two only"))
        .collect()
}

#[test]
fn the_unit_loads_the_credentials_that_the_configuration_names() {
    let read = |name: &str| std::fs::read_to_string(root().join("daemon/systemd").join(name)).unwrap();
    let (unit, config) = (read("countersignd.service"), read("countersignd.toml"));
    clean(&unmatched(&unit, &config));
    // The daemon's own reading of it, which opens nothing.
    if let Err(problems) = daemon::config::check(&config) {
        panic!("{problems:?}");
    }
    let without = unit.replace("LoadCredential=log.key:", "# ");
    caught(&unmatched(&without, &config), "`log.key`");
}
