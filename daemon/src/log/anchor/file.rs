//! Anchor files: the newest released checkpoint, outside the database.
//!
//! Two slots of 4 KiB are written in turn, each with a sequence number and a checksum, so that a torn write leaves the
//! other one. A slot is written after each commit and before anything of that commit is released; it is synced by
//! [`crate::log::keeper`] at most once a second, and at shutdown. So an anchor is never ahead of the database, at most a
//! second behind after a power cut, and exact after a clean stop.
//!
//! This does not judge: [`crate::log::load`] compares.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use proto::hash::Hash;

use super::Kept;
use crate::log::error::LoadError;

const SLOT: usize = 4096;
const MAGIC: &[u8; 8] = b"CSANCH\xff\x01";
const HEADER: usize = 8 + 8 + 8 + 4;

/// An open anchor file.
#[derive(Debug)]
pub(in crate::log) struct Anchor {
    path: PathBuf,
    file: File,
    sequence: u64,
}

impl Anchor {
    /// Makes the file, with its first content.
    pub(in crate::log) fn create(path: &Path, kept: &Kept) -> Result<(), LoadError> {
        let io = |source| LoadError::Io { doing: "making the anchor", path: path.to_owned(), source };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        file.write_all_at(&[0; 2 * SLOT], 0).map_err(io)?;
        let mut anchor = Self { path: path.to_owned(), file, sequence: 0 };
        anchor.write(kept)?;
        anchor.sync()?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|directory| directory.sync_all()).map_err(io)
    }

    /// Opens the file and reads the newest intact slot.
    pub(in crate::log) fn open(path: &Path) -> Result<(Self, Kept), LoadError> {
        let file =
            OpenOptions::new().read(true).write(true).open(path).map_err(|source| match source.kind() {
                std::io::ErrorKind::NotFound => {
                    LoadError::Gone { what: "anchor", place: path.display().to_string() }
                }
                _ => LoadError::Io { doing: "opening the anchor", path: path.to_owned(), source },
            })?;
        let mut newest: Option<(u64, Kept)> = None;
        for slot in 0..2 {
            let mut bytes = [0; SLOT];
            let read = file.read_at(&mut bytes, slot * SLOT as u64).map_err(|source| LoadError::Io {
                doing: "reading the anchor",
                path: path.to_owned(),
                source,
            })?;
            if let Some((sequence, kept)) = decode(&bytes[..read])
                && newest.as_ref().is_none_or(|(known, _)| sequence > *known)
            {
                newest = Some((sequence, kept));
            }
        }
        let Some((sequence, kept)) = newest else {
            return Err(LoadError::Inconsistent(format!(
                "the anchor {} holds no intact checkpoint",
                path.display()
            )));
        };
        Ok((Self { path: path.to_owned(), file, sequence: sequence + 1 }, kept))
    }

    /// Writes the older slot. Safe now: the commit that this checkpoint stands for. A crash here leaves the other slot.
    pub(in crate::log) fn write(&mut self, kept: &Kept) -> Result<(), LoadError> {
        let bytes = encode(self.sequence, kept);
        self.file.write_all_at(&bytes, (self.sequence % 2) * SLOT as u64).map_err(|source| {
            LoadError::Io { doing: "writing the anchor", path: self.path.clone(), source }
        })?;
        self.sequence += 1;
        Ok(())
    }

    /// Syncs what was written.
    pub(in crate::log) fn sync(&self) -> Result<(), LoadError> {
        self.file.sync_data().map_err(|source| LoadError::Io {
            doing: "syncing the anchor",
            path: self.path.clone(),
            source,
        })
    }

    /// A handle for syncing in the background.
    pub(in crate::log) fn handle(&self) -> Result<File, LoadError> {
        self.file.try_clone().map_err(|source| LoadError::Io {
            doing: "opening the anchor",
            path: self.path.clone(),
            source,
        })
    }

    pub(in crate::log) fn path(&self) -> &Path {
        &self.path
    }
}

fn encode(sequence: u64, kept: &Kept) -> Vec<u8> {
    let text = kept.checkpoint.as_bytes();
    let mut bytes = Vec::with_capacity(HEADER + text.len() + 32);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&kept.number.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(text);
    let sum = Hash::of(&bytes);
    bytes.extend_from_slice(sum.as_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<(u64, Kept)> {
    let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    if bytes.get(..8)? != MAGIC {
        return None;
    }
    let length = u32::from_le_bytes(bytes.get(24..HEADER)?.try_into().ok()?) as usize;
    let end = HEADER.checked_add(length)?;
    let sum = bytes.get(end..end.checked_add(32)?)?;
    if Hash::of(bytes.get(..end)?).as_bytes() != sum {
        return None;
    }
    let checkpoint = String::from_utf8(bytes.get(HEADER..end)?.to_vec()).ok()?;
    Some((number(8)?, Kept { checkpoint, number: number(16)? }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn kept(number: u64) -> Kept {
        Kept { checkpoint: format!("log.example\n{number}\n"), number }
    }

    #[test]
    fn the_newest_intact_slot_is_read_and_a_torn_one_leaves_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anchor");
        Anchor::create(&path, &kept(1)).unwrap();
        let (mut anchor, found) = Anchor::open(&path).unwrap();
        assert_eq!(found, kept(1));
        anchor.write(&kept(2)).unwrap();
        anchor.write(&kept(3)).unwrap();
        assert_eq!(Anchor::open(&path).unwrap().1, kept(3));
        // Sequence 0 was kept(1), 1 was kept(2), 2 is kept(3) in slot 0.
        anchor.file.write_all_at(b"torn", 40).unwrap();
        let (mut anchor, found) = Anchor::open(&path).unwrap();
        assert_eq!(found, kept(2));
        anchor.write(&kept(4)).unwrap();
        assert_eq!(Anchor::open(&path).unwrap().1, kept(4));
    }

    #[test]
    fn a_missing_anchor_and_one_without_any_intact_slot_need_a_person() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anchor");
        assert!(Anchor::open(&path).unwrap_err().needs_a_person());
        std::fs::write(&path, [7; 2 * SLOT]).unwrap();
        assert!(Anchor::open(&path).unwrap_err().needs_a_person());
    }
}
