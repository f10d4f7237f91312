//! Drafts: a record as its task leaves it, before the log's writer stamps it.
//!
//! The task encodes the whole leaf; the writer only splices what it alone knows (when it is sealed, whether the clock
//! was trusted, the control record before) into fields of fixed width, and hashes.

use zeroize::Zeroize as _;

use crate::hash::Hash;
use crate::record::{LONGEST_LEAF, RecordError};
use crate::time::Time;

const SEALED: &[u8] = b"\"sealed\":\"";
const PREVIOUS: &[u8] = b"\"previous\":\"";
const MARK: &[u8] = b"\"clock\":\"untrusted\",";

/// The bytes of a leaf with places for `sealed` and, in control records, `previous`. One that is dropped unstamped is wiped:
/// it may hold a signature that nobody is to get.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Draft {
    bytes: Vec<u8>,
    sealed: usize,
    previous: Option<usize>,
}

impl Draft {
    /// The draft of a plain record from its canonical bytes, in which `time` stands without mark.
    ///
    /// # Errors
    /// [`RecordError::TooLong`]; [`RecordError::Bounds`] where there is no `sealed`.
    pub(crate) fn plain(bytes: Vec<u8>) -> Result<Self, RecordError> {
        // Quotes inside strings are escaped, so the pattern can only be the field, and the last one is the record's own.
        let sealed =
            place(&bytes, SEALED).ok_or_else(|| RecordError::Bounds("a record without `sealed`".into()))?;
        if bytes.len() + MARK.len() > LONGEST_LEAF {
            return Err(RecordError::TooLong(bytes.len()));
        }
        Ok(Self { bytes, sealed, previous: None })
    }

    /// The draft of a control record.
    ///
    /// # Errors
    /// As [`Self::plain`], and where there is no `previous`.
    pub(crate) fn control(bytes: Vec<u8>) -> Result<Self, RecordError> {
        let previous = place(&bytes, PREVIOUS)
            .ok_or_else(|| RecordError::Bounds("a control record without `previous`".into()))?;
        let mut draft = Self::plain(bytes)?;
        draft.previous = Some(previous);
        Ok(draft)
    }

    /// Whether `previous` has to be spliced in.
    pub const fn is_control(&self) -> bool {
        self.previous.is_some()
    }

    /// Length in bytes before the stamp.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no bytes; never true.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The leaf, sealed at this time. `previous` is the leaf hash of the control record before, and is ignored by plain
    /// records.
    pub fn stamp(mut self, sealed: Time, untrusted: bool, previous: &Hash) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        if let Some(at) = self.previous {
            bytes[at..at + 64].copy_from_slice(previous.to_string().as_bytes());
        }
        bytes[self.sealed..self.sealed + Time::WIDTH].copy_from_slice(&sealed.text());
        if untrusted {
            let at = self.sealed - SEALED.len();
            bytes.splice(at..at, MARK.iter().copied());
        }
        bytes
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.bytes.as_mut_slice().zeroize();
    }
}

fn place(bytes: &[u8], field: &[u8]) -> Option<usize> {
    bytes.windows(field.len()).rposition(|window| window == field).map(|at| at + field.len())
}
