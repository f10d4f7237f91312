//! Entry bundles: leaves as they are served, each after its length (C2SP tlog-tiles, "Log Entries").

use super::WIDTH;

/// Bytes that one entry may have.
pub const ENTRY_LIMIT: usize = u16::MAX as usize;

/// Why entries and a bundle's bytes do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// An entry is longer than its length field can say.
    #[error("entry {place} has {found} bytes, a bundle takes at most 65535 each")]
    EntryTooLong {
        /// Place in the bundle, from 0.
        place: usize,
        /// Its length in bytes.
        found: usize,
    },
    /// More entries than a bundle holds.
    #[error("a bundle holds at most 256 entries, not {found}")]
    TooMany {
        /// Entries given.
        found: usize,
    },
    /// The bytes end inside an entry.
    #[error("the bundle ends inside entry {place}: fetch it again")]
    Truncated {
        /// Place in the bundle, from 0.
        place: usize,
    },
    /// Another number of entries than the bundle's place in the tree has.
    #[error("the bundle has {found} entries where {expected} were expected")]
    Count {
        /// Entries expected.
        expected: usize,
        /// Entries found.
        found: usize,
    },
}

/// The bytes of a bundle: for each entry its length as big-endian `u16`, then the entry.
///
/// # Errors
/// [`BundleError::EntryTooLong`], [`BundleError::TooMany`].
pub fn encode<B: AsRef<[u8]>>(entries: &[B]) -> Result<Vec<u8>, BundleError> {
    if entries.len() > WIDTH {
        return Err(BundleError::TooMany { found: entries.len() });
    }
    let mut bytes = Vec::with_capacity(entries.iter().map(|entry| 2 + entry.as_ref().len()).sum());
    for (place, entry) in entries.iter().enumerate() {
        let entry = entry.as_ref();
        let Ok(length) = u16::try_from(entry.len()) else {
            return Err(BundleError::EntryTooLong { place, found: entry.len() });
        };
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle that must have `width` of them.
///
/// # Errors
/// [`BundleError::Truncated`], [`BundleError::Count`].
pub fn decode(mut bytes: &[u8], width: usize) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::with_capacity(width.min(WIDTH));
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let place = entries.len();
        if place == width {
            return Err(BundleError::Count { expected: width, found: width + 1 });
        }
        let (entry, rest) = rest.split_at_checked(length).ok_or(BundleError::Truncated { place })?;
        entries.push(entry);
        bytes = rest;
    }
    if !bytes.is_empty() {
        return Err(BundleError::Truncated { place: entries.len() });
    }
    if entries.len() != width {
        return Err(BundleError::Count { expected: width, found: entries.len() });
    }
    Ok(entries)
}
