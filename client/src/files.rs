//! Writing answers to files: whole or not at all, and never over something that is there.
//!
//! Promises: a name either does not exist or holds the whole content, also after a crash; without `force` an existing file stays as
//! it is, even one that appeared a moment ago. What a crash here leaves behind is a file ending in `.part`, never half an answer.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why files were not written. None of them was.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Something is there already.
    #[error("{0} exists")]
    Exists(PathBuf),
    /// The directory does not exist or is none.
    #[error("{0} is not a directory")]
    NoDirectory(PathBuf),
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

impl FileError {
    /// What to do.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Exists(_) => "give another name with --out or --receipt, or --force to replace it",
            Self::NoDirectory(_) => "create it first",
            Self::Io { .. } => "check the path, its permissions and the free space",
        }
    }
}

/// One file to be written.
#[derive(Debug)]
pub struct Planned {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub content: Vec<u8>,
}

/// Looks, before anything is asked for, whether the names are free and their directories exist.
///
/// # Errors
/// The first name that is taken, or whose directory is not there.
pub fn look_ahead(paths: &[PathBuf], force: bool) -> Result<(), FileError> {
    for path in paths {
        let directory = parent(path);
        if !directory.is_dir() {
            return Err(FileError::NoDirectory(directory.to_owned()));
        }
        if path.is_dir() || (!force && path.symlink_metadata().is_ok()) {
            return Err(FileError::Exists(path.clone()));
        }
    }
    Ok(())
}

/// Writes all of them: first under other names, synced, then each is given its name.
///
/// # Errors
/// The first that failed. Files that got their name before it stay; each is whole.
pub fn write(files: &[Planned], force: bool) -> Result<(), FileError> {
    let mut parts = Vec::new();
    for file in files {
        let part = part_name(&file.path);
        parts.push(Part(part.clone()));
        let io = |cause| FileError::Io { path: part.clone(), cause };
        let mut open = OpenOptions::new().write(true).create(true).truncate(true).open(&part).map_err(io)?;
        open.write_all(&file.content).and_then(|()| open.sync_all()).map_err(io)?;
    }
    for (file, part) in files.iter().zip(&parts) {
        // Safe now: the content is on the disk under another name. A crash here leaves that name and nothing else.
        give_name(&part.0, &file.path, force)?;
    }
    for directory in files.iter().map(|file| parent(&file.path)) {
        sync_directory(directory);
    }
    Ok(())
}

/// A file that grows under another name until it is whole.
#[derive(Debug)]
pub struct Growing {
    file: std::io::BufWriter<File>,
    part: Part,
    path: PathBuf,
    force: bool,
}

impl Growing {
    /// Begins one.
    ///
    /// # Errors
    /// Where the name is taken or the directory is not there.
    pub fn create(path: &Path, force: bool) -> Result<Self, FileError> {
        look_ahead(&[path.to_owned()], force)?;
        let part = part_name(path);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&part)
            .map_err(|cause| FileError::Io { path: part.clone(), cause })?;
        Ok(Self { file: std::io::BufWriter::new(file), part: Part(part), path: path.to_owned(), force })
    }

    /// Adds to it.
    ///
    /// # Errors
    /// As the operating system gives them.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all(bytes).map_err(|cause| FileError::Io { path: self.part.0.clone(), cause })
    }

    /// Gives it its name. Dropped without this, it leaves nothing.
    ///
    /// # Errors
    /// Where the name was taken meanwhile, or the disk refuses.
    pub fn finish(mut self) -> Result<(), FileError> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(|cause| FileError::Io { path: self.part.0.clone(), cause })?;
        give_name(&self.part.0, &self.path, self.force)?;
        sync_directory(parent(&self.path));
        Ok(())
    }
}

/// A file under its first name, removed when it did not get its own.
#[derive(Debug)]
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // Renamed away is the usual case; what cannot be removed stays as `.part` and does no harm.
        let _gone = fs::remove_file(&self.0);
    }
}

fn give_name(part: &Path, path: &Path, force: bool) -> Result<(), FileError> {
    let io = |cause| FileError::Io { path: path.to_owned(), cause };
    if force {
        return fs::rename(part, path).map_err(io);
    }
    // A hard link never replaces anything, even a file that appeared just now.
    match fs::hard_link(part, path) {
        Ok(()) => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Err(FileError::Exists(path.to_owned())),
        // Some file systems have no hard links.
        Err(_) if path.symlink_metadata().is_ok() => Err(FileError::Exists(path.to_owned())),
        Err(_) => fs::rename(part, path).map_err(io),
    }
}

/// The directory that a path lies in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn part_name(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.part", std::process::id()));
    parent(path).join(name)
}

/// Makes the names durable, where the system can.
fn sync_directory(directory: &Path) {
    #[cfg(unix)]
    if let Ok(open) = File::open(directory) {
        // A failure costs durability of a name whose content can be fetched again; there is nothing better to do about it.
        let _synced = open.sync_all();
    }
    #[cfg(not(unix))]
    let _ = (directory, File::open::<&Path>);
}

/// `name` with more at its end: `app.tar.gz` and `.sig` is `app.tar.gz.sig`.
#[must_use]
pub fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn all_files_get_their_names_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| Planned {
            path: directory.path().join(name),
            content: content.to_vec(),
        };
        write(&[file("a.sig", b"one"), file("a.receipt", b"two")], false).unwrap();
        assert_eq!(names(directory.path()), ["a.receipt", "a.sig"]);
        assert_eq!(fs::read(directory.path().join("a.sig")).unwrap(), b"one");
    }

    #[test]
    fn nothing_is_replaced_without_force() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sig");
        fs::write(&path, b"precious").unwrap();
        let planned = || [Planned { path: path.clone(), content: b"new".to_vec() }];
        assert!(matches!(look_ahead(std::slice::from_ref(&path), false), Err(FileError::Exists(_))));
        assert!(matches!(write(&planned(), false), Err(FileError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        assert_eq!(names(directory.path()), ["a.sig"]);
        look_ahead(std::slice::from_ref(&path), true).unwrap();
        write(&planned(), true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_missing_directory_is_noticed_before_anything_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("no").join("a.sig");
        assert!(matches!(look_ahead(&[path], false), Err(FileError::NoDirectory(_))));
    }
}
