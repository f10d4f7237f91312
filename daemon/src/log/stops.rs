//! The stop file: where a stop is kept that the log could not take in time.
//!
//! It is preallocated, beside the first anchor, and an entry is written payload first, header after, each synced: what
//! was answered for is there, what is half there was never answered for. Entries are in force from the moment of the
//! load, are appended to the log before the first permit, and are skipped when the log has their operation already.
//! When all of them are in the log, the file begins anew. Where there is no room, or an entry is damaged, everything
//! is stopped.
//!
//! Layout: entries at multiples of 64 bytes from the start; the last 8 KiB are for the one entry that stops everything.
//! An entry: 8 bytes magic (never UTF-8), length of record and of detail (`u32`, little-endian; all ones: none), SHA-256
//! of both, padding to 64 bytes; then record and detail.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use proto::hash::Hash;
use proto::operation::OperationId;
use proto::record::{ControlRecord, LONGEST_CONTROL_DETAIL};

use super::error::LoadError;

const MAGIC: &[u8; 8] = b"CSSTOP\xff\x01";
const SIZE: u64 = 1 << 20;
const RESERVED: u64 = 8 << 10;
const HEADER: usize = 64;
const NO_DETAIL: u32 = u32::MAX;

/// A stop as the file keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) record: ControlRecord,
    pub(super) detail: Option<Vec<u8>>,
}

/// What opening the file found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    /// An entry was there and cannot be read: everything must be stopped.
    pub(super) damaged: bool,
}

/// The open stop file.
#[derive(Debug)]
pub(super) struct StopFile {
    path: PathBuf,
    file: File,
    end: u64,
    /// Operations in the file that are not known to be in the log.
    pending: Vec<OperationId>,
}

impl StopFile {
    /// Makes the file at its full size.
    pub(super) fn create(path: &Path) -> Result<(), LoadError> {
        let io = |source| LoadError::Io { doing: "making the stop file", path: path.to_owned(), source };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        // Zeros and not a hole: a stop on a full disk must find its blocks.
        file.write_all_at(&vec![0; usize::try_from(SIZE).unwrap_or(0)], 0).map_err(io)?;
        file.sync_all().map_err(io)
    }

    /// Opens the file and reads its entries.
    pub(super) fn open(path: &Path) -> Result<(Self, Found), LoadError> {
        let io = |source| LoadError::Io { doing: "reading the stop file", path: path.to_owned(), source };
        let file =
            OpenOptions::new().read(true).write(true).open(path).map_err(|source| match source.kind() {
                std::io::ErrorKind::NotFound => {
                    LoadError::Gone { what: "stop file", place: path.display().to_string() }
                }
                _ => io(source),
            })?;
        if file.metadata().map_err(io)?.len() != SIZE {
            return Err(LoadError::Inconsistent(format!(
                "the stop file {} does not have its {SIZE} bytes",
                path.display()
            )));
        }
        let mut found = Found::default();
        let mut end = 0;
        while let Some(entry) = read(&file, end, SIZE - RESERVED).map_err(io)? {
            end = entry.0;
            found.keep(entry.1);
            if found.damaged {
                break;
            }
        }
        if let Some(entry) = read(&file, SIZE - RESERVED, SIZE).map_err(io)? {
            found.keep(entry.1);
        }
        let pending = found.entries.iter().map(|entry| entry.record.operation).collect();
        Ok((Self { path: path.to_owned(), file, end, pending }, found))
    }

    /// Writes and syncs an entry. False: there is no room, write the one that stops everything.
    pub(super) fn write(&mut self, entry: &Entry) -> Result<bool, LoadError> {
        let next = self.put(self.end, SIZE - RESERVED, entry)?;
        if let Some(next) = next {
            self.end = next;
        }
        Ok(next.is_some())
    }

    /// Writes and syncs the one entry that stops everything.
    pub(super) fn write_everything(&mut self, entry: &Entry) -> Result<bool, LoadError> {
        Ok(self.put(SIZE - RESERVED, SIZE, entry)?.is_some())
    }

    fn put(&mut self, at: u64, limit: u64, entry: &Entry) -> Result<Option<u64>, LoadError> {
        let io = |source| LoadError::Io { doing: "writing the stop file", path: self.path.clone(), source };
        let record = proto::canonical::to_vec(&entry.record)
            .map_err(|e| LoadError::Inconsistent(format!("a stop that is no record: {e}")))?;
        let detail = entry.detail.as_deref();
        let next = (at + (HEADER + record.len() + detail.map_or(0, <[u8]>::len)) as u64).next_multiple_of(64);
        if next > limit {
            return Ok(None);
        }
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(MAGIC);
        header[8..12].copy_from_slice(&length(record.len()).to_le_bytes());
        header[12..16]
            .copy_from_slice(&detail.map_or(NO_DETAIL, |detail| length(detail.len())).to_le_bytes());
        header[16..48].copy_from_slice(Hash::of_parts(&[&record, detail.unwrap_or_default()]).as_bytes());
        // A crash before the second sync leaves an entry without header: it was never answered for. The header that may
        // follow from an older use of the file is cut off first.
        if next + HEADER as u64 <= limit {
            self.file.write_all_at(&[0; HEADER], next).map_err(io)?;
        }
        self.file.write_all_at(&record, at + HEADER as u64).map_err(io)?;
        self.file
            .write_all_at(detail.unwrap_or_default(), at + (HEADER + record.len()) as u64)
            .map_err(io)?;
        self.file.sync_data().map_err(io)?;
        self.file.write_all_at(&header, at).map_err(io)?;
        self.file.sync_data().map_err(io)?;
        self.pending.push(entry.record.operation);
        Ok(Some(next))
    }

    /// These operations are in the log. When nothing else is pending the file begins anew; a crash before that is synced
    /// leaves entries that the next load skips.
    pub(super) fn settle(&mut self, logged: impl Fn(&OperationId) -> bool) -> Result<(), LoadError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.pending.retain(|operation| !logged(operation));
        if !self.pending.is_empty() {
            return Ok(());
        }
        let io = |source| LoadError::Io { doing: "emptying the stop file", path: self.path.clone(), source };
        for at in [0, SIZE - RESERVED] {
            self.file.write_all_at(&[0; HEADER], at).map_err(io)?;
        }
        self.end = 0;
        self.file.sync_data().map_err(io)
    }
}

impl Found {
    fn keep(&mut self, entry: Option<Entry>) {
        match entry {
            Some(entry) => self.entries.push(entry),
            None => self.damaged = true,
        }
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(NO_DETAIL - 1)
}

/// The entry at `at` and where the next one begins; inside, `None` where it is damaged.
fn read(file: &File, at: u64, limit: u64) -> std::io::Result<Option<(u64, Option<Entry>)>> {
    if at + HEADER as u64 > limit {
        return Ok(None);
    }
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, at)?;
    if &header[..8] != MAGIC {
        return Ok(None);
    }
    let field = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (record_length, detail_length) = (field(8) as usize, field(12));
    let detail_bytes = if detail_length == NO_DETAIL { 0 } else { detail_length as usize };
    let next = (at + (HEADER + record_length) as u64 + detail_bytes as u64).next_multiple_of(64);
    if next > limit || detail_bytes > LONGEST_CONTROL_DETAIL {
        return Ok(Some((limit, None)));
    }
    let mut bytes = vec![0; record_length + detail_bytes];
    file.read_exact_at(&mut bytes, at + HEADER as u64)?;
    if Hash::of(&bytes).as_bytes() != &header[16..48] {
        return Ok(Some((next, None)));
    }
    let detail = (detail_length != NO_DETAIL).then(|| bytes[record_length..].to_vec());
    let record = ControlRecord::parse(&bytes[..record_length]).ok();
    Ok(Some((next, record.map(|record| Entry { record, detail }))))
}
