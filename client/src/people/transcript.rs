//! Writing the files of a transcript as they come, into a directory that was not there.
//!
//! Promises: every file lies inside the directory, comes once, and in the order of the paths; the whole has bounds; the directory gets
//! its name when all of it is on the disk. Deliberately proves nothing: `ceremony verify` does.
//!
//! What a crash here leaves behind is a directory whose name ends in `.part`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use proto::hash::Hash;
use proto::wire::v1;

/// Most bytes of a transcript.
pub const LARGEST: u64 = 256 * 1024 * 1024;

/// Most files of a transcript.
pub const MOST_FILES: usize = 20_000;

/// Longest path of a file in it, in bytes.
const LONGEST_PATH: usize = 240;

/// The file whose digest is in the log.
const MANIFEST: &str = "manifest.json";

/// Why a transcript was not written. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptError {
    /// Something is there.
    #[error("{0} exists, and a transcript is written to a new directory")]
    Exists(PathBuf),
    /// A path that leads out, or that no transcript has.
    #[error("the daemon sent a file called `{0}`: expected names of A-Z a-z 0-9 . _ - with `/` between them")]
    Path(String),
    /// Out of order, or twice.
    #[error("the daemon sent `{found}` after `{before}`: expected the order of the paths, each once")]
    Order {
        /// The one before.
        before: String,
        /// The next.
        found: String,
    },
    /// Another file before the end of one.
    #[error("the transcript breaks off in `{0}`")]
    Broken(String),
    /// Nothing, or not its list of contents.
    #[error("the transcript has no {MANIFEST}")]
    NoManifest,
    /// Another list of contents than the log names.
    #[error("the transcript's {MANIFEST} is {found}, and the ceremony's is {named}")]
    Manifest {
        /// By the ceremony.
        named: String,
        /// What came.
        found: Hash,
    },
    /// Too much.
    #[error("the transcript has more than {LARGEST} bytes or {MOST_FILES} files")]
    Large,
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

/// A transcript that is being written.
#[derive(Debug)]
pub struct Writing {
    to: PathBuf,
    part: PathBuf,
    open: Option<(String, File)>,
    last: String,
    files: usize,
    bytes: u64,
    manifest: Option<Vec<u8>>,
    done: bool,
}

impl Writing {
    /// Begins one, to be found at `to` when it is whole.
    ///
    /// # Errors
    /// [`TranscriptError::Exists`], [`TranscriptError::Io`].
    pub fn begin(to: &Path) -> Result<Self, TranscriptError> {
        if to.symlink_metadata().is_ok() {
            return Err(TranscriptError::Exists(to.to_owned()));
        }
        let part = crate::files::with_ending(to, &format!(".{}.part", std::process::id()));
        fs::create_dir(&part).map_err(|cause| TranscriptError::Io { path: part.clone(), cause })?;
        Ok(Self {
            to: to.to_owned(),
            part,
            open: None,
            last: String::new(),
            files: 0,
            bytes: 0,
            manifest: None,
            done: false,
        })
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// Where it is none of a transcript, or cannot be written.
    pub fn take(&mut self, piece: &v1::GetTranscriptResponse) -> Result<(), TranscriptError> {
        self.bytes = self.bytes.saturating_add(piece.content.len() as u64);
        if self.bytes > LARGEST {
            return Err(TranscriptError::Large);
        }
        let (path, mut file) = match self.open.take() {
            Some((path, file)) if path == piece.path => (path, file),
            Some((path, _)) => return Err(TranscriptError::Broken(path)),
            None => (piece.path.clone(), self.create(&piece.path)?),
        };
        let io = |cause| TranscriptError::Io { path: self.part.join(&path), cause };
        file.write_all(&piece.content).map_err(io)?;
        if path == MANIFEST {
            self.manifest.get_or_insert_default().extend_from_slice(&piece.content);
        }
        if piece.last {
            file.sync_all().map_err(io)?;
            self.last = path;
        } else {
            self.open = Some((path, file));
        }
        Ok(())
    }

    fn create(&mut self, path: &str) -> Result<File, TranscriptError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let name =
            |part: &str| !part.is_empty() && !part.bytes().all(|b| b == b'.') && part.bytes().all(plain);
        if path.len() > LONGEST_PATH || !path.split('/').all(name) {
            return Err(TranscriptError::Path(path.chars().take(LONGEST_PATH).collect()));
        }
        if *path <= *self.last {
            return Err(TranscriptError::Order { before: self.last.clone(), found: path.to_owned() });
        }
        self.files += 1;
        if self.files > MOST_FILES {
            return Err(TranscriptError::Large);
        }
        let place = self.part.join(path);
        let io = |cause| TranscriptError::Io { path: place.clone(), cause };
        if let Some(directory) = place.parent() {
            fs::create_dir_all(directory).map_err(io)?;
        }
        File::create_new(&place).map_err(io)
    }

    /// Gives the directory its name; how many files and bytes there are. `named` is the manifest's SHA-256, as the ceremony has it.
    ///
    /// # Errors
    /// Where it broke off, is not the one that the log names, or the name was taken meanwhile.
    pub fn finish(mut self, named: &[u8]) -> Result<(usize, u64), TranscriptError> {
        if let Some((path, _)) = self.open.take() {
            return Err(TranscriptError::Broken(path));
        }
        let found = Hash::of(self.manifest.as_deref().ok_or(TranscriptError::NoManifest)?);
        if found.as_bytes() != named {
            return Err(TranscriptError::Manifest { named: hex::encode(named), found });
        }
        // A directory that appeared meanwhile is in the way of the new name, unless it is empty.
        fs::rename(&self.part, &self.to)
            .map_err(|cause| TranscriptError::Io { path: self.to.clone(), cause })?;
        self.done = true;
        Ok((self.files, self.bytes))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.done {
            // What cannot be removed stays under a name that ends in `.part` and does no harm.
            let _gone = fs::remove_dir_all(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    fn piece(path: &str, content: &[u8], last: bool) -> v1::GetTranscriptResponse {
        v1::GetTranscriptResponse { path: path.to_owned(), content: content.to_vec(), last }
    }

    fn refused(pieces: &[v1::GetTranscriptResponse]) -> TranscriptError {
        let directory = tempfile::tempdir().unwrap();
        let mut writing = Writing::begin(&directory.path().join("t")).unwrap();
        let error = pieces.iter().find_map(|piece| writing.take(piece).err());
        let error = error.unwrap_or_else(|| writing.finish(Hash::of(b"{}").as_bytes()).unwrap_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "something is left");
        error
    }

    #[test]
    fn a_transcript_is_whole_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let to = directory.path().join("t");
        let mut writing = Writing::begin(&to).unwrap();
        for piece in [
            piece("acts/ada.json", b"a", false),
            piece("acts/ada.json", b"b", true),
            piece("manifest.json", b"{}", true),
        ] {
            writing.take(&piece).unwrap();
        }
        assert!(!to.exists());
        assert_eq!(writing.finish(Hash::of(b"{}").as_bytes()).unwrap(), (2, 4));
        assert_eq!(fs::read(to.join("acts/ada.json")).unwrap(), b"ab");
        assert!(matches!(Writing::begin(&to).unwrap_err(), TranscriptError::Exists(_)));
    }

    #[test]
    fn no_file_lies_outside() {
        for path in
            ["../a", "/a", "a/../b", "a//b", "", "a/", "a\\b", "a/./b", "...", "ä", "a b", &"a".repeat(241)]
        {
            let error = refused(&[piece(path, b"x", true)]);
            assert!(matches!(error, TranscriptError::Path(_)), "{path}: {error}");
        }
    }

    #[test]
    fn what_is_out_of_order_broken_or_another_is_refused() {
        let manifest = || piece("manifest.json", b"{}", true);
        assert!(matches!(refused(&[manifest(), piece("a", b"", true)]), TranscriptError::Order { .. }));
        assert!(matches!(refused(&[manifest(), manifest()]), TranscriptError::Order { .. }));
        assert!(matches!(refused(&[piece("a", b"", false), manifest()]), TranscriptError::Broken(_)));
        assert!(matches!(refused(&[piece("a", b"", false)]), TranscriptError::Broken(_)));
        assert!(matches!(refused(&[piece("a", b"", true)]), TranscriptError::NoManifest));
        assert!(matches!(refused(&[piece("manifest.json", b"[]", true)]), TranscriptError::Manifest { .. }));
    }
}
