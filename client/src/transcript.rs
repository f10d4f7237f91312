//! Reading a transcript from a directory, for whoever verifies it.
//!
//! Promises: only regular files inside the directory are read, no link is followed, and nothing larger than what a transcript may be.
//! Directories without files say nothing and are passed over. Judges nothing of what it reads: that is
//! [`ceremonies::transcript::verify`].

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ceremonies::transcript::{Files, LARGEST, LARGEST_FILE, MOST_FILES};

/// Deepest directory: `rosters/2/genesis/acts`.
const DEEPEST: usize = 4;

/// Why a directory is no transcript.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A link, a pipe, a device.
    #[error("{0} is neither a file nor a directory: a transcript has no links, pipes or devices")]
    Special(PathBuf),
    /// A name that no file of a transcript has.
    #[error("{0} does not belong to a transcript: its files have names of A-Z a-z 0-9 . _ -")]
    Name(PathBuf),
    /// Too deep.
    #[error("{0} is deeper than any directory of a transcript")]
    Deep(PathBuf),
    /// Too much.
    #[error(
        "{0}: a transcript has at most {MOST_FILES} files, of at most {LARGEST_FILE} bytes each and {LARGEST} together"
    )]
    Large(PathBuf),
    /// The operating system refused.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

/// Every file under a directory, by its path in it.
///
/// # Errors
/// The first thing that is no file of a transcript, or cannot be read.
pub fn read(directory: &Path) -> Result<Files, ReadError> {
    let mut reading = Reading::default();
    reading.directory(directory, "", 0)?;
    Ok(reading.files)
}

#[derive(Default)]
struct Reading {
    files: Files,
    bytes: usize,
}

impl Reading {
    fn directory(&mut self, directory: &Path, inside: &str, depth: usize) -> Result<(), ReadError> {
        let io = |cause| ReadError::Io { path: directory.to_owned(), cause };
        for entry in fs::read_dir(directory).map_err(io)? {
            let entry = entry.map_err(io)?;
            let place = entry.path();
            let name = entry.file_name().into_string().ok().filter(|name| is_plain(name));
            let name = name.ok_or_else(|| ReadError::Name(place.clone()))?;
            let path = if inside.is_empty() { name } else { format!("{inside}/{name}") };
            // Of the entry itself, not of what a link names.
            let kind = entry.file_type().map_err(|cause| ReadError::Io { path: place.clone(), cause })?;
            if kind.is_dir() && depth >= DEEPEST {
                return Err(ReadError::Deep(place));
            } else if kind.is_dir() {
                self.directory(&place, &path, depth + 1)?;
            } else if kind.is_file() {
                self.file(place, path)?;
            } else {
                return Err(ReadError::Special(place));
            }
        }
        Ok(())
    }

    fn file(&mut self, place: PathBuf, path: String) -> Result<(), ReadError> {
        let most = LARGEST_FILE.min(LARGEST - self.bytes);
        let mut bytes = Vec::new();
        let read = File::open(&place).and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes));
        read.map_err(|cause| ReadError::Io { path: place.clone(), cause })?;
        if bytes.len() > most || self.files.len() >= MOST_FILES {
            return Err(ReadError::Large(place));
        }
        self.bytes += bytes.len();
        self.files.insert(path, bytes);
        Ok(())
    }
}

fn is_plain(name: &str) -> bool {
    name.len() <= 128 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    #[test]
    fn files_are_found_by_their_paths() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("genesis/acts")).unwrap();
        fs::write(place.path().join("genesis/acts/ada.json"), "a").unwrap();
        fs::write(place.path().join("README.md"), "b").unwrap();
        let files = read(place.path()).unwrap();
        let expected = [("README.md", b"b"), ("genesis/acts/ada.json", b"a")];
        assert!(
            files
                .iter()
                .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
                .eq(expected.into_iter().map(|(path, bytes)| (path, bytes.as_slice())))
        );
    }

    #[test]
    fn links_pipes_strange_names_and_depth_are_refused() {
        let with = |make: &dyn Fn(&Path)| {
            let place = tempfile::tempdir().unwrap();
            make(place.path());
            read(place.path()).unwrap_err()
        };
        let link = with(&|place| std::os::unix::fs::symlink("/etc/hostname", place.join("x")).unwrap());
        assert!(matches!(link, ReadError::Special(_)), "{link}");
        let link = with(&|place| std::os::unix::fs::symlink("/etc", place.join("acts")).unwrap());
        assert!(matches!(link, ReadError::Special(_)), "{link}");
        let socket = with(&|place| drop(std::os::unix::net::UnixListener::bind(place.join("x")).unwrap()));
        assert!(matches!(socket, ReadError::Special(_)), "{socket}");
        let name = with(&|place| fs::write(place.join("a b"), "").unwrap());
        assert!(matches!(name, ReadError::Name(_)), "{name}");
        let deep = with(&|place| fs::create_dir_all(place.join("a/b/c/d/e")).unwrap());
        assert!(matches!(deep, ReadError::Deep(_)), "{deep}");
        let large = with(&|place| {
            let file = File::create(place.join("x")).unwrap();
            file.set_len(LARGEST_FILE as u64 + 1).unwrap();
        });
        assert!(matches!(large, ReadError::Large(_)), "{large}");
        assert!(matches!(with(&|place| fs::remove_dir(place).unwrap()), ReadError::Io { .. }));
    }
}
