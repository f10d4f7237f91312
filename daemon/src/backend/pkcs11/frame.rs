//! Frames of the host protocol: a `u32` little-endian length of at most 128 KiB, then one postcard value.
//!
//! Both ends treat the other's bytes as hostile: a length of zero or beyond the limit, a value that does not read, or
//! bytes left over end the connection with an error, never with a panic or a large allocation.
//!
//! Invariant: whatever was written is read back, in pieces of any size, and no bytes make a reader panic; held by
//! `requests_are_read_back_in_pieces`, `replies_are_read_back_in_pieces` and
//! `hostile_bytes_are_an_error_or_a_value_and_never_a_panic`.

use std::io::Read;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroize as _;

/// The longest payload of a frame, in bytes.
pub const LONGEST: usize = 128 * 1024;
const HEAD: usize = 4;

/// Bytes that are no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length is not 1 to 131,072.
    #[error("a frame of the host protocol has 1 to {LONGEST} bytes, this one says {0}")]
    Length(usize),
    /// The payload is no value of the protocol.
    #[error("a frame of the host protocol does not read: {0}")]
    Value(postcard::Error),
    /// Bytes are left over.
    #[error("a frame of the host protocol has {0} bytes left over")]
    LeftOver(usize),
    /// The connection failed.
    #[error("the host's connection failed: {0}")]
    Broken(#[from] std::io::Error),
}

/// Writes a value as a frame, behind what `out` holds.
///
/// # Errors
/// If the value is longer than a frame may be; `out` is as before then.
pub fn write<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    let written = postcard::to_extend(value, std::mem::take(out)).map_err(FrameError::Value)?;
    *out = written;
    let length = out.len() - start - HEAD;
    match u32::try_from(length) {
        Ok(head) if (1..=LONGEST).contains(&length) => {
            out[start..start + HEAD].copy_from_slice(&head.to_le_bytes());
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(FrameError::Length(length))
        }
    }
}

/// What has come over a connection and was not read yet.
///
/// It has room for one frame, never grows, and wipes what was read: it may be a signature that nobody is to get.
#[derive(Debug)]
pub struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { bytes: vec![0; HEAD + LONGEST], start: 0, end: 0 }
    }
}

impl Inbox {
    /// Where more may be written; say how much [`came`](Self::came). Empty only where a whole frame waits to be taken.
    pub fn room(&mut self) -> &mut [u8] {
        if self.end == self.bytes.len() && self.start > 0 {
            let length = self.end - self.start;
            self.bytes.copy_within(self.start..self.end, 0);
            self.bytes[length.max(self.start)..self.end].zeroize();
            (self.start, self.end) = (0, length);
        }
        &mut self.bytes[self.end..]
    }

    /// So many bytes were written at the beginning of the room.
    pub fn came(&mut self, count: usize) {
        self.end = self.bytes.len().min(self.end + count);
    }

    /// Reads the first whole frame's payload and wipes it; `None` where more bytes are needed.
    ///
    /// # Errors
    /// If the length is out of bounds.
    pub fn next<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, FrameError> {
        let waiting = &mut self.bytes[self.start..self.end];
        let Some(head) = waiting.first_chunk::<HEAD>() else { return Ok(None) };
        let length = HEAD + checked(*head)?;
        let Some(frame) = waiting.get_mut(..length) else { return Ok(None) };
        let found = read(&frame[HEAD..]);
        frame.zeroize();
        self.start += length;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        Ok(Some(found))
    }
}

/// Reads one payload; `None` at the end of the stream.
///
/// # Errors
/// If the length is out of bounds or the stream ends inside a frame.
pub fn read_payload(reader: &mut impl Read) -> Result<Option<Vec<u8>>, FrameError> {
    let mut head = [0; HEAD];
    let mut at = 0;
    while at < HEAD {
        match reader.read(&mut head[at..]) {
            Ok(0) if at == 0 => return Ok(None),
            Ok(0) => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            Ok(count) => at += count,
            Err(interrupted) if interrupted.kind() == std::io::ErrorKind::Interrupted => {}
            Err(broken) => return Err(broken.into()),
        }
    }
    let mut payload = vec![0; checked(head)?];
    reader.read_exact(&mut payload)?;
    Ok(Some(payload))
}

/// Reads a payload's value, all of it.
///
/// # Errors
/// If it is no value of the protocol or bytes are left over.
pub fn value<T: DeserializeOwned>(payload: &[u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(FrameError::LeftOver(rest.len())),
        Err(error) => Err(FrameError::Value(error)),
    }
}

fn checked(head: [u8; HEAD]) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_le_bytes(head)).unwrap_or(usize::MAX);
    if (1..=LONGEST).contains(&length) { Ok(length) } else { Err(FrameError::Length(length)) }
}

#[cfg(test)]
mod tests;
