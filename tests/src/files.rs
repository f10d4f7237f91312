//! Directories as a whole: what is in them, and another one like it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Every regular file below, with what it holds, by path.
///
/// # Panics
/// If something cannot be read.
#[must_use]
pub fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(place) = waiting.pop() {
        for entry in std::fs::read_dir(place).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => waiting.push(path),
                false if path.is_file() => found.push((path.clone(), std::fs::read(path).unwrap())),
                false => {}
            }
        }
    }
    found.sort();
    found
}

/// Copies a directory with everything in it, as it is; the copy must not be there yet.
///
/// # Panics
/// If that fails.
pub fn copy(from: &Path, to: &Path) {
    let mut copy = Command::new("cp");
    copy.arg("--archive").arg(from).arg(to);
    assert!(copy.status().unwrap().success(), "{} is not copied", from.display());
}
